"""When something happened, as precisely as its source said and no more."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

Precision = Literal["year", "month", "day", "minute", "second"]

LONDON: Final = ZoneInfo("Europe/London")
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)

_ISO: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s?(?P<zone>Z|z|[+-]\d\d(?::?\d\d)?)?)?)?)?"
)


class Moment(msgspec.Struct, frozen=True, gc=False):
    """An instant and how precisely it is known.

    `at` is aware and is the earliest instant the source's words can mean, in the
    offset the source gave: a day is its midnight only for ordering, and `text`
    never shows that midnight.
    """

    at: datetime
    precision: Precision

    def __repr__(self) -> str:
        return f"Moment({self.precision})"

    @property
    def latest(self) -> datetime:
        """The first instant after everything the source's words can mean."""
        local = self.at
        match self.precision:
            case "year":
                return _next(local, years=1)
            case "month":
                return _next(local, months=1)
            case "day":
                return _midnight_after(local)
            case "minute":
                return _after(local, timedelta(minutes=1))
            case "second":
                return _after(local, timedelta(microseconds=1))

    @property
    def text(self) -> str:
        """`2024`, `2024-03`, `2024-03-09` or `2024-03-09T14:05:00+00:00`."""
        match self.precision:
            case "second" | "minute":  # first, for nearly every record has one
                return self.at.isoformat()
            case "day":
                return self.at.date().isoformat()
            case "month":
                return f"{self.at.year:04d}-{self.at.month:02d}"
            case "year":
                return f"{self.at.year:04d}"


def _next(local: datetime, *, years: int = 0, months: int = 0) -> datetime:
    month = local.month - 1 + months
    year = local.year + years + month // 12
    if year > 9999:
        return datetime.max.replace(tzinfo=UTC)
    return local.replace(year=year, month=month % 12 + 1, day=1, fold=0)


def _after(local: datetime, span: timedelta) -> datetime:
    try:
        return local + span
    except OverflowError:  # the calendar ends within it
        return datetime.max.replace(tzinfo=UTC)


def _midnight_after(local: datetime) -> datetime:
    if local.date() == date.max:
        return datetime.max.replace(tzinfo=UTC)
    # Arithmetic on an aware datetime is on the wall clock, so a day of 23 or 25
    # hours still ends at its own midnight.
    return local + timedelta(days=1)


def in_utc(at: datetime) -> datetime:
    """The same instant by UTC; past an end of the calendar, the last that it has."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return _LAST if at.year > 1 else _FIRST


def localise(naive: datetime, zone: tzinfo) -> tuple[datetime, str | None]:
    """The instant a wall clock meant, and a caveat where the clock was changed.

    In the repeated autumn hour the first reading is taken (`ambiguous_time`); a
    reading in the missing spring hour is moved on by it (`impossible_time`).
    """
    first = naive.replace(tzinfo=zone, fold=0)
    second = naive.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first, None
    there_and_back = first.astimezone(UTC).astimezone(zone)
    if there_and_back.replace(tzinfo=None) == naive:
        return first, "ambiguous_time"
    return there_and_back, "impossible_time"


def start_of_day(day: date, zone: tzinfo = LONDON) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def read_iso(text: str, zone: tzinfo = LONDON) -> tuple[Moment, str | None] | None:
    """A moment from ISO 8601 or a FHIR date, dateTime or instant, else None.

    Returns the moment and, where the wall clock was changed that night, a caveat
    code. Without an offset the reading is taken in `zone`. ValueError where the
    shape is right but there is no such day or hour (`2023-02-30`).
    """
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    year, month, day = (int(parts[name] or 1) for name in ("year", "month", "day"))
    if parts["hour"] is None:
        precision: Precision = (
            "day" if parts["day"] else "month" if parts["month"] else "year"
        )
        return Moment(datetime(year, month, day, tzinfo=zone), precision), None
    naive = datetime(  # noqa: DTZ001 - the zone is settled below
        year,
        month,
        day,
        int(parts["hour"]),
        int(parts["minute"]),
        int(parts["second"] or 0),
        int((parts["fraction"] or "0").ljust(6, "0")[:6]),
    )
    precision = "minute" if parts["second"] is None else "second"
    if parts["zone"] is None:
        at, caveat = localise(naive, zone)
        return Moment(at, precision), caveat
    return Moment(naive.replace(tzinfo=_offset(parts["zone"])), precision), None


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    from_utc = datetime.fromisoformat(
        f"2000-01-01T00:00:00{text[0]}{digits[:2]}:{digits[2:]}"
    ).tzinfo
    if from_utc is None or size >= timedelta(hours=24):
        message = "no such offset"
        raise ValueError(message)
    return from_utc
