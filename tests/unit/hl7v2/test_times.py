"""Time stamps: as precise as written, in their own offset or London's."""

import pytest

from adapters.hl7v2.times import Clock
from adapters.moment import LONDON
from tests.hl7 import text_of

CLOCK = Clock(LONDON)


@pytest.mark.parametrize(
    ("written", "text", "precision"),
    [
        ("2024", "2024", "year"),
        ("202403", "2024-03", "month"),
        ("20240309", "2024-03-09", "day"),
        ("2024030914", "2024-03-09", "day"),  # an hour alone is no minute
        ("202403091405", "2024-03-09T14:05:00+00:00", "minute"),
        ("20240309140559", "2024-03-09T14:05:59+00:00", "second"),
        ("20240309140559.5", "2024-03-09T14:05:59.500000+00:00", "second"),
        ("20240309140559.1234+0215", "2024-03-09T14:05:59.123400+02:15", "second"),
        ("202406091405", "2024-06-09T14:05:00+01:00", "minute"),
        ("202406091405-0500", "2024-06-09T14:05:00-05:00", "minute"),
        ("20240609140500Z", "2024-06-09T14:05:00+00:00", "second"),
        ("2004062916460000", "2004-06-29T16:46:00+01:00", "second"),
        ("2024-03-09T14:05", "2024-03-09T14:05:00+00:00", "minute"),
        ("20240309+0000", "2024-03-09", "day"),
    ],
)
def test_a_stamp_is_as_precise_as_it_was_written(written, text, precision):
    moment, caveat = CLOCK.read(written)
    assert moment is not None
    assert (moment.text, moment.precision, caveat) == (text, precision, None)


@pytest.mark.parametrize(
    ("written", "caveat"),
    [
        ("20240230", "impossible_time"),
        ("20241309", "impossible_time"),
        ("202403092505", "impossible_time"),
        ("202403091405+9900", "impossible_time"),
        ("yesterday", "impossible_time"),
        ("20", "impossible_time"),
        ("00010101", "unknown_time"),
        ("18000101", "unknown_time"),
        ("29991231", "unknown_time"),
        ("99991231", "unknown_time"),
    ],
)
def test_a_stamp_that_tells_no_time_is_none(written, caveat):
    assert CLOCK.read(written) == (None, caveat)


def test_the_hour_that_came_twice_is_its_first_reading():
    moment, caveat = CLOCK.read("202410270130")
    assert (text_of(moment), caveat) == ("2024-10-27T01:30:00+01:00", "ambiguous_time")


def test_the_hour_that_did_not_come_is_moved_on():
    moment, caveat = CLOCK.read("202403310130")
    assert (text_of(moment), caveat) == ("2024-03-31T02:30:00+01:00", "impossible_time")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("19371227000000", "1937-12-27"),
        ("198808181126+0215", "1988-08-18"),
        ("1988081823-0500", "1988-08-18"),
        ("19880818", "1988-08-18"),
        ("1988", "1988"),
    ],
)
def test_a_date_of_birth_is_the_day_as_written(written, text):
    assert text_of(CLOCK.day(written)) == text


def test_no_date_of_birth_is_none():
    assert CLOCK.day(None) is None
    assert CLOCK.day("unknown") is None
