"""The journey told: limits, names, numbers vouched for, discrepancies."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from adapters import nhs_number
from adapters.contract import Caveat, FlagState, Identifiers, Person
from gateway.journey.completeness import retry_after
from gateway.journey.identity import BY_SOURCE
from gateway.journey.journey import as_json, written
from gateway.journey.outcome import Entry, Header
from tests.fakes import FakeAdapter
from tests.houses import (
    ANN,
    BOB,
    NOW,
    STATES,
    answer,
    clause,
    event,
    policy_of,
    profile,
    question,
    source,
)
from tests.journeys import (
    BY_OLD,
    OLD_NUMBER,
    WITH_OLD,
    fails,
    from_answers,
    says,
    shown,
    told,
)
from tests.outcomes import SCENES, staged
from tests.people import number


async def test_twins_of_two_sources_name_each_other_and_both_stay():
    journey = await told(
        *from_answers(
            Z9A01=answer(event("a1"), event("a2", "2024")), Z9B02=answer(event("b1"))
        )
    )
    year, one, other = journey.events
    assert year.same_as == ()
    assert (one.same_as, other.same_as) == ((other.id,), (one.id,))


async def test_equal_records_of_one_source_have_ids_of_their_own():
    journey = await told(*from_answers(Z9A01=answer(event("a1"), event("a1"))))
    one, other = (each.id for each in journey.events)
    assert other == f"{one}_2"


async def test_the_limit_keeps_the_earliest_and_says_who_was_cut():
    journey = await told(
        *from_answers(
            Z9A01=answer(event("a1", "2020"), event("a2", "2023"), event("a3", None)),
            Z9B02=answer(event("b1", "2021")),
            Z9C03=replace(
                answer(event("c1", "2025")), caveats=(Caveat("truncated", 9),)
            ),
        ),
        asked=question(limit=2),
    )
    assert shown(journey) == ["a1", "b1"]
    first, second, third = journey.completeness.sources
    assert [each.code for each in first.caveats] == ["truncated"]
    assert second.caveats == []
    assert [(each.code, each.count) for each in third.caveats] == [("truncated", 1)]
    assert journey.completeness.level == "partial"
    assert (first.events, second.events, third.events) == (1, 1, 0)


async def test_a_limit_met_exactly_cuts_nobody():
    journey = await told(
        *from_answers(Z9A01=answer(event("a1"))), asked=question(limit=1)
    )
    assert journey.completeness.level == "complete"


async def test_a_failed_source_beside_a_cut_one_is_left_as_it_is():
    journey = await told(
        *from_answers(Z9A01=answer(event("a1"), event("a2"))),
        source("Z9B02.x", fails()),
        asked=question(limit=1),
    )
    assert [each.state for each in journey.completeness.sources] == ["ok", "error"]


async def test_the_window_asked_for_is_said():
    since, until = date(2025, 1, 1), date(2026, 1, 1)
    journey = await told(
        *from_answers(Z9A01=answer()), asked=question(since=since, until=until)
    )
    assert (journey.window.since, journey.window.until) == ("2025-01-01", "2026-01-01")


async def test_the_named_header_is_shown_and_all_who_know_are_counted():
    journey = await told(
        *from_answers(
            Z9A01=answer(),
            Z9B02=answer(name="Ann Synthetic", born="1950-03-09"),
            Z9C03=answer(about=None),
        )
    )
    assert journey.person.name == "Ann Synthetic"
    assert (journey.person.birth_date, journey.person.agreed_by) == ("1950-03-09", 2)


async def test_without_a_decision_on_demographics_only_the_number_asked_by_is_shown():
    journey = await told(
        *from_answers(Z9A01=answer(name="Ann Synthetic")),
        policy=policy_of(["Z9A01"], clause(categories=["encounters"])),
    )
    assert (journey.person.name, journey.person.nhs_number) == (None, number(0))


@pytest.mark.parametrize(
    ("obligations", "expected"),
    [
        ({}, number(0)),
        ({"hide_fields": ["person.nhs_number"]}, None),
        ({"mask_fields": {"person.nhs_number": "partial"}}, None),
    ],
)
async def test_a_number_learned_is_shown_only_as_its_source_allows(
    obligations, expected
):
    """The header shown is another's, which does not hide it: that lifts nothing."""
    policy = policy_of(
        ["Z9A01", "Z9B02"],
        clause(),
        rules=[
            {
                "kind": "local-rule",
                "id": "LR-1",
                "org": "Z9A01",
                "rules": [
                    {
                        "id": "k1",
                        "effect": "constrain",
                        "when": {},
                        "overridable": "false",
                        "obligations": obligations or {"no_onward": "true"},
                        "why": "Board",
                    }
                ],
            }
        ],
    )
    by_old = event("b1", of=BY_OLD)
    journey = await told(
        *from_answers(
            Z9A01=answer(event("a1", of=WITH_OLD), about=WITH_OLD),
            Z9B02=answer(by_old, about=BY_OLD, name="Ann Synthetic"),
        ),
        asked=question(BY_OLD),
        policy=policy,
    )
    assert (journey.person.name, journey.person.nhs_number) == (
        "Ann Synthetic",
        expected,
    )


async def test_a_number_that_nobody_may_tell_is_not_shown():
    journey = await told(
        *from_answers(Z9A01=answer(event("a1", of=WITH_OLD), about=BY_OLD)),
        asked=question(BY_OLD),
    )
    assert journey.person.nhs_number is None


async def test_hidden_record_ids_cannot_be_guessed_from_the_events_id():
    hiding = policy_of(
        ["Z9A01"], clause(obligations={"hide_fields": ["event.record_id"]})
    )
    journeys = [
        await told(*from_answers(Z9A01=answer(event("a1"))), policy=hiding)
        for _ in range(2)
    ]
    events = [each for journey in journeys for each in journey.events]
    assert [each.provenance.record_id for each in events] == [None, None]
    assert len({each.id for each in events}) == 2
    assert journeys[0].decision.obligations == ["hide_fields"]


@pytest.mark.parametrize(
    ("clauses", "labels", "obligations", "seconds"),
    [
        ([clause()], [], [], None),
        ([clause(obligations={"retain_seconds": "0"})], [], ["retain_seconds"], 0),
        (
            [
                clause(obligations={"retain_seconds": "60"}, cleared_labels=[]),
                clause(
                    id="c2", obligations={"retain_seconds": "5", "no_onward": "true"}
                ),
            ],
            ["PSY"],
            ["no_onward", "retain_seconds"],
            5,
        ),
    ],
    ids=["none", "planned", "by a label"],
)
async def test_a_caller_is_told_for_how_long_it_may_keep_what_it_sees(
    clauses, labels, obligations, seconds
):
    journey = await told(
        *from_answers(Z9A01=answer(event("a1", labels=labels))),
        policy=policy_of(["Z9A01"], *clauses),
    )
    assert journey.decision.obligations == obligations
    assert journey.decision.retain_seconds == seconds


async def test_a_row_filter_nobody_confirmed_withholds_all_and_says_why():
    policy = policy_of(["Z9A01"], clause(obligations={"row_filters": ["ndo"]}))
    journey = await told(*from_answers(Z9A01=answer(event("a1"))), policy=policy)
    (report,) = journey.completeness.sources
    assert (report.state, report.reason) == ("withheld", "optout_unconfirmed")
    assert (journey.events, journey.person.name) == ([], None)
    assert "could not be confirmed" in journey.completeness.statement
    assert journey.completeness.level == "partial"


async def test_events_withheld_for_their_label_or_age_are_said_to_be():
    held_back = event("a2", labels=["HIV"])
    journey = await told(*from_answers(Z9A01=answer(event("a1"), held_back)))
    assert shown(journey) == ["a1"]
    (report,) = journey.completeness.sources
    assert (report.state, report.reason, report.events) == ("withheld", "policy", 1)
    assert "has part withheld" in journey.completeness.statement


async def test_a_bound_on_age_that_narrows_the_question_is_a_gap():
    """Older records are never asked for, so nobody can count them as withheld."""
    policy = policy_of(["Z9A01"], clause(obligations={"max_age_days": "365"}))
    journey = await told(
        *from_answers(Z9A01=answer(event("a1"))),
        policy=policy,
        asked=question(since=date(2020, 1, 1)),
    )
    found = journey.completeness
    assert (found.sources[0].state, found.level) == ("ok", "partial")
    assert found.complete_for == []
    (gap,) = found.gaps
    assert (gap.since, gap.until) == ("2020-01-01", "2025-03-01")
    assert "only from 2025-03-01 on" in found.statement


async def test_a_bound_on_age_older_than_the_window_is_no_gap():
    policy = policy_of(["Z9A01"], clause(obligations={"max_age_days": "365"}))
    journey = await told(
        *from_answers(Z9A01=answer(event("a1"))),
        policy=policy,
        asked=question(since=date(2026, 1, 1)),
    )
    assert (journey.completeness.level, journey.completeness.gaps) == ("complete", [])


async def test_a_window_before_the_bound_is_a_gap_to_its_own_end():
    policy = policy_of(["Z9A01"], clause(obligations={"max_age_days": "365"}))
    journey = await told(
        *from_answers(Z9A01=answer()),
        policy=policy,
        asked=question(until=date(2021, 1, 1)),
    )
    (gap,) = journey.completeness.gaps
    assert (gap.since, gap.until) == (None, "2021-01-01")


async def test_a_stale_source_with_part_withheld_says_both():
    old = NOW - timedelta(hours=2)
    held_back = event("a2", labels=["HIV"])
    journey = await told(*from_answers(Z9A01=answer(held_back, as_of=old)))
    meanings = [each.meaning for each in journey.completeness.gaps]
    assert len(meanings) == 2
    assert "withheld" in meanings[0]
    assert "older than it promises" in meanings[1]
    assert "has part withheld" in journey.completeness.statement


async def test_birth_dates_that_differ_name_everybody_who_tells_one():
    journey = await told(
        *from_answers(
            Z9A01=answer(born="1950-03-09"),
            Z9B02=answer(born="1950-03-09"),
            Z9C03=answer(born="1951"),
        )
    )
    (found,) = journey.discrepancies
    assert found.code == "birth_dates_differ"
    assert found.sources == ["Z9A01.x", "Z9B02.x", "Z9C03.x"]


async def test_birth_dates_that_differ_only_in_precision_agree():
    journey = await told(
        *from_answers(Z9A01=answer(born="1950-03-09"), Z9B02=answer(born="1950"))
    )
    assert journey.discrepancies == []


@pytest.mark.parametrize(
    ("mine", "other", "words"),
    [
        (WITH_OLD, BOB.others | {OLD_NUMBER}, "reaches more than one person"),
        (ANN, ANN.every - ANN.others | BOB.others, "identifiers that sources hold"),
    ],
)
async def test_identifiers_in_dispute_are_said_to_be(mine, other, words):
    person = BY_OLD if mine == WITH_OLD else Identifiers(nhs_number=number(0))
    theirs = Identifiers(
        nhs_number=number(1 if mine == WITH_OLD else 0),
        others=frozenset(each for each in other if each.system != nhs_number.SYSTEM),
    )
    sources = from_answers(
        Z9A01=answer(event("a1", of=mine), about=mine),
        Z9B02=answer(event("b1", of=theirs), about=theirs),
        Z9C03=answer(about=None),
    )
    journey = await told(*sources, asked=question(person))
    found = {each.code: each for each in journey.discrepancies}
    disputed = found["identifiers_disagree"]
    assert words in disputed.meaning
    assert disputed.sources == ["Z9A01.x", "Z9B02.x"]


async def test_numbers_in_dispute_are_called_numbers():
    keyless = Identifiers(nhs_number=number(1), others=frozenset({OLD_NUMBER}))
    journey = await told(
        *from_answers(
            Z9A01=answer(event("a1", of=WITH_OLD), about=WITH_OLD),
            Z9B02=answer(event("b1", of=keyless), about=keyless),
            Z9C03=answer(about=None),
        ),
        asked=question(BY_OLD),
    )
    assert journey.events == []
    assert journey.completeness.level == "partial"


async def test_where_nobody_holds_what_was_asked_the_journey_is_not_complete():
    journey = await told(
        *from_answers(Z9A01=answer()),
        asked=question(categories=frozenset({"allergies"})),
    )
    assert (journey.completeness.level, journey.completeness.asked) == ("partial", 0)
    assert "No source here can tell" in journey.completeness.statement


def test_what_is_held_of_a_person_shows_nothing_of_them():
    at = source("Z9A01.x", says(answer()))
    entry = Entry(at, event("a1"), BY_SOURCE, "encounters", frozenset(), None)
    header = Header(Person(identifiers=ANN.every, name="Ann"), frozenset())
    assert (repr(entry), repr(header)) == ("Entry(Z9A01.x)", "Header()")


def test_without_a_hint_the_caller_may_come_back_soon():
    assert retry_after([staged(SCENES["timeout"], "Z9A01.x")], NOW) == 5


async def test_a_flag_stated_absent_in_one_round_and_present_in_the_other_holds():
    def look(query):
        present = query.person.nhs_number is None
        flags = tuple(
            FlagState(flag=each, present=present, as_of=NOW)
            for each in ("legally-restricted", "sensitive-record")
        )
        return replace(answer(event("a1")), flags=flags)

    flagged = FakeAdapter(look, profile=profile())
    journey = await told(
        source("Z9A01.x", flagged, flags=STATES),
        source("Z9B02.x", says(answer(event("b1")))),
    )
    assert shown(journey) == ["b1"]
    assert journey.completeness.sources[0].state == "unknown_person"


@pytest.mark.parametrize("events", [0, 1, 500, 501, 1_300])
async def test_a_journey_of_many_events_is_written_as_one_of_few(events):
    many = (event(f"a{n}", "2024-03-09") for n in range(events))
    journey = await told(*from_answers(Z9A01=answer(*many)))
    assert written(journey) == as_json(journey)
    assert len(json.loads(written(journey))["events"]) == events
