"""Discrepancies: what does not fit together in a journey, and what a view hides."""

from datetime import datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from adapters.moment import Moment
from gateway.journey import findings_of_events
from gateway.journey.findings_of_events import Shown
from gateway.journey.identity import BY_NHS_NUMBER
from gateway.journey.journey import as_json
from gateway.journey.outcome import Entry
from gateway.journey.shape import Teller
from policies.obligations import FULL_VIEW
from tests.houses import (
    NOW,
    answer,
    clause,
    event,
    policy_of,
    profile,
    question,
    source,
)
from tests.journeys import from_answers, says, told

DAY = "2026-01-05"


def stay(record_id, start, end, **said):
    return event(record_id, start, end=end, kind="inpatient_spell", **said)


def codes(journey):
    return [each.code for each in journey.discrepancies]


def concerned(journey, code):
    """The records and sources of the discrepancies of a code, each sorted."""
    records = {each.id: each.provenance.record_id for each in journey.events}
    return [
        (sorted(records[id_] for id_ in each.events), each.sources)
        for each in journey.discrepancies
        if each.code == code
    ]


async def of(*events, **more):
    """The journey of one source with these events, and of others."""
    answers = {"Z9A01": events, **more}
    return await told(
        *from_answers(**{name: answer(*each) for name, each in answers.items()})
    )


# Stays.


@pytest.mark.parametrize(
    ("start", "end", "overlaps"),
    [
        ("2026-01-07", "2026-01-12", True),
        ("2026-01-08", "2026-01-12", False),  # by a day, if at the end of that day
        ("2026-01-09T12:00:00+00:00", "2026-01-12", False),  # 12 hours: a transfer
        ("2026-01-09T00:00:00+00:00", "2026-01-12", False),  # the very tolerance
        ("2026-01-08T23:59:59+00:00", "2026-01-12", True),
        ("2026-01-10", "2026-01-12", False),
        ("2026-01", "2026-01-12", False),  # may have begun on any day of it
        ("2026-01-06", "2026-01", False),  # may have ended on any day of it
        ("2026-01-06", "2026-01-07", False),  # a day of which neither end is known
        ("2026-01-06T10:00:00+00:00", "2026-01-08", True),
        (None, "2026-01-12", False),
        ("2026-01-06", None, False),  # nobody says that it goes on
    ],
)
async def test_stays_at_two_organisations_overlap_beyond_a_transfer(
    start, end, overlaps
):
    first = stay("a", "2026-01-01", "2026-01-10T00:00:00+00:00")
    journey = await of(first, Z9B02=[stay("b", start, end)])
    expected = [(["a", "b"], ["Z9A01.x", "Z9B02.x"])] if overlaps else []
    assert concerned(journey, "overlapping_stays") == expected


async def test_a_stay_that_goes_on_lasts_until_its_source_spoke():
    open_one = stay("a", "2026-01-01", None, status="active")
    journey = await of(open_one, Z9B02=[stay("b", "2026-02-01", "2026-02-10")])
    assert concerned(journey, "overlapping_stays")
    old = answer(open_one, as_of=NOW - timedelta(days=40))
    journey = await told(
        *from_answers(Z9A01=old, Z9B02=answer(stay("b", "2026-02-01", "2026-02-10")))
    )
    assert not concerned(journey, "overlapping_stays")


@pytest.mark.parametrize(
    "change",
    [
        {"status": "cancelled"},
        {"status": "planned"},
        {"status": "entered-in-error"},
        {"organisation": "Z9A01"},  # at one organisation, as two sources tell it
    ],
)
async def test_what_is_no_second_stay_overlaps_with_none(change):
    journey = await of(
        stay("a", "2026-01-01", "2026-01-10"),
        Z9B02=[stay("b", "2026-01-02", "2026-01-09", **change)],
    )
    assert not concerned(journey, "overlapping_stays")


async def test_two_records_of_one_stay_do_not_overlap():
    day = ("2026-01-01T10:00:00+00:00", "2026-01-10")
    journey = await of(
        stay("a", *day, organisation="Z9A01"), Z9B02=[stay("b", *day, codes=["1"])]
    )
    assert all(each.same_as for each in journey.events)
    assert not concerned(journey, "overlapping_stays")


async def test_stays_within_one_organisation_are_its_own_affair():
    journey = await of(
        stay("a", "2026-01-01", "2026-01-10"), stay("b", "2026-01-02", "2026-01-09")
    )
    assert not journey.discrepancies


async def test_a_stay_long_over_is_not_compared_with_a_later_one():
    journey = await of(
        stay("a", "2026-01-01", "2026-01-05"),
        Z9B02=[stay("b", "2026-01-07", "2026-01-12")],
        Z9C03=[stay("c", "2026-01-09", "2026-01-20")],
    )
    assert concerned(journey, "overlapping_stays") == [
        (["b", "c"], ["Z9B02.x", "Z9C03.x"])
    ]


async def test_overlaps_beyond_a_bound_are_said_to_be_more(monkeypatch):
    monkeypatch.setattr(findings_of_events, "MOST", 2)
    journey = await of(
        stay("a", "2026-01-01", "2026-01-30"),
        Z9B02=[stay(f"b{day}", f"2026-01-{day:02}", "2026-01-20") for day in (2, 3, 4)],
    )
    found = [each for each in journey.discrepancies if each.code == "overlapping_stays"]
    assert [len(each.events) for each in found] == [2, 2, 0]
    assert "More stays" in found[-1].meaning


# Deaths.


def death(record_id, at, **said):
    return event(record_id, at, kind="death", **said)


def dying(*events, **more):
    """Sources that may tell of deaths too."""
    answers = {"Z9A01": events, **more}
    return told(*living(**{name: answer(*each) for name, each in answers.items()}))


def living(**answers):
    """Sources that tell of births and deaths as well as of encounters."""
    of_all = profile({"encounters", "demographics"})
    return [source(f"{ods}.x", says(said, of=of_all)) for ods, said in answers.items()]


@pytest.mark.parametrize(
    ("at", "kind", "found"),
    [
        ("2026-01-06T00:00:00+00:00", "ed_attendance", True),
        ("2026-01-05T23:59:00+00:00", "ed_attendance", False),  # the day itself
        ("2026-01", "ed_attendance", False),  # may have been before
        ("2026-01-20", "document", False),  # letters follow
        ("2026-01-20", "diagnostic_report", False),
        (None, "ed_attendance", False),
    ],
)
async def test_contacts_after_the_day_of_a_death_are_found(at, kind, found):
    journey = await dying(
        death("d", "2026-01-05T09:00:00+00:00"), Z9B02=[event("e", at, kind=kind)]
    )
    expected = [(["d", "e"], ["Z9A01.x", "Z9B02.x"])] if found else []
    assert concerned(journey, "events_after_death") == expected


async def test_a_booking_after_a_death_is_no_contact():
    booked = event("e", "2026-01-20", status="planned", kind="outpatient_appointment")
    journey = await dying(death("d", DAY), booked)
    assert not journey.discrepancies


async def test_of_two_deaths_the_later_counts_and_they_are_said_to_differ():
    journey = await dying(
        death("d1", "2026-01-05"),
        event("e1", "2026-01-07"),
        Z9B02=[death("d2", "2026-01-08"), event("e2", "2026-01-09")],
    )
    assert concerned(journey, "death_dates_differ")[0][0] == ["d1", "d2"]
    assert concerned(journey, "events_after_death")[0][0] == ["d1", "d2", "e2"]


@pytest.mark.parametrize("other", ["2026-01-05", "2026-01", "2026", None])
async def test_deaths_that_differ_only_in_precision_agree(other):
    journey = await dying(
        death("d1", "2026-01-05T09:00:00+00:00"), Z9B02=[death("d2", other)]
    )
    assert not concerned(journey, "death_dates_differ")


async def test_a_death_entered_in_error_is_none():
    wrong = death("d", "2026-01-05", status="entered-in-error")
    assert codes(await dying(wrong, event("e", "2026-01-20"))) == []


def test_the_ends_of_the_calendar_harm_nothing():
    last = death("d", "9999-12-31T23:59:59-05:00")
    first = event("e", "0001-01-01T00:00:00+05:00", codes=["1"])
    never = event("f", "9999-12-31T23:30:00+00:00", codes=["1"])
    (found,) = findings_of_events.findings([shown(each) for each in (first, never)])
    assert (found.code, found.events) == ("clock_skew", ["f"])
    (found,) = findings_of_events.findings([shown(each) for each in (first, last)])
    assert (found.code, found.events) == ("clock_skew", ["d"])


def shown(each):
    """An event of Z9A01.x as it is shown where nothing is hidden."""
    at = source("Z9A01.x", says(answer()))
    entry = Entry(at, each, BY_NHS_NUMBER, "encounters", frozenset(), None)
    teller = Teller(source=at, retrieved_at="", as_of=NOW, names={})
    told_as = teller.under(FULL_VIEW).event(entry, key=each.record_id, same_as=())
    return Shown(told_as, each, FULL_VIEW, NOW)


# Times.


async def test_a_record_that_ends_before_it_starts_is_named():
    wrong = replace(event("a", "2026-01-05", end="2026-01-02"), caveats=("reversed",))
    journey = await of(wrong, event("b", "2026-01-05"))
    assert concerned(journey, "negative_stay") == [(["a"], ["Z9A01.x"])]


@pytest.mark.parametrize(
    ("start", "status", "found"),
    [
        ("2026-03-02", "finished", True),
        ("2026-03-01T12:00:00+00:00", "finished", False),
        ("2026-03-01", "finished", False),
        ("2026-03-02", "planned", False),
    ],
)
async def test_what_is_dated_after_its_source_spoke_is_named(start, status, found):
    journey = await of(event("a", start, status=status))
    assert concerned(journey, "clock_skew") == ([(["a"], ["Z9A01.x"])] if found else [])


async def test_one_thing_with_two_ends_is_named_once():
    at = "2026-01-05T10:00:00+00:00"
    journey = await of(
        event("a", at, end="2026-01-05T12:00:00+00:00"),
        Z9B02=[event("b", at, end="2026-01-05T15:00:00+00:00", organisation="Z9A01")],
    )
    assert concerned(journey, "same_event_different_times") == [
        (["a", "b"], ["Z9A01.x", "Z9B02.x"])
    ]


@pytest.mark.parametrize("end", [None, "2026-01-05", "2026-01-05T12:00:00+00:00"])
async def test_one_thing_whose_ends_may_be_one_is_not_named(end):
    at = "2026-01-05T10:00:00+00:00"
    journey = await of(
        event("a", at, end="2026-01-05T12:00:00+00:00"),
        Z9B02=[event("b", at, end=end, organisation="Z9A01")],
    )
    assert codes(journey) == []


async def twice(start, **said):
    """One attendance as its hospital tells it, and again elsewhere."""
    given = {"codes": ["1"], "organisation": "Z9A01"} | said
    return await of(
        event("a", "2026-01-05T10:00:00+00:00", codes=["1"]),
        Z9B02=[event("b", start, **given)],
    )


@pytest.mark.parametrize(
    ("start", "said", "found"),
    [
        ("2026-01-05T11:00:00+00:00", {}, True),  # a zone was left out
        ("2026-01-05T08:00:00+00:00", {}, True),
        ("2026-01-05T12:00:01+00:00", {}, False),
        ("2026-01-05T10:00:00+00:00", {}, False),  # the same time: a twin
        ("2026-01-06", {}, False),
        ("2026-01-05T11:00:00+00:00", {"codes": ["2"]}, False),
        ("2026-01-05T11:00:00+00:00", {"codes": []}, False),
        ("2026-01-05T11:00:00+00:00", {"organisation": "Z9B02"}, False),
        ("2026-01-05T11:00:00+00:00", {"kind": "inpatient_spell"}, False),
        ("2026-01-05T11:00:00+00:00", {"status": "cancelled"}, False),
    ],
)
async def test_what_seems_one_thing_an_hour_apart_is_named(start, said, found):
    journey = await twice(start, **said)
    expected = [(["a", "b"], ["Z9A01.x", "Z9B02.x"])] if found else []
    assert concerned(journey, "same_event_different_times") == expected


async def test_where_two_would_do_neither_seems_the_same():
    journey = await of(
        event("a", "2026-01-05T10:00:00+00:00", codes=["1"]),
        Z9B02=[
            event(f"b{n}", f"2026-01-05T1{n}:30:00+00:00", codes=["1"], organisation=at)
            for n, at in ((0, "Z9A01"), (1, "Z9A01"))
        ],
    )
    assert codes(journey) == []


async def test_a_twin_elsewhere_is_no_candidate():
    at = "2026-01-05T10:00:00+00:00"
    journey = await of(
        event("a", at, codes=["1"]),
        Z9B02=[event("b", at, codes=["1"], organisation="Z9A01")],
        Z9C03=[
            event("c", "2026-01-05T11:00:00+00:00", codes=["1"], organisation="Z9A01")
        ],
    )
    assert codes(journey) == []


async def test_a_hidden_place_makes_nothing_seem_the_same():
    answers = {
        "Z9A01": answer(event("a", "2026-01-05T10:00:00+00:00", codes=["1"])),
        "Z9B02": answer(
            event("b", "2026-01-05T11:00:00+00:00", codes=["1"], organisation="Z9A01")
        ),
    }
    assert codes(await seen(obliged(), **answers)) == ["same_event_different_times"]
    hidden = obliged(hide_fields=["event.organisation"])
    assert codes(await seen(hidden, **answers)) == []


async def test_a_crowd_tells_nothing_of_one_among_it(monkeypatch):
    monkeypatch.setattr(findings_of_events, "_CROWD", 1)
    assert codes(await twice("2026-01-05T11:00:00+00:00")) == []


# What a view hides, and what is withheld.


def obliged(**obligations):
    return policy_of(["Z9A01", "Z9B02"], clause(obligations=obligations))


async def seen(policy, **answers):
    return await told(*from_answers(**answers), policy=policy)


async def test_a_hidden_place_makes_no_overlap():
    answers = {
        "Z9A01": answer(stay("a", "2026-01-01", "2026-01-10")),
        "Z9B02": answer(stay("b", "2026-01-02", "2026-01-09")),
    }
    assert codes(await seen(obliged(), **answers)) == ["overlapping_stays"]
    hidden = obliged(hide_fields=["event.organisation"])
    assert codes(await seen(hidden, **answers)) == []


async def test_a_hidden_status_makes_no_finding():
    ahead = answer(event("a", "2026-03-02"))
    assert codes(await seen(obliged(), Z9A01=ahead)) == ["clock_skew"]
    hidden = obliged(hide_fields=["event.status"])
    assert codes(await seen(hidden, Z9A01=ahead)) == []


async def test_times_are_compared_at_the_grain_they_are_shown():
    answers = {
        "Z9A01": answer(death("d", "2026-01-05")),
        "Z9B02": answer(event("e", "2026-01-20")),
        "Z9C03": answer(event("f", "2026-03-02")),
    }
    coarse = policy_of(answers, clause(obligations={"date_grain": "month"}))
    exactly = await told(*living(**answers))
    assert codes(exactly) == ["clock_skew", "events_after_death"]
    journey = await told(*living(**answers), policy=coarse)
    assert concerned(journey, "events_after_death")[0][0] == ["d", "f"]


async def test_hidden_dates_of_birth_are_not_said_to_differ():
    answers = {"Z9A01": answer(born="1950-03-09"), "Z9B02": answer(born="1951-01-01")}
    assert codes(await seen(obliged(), **answers)) == ["birth_dates_differ"]
    hidden = obliged(hide_fields=["person.birth_date"])
    assert codes(await seen(hidden, **answers)) == []
    same_year = {"Z9A01": answer(born="1950-03-09"), "Z9B02": answer(born="1950-04-01")}
    year = obliged(date_grain="year")
    assert codes(await seen(year, **same_year)) == []


async def test_a_withheld_record_leaves_no_trace_in_the_findings():
    private = stay("secret", "2026-01-02", "2026-01-09", labels=["HIV"])
    mine = stay("a", "2026-01-01", "2026-01-10")
    journey = await of(mine, Z9B02=[private])
    assert codes(journey) == []
    assert b"secret" not in as_json(journey)


async def test_a_source_asked_alone_is_named_by_itself():
    journey = await told(
        source("Z9A01.x", says(answer(event("a", "2026-03-02")))), asked=question()
    )
    assert concerned(journey, "clock_skew") == [(["a"], ["Z9A01.x"])]


async def test_a_death_before_there_was_a_london_day_is_still_a_death():
    died = Moment(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "second")
    early = replace(death("d", DAY), start=died)
    journey = await dying(early, event("a"))
    assert concerned(journey, "events_after_death") == [(["a", "d"], ["Z9A01.x"])]
