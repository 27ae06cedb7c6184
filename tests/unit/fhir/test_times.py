"""FHIR times: exact, coarse, odd, and those that mean that nothing is known."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.times import Times, is_reversed
from adapters.moment import LONDON, read_iso


@pytest.mark.parametrize(
    ("text", "precision", "shown"),
    [
        ("2024", "year", "2024"),
        ("2024-03", "month", "2024-03"),
        ("2024-03-09", "day", "2024-03-09"),
        ("2024-03-09T14:05:07Z", "second", "2024-03-09T14:05:07+00:00"),
        ("2024-03-09T14:05:07-08:00", "second", "2024-03-09T14:05:07-08:00"),
        (
            "2024-03-09T14:05:07.123456+11:00",
            "second",
            "2024-03-09T14:05:07.123456+11:00",
        ),
        ("2024-03-09T14:05:07.500Z", "second", "2024-03-09T14:05:07.500000+00:00"),
        ("2024-03-09T14:05:07.000-05:00", "second", "2024-03-09T14:05:07-05:00"),
        ("2024-07-09T14:05:07", "second", "2024-07-09T14:05:07+01:00"),
        (" 2024-03-09 ", "day", "2024-03-09"),
    ],
)
def test_a_time_is_as_precise_as_it_was_written(text, precision, shown):
    moment, caveat = Times(LONDON).read(text)
    assert moment is not None
    assert (moment.precision, moment.text, caveat) == (precision, shown, None)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "2024-13-01T00:00:00Z",
        "##date##",
        "20240309",
        "soon",
        "0000",
        "2024-03-09T25:05:07Z",
        "2024-03-09T14:05:07+99:00",
    ],
)
def test_a_date_that_does_not_exist_is_no_date(text):
    assert Times(LONDON).read(text) == (None, "impossible_time")


@pytest.mark.parametrize(
    "text", ["0001-01-01", "1800-01-01", "2999-12-31T00:00:00Z", "9999-12-31"]
)
def test_an_end_of_time_means_that_nothing_is_known(text):
    assert Times(LONDON).read(text) == (None, "unknown_time")


def test_the_repeated_hour_is_read_first_and_said():
    moment, caveat = Times(LONDON).read("2024-10-27T01:30:00")
    assert moment is not None
    assert (moment.text, caveat) == ("2024-10-27T01:30:00+01:00", "ambiguous_time")


def test_order_is_of_instants_and_not_of_their_writing():
    times = Times(LONDON)
    start, _ = times.read("2022-11-06T01:52:06-04:00")
    end, _ = times.read("2022-11-06T01:07:06-05:00")
    assert not is_reversed(start, end)
    assert is_reversed(end, start)
    assert not is_reversed(None, end)
    assert not is_reversed(start, start)


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - the zone is written after it
    st.sampled_from(["Z", "+00:00", "-08:00", "+11:00", "+05:30"]),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_the_quick_way_reads_as_the_careful_one_does(at, zone, timespec):
    """Catches the seeded defect of a fraction or an offset cut off on the way."""
    text = at.isoformat(timespec=timespec) + zone
    assert Times(LONDON).read(text) == read_iso(text)
