"""The fan-out: whatever a source does it becomes an outcome, in time."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from adapters.contract import Answer, Caveat, FlagState, Identifier, Identifiers, Query
from adapters.errors import Refused, Unavailable, Unreadable
from adapters.nhs_number import SYSTEM
from adapters.vocabulary import CATEGORIES
from gateway.clock import SystemClock
from gateway.journey.ask import MOST_ROUNDS, Errand, Lanes, Means, ask_all
from gateway.journey.outcome import Answered, Denied, Failure, NotAsked
from tests.fakes import FakeAdapter
from tests.houses import ANN, BOB, NOW, HouseClock, answer, event, profile, source
from tests.people import LOCAL, OLD, number

BY_NUMBER = Identifiers(nhs_number=number(0))
LOCAL_ONLY = Identifiers(others=ANN.others)
BY_LOCAL = profile(systems={LOCAL})
OLD_NUMBER = Identifier(OLD, "O-1")


def means(deadline_s=5.0, *, source_s=4.0, lanes=None):
    clock = SystemClock()
    return Means(
        clock=HouseClock(),
        lanes=lanes or Lanes(8),
        deadline=clock.monotonic() + deadline_s,
        source_s=source_s,
    )


def query(person=BY_NUMBER):
    return Query(
        person=person, since=None, until=None, categories=CATEGORIES, limit=100
    )


async def asked(adapters, *, person=BY_NUMBER, by=None):
    """The outcomes of asking adapters by name, and the fan-out."""
    errands = [
        Errand(source=source(name, adapter), query=query(person))
        for name, adapter in adapters.items()
    ]
    fan_out = await ask_all(errands, person, by or means())
    return {each.source.id: each.outcome for each in fan_out.asked}, fan_out


def says(*answers, waits_s=0, of=None):
    """An adapter that gives these answers in turn, the last for ever after."""
    left = list(answers)

    def next_answer(_):
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, Exception):
            raise said
        return said

    return FakeAdapter(next_answer, profile=of or profile(), waits_s=waits_s)


def codes(outcome):
    assert isinstance(outcome, Answered)
    return [caveat.code for caveat in outcome.caveats]


def by_local(event_, *, waits_s=0):
    """A source that finds Ann by her local identifier alone."""

    def look(asked_):
        found = asked_.person.others & ANN.others
        return answer(event_, about=LOCAL_ONLY) if found else answer(about=None)

    return FakeAdapter(look, profile=BY_LOCAL, waits_s=waits_s)


async def test_all_sources_are_asked_at_once():
    slow = {f"Z9A0{n}.x": says(answer(), waits_s=0.2) for n in range(5)}
    before = SystemClock().monotonic()
    outcomes, _ = await asked(slow)
    assert all(isinstance(each, Answered) for each in outcomes.values())
    assert SystemClock().monotonic() - before < 0.9


async def test_outcomes_keep_the_order_of_the_errands_and_say_what_was_asked():
    adapters = {"Z9B02.x": says(answer()), "Z9A01.x": says(answer())}
    _, fan_out = await asked(adapters)
    assert [each.source.id for each in fan_out.asked] == ["Z9B02.x", "Z9A01.x"]
    assert {each.categories for each in fan_out.asked} == {CATEGORIES}
    assert all(each.took_ms is not None for each in fan_out.asked)


async def test_a_late_source_does_not_spoil_the_others():
    quick, late = says(answer(event("r1"))), says(answer(), waits_s=5)
    outcomes, _ = await asked(
        {"Z9A01.x": quick, "Z9B02.x": late}, by=means(1, source_s=0.2)
    )
    assert isinstance(outcomes["Z9A01.x"], Answered)
    assert outcomes["Z9B02.x"] == Failure(
        state="timeout", reason="deadline", domain="source"
    )
    assert late.cancelled == 1


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (
            Unavailable("busy", "m", retry_after_s=60),
            Failure(
                state="unavailable", reason="busy", domain="source", retry_after_s=60
            ),
        ),
        (
            Unavailable("tls", "m", domain="adapter"),
            Failure(state="unavailable", reason="tls", domain="adapter"),
        ),
        (
            Refused("refused", "m"),
            Failure(state="error", reason="refused", domain="source"),
        ),
        (
            Unreadable("unreadable", "m"),
            Failure(state="error", reason="unreadable", domain="source"),
        ),
        (
            TimeoutError(),
            Failure(state="timeout", reason="deadline", domain="source"),
        ),
        (
            ZeroDivisionError(),
            Failure(state="error", reason="adapter_defect", domain="adapter"),
        ),
    ],
)
async def test_whatever_a_source_raises_is_a_value(raised, expected):
    outcomes, _ = await asked(
        {"Z9A01.x": says(raised), "Z9B02.x": says(answer(event("r1")))}
    )
    assert outcomes["Z9A01.x"] == expected
    assert isinstance(outcomes["Z9B02.x"], Answered)


@pytest.mark.parametrize(
    "broken",
    [
        answer(event("r1", kind="x-ray")),
        answer(as_of=NOW.replace(tzinfo=None)),
        None,
    ],
)
async def test_an_answer_that_breaks_the_contract_is_that_adapters_defect(broken):
    outcomes, _ = await asked({"Z9A01.x": says(broken), "Z9B02.x": says(answer())})
    found = outcomes["Z9A01.x"]
    assert isinstance(found, Failure)
    assert (found.state, found.reason) == ("error", "adapter_defect")
    assert isinstance(outcomes["Z9B02.x"], Answered)


async def test_a_source_that_was_only_unavailable_is_asked_once_more():
    adapter = says(Unavailable("connect", "m"), answer(about=None))
    outcomes, _ = await asked({"Z9A01.x": adapter})
    assert isinstance(outcomes["Z9A01.x"], Answered)
    assert len(adapter.asked) == 2


async def test_a_source_unavailable_twice_is_not_asked_a_third_time():
    adapter = says(Unavailable("connect", "m"))
    outcomes, _ = await asked({"Z9A01.x": adapter})
    assert isinstance(outcomes["Z9A01.x"], Failure)
    assert len(adapter.asked) == 2


@pytest.mark.parametrize("by", [means(0.4), means(5, source_s=0.4)])
async def test_without_time_for_it_nothing_is_asked_again(by):
    adapter = says(Unavailable("busy", "m", retry_after_s=1), answer())
    limits = replace(by, deadline=SystemClock().monotonic() + min(by.source_s, 0.4))
    outcomes, _ = await asked({"Z9A01.x": adapter}, by=limits)
    found = outcomes["Z9A01.x"]
    assert isinstance(found, Failure)
    assert (found.state, found.retry_after_s) == ("unavailable", 1)
    assert len(adapter.asked) == 1


async def test_a_pause_longer_than_the_call_may_last_is_not_begun():
    """It would end as `timeout`, and hide that the source said when to come back."""
    adapter = says(Unavailable("busy", "m", retry_after_s=1), answer())
    outcomes, _ = await asked({"Z9A01.x": adapter}, by=means(5, source_s=1.2))
    found = outcomes["Z9A01.x"]
    assert isinstance(found, Failure)
    assert (found.state, found.reason) == ("unavailable", "busy")


async def test_a_full_lane_is_overload_and_never_a_timeout():
    lanes = Lanes(1)
    busy = source("Z9A01.x", says(answer()))
    async with lanes.of(busy):
        waiting = says(answer())
        outcomes, _ = await asked({"Z9A01.x": waiting}, by=means(0.2, lanes=lanes))
    assert outcomes["Z9A01.x"] == NotAsked(reason="overloaded")
    assert waiting.asked == []


async def test_denied_and_outside_sources_are_never_asked():
    spies = [says(answer()), says(answer())]
    errands = [
        Errand(source=source("Z9A01.x", spies[0]), query=Denied()),
        Errand(
            source=source("Z9B02.x", spies[1]),
            query=NotAsked(reason="outside_question"),
        ),
    ]
    fan_out = await ask_all(errands, BY_NUMBER, means())
    assert [each.outcome for each in fan_out.asked] == [each.query for each in errands]
    assert [each.categories for each in fan_out.asked] == [frozenset(), frozenset()]
    assert [spy.asked for spy in spies] == [[], []]


async def test_without_an_identifier_it_uses_a_source_gets_no_hint():
    adapter = says(answer(), of=BY_LOCAL)
    outcomes, _ = await asked({"Z9A01.x": adapter})
    assert outcomes["Z9A01.x"] == NotAsked(reason="no_hint")
    assert adapter.asked == []


async def test_rows_without_a_number_are_found_by_a_learned_identifier():
    local = by_local(event("r2", of=LOCAL_ONLY))
    teacher = says(answer(event("r1")))
    outcomes, fan_out = await asked({"Z9A01.x": teacher, "Z9B02.x": local})
    assert isinstance(outcomes["Z9B02.x"], Answered)
    assert [each.person for each in local.asked] == [LOCAL_ONLY]
    assert fan_out.known.learned == ANN.others
    # The teacher is asked again too: its rows need not all name the number.
    assert [each.person for each in teacher.asked] == [BY_NUMBER, LOCAL_ONLY]


async def test_a_source_that_told_the_whole_person_is_not_asked_by_its_own_words():
    whole = replace(profile(), whole_person=True)
    teacher = says(answer(event("r1")), of=whole)
    await asked({"Z9A01.x": teacher})
    assert len(teacher.asked) == 1


async def test_a_whole_person_source_that_knew_nobody_is_asked_again():
    whole = replace(profile(), whole_person=True)
    pupil = says(answer(about=None), of=whole)
    await asked({"Z9A01.x": pupil, "Z9B02.x": says(answer(event("r1")))})
    assert [each.person for each in pupil.asked] == [BY_NUMBER, LOCAL_ONLY]


def knows(mine, told, *, of_systems, whole=False):
    """A source that finds Ann by `mine` alone, and tells her by `told`."""
    about = Identifiers(
        nhs_number=next((e.value for e in told if e.system == SYSTEM), None),
        others=frozenset(e for e in told if e.system != SYSTEM),
    )

    def look(asked_):
        if asked_.person.every & {mine}:
            return answer(event(f"{mine.system}-1", of=about), about=about)
        return answer(about=None)

    return FakeAdapter(
        look, profile=replace(profile(systems=of_systems), whole_person=whole)
    )


async def test_a_chain_of_identifiers_is_followed_to_its_end():
    number_ = Identifier(SYSTEM, number(0))
    care, ward, crew = (Identifier(f"urn:{n}", n) for n in ("care", "ward", "crew"))
    adapters = {
        "Z9A01.care": knows(care, {care, number_}, of_systems={care.system}),
        "Z9B02.ward": knows(number_, {number_, ward}, of_systems={SYSTEM}, whole=True),
        "Z9C03.crew": knows(ward, {ward, crew}, of_systems={ward.system}),
    }
    asked_by = Identifiers(others=frozenset({care}))
    outcomes, fan_out = await asked(adapters, person=asked_by)
    assert [codes(each) for each in outcomes.values()] == [[], [], []]
    assert fan_out.known.nhs_number == number(0)
    assert all(each.known for each in outcomes.values())


async def test_a_chain_longer_than_the_rounds_says_where_it_was_cut():
    links = [Identifier(f"urn:{n}", f"v{n}") for n in range(MOST_ROUNDS + 2)]
    numbered = Identifier(SYSTEM, number(0))
    adapters = {
        f"Z9A0{n}.x": knows(
            links[n],
            {numbered, links[n], links[n + 1]},
            of_systems={links[n].system},
            whole=True,
        )
        for n in range(MOST_ROUNDS + 1)
    }
    asked_by = Identifiers(others=frozenset({links[0]}))
    outcomes, _ = await asked(adapters, person=asked_by)
    *found, last = outcomes.values()
    assert all(each.known for each in found)
    assert last == NotAsked(reason="no_time")


async def test_what_a_source_knows_several_people_by_teaches_nobody():
    shared = Identifier("urn:ward", "H000000")
    mine = Identifier("urn:ward", "H123456")
    row = replace_subject(event("r1"), {Identifier(SYSTEM, number(0)), shared})
    crew = says(answer(row), of=profile(systems={SYSTEM, "urn:ward"}))
    ward = says(answer(event("w1", of=told_by(mine)), about=told_by(mine)))
    _, fan_out = await asked({"Z9A01.crew": crew, "Z9B02.ward": ward})
    assert mine in fan_out.known.learned
    assert fan_out.known.disputed == frozenset()


async def test_a_source_in_whose_system_others_disagree_may_hold_more():
    one, other = (Identifier("urn:ward", value) for value in ("H1", "H2"))
    adapters = {
        "Z9A01.x": says(answer(event("a"), about=told_by(one))),
        "Z9B02.x": says(answer(event("b", of=told_by(one)), about=told_by(one))),
        "Z9C03.x": says(answer(event("c", of=told_by(other)), about=told_by(other))),
        "Z9D04.x": says(answer(), of=profile(systems={SYSTEM, "urn:ward"})),
    }
    outcomes, fan_out = await asked(adapters)
    assert fan_out.known.disputed == {"urn:ward"}
    assert codes(outcomes["Z9D04.x"]) == ["identifier_disputed"]
    assert codes(outcomes["Z9A01.x"]) == []


def told_by(identifier):
    return Identifiers(nhs_number=number(0), others=frozenset({identifier}))


def replace_subject(event_, subject):
    return msgspec.structs.replace(event_, subject=frozenset(subject))


async def test_a_failed_source_is_not_asked_again():
    failing = says(Unreadable("unreadable", "m"))
    await asked({"Z9A01.x": failing, "Z9B02.x": says(answer(event("r1")))})
    assert len(failing.asked) == 1


async def test_a_second_round_that_fails_leaves_the_first_and_says_so():
    adapter = says(answer(event("r1")), Unreadable("unreadable", "m"))
    outcomes, _ = await asked({"Z9A01.x": adapter})
    assert codes(outcomes["Z9A01.x"]) == ["second_round_failed"]


async def test_a_second_round_that_was_the_only_one_and_fails_is_a_failure():
    failing = says(Unreadable("unreadable", "m"), of=BY_LOCAL)
    outcomes, _ = await asked({"Z9A01.x": says(answer()), "Z9B02.x": failing})
    assert isinstance(outcomes["Z9B02.x"], Failure)


async def test_a_deadline_too_short_for_a_second_round_says_no_time():
    local = by_local(event("r2"))
    outcomes, _ = await asked(
        {"Z9A01.x": says(answer(event("r1"))), "Z9B02.x": local}, by=means(0.5)
    )
    assert outcomes["Z9B02.x"] == NotAsked(reason="no_time")
    assert local.asked == []
    # The one that was asked by the number alone may hold more, and says so.
    assert codes(outcomes["Z9A01.x"]) == ["second_round_failed"]


async def test_what_is_learned_too_late_is_not_passed_over_in_silence():
    late = says(answer(event("r1")), waits_s=0.3)
    early = says(answer(about=None))
    outcomes, _ = await asked(
        {"Z9A01.x": late, "Z9B02.x": early, "Z9C03.x": by_local(event("r3"))},
        by=means(0.7),
    )
    assert outcomes["Z9C03.x"] == NotAsked(reason="no_time")
    assert codes(outcomes["Z9B02.x"]) == ["second_round_failed"]


async def test_a_slow_source_does_not_keep_the_second_round_from_the_others():
    local = by_local(event("r2"))
    silent = says(answer(), waits_s=5)
    before = SystemClock().monotonic()
    outcomes, _ = await asked(
        {
            "Z9A01.x": says(answer(event("r1"))),
            "Z9B02.x": local,
            "Z9C03.x": silent,
        },
        by=means(0.8),
    )
    assert SystemClock().monotonic() - before < 0.8 + 0.1
    assert isinstance(outcomes["Z9B02.x"], Answered)
    assert codes(outcomes["Z9A01.x"]) == []
    assert isinstance(outcomes["Z9C03.x"], Failure)
    assert len(silent.asked) == 1


async def test_without_anything_to_ask_nothing_is_waited_for():
    fan_out = await ask_all([], BY_NUMBER, means())
    assert fan_out.asked == ()


async def test_a_flagged_person_teaches_nobody():
    flagged = replace(
        answer(event("r1")),
        flags=(FlagState(flag="sensitive-record", present=True, as_of=NOW),),
    )
    outcomes, fan_out = await asked(
        {"Z9A01.x": says(flagged), "Z9B02.x": by_local(event("r2"))}
    )
    assert fan_out.known.learned == frozenset()
    assert outcomes["Z9B02.x"] == NotAsked(reason="no_hint")


async def test_records_that_name_nobody_teach_nothing():
    unnamed: Answer = answer(event("r1", of=Identifiers()), about=None)
    _, fan_out = await asked({"Z9A01.x": says(unnamed)})
    assert fan_out.known.identifiers == BY_NUMBER


async def test_an_identifier_that_a_source_calls_shared_links_nobody_anywhere():
    person = Identifiers(others=frozenset({OLD_NUMBER}))
    of = profile(systems={OLD})
    shared = replace(answer(about=None), caveats=(Caveat("shared_identifier"),))
    trusting = answer(event("r1", of=person), about=person)
    outcomes, fan_out = await asked(
        {"Z9A01.x": says(shared, of=of), "Z9B02.x": says(trusting, of=of)},
        person=person,
    )
    assert fan_out.known.split == {OLD}
    found = outcomes["Z9B02.x"]
    assert isinstance(found, Answered)
    assert found.mismatched == 1


async def test_a_shared_local_identifier_does_not_shake_a_number():
    shared = replace(answer(event("r1")), caveats=(Caveat("shared_identifier"),))
    _, fan_out = await asked({"Z9A01.x": says(shared)})
    assert fan_out.known.split == frozenset()


async def test_without_a_number_a_failed_or_late_source_calls_nothing_shared():
    person = Identifiers(others=frozenset({OLD_NUMBER}))
    of = profile(systems={OLD})
    _, fan_out = await asked(
        {
            "Z9A01.x": says(Unreadable("unreadable", "m"), of=of),
            "Z9B02.x": says(answer(about=person), waits_s=0.3, of=of),
            "Z9C03.x": says(answer(), of=BY_LOCAL),
        },
        person=person,
        by=means(0.7),
    )
    assert fan_out.known.split == frozenset()


async def test_a_key_that_sources_keep_tells_people_apart():
    person = Identifiers(others=frozenset({OLD_NUMBER}))
    keyed = replace(profile(systems={OLD}), key_system=LOCAL)
    one = Identifiers(others=ANN.others | {OLD_NUMBER})
    two = Identifiers(others=BOB.others | {OLD_NUMBER})
    both = answer(event("r1", of=one), event("r2", of=two), about=None)
    outcomes, fan_out = await asked({"Z9A01.x": says(both, of=keyed)}, person=person)
    found = outcomes["Z9A01.x"]
    assert fan_out.known.split == {LOCAL}
    assert isinstance(found, Answered)
    assert found.mismatched == 2


async def test_cancelling_a_journey_cancels_every_call():
    slow = {f"Z9A0{n}.x": says(answer(), waits_s=5) for n in range(3)}
    running = asyncio.create_task(asked(slow))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert [adapter.cancelled for adapter in slow.values()] == [1, 1, 1]


async def test_cancelling_in_the_second_round_cancels_it_too():
    local = by_local(event("r2"), waits_s=5)
    running = asyncio.create_task(
        asked({"Z9A01.x": says(answer(event("r1"))), "Z9B02.x": local})
    )
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert local.cancelled == 1
