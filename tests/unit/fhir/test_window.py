"""The window as it is asked of the server, and as it is applied here."""

from datetime import UTC, date, datetime

import pytest

from adapters.contract import Event
from adapters.fhir.window import may_reach, narrowed, pushed
from adapters.moment import read_iso
from tests.fhir_asking import about

SINCE, UNTIL = date(2024, 3, 1), date(2024, 4, 1)
AS_OF = datetime(2024, 3, 20, tzinfo=UTC)


def moment(text):
    read = read_iso(text) if text else None
    return read[0] if read else None


def event(start, end=None, *, kind="inpatient_spell", status="finished"):
    return Event(
        kind=kind,
        record_id=f"x/{start}",
        title="x",
        status=status,
        start=moment(start),
        end=moment(end),
    )


def narrow(*events, **query):
    return narrowed(events, about(**query), sector="acute", as_of=AS_OF)


def test_the_window_is_asked_for_with_a_day_to_spare():
    assert pushed(about(since=SINCE, until=UNTIL), "date") == (
        ("date", "ge2024-02-29"),
        ("date", "lt2024-04-02"),
    )
    assert pushed(about(), "date") == ()


@pytest.mark.parametrize(
    ("made", "caveats"),
    [
        (event("2024-02-20", "2024-03-02"), ["continues_into_window"]),
        (event("2024-02-20", "2024-02-29"), []),
        (event("2024-02-20", status="active"), ["continues_into_window"]),
        (event("2024-02-20"), []),
        (event("2024-02-20", "2024-03-02", kind="observation"), []),
        (event("2024-04-01", status="active"), []),
        (event(None), ["undated"]),
    ],
)
def test_what_the_window_leaves_out_is_said_where_it_matters(made, caveats):
    assert narrow(made, since=SINCE, until=UNTIL) == ((), caveats)


def test_without_a_beginning_nothing_continues_into_the_window():
    assert narrow(event("2024-05-01", status="active"), until=UNTIL) == ((), [])


def test_the_oldest_come_first_the_undated_last_and_the_rest_is_cut():
    made = [event(None), event("2024-03-09"), event("2024-03-02")]
    kept, caveats = narrow(*made)
    assert [one.record_id for one in kept] == ["x/2024-03-02", "x/2024-03-09", "x/None"]
    assert caveats == []
    kept, caveats = narrow(*made, limit=2)
    assert len(kept) == 2
    assert caveats == ["truncated"]


def test_other_categories_are_left_out():
    made = event("2024-03-09", kind="observation")
    assert narrow(made, categories=frozenset({"encounters"})) == ((), [])


@pytest.mark.parametrize(
    ("start", "status", "is_flagged"),
    [
        ("2024-03-19", "finished", False),
        ("2024-03-25", "finished", True),
        ("2024-03-25", "planned", False),
        (None, "finished", False),
    ],
)
def test_what_happened_after_as_of_is_flagged(start, status, is_flagged):
    kept, _ = narrow(event(start, status=status))
    assert (kept[0].caveats == ("after_as_of",)) == is_flagged


@pytest.mark.parametrize(
    ("made", "may"),
    [
        (event("2024-03-09"), True),
        (event("2023-01-01"), True),
        (event("2023-01-01", "2023-01-02"), False),
        (event("2023-01-01", kind="observation"), False),
        (event("2024-04-02"), True),
        (event("2025-01-01"), False),
        (event(None), True),
    ],
)
def test_a_filter_by_date_lets_through_what_it_may(made, may):
    assert may_reach(made, about(since=SINCE, until=UNTIL)) == may
    assert may_reach(made, about())
