"""Date formats: a shape to recognise, the parts it holds, and how precise they are."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Final, Self

from adapters.moment import Moment, Precision, localise, read_iso

ISO: Final = "iso"
# As wide as `read_iso` reads, so that intake and question agree on every cell.
_ISO_SHAPE: Final = (
    r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
    r"\s?(?:Z|z|[+-]\d\d(?::?\d\d)?)?)?)?)?"
)
MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_PARTS: Final = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d\d)",
    "d": r"(?P<d>\d\d)",
    "H": r"(?P<H>\d\d)",
    "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)",
    "f": r"(?P<f>\d{1,9})",
    "b": "(?P<b>" + "|".join(month[:3] for month in MONTHS) + ")",
    "B": "(?P<B>" + "|".join(MONTHS) + ")",
    "z": r"(?P<z>Z|[+-]\d\d:?\d\d)",
}
_LOOSE: Final = frozenset("mdH")  # `5/3/2024`, `9:30`: one digit where it cannot blur
_PIECE: Final = re.compile(r"%(.)|([^%]+)|(%)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFormat:
    """One way of writing a time; `precision` is that of its finest part."""

    written: str
    shape: str
    pattern: re.Pattern[str]
    precision: Precision | None  # None: the cell itself says (iso)

    @classmethod
    def read(cls, written: str) -> Self:
        """The format an engineer wrote. ValueError saying what is wrong with it."""
        if written == ISO:
            pattern = re.compile(_ISO_SHAPE)
            return cls(written=ISO, shape=_ISO_SHAPE, pattern=pattern, precision=None)
        shape, letters = _shape(written)
        return cls(
            written=written,
            shape=re.sub(r"\?P<\w>", "?:", shape),
            pattern=re.compile(shape, re.IGNORECASE),
            precision=_precision(written, letters),
        )

    def parse(self, text: str, zone: tzinfo) -> tuple[Moment, str | None] | None:
        """The moment and a caveat code; None if `text` has another shape.

        ValueError if the shape is right and there is no such day or hour.
        """
        if self.precision is None:
            return read_iso(text, zone)
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        naive = datetime(  # noqa: DTZ001 - the zone is settled below
            int(parts.get("Y") or 2000),
            _month(parts),
            int(parts.get("d") or 1),
            int(parts.get("H") or 0),
            int(parts.get("M") or 0),
            int(parts.get("S") or 0),
            int((parts.get("f") or "0").ljust(6, "0")[:6]),
        )
        if parts.get("z"):
            return Moment(
                naive.replace(tzinfo=_offset(parts["z"])), self.precision
            ), None
        if self.precision in {"minute", "second"}:
            at, caveat = localise(naive, zone)
            return Moment(at, self.precision), caveat
        return Moment(naive.replace(tzinfo=zone), self.precision), None

    @property
    def is_clock(self) -> bool:
        """Whether it reads an hour and no day, for a time column beside a date."""
        return "%H" in self.written and "%Y" not in self.written

    def clock(self, text: str) -> time | None:
        """The clock reading; None for another shape. ValueError if there is none."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        fraction = (parts.get("f") or "0").ljust(6, "0")[:6]
        second = int(parts.get("S") or 0)
        return time(int(parts["H"]), int(parts["M"]), second, int(fraction))


def _shape(written: str) -> tuple[str, str]:
    shape, letters = "", ""
    pieces = list(_PIECE.finditer(written))
    for index, piece in enumerate(pieces):
        letter, literal = piece[1], piece[2]
        if literal is not None:
            shape += re.escape(literal)
            continue
        if letter is None or letter not in _PARTS or letter in letters:
            message = (
                f"{written!r} is no date format. Use iso, or a pattern of "
                "%Y %m %d %H %M %S %f %b %B %z, each once."
            )
            raise ValueError(message)
        letters += letter
        part = _PARTS[letter]
        alone = _is_alone(pieces, index)
        shape += (
            part.replace(r"\d\d", r"\d{1,2}") if alone and letter in _LOOSE else part
        )
    return shape, letters


def _is_alone(pieces: list[re.Match[str]], index: int) -> bool:
    """Whether literals, not digits, stand on both sides, so one digit is clear."""
    before = pieces[index - 1][2] if index else " "
    after = pieces[index + 1][2] if index + 1 < len(pieces) else " "
    return before is not None and after is not None


def _precision(written: str, letters: str) -> Precision:
    month = "m" in letters or "b" in letters or "B" in letters
    chain = [
        ("year", "Y" in letters),
        ("month", month),
        ("day", "d" in letters),
        ("minute", "H" in letters and "M" in letters),
        ("second", "S" in letters),
    ]
    known = [has for _, has in chain]
    if not known[0] and not any(known[:3]):
        known = known[3:]  # a clock reading, for a time column
    if not known[0] or known != sorted(known, reverse=True):
        message = (
            f"{written!r} leaves a gap. Start with %Y (a time column with %H%M) and "
            "leave nothing out between it and the finest part."
        )
        raise ValueError(message)
    if ("f" in letters and "S" not in letters) or ("H" in letters) != ("M" in letters):
        message = f"{written!r} needs %H and %M together, and %S before %f."
        raise ValueError(message)
    finest: list[Precision] = ["year", "month", "day", "minute", "second"]
    return finest[max(i for i, (_, has) in enumerate(chain) if has)]


def _month(parts: dict[str, str]) -> int:
    if word := parts.get("B") or parts.get("b"):
        return [month[:3] for month in MONTHS].index(word[:3].lower()) + 1
    return int(parts.get("m") or 1)


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    size = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    if size >= timedelta(hours=24):
        message = "no such offset"
        raise ValueError(message)
    return timezone(-size if text[0] == "-" else size)
