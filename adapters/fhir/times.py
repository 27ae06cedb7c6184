"""FHIR's dates and times as moments, with what is odd about them said."""

from datetime import datetime, tzinfo
from typing import Final

from adapters.moment import Moment, read_iso

# Years that mean "not known": HL7's and databases' ends of time, and the years
# 1800 to 1802 of English hospital extracts. Nobody now alive has events in them.
_FIRST_YEAR: Final = 1803
_ENDS_OF_TIME: Final = frozenset({2999, 9999})

Reading = tuple[Moment | None, str | None]


class Times(dict[str, Reading]):
    """Reads times in one zone, each text once: a record repeats its times often.

    `times[text]` is the moment and a caveat's code; no moment where the text tells
    no time. `unknown_time` is a date that means "not known", `impossible_time` one
    that does not exist or is no date at all. Lives as long as one reading and no
    longer, for it remembers what it read.
    """

    def __init__(self, zone: tzinfo) -> None:
        super().__init__()
        self._zone = zone

    def __repr__(self) -> str:
        return "Times()"

    def __missing__(self, text: str) -> Reading:
        found = self[text] = self._understood(text)
        return found

    def read(self, text: str) -> Reading:
        """What `times[text]` is."""
        return self[text]

    def _understood(self, text: str) -> Reading:
        try:
            moment, caveat = _exact(text, self._zone), None
            if moment is None:
                read = read_iso(text.strip(), self._zone)
                if read is None:
                    return None, "impossible_time"
                moment, caveat = read
        except (ValueError, OverflowError):
            return None, "impossible_time"
        year = moment.at.year
        if year < _FIRST_YEAR or year in _ENDS_OF_TIME:
            return None, "unknown_time"
        return moment, caveat


# What stands at every third place, from the fourth, in the commonest shapes: a day,
# and a time to the second, with or without thousandths, in UTC or with an offset.
_DAY: Final = "--"
_SHAPES: Final = frozenset(
    {
        (10, _DAY),
        (20, "--T::Z"),
        (24, "--T::."),
        (25, "--T::+:"),
        (25, "--T::-:"),
        (29, "--T::."),
    }
)


def _exact(text: str, zone: tzinfo) -> Moment | None:
    """The commonest shapes, by the quickest way."""
    size = len(text)
    marks = text[4:23:3]
    if (size, marks) not in _SHAPES or not text.isascii():
        return None
    if size == 10:
        return Moment(datetime.fromisoformat(text).replace(tzinfo=zone), "day")
    if (size == 24 and text[23] != "Z") or (
        size == 29 and (text[23] not in "+-" or text[26] != ":")
    ):
        return None
    return Moment(datetime.fromisoformat(text), "second")


def is_reversed(start: Moment | None, end: Moment | None) -> bool:
    """Whether an end comes before its start, however both are read."""
    if start is None or end is None or end.at > start.at:
        return False
    return end.latest <= start.at
