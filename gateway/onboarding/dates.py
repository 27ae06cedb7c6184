"""How the times of a column are written, and how sure that is. Pure.

Day-first and month-first are never chosen between here: where the cells do not show
which it is, that is what comes out, and somebody is asked.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from functools import cache
from typing import Final, Literal

from adapters.mapping.time_format import ISO, TimeFormat
from adapters.moment import Moment

Order = Literal["day-first", "month-first"]
form_of = cache(TimeFormat.read)  # each is asked for once a cell

# Of NHS immunisation batches: the last two digits are an offset in hours.
HOUR_OFFSET: Final = "%Y%m%dT%H%M%S00"
_FORMATS: Final = (
    ISO,
    *("%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S"),
    *("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S"),
    HOUR_OFFSET,
    *("%Y%m%d %H:%M", "%Y%m%d %H:%M:%S"),
    *("%d %b %Y", "%d %b %Y %H:%M", "%d %b %Y %H:%M:%S"),
    *("%d-%b-%Y", "%d-%b-%Y %H:%M", "%d-%b-%Y %H:%M:%S"),
    *("%d %B %Y", "%d %B %Y %H:%M", "%b %d %Y", "%B %d, %Y"),
    *("%m/%Y", "%b %Y", "%b-%Y", "%m%Y", "%Y%m"),
)
_SEPARATORS: Final = "/-. "
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %H.%M")
_DAY_FIRST: Final = tuple(
    f"%d{mark}%m{mark}%Y{clock}" for mark in _SEPARATORS for clock in _CLOCKS
)
_PACKED: Final = ("%d%m%Y", "%d%m%Y%H%M")
_CLOCK_FORMATS: Final = ("%H:%M:%S", "%H:%M", "%H%M", "%H.%M", "%H%M%S")
_SHORT_YEAR: Final = re.compile(r"\d\d?[/.-]\d\d?[/.-]\d\d( .*)?")
_FEW: Final = 0.02  # a further format must read this share of the cells
_ENOUGH: Final = 0.5  # of the cells, for a column to be one of times
_YEARS: Final = range(1850, 2101)
_AT_MOST: Final = 3  # formats of one column
_LOOKED: Final = 1_000  # different cells that its formats are chosen by


@dataclass(frozen=True, slots=True, kw_only=True)
class DateReading:
    """How a column's cells are read as times. Counts are of rows.

    `order` None: a day and a month stand side by side and every cell can be read
    both ways. `one_way` and `other_way` are the rows that only the order chosen, and
    only the other one, can read.
    """

    formats: tuple[str, ...]
    filled: int
    read: int
    order: Order | None = None
    is_two_way: bool = False  # whether there was an order to settle at all
    ambiguous: int = 0
    one_way: int = 0
    other_way: int = 0
    odd: Mapping[str, int] = field(default_factory=dict, repr=False)  # not read

    @property
    def share(self) -> float:
        return self.read / self.filled

    def ordered(self, order: Order) -> "DateReading":
        """The same, once somebody has said which order it is."""
        if not self.is_two_way or self.order == order:
            return self
        return DateReading(
            formats=tuple(map(_turned, self.formats)),
            filled=self.filled,
            read=self.read - self.one_way + self.other_way,
            order=order,
            is_two_way=True,
            ambiguous=self.ambiguous,
            one_way=self.other_way,
            other_way=self.one_way,
            odd=self.odd,
        )


def with_order(reading: DateReading, order: Order) -> DateReading:
    """A reading whose order was not to be seen, with the order somebody said."""
    if reading.order is not None:
        return reading.ordered(order)
    formats = reading.formats  # written day first
    if order == "month-first":
        formats = tuple(map(_turned, formats))
    return DateReading(
        formats=formats,
        filled=reading.filled,
        read=reading.read,
        order=order,
        is_two_way=True,
        ambiguous=reading.ambiguous,
        odd=reading.odd,
    )


def read_dates(cells: Iterable[str], absent: frozenset[str]) -> DateReading | None:
    """How these cells are times; None if most of them are none.

    `absent` are words for nothing, in lower case; cells are without outer space.
    """
    counted = Counter(c for c in cells if c and c.casefold() not in absent)
    if not counted:
        return None
    formats, left = _covering(counted)
    filled, unread = counted.total(), left.total()
    if not formats or filled - unread < _ENOUGH * filled:
        return None
    two_way = tuple(each for each in formats if each in _DAY_FIRST + _PACKED)
    if not two_way:
        return DateReading(
            formats=formats, filled=filled, read=filled - unread, odd=left
        )
    return _settled(formats, counted, two_way=two_way, filled=filled)


def _covering(counted: Counter[str]) -> tuple[tuple[str, ...], Counter[str]]:
    """The fewest formats that read most of the cells, and the cells left over."""
    some = Counter(dict(counted.most_common(_LOOKED)))
    left = some
    chosen: list[str] = []
    shapes = [form_of(each) for each in _candidates(counted)]
    while left and len(chosen) < _AT_MOST:
        reads = [(sum(n for c, n in left.items() if _reads(f, c)), f) for f in shapes]
        most, form = max(reads, key=lambda each: each[0], default=(0, None))
        if form is None or most <= _FEW * some.total():
            break
        chosen.append(form.written)
        left = Counter({c: n for c, n in left.items() if not _reads(form, c)})
    forms = [form_of(each) for each in chosen]
    unread = {
        cell: often
        for cell, often in counted.items()
        if not any(_reads(form, cell) for form in forms)
    }
    return tuple(chosen), Counter(unread)


def _candidates(counted: Counter[str]) -> Sequence[str]:
    """Formats of some cell's shape: most columns are no times, and soon passed."""
    some = [cell for cell, _ in counted.most_common(200)]
    if not any(any(mark.isdigit() for mark in cell) for cell in some):
        return ()
    return [
        each
        for each in (*_FORMATS, *_DAY_FIRST, *_PACKED)
        if any(_has_shape(form_of(each), cell) for cell in some)
    ]


def _has_shape(form: TimeFormat, cell: str) -> bool:
    return form.pattern.fullmatch(cell) is not None


def _reads(form: TimeFormat, cell: str) -> bool:
    """Whether it is a time of this format: a day of either order counts for a pair."""
    if form.written in _DAY_FIRST + _PACKED:
        other = form_of(_turned(form.written))
        return moment(form, cell) is not None or moment(other, cell) is not None
    return moment(form, cell) is not None


def moment(form: TimeFormat, cell: str) -> Moment | None:
    """The time a cell is in this format, in a year that can be meant; else None."""
    try:
        found = form.parse(cell, UTC)
    except ValueError:
        return None
    # Eight digits may be a number: of most numbers the year is none.
    if found is None or (form.precision is None and len(cell) < 7):
        return None
    return found[0] if found[0].at.year in _YEARS else None


def _turned(written: str) -> str:
    return written.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")


def _settled(
    formats: tuple[str, ...],
    counted: Counter[str],
    *,
    two_way: tuple[str, ...],
    filled: int,
) -> DateReading:
    """Which order the cells show, where day and month stand side by side."""
    days = [form_of(each) for each in two_way]
    months = [form_of(_turned(each)) for each in two_way]
    others = [form_of(each) for each in formats if each not in two_way]
    ways: Counter[tuple[bool, bool]] = Counter()
    odd: dict[str, int] = {}
    read_else = 0
    for cell, often in counted.items():
        if any(moment(form, cell) for form in others):
            read_else += often
            continue
        way = (_any(days, cell), _any(months, cell))
        ways[way] += often
        if way == (False, False):
            odd[cell] = often
    day, month, both = ways[True, False], ways[False, True], ways[True, True]
    order: Order | None = None
    if day != month:
        order = "day-first" if day > month else "month-first"
    turned = order == "month-first"
    return DateReading(
        formats=tuple(
            _turned(each) if turned and each in two_way else each for each in formats
        ),
        filled=filled,
        read=read_else + both + max(day, month),
        order=order,
        is_two_way=True,
        ambiguous=both,
        one_way=max(day, month) if order else 0,
        other_way=min(day, month) if order else 0,
        odd=odd,
    )


def _any(forms: Sequence[TimeFormat], cell: str) -> bool:
    return any(moment(form, cell) is not None for form in forms)


def read_clock(cells: Iterable[str], absent: frozenset[str]) -> tuple[str, ...]:
    """The formats of a column of clock readings; empty if it is none."""
    counted = Counter(c for c in cells if c and c.casefold() not in absent)
    if not counted:
        return ()
    for written in _CLOCK_FORMATS:
        form = form_of(written)
        right = sum(often for cell, often in counted.items() if _is_clock(form, cell))
        if right >= 0.9 * counted.total():
            return (written,)
    mixed = [form_of(each) for each in ("%H:%M:%S", "%H:%M")]
    both = sum(n for c, n in counted.items() if any(_is_clock(f, c) for f in mixed))
    return ("%H:%M:%S", "%H:%M") if both >= 0.9 * counted.total() else ()


def _is_clock(form: TimeFormat, cell: str) -> bool:
    try:
        return form.clock(cell) is not None
    except ValueError:
        return False


def days_among(
    reading: DateReading, counted: Mapping[str, int], days: frozenset[date]
) -> dict[str, int]:
    """Which cells, as they are written, are one of these days, and on how many rows."""
    forms = [form_of(each) for each in reading.formats]
    return {
        cell: often
        for cell, often in counted.items()
        if any(_day(form, cell) in days for form in forms)
    }


def _day(form: TimeFormat, cell: str) -> date | None:
    try:
        found = form.parse(cell, UTC)
    except ValueError:
        return None
    return found[0].at.date() if found else None


def has_short_years(cells: Iterable[str]) -> bool:
    """Whether most cells are dates of two-digit years, which no mapping reads."""
    filled = [cell for cell in cells if cell]
    short = sum(_SHORT_YEAR.fullmatch(cell) is not None for cell in filled)
    return bool(filled) and short > _ENOUGH * len(filled)
