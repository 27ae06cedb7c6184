"""What an organisation's own record shows of a relationship, and until when."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from adapters.contract import Event
from gateway.access import evidence
from gateway.access.evidence import Known
from gateway.settings import Evidence
from tests.houses import NOW, event

OWN = "Z9R01"
WINDOWS = Evidence()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(ago, precise="seconds"):
    return (NOW - ago).isoformat(timespec=precise)


def known(sector="acute", as_of=NOW, now=NOW):
    return Known(organisation=OWN, sector=sector, as_of=as_of, now=now)


def until(kind, record, windows=WINDOWS, **of):
    return evidence.until(kind, record, known(**of), windows=windows)


def stay(start, end=None, status="active", **said):
    ends = None if end is None else at(end)
    return event(
        "s", at(start), kind="inpatient_spell", end=ends, status=status, **said
    )


def contact(start, kind="ed_attendance", status="finished", **said):
    return event("c", at(start), kind=kind, status=status, **said)


def referral(start, status="active", kind="referral", **said):
    return event("r", at(start), kind=kind, status=status, **said)


def episode(start, status="active", **said):
    return event("e", at(start), kind="episode_of_care", status=status, **said)


# The relationship, the record, and how long from now it counts; None: it shows nothing.
TABLE: dict[str, tuple[str, Event, dict[str, Any], timedelta | None]] = {
    "an open stay": ("active-encounter", stay(9 * DAY), {}, 72 * HOUR),
    "a stay ended yesterday": (
        *("active-encounter", stay(9 * DAY, DAY, "finished"), {}, 48 * HOUR),
    ),
    "a stay ended last week": (
        *("active-encounter", stay(9 * DAY, 7 * DAY, "finished"), {}, None),
    ),
    "a stay never closed": ("active-encounter", stay(366 * DAY), {}, None),
    "a stay soon a year old": (*("active-encounter", stay(364 * DAY), {}, DAY),),
    "a stay of which it is not said whether it is open": (
        *("active-encounter", stay(DAY, status="unknown"), {}, None),
    ),
    "a stay finished nobody knows when": (
        *("active-encounter", stay(DAY, status="finished"), {}, None),
    ),
    "a stay to end tomorrow": ("active-encounter", stay(DAY, -DAY), {}, 72 * HOUR),
    "an attendance an hour ago": (*("active-encounter", contact(HOUR), {}, 71 * HOUR),),
    "an attendance of last year": ("active-encounter", contact(300 * DAY), {}, None),
    "an attendance never closed": (
        *("active-encounter", contact(80 * HOUR, status="active"), {}, None),
    ),
    "an appointment to come": (
        *("active-encounter", contact(-HOUR, status="planned"), {}, None),
    ),
    "an attendance said to begin in an hour": (
        *("active-encounter", contact(-HOUR), {}, None),
    ),
    "an appointment nobody came to": (
        *("active-encounter", contact(HOUR, status="did-not-attend"), {}, None),
    ),
    "a clinic of which nobody said it was kept": (
        "active-encounter",
        contact(HOUR, "outpatient_appointment", "unknown"),
        {},
        None,
    ),
    "an attendance that nobody said took place, of an hour ago": (
        *("active-encounter", contact(HOUR, status="unknown"), {}, 71 * HOUR),
    ),
    "an attendance that may be today, later": (
        "active-encounter",
        event("c", "2026-03-01", kind="ed_attendance", status="unknown"),
        {},
        None,
    ),
    "an attendance that may be in any day of the month": (
        "active-encounter",
        event("c", "2026-03", kind="ed_attendance", status="unknown"),
        {},
        None,
    ),
    "an attendance cancelled": (
        *("active-encounter", contact(HOUR, status="cancelled"), {}, None),
    ),
    "an attendance entered in error": (
        *("active-encounter", contact(HOUR, status="entered-in-error"), {}, None),
    ),
    "an attendance at another organisation": (
        *("active-encounter", contact(HOUR, organisation="Z9A01"), {}, None),
    ),
    "an attendance named as one's own": (
        *("active-encounter", contact(HOUR, organisation=OWN), {}, 71 * HOUR),
    ),
    "an attendance without a date": (
        *("active-encounter", event("c", None), {}, None),
    ),
    "an attendance after the source's own time": (
        *("active-encounter", contact(HOUR), {"as_of": NOW - DAY}, None),
    ),
    "an open referral": ("referral", referral(30 * DAY), {}, 72 * HOUR),
    "a referral on hold": (
        *("referral", referral(30 * DAY, "on-hold"), {}, 72 * HOUR),
    ),
    "a referral completed": ("referral", referral(30 * DAY, "finished"), {}, None),
    "a referral not said to be open": (
        *("referral", referral(30 * DAY, "unknown"), {}, None),
    ),
    "a referral past its life": ("referral", referral(366 * DAY), {}, None),
    "a referral to another organisation": (
        *("referral", referral(30 * DAY, organisation="Z9A01"), {}, None),
    ),
    "an open referral to a mental health team": (
        "referral",
        referral(30 * DAY, kind="mental_health_referral"),
        {"sector": "mental-health"},
        72 * HOUR,
    ),
    "a referral as of two days ago": (
        *("referral", referral(30 * DAY), {"as_of": NOW - 2 * DAY}, DAY),
    ),
    "a referral as of last week": (
        *("referral", referral(30 * DAY), {"as_of": NOW - 7 * DAY}, None),
    ),
    "a referral as of tomorrow": (
        *("referral", referral(30 * DAY), {"as_of": NOW + DAY}, 72 * HOUR),
    ),
    "a registration at a surgery": (
        *("registered", episode(9000 * DAY), {"sector": "primary-care"}, 72 * HOUR),
    ),
    "a registration that ended": (
        "registered",
        episode(9000 * DAY, end=at(DAY)),
        {"sector": "primary-care"},
        None,
    ),
    "an episode of care at a hospital is no registration": (
        *("registered", episode(9 * DAY), {}, None),
    ),
    "an episode of care at a hospital": ("caseload", episode(9 * DAY), {}, 72 * HOUR),
    "a registration is no caseload": (
        *("caseload", episode(9 * DAY), {"sector": "primary-care"}, None),
    ),
    "an open service": (
        "caseload",
        event("s", at(900 * DAY), kind="social_care_service", status="active"),
        {"sector": "social-care"},
        72 * HOUR,
    ),
    "a service that ended": (
        "caseload",
        event("s", at(900 * DAY), kind="social_care_service", end=at(DAY)),
        {"sector": "social-care"},
        None,
    ),
    "a visit of last month": (
        "caseload",
        contact(30 * DAY, "community_contact"),
        {"sector": "community"},
        60 * DAY,
    ),
    "a visit of last year": (
        "caseload",
        contact(300 * DAY, "mental_health_contact"),
        {"sector": "mental-health"},
        None,
    ),
    "an attendance is no caseload": ("caseload", contact(HOUR), {}, None),
    "an attendance is no referral": ("referral", contact(HOUR), {}, None),
}


# What is expected comes to pass meanwhile, and is then another record.
EXPECTED = {"a stay to end tomorrow", "a referral as of tomorrow"}


@pytest.mark.parametrize("case", TABLE)
def test_a_record_shows_a_relationship_for_so_long_and_no_longer(case):
    kind, record, of, lasts = TABLE[case]
    found = until(kind, record, **of)
    assert found == (None if lasts is None else NOW + lasts)
    if found is not None and case not in EXPECTED:
        # It is over at the very instant, and not a moment before.
        earlier, later = found - timedelta(microseconds=1), found
        beside = {"as_of": NOW} | of
        assert until(kind, record, now=earlier, **beside) == found
        assert until(kind, record, now=later, **beside) is None


def test_what_is_known_to_the_day_counts_from_its_beginning():
    record = event("c", "2026-02-28", kind="ed_attendance")
    expected = datetime(2026, 2, 28, tzinfo=UTC) + 72 * HOUR
    assert until("active-encounter", record) == expected


def test_an_end_before_the_start_never_makes_evidence_longer():
    record = stay(DAY, 30 * DAY, "finished")
    assert until("active-encounter", record) is None


@pytest.mark.parametrize(
    ("knob", "kind", "record", "of"),
    [
        ("encounter_hours", "active-encounter", contact(2 * HOUR), {}),
        ("stay_days", "active-encounter", stay(2 * DAY), {}),
        ("open_hours", "referral", referral(DAY), {"as_of": NOW - 2 * HOUR}),
        ("referral_days", "referral", referral(2 * DAY), {}),
        (
            "caseload_days",
            "caseload",
            contact(2 * DAY, "community_contact"),
            {"sector": "community"},
        ),
    ],
)
def test_each_window_can_be_shortened_until_it_counts_no_more(knob, kind, record, of):
    assert until(kind, record, **of) is not None
    assert until(kind, record, Evidence.model_validate({knob: 1}), **of) is None


def test_a_time_near_the_end_of_the_calendar_is_no_evidence():
    record = event("c", "9999-12-30T00:00:00+00:00", end="9999-12-31T00:00:00+00:00")
    late = datetime(9999, 12, 31, 12, tzinfo=UTC)
    assert until("active-encounter", record, as_of=late, now=late) is None


@pytest.mark.parametrize(
    ("kinds", "sector", "expected"),
    [
        (["active-encounter"], "acute", date(2026, 3, 1) - timedelta(days=369)),
        (["referral"], "acute", date(2026, 3, 1) - timedelta(days=366)),
        (["registered"], "primary-care", None),
        (["registered", "referral"], "primary-care", None),
        (["caseload"], "community", None),
        (["registered"], "acute", None),
    ],
)
def test_a_source_is_asked_back_to_where_a_record_may_still_count(
    kinds, sector, expected
):
    assert evidence.since(kinds, sector, now=NOW, windows=WINDOWS) == expected


def test_each_relationship_is_looked_for_where_its_records_are():
    assert evidence.categories("referral", "acute") == {"referrals", "mental-health"}
    assert evidence.categories("registered", "primary-care") == {"encounters"}
    assert evidence.categories("registered", "acute") == frozenset()
    assert evidence.categories("caseload", "community") == {"community"}


def test_a_near_miss_says_which_record_would_permit():
    assert evidence.would_permit(["referral"]) == (
        "An open referral at your organisation would permit."
    )
    assert evidence.would_permit(["care-team", "registered", "caseload"]) == (
        "An open registration with your organisation or a place on your "
        "organisation's caseload would permit."
    )
    assert evidence.would_permit(["care-team", "self"]) is None
