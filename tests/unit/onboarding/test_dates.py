"""Formats of times are seen; day or month first is never chosen without a sign."""

from datetime import date

import pytest

from gateway.onboarding.dates import (
    days_among,
    has_short_years,
    read_clock,
    read_dates,
    with_order,
)

NONE = frozenset({"null", "n/a"})


def dates(*cells):
    return read_dates(cells, NONE)


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (["2024-01-13", "2024-02-01"], ("iso",)),
        (["2024-01-13 10:00:00", "2024-02-01T09:00:00Z"], ("iso",)),
        (["20240113", "20240201"], ("%Y%m%d",)),
        (["20240113T101112", "20240201T101112"], ("%Y%m%dT%H%M%S",)),
        (["20250730T11525000", "20250731T08000000"], ("%Y%m%dT%H%M%S00",)),
        (["2024/01/13 10:00", "2024/02/01 11:00"], ("%Y/%m/%d %H:%M",)),
        (["13 Jan 2024", "1 Feb 2024"], ("%d %b %Y",)),
        (["13-JAN-2024 10:00:00", "01-feb-2024 11:00:00"], ("%d-%b-%Y %H:%M:%S",)),
        (["13 January 2024", "1 May 2024", "2 June 2024"], ("%d %B %Y",)),
        (["041968", "121950"], ("%m%Y",)),
        (["13/01/2024 10.15", "01/02/2024 9.15"], ("%d/%m/%Y %H.%M",)),
    ],
)
def test_the_format_is_seen(cells, formats):
    reading = dates(*cells)
    assert set(reading.formats) == set(formats)
    assert reading.share == 1


@pytest.mark.parametrize(
    "cells",
    [["12345678", "45678912"], ["123", "456"], ["K1", "K2"], [], ["null"], ["2024"]],
)
def test_what_is_no_time_is_none(cells):
    assert dates(*cells) is None


def test_a_day_beyond_twelve_shows_that_days_come_first():
    reading = dates("01/02/2024", "13/02/2024", "31/12/2023")
    assert (reading.order, reading.formats) == ("day-first", ("%d/%m/%Y",))
    assert (reading.ambiguous, reading.one_way, reading.other_way) == (1, 2, 0)


def test_a_month_beyond_twelve_shows_that_months_come_first():
    reading = dates("01/02/2024", "02/13/2024")
    assert (reading.order, reading.formats) == ("month-first", ("%m/%d/%Y",))


def test_what_can_be_read_both_ways_has_no_order():
    reading = dates("01/02/2024", "03/02/2024")
    assert reading.order is None
    assert reading.ambiguous == 2


@pytest.mark.parametrize(
    ("order", "form"), [("day-first", "%d.%m.%Y"), ("month-first", "%m.%d.%Y")]
)
def test_an_order_that_is_said_is_taken(order, form):
    reading = with_order(dates("01.02.2024", "03.02.2024"), order)
    assert (reading.order, reading.formats) == (order, (form,))


def test_both_orders_in_one_column_are_counted_apart():
    reading = dates("13/02/2024", "14/02/2024", "02/15/2024", "01/01/2024")
    assert (reading.order, reading.one_way, reading.other_way) == ("day-first", 2, 1)
    assert reading.read == 3
    turned = with_order(reading, "month-first")
    assert (turned.formats, turned.read) == (("%m/%d/%Y",), 2)
    assert with_order(reading, "day-first") is reading


def test_the_order_of_a_format_without_one_stays():
    reading = dates("2024-01-13", "2024-02-01")
    assert reading.ordered("month-first") is reading


def test_a_second_format_of_a_column_is_seen():
    reading = dates(*["13/02/2024"] * 3, *["2024-02-14"] * 2, "soon")
    assert set(reading.formats) == {"iso", "%d/%m/%Y"}
    assert (reading.filled, reading.read) == (6, 5)
    assert dict(reading.odd) == {"soon": 1}


def test_words_for_nothing_are_not_counted():
    assert dates("2024-01-13", "NULL", "n/a").filled == 1


def test_a_column_that_is_mostly_words_is_no_time():
    assert dates("2024-01-13", "a", "b", "c") is None


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (["10:15", "9:05"], ("%H:%M",)),
        (["10:15:01", "09:05:59"], ("%H:%M:%S",)),
        (["1016", "0652"], ("%H%M",)),
        (["10:15", "09:05:59"], ("%H:%M:%S", "%H:%M")),
        (["2575", "9999"], ()),
        (["a", "10:15"], ()),
        ([], ()),
    ],
)
def test_clock_readings_are_seen(cells, formats):
    assert read_clock(cells, NONE) == formats


def test_days_that_mean_nothing_are_found_as_they_are_written():
    cells = {"01/01/1800": 4, "13/02/2024": 2, "31/02/2024": 1}
    reading = dates("13/02/2024", "14/02/2024")
    found = days_among(reading, cells, frozenset({date(1800, 1, 1)}))
    assert found == {"01/01/1800": 4}


def test_years_of_two_digits_are_noticed():
    assert has_short_years(["13/02/24", "14/02/24", ""])
    assert not has_short_years(["13/02/2024"])
    assert not has_short_years([])
