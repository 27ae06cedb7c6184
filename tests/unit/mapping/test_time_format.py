"""Date formats: shapes, precision, days that do not exist, nights that have two."""

from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from adapters.mapping.time_format import TimeFormat

LONDON = ZoneInfo("Europe/London")


def parsed(written, cell):
    found = TimeFormat.read(written).parse(cell, LONDON)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "cell", "text"),
    [
        ("iso", "2024", "2024"),
        ("iso", "2024-03", "2024-03"),
        ("iso", "2024-03-09", "2024-03-09"),
        ("iso", "2024-03-09T14:05Z", "2024-03-09T14:05:00+00:00"),
        ("%d/%m/%Y", "09/03/2024", "2024-03-09"),
        ("%d/%m/%Y", "9/3/2024", "2024-03-09"),
        ("%Y%m%d", "20240309", "2024-03-09"),
        ("%m%Y", "031941", "1941-03"),
        ("%Y", "1941", "1941"),
        ("%Y%m%dT%H%M%S%f", "20250730T11525000", "2025-07-30T11:52:50+01:00"),
        ("%Y-%m-%d %H:%M:%S", "2024-12-01 09:00:00", "2024-12-01T09:00:00+00:00"),
        ("%d-%b-%Y", "9-MAR-2024", "2024-03-09"),
        ("%d %B %Y", "09 march 2024", "2024-03-09"),
        ("%Y%m%d%H%M%z", "202403091405-0500", "2024-03-09T14:05:00-05:00"),
        ("%Y%m%d%H%MZ%z", "202403091405ZZ", "2024-03-09T14:05:00+00:00"),
    ],
)
def test_a_cell_is_read_as_precisely_as_it_is_written(written, cell, text):
    moment, caveat = parsed(written, cell)
    assert moment.text == text
    assert caveat is None


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("iso", "09/03/2024"),
        ("%d/%m/%Y", "2024-03-09"),
        ("%d/%m/%Y", "09/03/24"),
        ("%d/%m/%Y", "109/03/2024"),
        ("%Y%m%d", "2024039"),
        ("%Y%m%d", "\N{ARABIC-INDIC DIGIT TWO}0240309 "),
        ("%Y.%m.%d", "2024x03x09"),
    ],
)
def test_a_cell_of_another_shape_is_not_read(written, cell):
    assert TimeFormat.read(written).parse(cell, LONDON) is None


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("%d/%m/%Y", "30/02/2023"),
        ("%d/%m/%Y %H:%M", "01/02/2023 25:61"),
        ("%Y%m%d", "20231301"),
        ("%Y%m%d%H%M%z", "202403091405+9900"),
    ],
)
def test_a_day_or_hour_that_does_not_exist_is_told_apart(written, cell):
    with pytest.raises(ValueError, match=r".+"):
        TimeFormat.read(written).parse(cell, LONDON)


@pytest.mark.parametrize(
    ("cell", "caveat", "at"),
    [
        (
            "27/10/2024 01:30",
            "ambiguous_time",
            datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
        ),
        (
            "31/03/2024 01:30",
            "impossible_time",
            datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
        ),
    ],
)
def test_the_nights_of_the_clock_changes_are_flagged(cell, caveat, at):
    moment, found = parsed("%d/%m/%Y %H:%M", cell)
    assert found == caveat
    # Python never finds a folded reading equal to one of another zone.
    assert moment.at.astimezone(UTC) == at


@pytest.mark.parametrize(
    "written",
    [
        *("", "DD/MM/YYYY", "%q", "%Y%Y", "%", "%y%m%d", "%Y %d", "%d/%m", "%Y%H%M"),
        *("%Y%m%d%H", "%Y%m%d%H%S", "%H", "%Y%m%d %H:%M %f", "%M", "%Y%m%d%M"),
    ],
)
def test_a_format_that_cannot_be_read_is_refused(written):
    with pytest.raises(ValueError, match=r"[Uu]se|Add|needs|leave"):
        TimeFormat.read(written)


def test_a_clock_reading_stands_alone_only_beside_a_date():
    form = TimeFormat.read("%H%M")
    assert form.is_clock
    assert form.clock("0652") == time(6, 52)
    assert form.clock("6:52") is None
    assert not TimeFormat.read("%Y%m%d%H%M").is_clock
    with pytest.raises(ValueError, match="hour"):
        form.clock("4000")


def test_an_offset_in_the_cell_is_kept():
    moment, _ = parsed("%Y%m%d%H%M%z", "202403091405+05:30")
    assert moment.at.tzinfo == timezone(timedelta(hours=5, minutes=30))
