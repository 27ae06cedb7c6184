"""HL7 time stamps as moments: as precise as they were written, and no more.

Source: HL7 v2.8, 2A.3.22 (DTM): YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-ZZZZ].
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from adapters.hl7v2.message import Segment
from adapters.moment import Moment, Precision, localise, read_iso

# Years that mean "not known", as the other kinds take them.
_FIRST_YEAR: Final = 1803
_ENDS_OF_TIME: Final = frozenset({2999, 9999})
_STAMP: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)"
    r"(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:\.?(?P<fraction>\d{1,6}))?)?)?)?)?)?"
    r"(?P<zone>Z|[+-]\d{4})?",
    re.ASCII,
)

Reading = tuple[Moment | None, str | None]


class Clock:
    """Reads the time stamps of one source; those without an offset, in its zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def at(self, segment: Segment | None, number: int, component: int = 1) -> Reading:
        """A field's moment, and a caveat's code; neither where it is empty."""
        if segment is None or (text := segment.text(number, component)) is None:
            return None, None
        return self.read(text)

    def read(self, text: str) -> Reading:
        """`unknown_time` is a date that means "not known", `impossible_time` none."""
        try:
            read = self._stamp(text) or read_iso(text, self._zone)
        except (ValueError, OverflowError):
            return None, "impossible_time"
        if read is None:
            return None, "impossible_time"
        year = read[0].at.year
        if year < _FIRST_YEAR or year in _ENDS_OF_TIME:
            return None, "unknown_time"
        return read

    def day(self, text: str | None) -> Moment | None:
        """A date of birth or death: its day, whatever hour is written behind it."""
        moment, _ = self.read(text) if text else (None, None)
        if moment is None or moment.precision not in {"minute", "second"}:
            return moment
        # The day as written, not moved by an offset.
        at = datetime(moment.at.year, moment.at.month, moment.at.day, tzinfo=self._zone)
        return Moment(at, "day")

    def _stamp(self, text: str) -> tuple[Moment, str | None] | None:
        found = _STAMP.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        naive = datetime(  # noqa: DTZ001 - the zone is settled below
            int(parts["year"]),
            int(parts["month"] or 1),
            int(parts["day"] or 1),
            int(parts["hour"] or 0) if parts["minute"] else 0,
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            int((parts["fraction"] or "0").ljust(6, "0")[:6]),
        )
        precision = _precision(parts)
        if precision not in {"minute", "second"}:
            return Moment(naive.replace(tzinfo=self._zone), precision), None
        if parts["zone"] is not None:
            return Moment(naive.replace(tzinfo=_offset(parts["zone"])), precision), None
        at, caveat = localise(naive, self._zone)
        return Moment(at, precision), caveat


def _precision(parts: dict[str, str | None]) -> Precision:
    if parts["second"]:
        return "second"
    if parts["minute"]:
        return "minute"
    # An hour alone has no name among our precisions: the day is what is sure.
    if parts["day"]:
        return "day"
    return "month" if parts["month"] else "year"


def _offset(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    size = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    if size >= timedelta(hours=24):
        message = "no such offset"
        raise ValueError(message)
    return timezone(-size if text[0] == "-" else size)
