"""FHIR's dates and times as moments, with what is odd about them said."""

from datetime import datetime, tzinfo
from typing import Final

from adapters.moment import Moment, read_iso

# Years that mean "not known": HL7's and databases' ends of time, and the years
# 1800 to 1802 of English hospital extracts. Nobody now alive has events in them.
_FIRST_YEAR: Final = 1803
_ENDS_OF_TIME: Final = frozenset({2999, 9999})

Reading = tuple[Moment | None, str | None]


class Times:
    """Reads times in one zone, each text once: a record repeats its times often.

    Lives as long as one reading and no longer, for it remembers what it read.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._read: dict[str, Reading] = {}

    def read(self, text: str) -> Reading:
        """The moment and a caveat's code; None where the text tells no time.

        `unknown_time` is a date that means "not known", `impossible_time` one that
        does not exist or is no date at all.
        """
        found = self._read.get(text)
        if found is None:
            found = self._read[text] = self._understood(text)
        return found

    def _understood(self, text: str) -> Reading:
        try:
            moment, caveat = _exact(text), None
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


# How long a time to the second is, and where its zone then begins: `Z` or `+hh:mm`,
# without a fraction or with one of three digits.
_ZONES: Final = {20: 19, 25: 19, 24: 23, 29: 23}


def _exact(text: str) -> Moment | None:
    """The commonest shapes, to the second with a zone, by the quickest way."""
    zone = _ZONES.get(len(text))
    if (
        zone is None
        or text[10] != "T"
        or text[4] != "-"
        or text[7] != "-"
        or text[13] != ":"
        or text[16] != ":"
        or (zone == 23 and text[19] != ".")
        or not (text[zone:] == "Z" or (text[zone] in "+-" and text[zone + 3] == ":"))
        or not text.isascii()
    ):
        return None
    return Moment(datetime.fromisoformat(text), "second")


def is_reversed(start: Moment | None, end: Moment | None) -> bool:
    """Whether an end comes before its start, however both are read."""
    return start is not None and end is not None and end.latest <= start.at
