"""The suite itself: each seeded defect fails a question, each gap is strict.

A question that nothing can fail asks nothing.
"""

import asyncio
import inspect
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from adapters.conformance import AdapterContract, Carries
from adapters.conformance.population import ADA, BEN, KEY, NOBODY
from adapters.contract import Caveat, Event, Identifiers, Person
from adapters.memory import MemoryAdapter
from adapters.moment import LONDON, Moment
from adapters.vocabulary import CATEGORIES
from tests.corpus import ROOT

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOLD: dict[str, Any] = {
    "sector": "acute",
    "held": CATEGORIES,
    "as_of": NOW,
    "key": KEY,
}


class Suite(AdapterContract):
    """The questions, put by hand; pytest collects classes by the name Test alone."""

    def answered_at(self):
        return NOW


def memory(**changed):
    return MemoryAdapter(Suite.population().events, **(TOLD | changed))


class Seeded(MemoryAdapter):
    """Memory with a defect: how it changes the query, the answer, or one event."""

    def __init__(self, *, query=None, answer=None, event=None, **changed):
        super().__init__(Suite.population().events, **(TOLD | changed))
        self.change_query, self.change_answer = query, answer
        self.change_event = event

    async def ask(self, query):
        query = self.change_query(query) if self.change_query else query
        answer = await super().ask(query)
        if self.change_event:
            answer = replace(
                answer, events=tuple(map(self.change_event, answer.events))
            )
        return self.change_answer(answer) if self.change_answer else answer


def until_a_day_later(query):
    return (query.until and replace(query, until=query.until + timedelta(1))) or query


def since_a_day_later(query):
    return (query.since and replace(query, since=query.since + timedelta(1))) or query


def by_number_alone(query):
    return replace(query, person=Identifiers(nhs_number=query.person.nhs_number))


def about_ben_too(query):
    return replace(query, person=Identifiers(others=query.person.every | BEN.every))


def everything(query):
    return replace(query, categories=CATEGORIES)


def a_start(change):
    def changed(event):
        start = event.start and change(event.start)
        return msgspec.structs.replace(event, start=start)

    return changed


def in_utc(moment):
    return Moment(moment.at.astimezone(UTC), moment.precision)


def padded(moment):
    return Moment(moment.at, "second")


def shown_in_london(moment):
    return Moment(moment.at.astimezone(LONDON), moment.precision)


def without(code):
    def changed(answer):
        kept = tuple(c for c in answer.caveats if c.code != code)
        return replace(answer, caveats=kept)

    return changed


def merged(answer):
    """One event a day and kind: what de-duplicating within a source does."""
    kept: dict[object, Event] = {}
    for event in answer.events:
        day = event.start and event.start.text[:10]
        kept.setdefault((event.kind, day, event.title[:15]), event)
    return replace(answer, events=tuple(kept.values()))


def forgotten(answer):
    return replace(answer, person=answer.person if answer.events else None)


def invented(answer):
    return replace(answer, person=answer.person or Person())


def numbered(event):
    return msgspec.structs.replace(event, record_id=ADA.nhs_number)


def unflagged(event):
    return msgspec.structs.replace(event, caveats=())


def ended_at_its_start(event):
    if "reversed" in event.caveats:
        return msgspec.structs.replace(event, end=event.start)
    return event


def vague(event):
    return msgspec.structs.replace(event, detail=())


def own_word(event):
    return msgspec.structs.replace(event, status="zzz")


def doubled(answer):
    return replace(answer, events=answer.events * 2)


def backwards(answer):
    return replace(answer, events=answer.events[::-1])


def said(code):
    return lambda answer: replace(answer, caveats=(*answer.caveats, Caveat(code)))


def teaching_nothing(answer):
    return replace(answer, person=answer.person and Person())


def teaching_placeholders(answer):
    named = frozenset(i for e in answer.events for i in e.subject or ())
    return replace(answer, person=Person(identifiers=named))


def undated_dropped(answer):
    return replace(answer, events=tuple(e for e in answer.events if e.start))


DEFECTS = {
    "a_window_has_exact_ends": [
        Seeded(query=until_a_day_later),
        Seeded(query=since_a_day_later),
        Seeded(event=a_start(in_utc)),
        Seeded(event=a_start(padded)),
    ],
    "adjoining_windows_share_no_certain_event": [Seeded(query=until_a_day_later)],
    "everything_of_a_person_is_told": [
        Seeded(event=a_start(shown_in_london)),
        Seeded(answer=undated_dropped),
        Seeded(query=by_number_alone),
    ],
    "a_second_person_is_told_apart": [
        Seeded(query=lambda q: replace(q, person=ADA)),
    ],
    "an_unknown_person_is_nobody": [
        Seeded(answer=invented),
        Seeded(query=about_ben_too),
    ],
    "a_known_person_without_events_is_not_unknown": [Seeded(answer=forgotten)],
    "one_category_is_told_alone": [Seeded(query=everything)],
    "no_category_is_no_event": [Seeded(query=everything)],
    "undated_records_are_counted_when_a_window_is_asked": [
        Seeded(answer=without("undated"))
    ],
    "undated_records_are_told_when_no_window_is_asked": [
        Seeded(answer=undated_dropped)
    ],
    "an_answer_cut_short_says_so": [Seeded(answer=without("truncated"))],
    "an_answer_that_just_fits_is_not_cut_short": [Seeded(answer=said("truncated"))],
    "the_order_is_by_start_and_the_undated_come_last": [Seeded(answer=backwards)],
    "same_day_repeats_stay_two": [Seeded(answer=merged)],
    "an_end_before_its_start_is_kept_and_flagged": [
        Seeded(event=unflagged),
        Seeded(event=ended_at_its_start),
    ],
    "detail_is_told": [Seeded(event=vague)],
    "a_record_id_is_never_an_nhs_number": [Seeded(event=numbered)],
    "nobody_elses_record_is_told": [Seeded(query=about_ben_too)],
    "a_local_identifier_finds_its_records": [Seeded(query=by_number_alone)],
    "somebody_without_a_number_is_found": [Seeded(query=by_number_alone)],
    "a_number_alone_teaches_the_local_identifiers": [Seeded(answer=teaching_nothing)],
    "two_identifiers_tell_each_record_once": [Seeded(answer=doubled)],
    "a_placeholder_links_nobody": [Seeded(key=None)],
    "a_placeholder_beside_a_number_adds_nobody": [Seeded(key=None)],
    "a_placeholder_is_not_passed_on": [Seeded(answer=teaching_placeholders)],
    "what_is_held_is_stated": [
        Seeded(held=frozenset()),
        Seeded(answer=lambda a: replace(a, held=frozenset())),
    ],
    "only_the_closed_lists_are_spoken": [
        Seeded(event=own_word),
        Seeded(answer=said("zzz")),
    ],
    "no_source_is_fresher_than_now": [
        Seeded(as_of=NOW + timedelta(hours=1)),
        Seeded(as_of=NOW.replace(tzinfo=None)),
    ],
}
SEEDED = [(name, nth) for name, found in DEFECTS.items() for nth in range(len(found))]


async def put(suite, question, adapter):
    """Put one question by hand, once for each of its parameters."""
    method = getattr(suite, f"test_{question}")
    supplied = {"adapter": adapter, "memory": memory(), "now": NOW}
    wanted = inspect.signature(method).parameters
    given = {name: supplied[name] for name in wanted if name in supplied}
    marks = {mark.args[0]: mark.args[1] for mark in getattr(method, "pytestmark", [])}
    for name, values in marks.items():
        for value in values:
            await method(**given, **{name: value})
    if not marks:
        await method(**given)


@pytest.mark.parametrize(("question", "nth"), SEEDED)
async def test_a_seeded_defect_fails_its_question(question, nth):
    await put(Suite(), question, memory())
    with pytest.raises(AssertionError):
        await put(Suite(), question, DEFECTS[question][nth])


async def test_asking_again_must_change_nothing():
    class Fading(MemoryAdapter):
        asked = 0

        async def ask(self, query):
            self.asked += 1
            return await super().ask(
                replace(query, limit=1000 if self.asked < 2 else 1)
            )

    fading = Fading(Suite.population().events, **TOLD)
    with pytest.raises(AssertionError):
        await put(Suite(), "asking_again_changes_nothing", fading)


async def test_questions_asked_at_once_must_not_meet():
    class Shared(MemoryAdapter):
        async def ask(self, query):
            self.query = query
            await asyncio.sleep(0)
            return await super().ask(self.query)

    shared = Shared(Suite.population().events, **TOLD)
    with pytest.raises(AssertionError):
        await put(Suite(), "asked_at_once_each_is_told_their_own", shared)


async def test_a_cancelled_question_must_free_what_it_held():
    class Stuck(MemoryAdapter):
        held_by_one = False

        async def ask(self, query):
            if self.held_by_one:
                return replace(await super().ask(query), events=())
            self.held_by_one = True
            await asyncio.sleep(0.05)
            self.held_by_one = False
            return await super().ask(query)

    stuck = Stuck(Suite.population().events, **TOLD)
    with pytest.raises(AssertionError):
        await put(Suite(), "cancelled_half_way_it_answers_the_next", stuck)


async def test_a_field_that_begins_to_be_carried_must_be_declared():
    class Modest(Suite):
        carries = Carries(fields=Carries().fields - {"organisation"})

    with pytest.raises(AssertionError, match="organisation"):
        await put(Modest(), "a_field_not_carried_is_truly_not", memory())


async def test_every_question_has_a_defect_that_fails_it():
    questions = {n.removeprefix("test_") for n in dir(Suite) if n.startswith("test_")}
    elsewhere = {
        "asking_again_changes_nothing",
        "asked_at_once_each_is_told_their_own",
        "cancelled_half_way_it_answers_the_next",
        "a_field_not_carried_is_truly_not",
        "each_gap_names_a_question",
        # These fail by raising, whatever is raised.
        "closing_twice_is_safe",
        "closing_before_the_first_question_is_safe",
    }
    assert questions == set(DEFECTS) | elsewhere


async def test_nobody_has_events_in_the_population():
    answer = await memory().ask(Suite().query(NOBODY))
    assert answer.person is None


GAPS = """
import pytest
from adapters.conformance import AdapterContract, never, notimpl, notyet
from adapters.conformance.population import KEY
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES

class TestMine(AdapterContract):
    gaps = {gaps}

    @pytest.fixture
    def adapter(self, now):
        events = self.population().events
        return MemoryAdapter(events, sector="acute", held=CATEGORIES, as_of=now)
"""


def outcome(folder, gaps):
    """The suite over memory that believes placeholders, in a process of its own."""
    (folder / "test_mine.py").write_text(GAPS.replace("{gaps}", gaps))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA"]
    command += ["-c", str(ROOT / "pyproject.toml"), str(folder / "test_mine.py")]
    command += ["-k", "placeholder or gap or unknown"]
    ran = subprocess.run(  # noqa: S603 - our own test runner
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    return ran.stdout


SHARED = """{
    "a_placeholder_links_nobody": never("it has no key"),
    "a_placeholder_beside_a_number_adds_nobody": notyet("it has no key"),
    "a_placeholder_is_not_passed_on": notimpl("it has no key"),
}"""


def test_a_declared_gap_is_expected_and_says_why(tmp_path):
    told = outcome(tmp_path, SHARED)
    assert " failed" not in told.splitlines()[-1], told
    for lasting in ("never", "notyet", "notimpl"):
        assert f"{lasting}: it has no key" in told


def test_a_gap_that_works_must_be_closed(tmp_path):
    told = outcome(tmp_path, '{"an_unknown_person_is_nobody": never("why")}')
    assert "[XPASS(strict)] never: why" in told


def test_a_gap_that_names_no_question_is_refused(tmp_path):
    told = outcome(tmp_path, '{"telepathy": never("why")}')
    assert "FAILED" in told
    assert "test_each_gap_names_a_question" in told
