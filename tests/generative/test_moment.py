"""Laws of moments and windows."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Identifiers, Query
from adapters.moment import LONDON, localise, read_iso, start_of_day
from adapters.vocabulary import CATEGORIES
from tests.histories import moments

ANY = frozenset({"year", "month", "day", "minute", "second"})
DAYS = st.dates(date(1900, 1, 2), date(2100, 1, 1))
WALL = st.datetimes(datetime(1972, 1, 1), datetime(2099, 12, 31))  # noqa: DTZ001 - wall-clock readings


def window(since: date | None, until: date | None) -> Query:
    return Query(
        person=Identifiers(),
        since=since,
        until=until,
        categories=CATEGORIES,
        limit=1,
    )


@given(moments(ANY))
def test_a_moment_is_read_back_from_its_own_text(moment):
    """Catches a precision padded to midnight, and an offset lost."""
    read = read_iso(moment.text)
    assert read is not None
    again, caveat = read
    assert caveat is None
    # Its text shows seconds also where only the minute is known.
    shown = "second" if moment.precision == "minute" else moment.precision
    assert (again.text, again.precision) == (moment.text, shown)
    assert again.at.astimezone(UTC) == moment.at.astimezone(UTC)


@given(moments(ANY))
def test_a_moment_ends_after_it_begins(moment):
    assert moment.at.astimezone(UTC) < moment.latest.astimezone(UTC)


@given(moments(frozenset({"day", "minute", "second"})), DAYS)
def test_adjoining_windows_share_no_event_and_lose_none(moment, day):
    """Catches `<` become `<=` at either end of a window."""
    before, after = window(None, day), window(day, None)
    assert before.covers(moment) != after.covers(moment)


@given(moments(ANY), DAYS)
def test_a_vague_event_is_never_lost_between_adjoining_windows(moment, day):
    assert window(None, day).covers(moment) or window(day, None).covers(moment)


@given(moments(ANY), st.none() | DAYS, st.none() | DAYS, DAYS)
def test_narrowing_a_window_never_widens_what_it_covers(moment, since, until, later):
    """Catches an `or` for an `and` between the two ends."""
    wide = window(since, until)
    narrow = window(max(filter(None, [since, later])), until)
    assert wide.covers(moment) or not narrow.covers(moment)


@given(DAYS)
def test_a_day_begins_where_the_day_before_it_ends(day):
    """Catches a day taken for 24 hours on the nights the clock is changed."""
    read = read_iso((day - timedelta(days=1)).isoformat())
    assert read is not None
    assert read[0].latest.astimezone(UTC) == start_of_day(day).astimezone(UTC)


@given(WALL)
def test_a_wall_clock_reading_is_kept_or_said_to_be_impossible(naive):
    at, caveat = localise(naive, LONDON)
    assert (at.replace(tzinfo=None) == naive) == (caveat != "impossible_time")
    back = at.astimezone(UTC).astimezone(LONDON)
    assert back.replace(tzinfo=None) == at.replace(tzinfo=None)


@given(WALL)
def test_of_two_readings_the_first_is_taken(naive):
    at, caveat = localise(naive, LONDON)
    if caveat == "ambiguous_time":
        second = naive.replace(tzinfo=LONDON, fold=1).astimezone(UTC)
        assert at.astimezone(UTC) == second - timedelta(hours=1)
    assert at.fold == 0 or caveat == "impossible_time"
