"""The questions put to every adapter, each answered by memory too."""

# ruff: noqa: S101 - a test suite asserts
import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, ClassVar, TypedDict, Unpack

import msgspec
import pytest

from adapters import nhs_number
from adapters.conformance.declared import FIELDS, Carries, Gap
from adapters.conformance.population import (
    ADA,
    BEN,
    CHLOE,
    KEY,
    NOBODY,
    PLACEHOLDER,
    POPULATION,
    SINCE,
    SINGLE,
    UNTIL,
    Population,
)
from adapters.contract import Adapter, Answer, Event, Identifiers, Query
from adapters.memory import MemoryAdapter
from adapters.moment import Moment
from adapters.vocabulary import CATEGORIES, CAVEATS, STATUSES, category_of

Told = dict[str, Any]

Window = tuple[date | None, date | None]

WINDOWS: tuple[Window, ...] = (
    (SINCE, UNTIL),
    (SINCE, None),
    (None, UNTIL),
    (date(2024, 3, 31), SINCE),
    (UNTIL, date(2024, 7, 2)),
    (date(2024, 5, 6), date(2024, 5, 7)),
    (date(2030, 1, 1), date(2031, 1, 1)),
)


class Narrowed(TypedDict, total=False):
    """The parts of a query that a question may set."""

    since: date | None
    until: date | None
    categories: frozenset[str]
    limit: int


def comparable(event: Event, fields: frozenset[str] = FIELDS) -> Told:
    """An event as a flat value: equal for two adapters that told the same.

    Offsets count only where `zone` is among the fields, and times of one instant
    then differ if they were written differently. `detail` stands apart, since a
    source may add its own word to it.
    """
    told: Told = {
        name: getattr(event, name) for name in fields - {"zone", "detail", "caveats"}
    }
    for name in {"start", "end", "recorded"} & fields:
        told[name] = _written(getattr(event, name), zoned="zone" in fields)
    if "caveats" in fields:
        told["caveats"] = sorted(event.caveats)
    return told | {"record_id": event.record_id}


def _written(moment: Moment | None, *, zoned: bool) -> tuple[str, str] | None:
    if moment is None:
        return None
    if zoned or moment.precision in {"year", "month", "day"}:
        return moment.text, moment.precision
    return moment.at.astimezone(UTC).isoformat(), moment.precision


def _ids(events: Sequence[Event]) -> list[str]:
    return sorted(e.record_id for e in events)


@pytest.mark.asyncio
class AdapterContract:
    """Supply a fixture `adapter`, loaded with `self.population()`, and what it carries.

    A gap is named by the question it fails (the test's name without `test_`), and
    is strict: the day the question is answered, the suite says so.
    """

    sector: ClassVar[str] = "acute"
    carries: ClassVar[Carries] = Carries()
    gaps: ClassVar[dict[str, Gap]] = {}

    @classmethod
    def population(cls) -> Population:
        """What the fixture loads: of POPULATION, that which this kind has room for."""
        whole = (
            POPULATION if cls.carries.subject_of == "record" else POPULATION.by_person()
        )
        events = tuple(e for e in whole.events if cls.carries.has_room_for(e))
        return Population(events=events)

    def known_as(self, event: Event) -> str:
        """What this kind calls a loaded event's record; override if it says more."""
        return event.record_id

    def known(self, *record_ids: str) -> set[str]:
        """What this kind calls these records of the population, if it has room."""
        events = self.population().events
        return {self.known_as(e) for e in events if e.record_id in record_ids}

    def answered_at(self) -> datetime:
        """The instant no source can be fresher than; override with your own clock."""
        return datetime.now(UTC)  # noqa: TID251 - the suite stands outside the edge

    @pytest.fixture
    def now(self) -> datetime:
        """When the question was asked."""
        return self.answered_at()

    @pytest.fixture
    def memory(self, now: datetime) -> MemoryAdapter:
        """The oracle, loaded with the same events."""
        events = tuple(
            msgspec.structs.replace(event, record_id=self.known_as(event))
            for event in self.population().events
        )
        held = frozenset(category_of(e.kind, self.sector) for e in events)
        return MemoryAdapter(events, sector=self.sector, held=held, as_of=now, key=KEY)

    @pytest.fixture(autouse=True)
    def gap_of_this_question(self, request: pytest.FixtureRequest) -> None:
        """Marks a declared gap as a strict expected failure."""
        question = request.node.originalname.removeprefix("test_")
        if gap := self.gaps.get(question):
            reason = f"{gap.lasting}: {gap.because}"
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    def query(self, person: Identifiers = ADA, **narrowed: Unpack[Narrowed]) -> Query:
        """Everything of a person, unless narrowed."""
        wanted: Narrowed = {
            "since": None,
            "until": None,
            "categories": CATEGORIES,
            "limit": 1000,
        }
        return Query(person=person, **(wanted | narrowed))

    async def agreed(
        self, adapter: Adapter, memory: MemoryAdapter, query: Query
    ) -> Answer:
        """The adapter's answer, found to tell what memory tells."""
        answer, oracle = await adapter.ask(query), await memory.ask(query)
        fields = self.carries.fields
        mine = sorted((comparable(e, fields) for e in answer.events), key=_by_id)
        memorys = sorted((comparable(e, fields) for e in oracle.events), key=_by_id)
        assert mine == memorys
        assert (answer.person is None) == (oracle.person is None)
        return answer

    async def test_each_gap_names_a_question(self) -> None:
        for question in self.gaps:
            assert hasattr(self, f"test_{question}"), question

    async def test_everything_of_a_person_is_told(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer = await self.agreed(adapter, memory, self.query())
        assert answer.events

    async def test_a_second_person_is_told_apart(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer = await self.agreed(adapter, memory, self.query(BEN))
        assert answer.events

    async def test_an_unknown_person_is_nobody(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer = await self.agreed(adapter, memory, self.query(NOBODY))
        assert (answer.events, answer.person) == ((), None)

    async def test_a_known_person_without_events_is_not_unknown(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        query = self.query(CHLOE, since=date(2030, 1, 1))
        answer = await self.agreed(adapter, memory, query)
        assert answer.events == ()
        assert answer.person is not None

    @pytest.mark.parametrize("category", sorted(CATEGORIES))
    async def test_one_category_is_told_alone(
        self, adapter: Adapter, memory: MemoryAdapter, category: str
    ) -> None:
        query = self.query(categories=frozenset({category}))
        answer = await self.agreed(adapter, memory, query)
        kinds = {category_of(e.kind, self.sector) for e in answer.events}
        assert kinds <= {category}

    async def test_no_category_is_no_event(self, adapter: Adapter) -> None:
        answer = await adapter.ask(self.query(categories=frozenset()))
        assert answer.events == ()

    @pytest.mark.parametrize("window", WINDOWS)
    async def test_a_window_has_exact_ends(
        self, adapter: Adapter, memory: MemoryAdapter, window: Window
    ) -> None:
        """Catches `<` become `<=`, a day in UTC, a month taken for its first day."""
        since, until = window
        await self.agreed(adapter, memory, self.query(since=since, until=until))

    async def test_adjoining_windows_share_no_certain_event(
        self, adapter: Adapter
    ) -> None:
        before = await adapter.ask(self.query(until=UNTIL))
        after = await adapter.ask(self.query(since=UNTIL))
        both = set(_ids(before.events)) & set(_ids(after.events))
        vague = {
            e.record_id
            for e in before.events
            if e.start and e.start.precision in {"month", "year"}
        }
        assert both <= vague

    async def test_undated_records_are_counted_when_a_window_is_asked(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        query = self.query(since=SINCE)
        answer, oracle = await adapter.ask(query), await memory.ask(query)
        assert _count(answer, "undated") == _count(oracle, "undated")

    async def test_undated_records_are_told_when_no_window_is_asked(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer, oracle = await adapter.ask(self.query()), await memory.ask(self.query())
        undated = [e for e in oracle.events if e.start is None]
        assert _ids([e for e in answer.events if e.start is None]) == _ids(undated)

    async def test_an_answer_cut_short_says_so(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer = await adapter.ask(self.query(limit=3))
        oracle = await memory.ask(self.query(limit=3))
        assert _count(answer, "truncated") >= 1
        assert _starts(answer) == _starts(oracle)

    async def test_an_answer_that_just_fits_is_not_cut_short(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        whole = await memory.ask(self.query(BEN))
        answer = await adapter.ask(self.query(BEN, limit=len(whole.events)))
        assert _ids(answer.events) == _ids(whole.events)
        assert _count(answer, "truncated") == 0

    async def test_the_order_is_by_start_and_the_undated_come_last(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer = await adapter.ask(self.query())
        assert _starts(answer) == _starts(await memory.ask(self.query()))

    async def test_same_day_repeats_stay_two(self, adapter: Adapter) -> None:
        day = self.query(since=date(2024, 5, 6), until=date(2024, 5, 7))
        answer = await adapter.ask(day)
        repeats = self.known("same-day-1", "same-day-2")
        assert repeats <= set(_ids(answer.events))

    async def test_an_end_before_its_start_is_kept_and_flagged(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        oracle = await memory.ask(self.query())
        wanted = {e.record_id for e in oracle.events if "reversed" in e.caveats}
        answer = await adapter.ask(self.query())
        flagged = [e for e in answer.events if "reversed" in e.caveats]
        assert {e.record_id for e in flagged} == wanted
        assert all(e.start and e.end and e.end.at < e.start.at for e in flagged)

    async def test_detail_is_told(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        if "detail" not in self.carries.fields:
            pytest.skip("this kind does not carry detail")
        answer, oracle = await adapter.ask(self.query()), await memory.ask(self.query())
        told = {(e.record_id, d) for e in answer.events for d in e.detail}
        assert {(e.record_id, d) for e in oracle.events for d in e.detail} <= told

    async def test_a_field_not_carried_is_truly_not(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer, oracle = await adapter.ask(self.query()), await memory.ask(self.query())
        for name in FIELDS - self.carries.fields - {"detail"}:
            names = frozenset({name, "start"}) if name == "zone" else frozenset({name})
            mine = sorted((comparable(e, names) for e in answer.events), key=_by_id)
            memorys = sorted((comparable(e, names) for e in oracle.events), key=_by_id)
            assert mine != memorys, f"carries {name}: declare it"

    async def test_a_record_id_is_never_an_nhs_number(self, adapter: Adapter) -> None:
        for person in (ADA, BEN, CHLOE):
            answer = await adapter.ask(self.query(person))
            told = [nhs_number.normalise(e.record_id) for e in answer.events]
            assert set(told) <= {None}

    async def test_nobody_elses_record_is_told(self, adapter: Adapter) -> None:
        for person in (ADA, BEN, CHLOE):
            answer = await adapter.ask(self.query(person))
            subjects = [e.subject for e in answer.events]
            assert all(s and s & person.every for s in subjects)

    async def test_a_local_identifier_finds_its_records(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        by_key = Identifiers(others=ADA.others)
        answer = await self.agreed(adapter, memory, self.query(by_key))
        assert self.known("ada-by-key") <= set(_ids(answer.events))

    async def test_somebody_without_a_number_is_found(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer = await self.agreed(adapter, memory, self.query(CHLOE))
        assert answer.events

    async def test_a_number_alone_teaches_the_local_identifiers(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        alone = Identifiers(nhs_number=ADA.nhs_number)
        answer = await self.agreed(adapter, memory, self.query(alone))
        assert answer.person is not None
        assert ADA.others <= answer.person.identifiers

    async def test_two_identifiers_tell_each_record_once(
        self, adapter: Adapter
    ) -> None:
        both = Identifiers(
            nhs_number=ADA.nhs_number, others=ADA.others | frozenset({SINGLE})
        )
        told = _ids((await adapter.ask(self.query(both))).events)
        assert len(told) == len(set(told))

    async def test_a_placeholder_links_nobody(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        shared = Identifiers(others=frozenset({PLACEHOLDER}))
        answer = await self.agreed(adapter, memory, self.query(shared))
        assert (answer.events, answer.person) == ((), None)
        assert _count(answer, "shared_identifier") >= 1

    async def test_a_placeholder_beside_a_number_adds_nobody(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        person = Identifiers(nhs_number=ADA.nhs_number, others=frozenset({PLACEHOLDER}))
        answer = await self.agreed(adapter, memory, self.query(person))
        assert self.known("ben-2").isdisjoint(_ids(answer.events))

    async def test_a_placeholder_is_not_passed_on(self, adapter: Adapter) -> None:
        """Else a second round would ask other sources for it."""
        answer = await adapter.ask(self.query())
        assert answer.person is not None
        assert PLACEHOLDER not in answer.person.identifiers

    async def test_what_is_held_is_stated(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        answer = await adapter.ask(self.query())
        assert answer.held == adapter.profile.held
        assert memory.profile.held <= answer.held <= CATEGORIES

    async def test_only_the_closed_lists_are_spoken(self, adapter: Adapter) -> None:
        answer = await adapter.ask(self.query(since=SINCE))
        codes = {c.code for c in answer.caveats}
        codes |= {code for e in answer.events for code in e.caveats}
        assert codes <= set(CAVEATS)
        assert {e.status for e in answer.events} <= STATUSES

    async def test_no_source_is_fresher_than_now(
        self, adapter: Adapter, now: datetime
    ) -> None:
        answer = await adapter.ask(self.query())
        assert answer.as_of.tzinfo is not None
        assert answer.as_of <= max(now, self.answered_at())

    async def test_asking_again_changes_nothing(self, adapter: Adapter) -> None:
        first, again = [await adapter.ask(self.query()) for _ in range(2)]
        assert [comparable(e) for e in first.events] == [
            comparable(e) for e in again.events
        ]

    async def test_asked_at_once_each_is_told_their_own(
        self, adapter: Adapter, memory: MemoryAdapter
    ) -> None:
        people = [ADA, BEN, CHLOE, NOBODY] * 4
        told = await asyncio.gather(*(adapter.ask(self.query(p)) for p in people))
        for person, answer in zip(people, told, strict=True):
            oracle = await memory.ask(self.query(person))
            assert _ids(answer.events) == _ids(oracle.events)

    async def test_closing_twice_is_safe(self, adapter: Adapter) -> None:
        await adapter.ask(self.query())
        await adapter.aclose()
        await adapter.aclose()

    async def test_closing_before_the_first_question_is_safe(
        self, adapter: Adapter
    ) -> None:
        await adapter.aclose()

    @pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005])
    async def test_cancelled_half_way_it_answers_the_next(
        self, adapter: Adapter, memory: MemoryAdapter, after_s: float
    ) -> None:
        asking = asyncio.create_task(adapter.ask(self.query()))
        await asyncio.sleep(after_s)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            assert isinstance(await asking, Answer)
        await self.agreed(adapter, memory, self.query())


def _by_id(told: Told) -> str:
    return str(told["record_id"])


def _count(answer: Answer, code: str) -> int:
    return sum(c.count for c in answer.caveats if c.code == code)


def _starts(answer: Answer) -> list[datetime | None]:
    """The instants told, in the order told."""
    return [e.start.at.astimezone(UTC) if e.start else None for e in answer.events]
