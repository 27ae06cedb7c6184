"""What a source shows when it is asked about a synthetic person whom it holds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
import pytest

from adapters.contract import Answer, Caveat, Event, FlagState, Query
from adapters.memory import MemoryAdapter
from adapters.moment import Moment
from gateway.checking.of_person import QUESTIONS, of_person
from tests.checks import NUMBER, asker_of, checked_in, fake, found, is_told_whole
from tests.checks import results as results_of
from tests.houses import ANN, BOB, NOW, STATES, answer, event
from tests.people import number

HELD = frozenset({"encounters", "problems"})
EVENTS = (
    event("r-1", "2026-01-05T10:00:00+00:00"),
    event("r-2", "2026-01-06T00:00:00+00:00", kind="condition"),
    event("r-3", "2026-01-07"),
    event("r-4", None),
)
EXPECTED_OK = dict.fromkeys(QUESTIONS, "ok")


def sound(*events):
    """An adapter that keeps the contract, by way of the oracle."""
    return MemoryAdapter(events or EVENTS, sector="primary-care", held=HELD, as_of=NOW)


class Spoilt(MemoryAdapter):
    """The oracle, but for what is done to its answers, or to what it is asked."""

    def __init__(
        self,
        *,
        answers: Callable[[Answer, Query], Answer] | None = None,
        queries: Callable[[Query], Query] | None = None,
        events: Sequence[Event] = EVENTS,
    ) -> None:
        super().__init__(events, sector="primary-care", held=HELD, as_of=NOW)
        self._spoil = answers or (lambda said, _: said)
        self._hear = queries or (lambda query: query)

    async def ask(self, query: Query) -> Answer:
        return self._spoil(await super().ask(self._hear(query)), query)


async def asked(folder, adapter, **registration):
    checked = checked_in(folder, adapter, **registration)
    return await of_person(checked, asker_of(adapter), NUMBER)


async def wrong_of(folder, question, **spoilt):
    wrong = found(await asked(folder, Spoilt(**spoilt)), question)
    assert is_told_whole(wrong)
    return wrong


def with_events(change):
    return lambda said, _: replace(said, events=tuple(change(said.events)))


def each(**changes):
    return with_events(
        lambda events: [msgspec.structs.replace(e, **changes) for e in events]
    )


async def test_a_source_that_keeps_the_contract_has_nothing_to_mend(tmp_path):
    assert results_of(await asked(tmp_path, sound())) == EXPECTED_OK


async def test_no_finding_repeats_a_value_of_the_person(tmp_path):
    for adapter in (sound(), Spoilt(answers=each(record_id=NUMBER))):
        told = repr(await asked(tmp_path, adapter))
        assert NUMBER not in told
        assert "r-1" not in told
        assert "2026-01" not in told


async def test_a_person_whom_nobody_knows_shows_nothing(tmp_path):
    findings = await asked(tmp_path, fake())
    assert is_told_whole(found(findings, "known-person"))
    assert set(results_of(findings).values()) == {"wrong", "not-asked"}
    assert list(results_of(findings)) == list(QUESTIONS)


async def test_a_first_question_that_fails_is_told(tmp_path):
    def fails(_query):
        raise ValueError

    assert results_of(await asked(tmp_path, fake(fails))) == {"known-person": "wrong"}


async def test_a_known_person_without_records_leaves_ends_unasked(tmp_path):
    results = results_of(await asked(tmp_path, fake(lambda _: answer())))
    unasked = {q for q, result in results.items() if result == "not-asked"}
    assert unasked == {"window-ends", "one-category", "limit-kept"}
    assert "wrong" not in results.values()


async def test_a_record_of_somebody_else_is_wrong(tmp_path):
    wrong = await wrong_of(tmp_path, "nobody-else", answers=each(subject=BOB.every))
    assert wrong.says.startswith("4 records")


async def test_a_header_of_somebody_else_condemns_the_whole_answer(tmp_path):
    def bobs(said, _):
        return replace(said, person=answer(about=BOB).person)

    wrong = await wrong_of(tmp_path, "nobody-else", answers=bobs)
    assert wrong.says.startswith("4 records")


async def test_a_record_that_names_the_person_by_a_local_identifier_is_theirs(tmp_path):
    local = each(subject=ANN.others)
    assert results_of(await asked(tmp_path, Spoilt(answers=local))) == EXPECTED_OK


@pytest.mark.parametrize("record_id", [number(3), " "])
async def test_record_ids_that_are_none_are_wrong(tmp_path, record_id):
    await wrong_of(tmp_path, "record-ids", answers=each(record_id=record_id))


async def test_a_time_without_a_zone_is_wrong_and_compares_nothing(tmp_path):
    naive = Moment(datetime(2026, 1, 5), "day")  # noqa: DTZ001 - the fault that is looked for
    findings = await asked(tmp_path, Spoilt(answers=each(recorded=naive)))
    assert found(findings, "time-zones").says == "4 times have no zone"
    assert results_of(findings)["order"] == "not-asked"
    assert set(results_of(findings)) == set(QUESTIONS)


@pytest.mark.parametrize(
    "change", [{"kind": "moon"}, {"status": "waxing"}, {"caveats": ("moonlit",)}]
)
async def test_words_outside_the_lists_are_wrong(tmp_path, change):
    wrong = await wrong_of(tmp_path, "closed-lists", answers=each(**change))
    assert not any(str(value) in repr(wrong) for value in change.values())


async def test_a_category_told_and_not_held_is_wrong(tmp_path):
    def holding_less(said, _):
        return replace(said, held=frozenset({"problems"}))

    await wrong_of(tmp_path, "held-told", answers=holding_less)


async def test_another_order_is_wrong(tmp_path):
    await wrong_of(tmp_path, "order", answers=with_events(reversed))


async def test_a_flag_that_is_promised_and_not_stated_is_wrong(tmp_path):
    wrong = found(await asked(tmp_path, sound(), flags=STATES), "flags-stated")
    assert "legally-restricted, sensitive-record" in wrong.says
    assert "throughline.toml, line" in wrong.where


async def test_a_flag_that_is_stated_is_enough(tmp_path):
    def stating(said, _):
        flags = [FlagState(flag=each, present=False, as_of=NOW) for each in STATES]
        return replace(said, flags=tuple(flags))

    findings = await asked(tmp_path, Spoilt(answers=stating), flags=STATES)
    assert results_of(findings) == EXPECTED_OK


def a_day_longer(query):
    """The end become inclusive."""
    if query.until is None:
        return query
    return replace(query, until=query.until.replace(day=query.until.day + 1))


@pytest.mark.parametrize(
    "queries",
    [
        a_day_longer,
        lambda query: replace(query, since=None),
        lambda query: replace(query, until=None),
    ],
    ids=["inclusive", "no since", "no until"],
)
async def test_window_ends_that_are_not_kept_are_wrong(tmp_path, queries):
    await wrong_of(tmp_path, "window-ends", queries=queries)


async def test_a_record_lost_at_the_start_of_a_window_is_wrong(tmp_path):
    def loses_the_first(said, query):
        return replace(said, events=said.events[1:]) if query.since else said

    await wrong_of(tmp_path, "window-ends", answers=loses_the_first)


async def test_a_month_may_lie_in_a_window_of_no_day_or_not(tmp_path):
    month = event("r-5", "2026-01")
    dated = event("r-6", "2026-01-06")

    def leaves_it_out(said, query):
        is_empty = query.since is not None and query.since == query.until
        return replace(said, events=()) if is_empty else said

    for adapter in (sound(month, dated), sound(month)):
        assert "wrong" not in results_of(await asked(tmp_path, adapter)).values()
    vague = Spoilt(answers=leaves_it_out, events=(month, dated))
    assert results_of(await asked(tmp_path, vague)) == EXPECTED_OK


async def test_another_category_than_asked_is_wrong(tmp_path):
    await wrong_of(
        tmp_path,
        "one-category",
        queries=lambda query: replace(query, categories=HELD),
    )


async def test_a_limit_that_is_not_kept_is_wrong(tmp_path):
    await wrong_of(
        tmp_path, "limit-kept", queries=lambda query: replace(query, limit=5000)
    )


async def test_an_answer_cut_short_in_silence_is_wrong(tmp_path):
    def silent(said, _):
        return replace(said, caveats=())

    wrong = await wrong_of(tmp_path, "limit-kept", answers=silent)
    assert "does not say so" in wrong.says


async def test_a_part_of_an_answer_is_compared_with_nothing(tmp_path):
    def in_part(said, _):
        return replace(said, caveats=(Caveat("type_failed"),))

    results = results_of(await asked(tmp_path, Spoilt(answers=in_part)))
    unasked = [q for q, result in results.items() if result == "not-asked"]
    assert unasked == ["window-ends", "one-category", "limit-kept", "asking-again"]


async def test_another_answer_to_the_same_question_is_wrong(tmp_path):
    seen = []

    def changing(said, query):
        if query.since is query.until is None and query.limit > 1:
            seen.append(query)
        return replace(said, events=said.events[1:]) if len(seen) > 2 else said

    await wrong_of(tmp_path, "asking-again", answers=changing)


@pytest.mark.parametrize(
    ("fails_at", "question"),
    [
        (lambda q: q.until is not None, "window-ends"),
        (lambda q: len(q.categories) == 1, "one-category"),
        (lambda q: q.limit == 1, "limit-kept"),
    ],
)
async def test_a_question_that_fails_is_wrong_and_the_others_stand(
    tmp_path, fails_at, question
):
    def hear(query):
        if fails_at(query):
            raise ValueError
        return query

    findings = await asked(tmp_path, Spoilt(queries=hear))
    assert results_of(findings) == EXPECTED_OK | {question: "wrong"}


async def test_asking_again_in_vain_is_wrong(tmp_path):
    counted = []

    def hear(query):
        counted.append(query)
        if len(counted) == 8:  # the last of them
            raise ValueError
        return query

    results = results_of(await asked(tmp_path, Spoilt(queries=hear)))
    assert results == EXPECTED_OK | {"asking-again": "wrong"}


async def test_days_at_the_ends_of_the_calendar_are_left_alone(tmp_path):
    ends = [event("r-1", "0001-01-01T00:00:00+05:00"), event("r-2", "9999-12-31")]
    results = results_of(await asked(tmp_path, fake(lambda _: answer(*ends))))
    assert (results["order"], results["window-ends"]) == ("ok", "not-asked")
