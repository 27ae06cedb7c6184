"""Moments: what was written, as precisely as it was written, at the edges of time."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.moment import LONDON, Moment, localise, read_iso


def moment(text):
    read = read_iso(text)
    assert read is not None
    return read[0]


@pytest.mark.parametrize(
    ("text", "precision", "end"),
    [
        ("2024", "year", "2025-01-01T00:00:00+00:00"),
        ("2024-12", "month", "2025-01-01T00:00:00+00:00"),
        ("2024-02", "month", "2024-03-01T00:00:00+00:00"),
        ("2024-03-31", "day", "2024-03-31T23:00:00+00:00"),  # a day of 23 hours
        ("2024-10-27", "day", "2024-10-28T00:00:00+00:00"),  # a day of 25 hours
        ("2024-06-01T10:30Z", "minute", "2024-06-01T10:31:00+00:00"),
        ("2024-06-01T10:30:05Z", "second", "2024-06-01T10:30:05.000001+00:00"),
    ],
)
def test_a_moment_lasts_as_long_as_its_words_can_mean(text, precision, end):
    read = moment(text)
    assert read.precision == precision
    assert read.latest.astimezone(UTC).isoformat() == end


@pytest.mark.parametrize("text", ["9999", "9999-12", "9999-12-31"])
def test_the_last_of_all_days_ends_with_time_itself(text):
    assert moment(text).latest == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("2024-06-01T10:30:00Z", 0),
        ("2024-06-01T10:30:00z", 0),
        ("2024-06-01T10:30:00+01:00", 60),
        ("2024-06-01T10:30:00+0530", 330),
        ("2024-06-01T10:30:00-05", -300),
        ("2024-06-01 10:30", 60),  # London's own, in summer
        ("2024-01-01 10:30:00", 0),
    ],
)
def test_an_offset_is_kept_as_it_was_written(text, offset):
    assert moment(text).at.utcoffset() == timedelta(minutes=offset)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "01/02/2024", "20240102", "2024-1-2", "2024-06-01T10", "2024-06-01T"],
)
def test_another_shape_is_no_moment(text):
    assert read_iso(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-30",
        "2024-13",
        "0000",
        "2024-06-01T25:00:00Z",
        "2024-06-01T10:61:00Z",
        "2024-06-01T10:30:00+24:00",
        "2024-06-01T10:30:00+99:00",
    ],
)
def test_a_time_that_does_not_exist_is_an_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library's own words
        read_iso(text)


def test_a_fraction_of_a_second_is_kept_to_the_microsecond():
    assert moment("2024-06-01T10:30:05.123456789Z").at.microsecond == 123456
    assert moment("2024-06-01T10:30:05,5Z").at.microsecond == 500000


@pytest.mark.parametrize(
    ("wall", "caveat", "shown"),
    [
        ("2024-03-31T00:59", None, "2024-03-31T00:59:00+00:00"),
        ("2024-03-31T01:30", "impossible_time", "2024-03-31T02:30:00+01:00"),
        ("2024-03-31T02:00", None, "2024-03-31T02:00:00+01:00"),
        ("2024-10-27T00:59", None, "2024-10-27T00:59:00+01:00"),
        ("2024-10-27T01:30", "ambiguous_time", "2024-10-27T01:30:00+01:00"),
        ("2024-10-27T02:00", None, "2024-10-27T02:00:00+00:00"),
    ],
)
def test_the_nights_the_clock_is_changed_are_told(wall, caveat, shown):
    at, said = localise(datetime.fromisoformat(wall), LONDON)
    assert (said, at.isoformat()) == (caveat, shown)
    assert read_iso(wall) == (Moment(at, "minute"), caveat)


def test_the_text_never_shows_more_than_was_written():
    for text in ("2024", "2024-03", "2024-03-09"):
        assert moment(text).text == text


def test_a_repr_tells_how_precise_and_not_when():
    assert repr(moment("2024-03-09")) == "Moment(day)"
