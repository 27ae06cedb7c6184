"""Cells of a row: which one, what in it means nothing, and how it is made plain."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from adapters.mapping.specification import Time
from adapters.mapping.time_format import TimeFormat
from adapters.moment import Moment, localise

Row = Sequence[str]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SPACE: Final = re.compile(r"\s+")


def nothing(*words: Sequence[str]) -> frozenset[str]:
    """What means absent, as cells are compared: blank, and every word in any case."""
    return frozenset(
        {"", *(word.strip().casefold() for each in words for word in each)}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where a value stands, and what in it means nothing."""

    name: str
    index: int
    absent: frozenset[str]
    longest: int  # of the words for absent: most cells are longer, and soon passed

    def text(self, row: Row) -> str | None:
        """The cell without outer space, None if it is absent."""
        cell = row[self.index].strip()
        if len(cell) > self.longest:
            return cell
        return None if cell.casefold() in self.absent else cell

    def is_sentinel(self, row: Row) -> bool:
        """Whether the source wrote a word for absent, rather than nothing."""
        cell = row[self.index].strip()
        return bool(cell) and cell.casefold() in self.absent


def plain(text: str) -> str:
    """One line without control characters."""
    return _SPACE.sub(" ", _CONTROL.sub("", text)).strip()


def has_control(text: str) -> bool:
    return _CONTROL.search(text) is not None


def shown_id(text: str) -> str:
    """An id in which each control character is seen to be one.

    None is removed: what then is left might be another record's id.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A time cell as read: `original` is what was written where it is impossible."""

    moment: Moment | None = None
    caveats: tuple[str, ...] = ()
    original: str | None = None


_COARSE: Final = frozenset({"year", "month"})
FILLERS: Final = frozenset({1, 2999, 9999})  # years that systems write for "unknown"
_BLANK: Final = Reading()
_UNKNOWN: Final = Reading(caveats=("unknown_time",))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCell:
    """Reads one time of a row, from a column or from a date and a clock column."""

    date: Column
    clock: Column | None
    formats: tuple[TimeFormat, ...]
    clock_formats: tuple[TimeFormat, ...]
    shape: re.Pattern[str]
    clock_shape: re.Pattern[str]
    zone: tzinfo
    takes_anything: bool = False  # a cell of no format is undated, not refused

    def stranger(self, row: Row) -> str | None:
        """The column whose cell has no known shape, else None. Cheap: no dates made."""
        text = None if self.takes_anything else self.date.text(row)
        if text is None:
            return None
        if self.shape.fullmatch(text) is None:
            return self.date.name
        if self.clock is None or (reading := self.clock.text(row)) is None:
            return None
        return None if self.clock_shape.fullmatch(reading) else self.clock.name

    def read(self, row: Row) -> Reading:
        """The time of a row that has no stranger in it."""
        text = self.date.text(row)
        if text is None:
            return _UNKNOWN if self.date.is_sentinel(row) else _BLANK
        day = self._day(text)
        if self.clock is None or day.moment is None or day.moment.precision in _COARSE:
            return day
        reading = self.clock.text(row)
        if reading is None:
            return self._day_alone(day, unknown=self.clock.is_sentinel(row))
        return self._timed(day, reading, f"{text} {reading}")

    def _day(self, text: str) -> Reading:
        for form in self.formats:
            try:
                found = form.parse(text, self.zone)
            except ValueError:
                continue  # a later format may know such a day
            if found is None:
                continue
            moment, caveat = found
            if moment.at.year in FILLERS:
                return Reading(caveats=("unknown_time",), original=text)
            return Reading(moment=moment, caveats=(caveat,) if caveat else ())
        return Reading(caveats=("impossible_time",), original=text)

    def _day_alone(self, day: Reading, *, unknown: bool) -> Reading:
        # A date cell of an export often carries a midnight that nobody meant.
        return Reading(
            moment=self._as_day(day), caveats=("unknown_time",) if unknown else ()
        )

    def _as_day(self, day: Reading) -> Moment | None:
        if day.moment is None:
            return None
        at = day.moment.at
        return Moment(datetime(at.year, at.month, at.day, tzinfo=self.zone), "day")

    def _timed(self, day: Reading, reading: str, original: str) -> Reading:
        for form in self.clock_formats:
            try:
                clock = form.clock(reading)
            except ValueError:
                break
            if clock is None or day.moment is None:
                continue
            naive = datetime.combine(day.moment.at.date(), clock)
            at, caveat = localise(naive, self.zone)
            precision = form.precision or "minute"
            return Reading(
                moment=Moment(at, precision), caveats=(caveat,) if caveat else ()
            )
        return Reading(
            moment=self._as_day(day), caveats=("impossible_time",), original=original
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each column of a file or table stands, and the mapping's own defaults."""

    places: Mapping[str, int]
    absent: Sequence[str]
    formats: Sequence[str]
    zone: tzinfo

    def column(self, name: str, absent: Sequence[str] = ()) -> Column:
        words = nothing(self.absent, absent)
        return Column(
            name=name,
            index=self.places[name],
            absent=words,
            # Folding may lengthen a cell threefold, so it may shorten as much.
            longest=3 * max(map(len, words)),
        )

    def time(self, spec: Time) -> TimeCell:
        formats = tuple(TimeFormat.read(f) for f in spec.formats or self.formats)
        clocks = tuple(TimeFormat.read(f) for f in spec.time_formats)
        return TimeCell(
            date=self.column(spec.column or spec.date or "", spec.absent),
            clock=self.column(spec.time, spec.time_absent) if spec.time else None,
            formats=formats,
            clock_formats=clocks,
            shape=_any_of(formats),
            clock_shape=_any_of(clocks),
            zone=self.zone,
            takes_anything=spec.unreadable == "undated",
        )


def _any_of(formats: Sequence[TimeFormat]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{f.shape})" for f in formats), re.IGNORECASE)
