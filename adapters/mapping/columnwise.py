"""Many rows checked at once, a column at a time.

What can be proved good of a whole column is; whatever is in doubt goes the exact way
of `Mapping.check`, row by row. So both always say the same, and this one is fast.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from adapters import nhs_number
from adapters.mapping.cells import Column, Row, TimeCell
from adapters.mapping.compiled import JOINED_BY, Indexed, Mapping, Rejected
from adapters.mapping.people import NameColumn
from adapters.mapping.words import Translated

_REMEMBERED: Final = 10_000  # distinct cells of one column known to be good
_DIGITS: Final = str.maketrans("123456789", "000000000")
_DIRECTIVE: Final = re.compile(r"%.")
_DIGIT: Final = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one width, cell after cell."""

    flat: Sequence[str]
    width: int

    def __len__(self) -> int:
        return len(self.flat) // self.width

    def column(self, index: int) -> Sequence[str]:
        return self.flat[index :: self.width]

    def row(self, number: int) -> Row:
        return self.flat[number * self.width : (number + 1) * self.width]


@dataclass(frozen=True, slots=True)
class Checked:
    """What finds each row of a table again; of those rejected it has no meaning.

    `columns` are the record ids, and then the values of each mapped identifier.
    """

    columns: list[list[str | None]]
    rejected: dict[int, Rejected]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columnwise:
    """A mapping that checks tables. It remembers cells, so it is of one thread."""

    mapping: Mapping
    times: tuple["_Shapes", ...]
    kinds: "_Kinds"

    @classmethod
    def of(cls, mapping: Mapping) -> Self:
        cells = (mapping.times.start, mapping.times.end, mapping.times.recorded)
        return cls(
            mapping=mapping,
            times=tuple(shapes for cell in cells if cell for shapes in _shapes(cell)),
            kinds=_Kinds(mapping.kind),
        )

    def check(self, table: Table) -> Checked:
        """What `Mapping.check` says of each row of the table."""
        if not len(table):
            return Checked([[] for _ in (0, *self.mapping.naming.columns)], {})
        names = [values_of(name, table) for name in self.mapping.naming.columns]
        records = self._records(table)
        doubtful = set(_holding_none(records)) | set(_nobody(names))
        for shapes in self.times:
            doubtful.update(shapes.doubtful(table))
        doubtful.update(self.kinds.doubtful(table))
        columns = [list(each) for each in (_joined(records), *names)]
        return self._settled(table, columns, doubtful)

    def _records(self, table: Table) -> list[Sequence[str | None]]:
        """The parts of each row's id; what stands for an empty one in its place."""
        record = self.mapping.record
        parts = [texts(column, table) for column in record.columns]
        if record.blank is None or not any(None in each for each in parts):
            return parts
        empty = [not any(row) for row in zip(*parts, strict=True)]
        return [
            [
                None if none else part or record.blank
                for part, none in zip(each, empty, strict=True)
            ]
            for each in parts
        ]

    def _settled(
        self, table: Table, columns: list[list[str | None]], doubtful: set[int]
    ) -> Checked:
        rejected: dict[int, Rejected] = {}
        for number in sorted(doubtful):
            exact = self.mapping.check(table.row(number))
            if isinstance(exact, Indexed):
                own = (exact.record_id, *exact.names)
                for column, value in zip(columns, own, strict=True):
                    column[number] = value
            else:
                rejected[number] = exact
        return Checked(columns, rejected)


def texts(column: Column, table: Table) -> Sequence[str | None]:
    """What `Column.text` says of each cell of the column."""
    cells = table.column(column.index)
    together = "".join(cells)
    # Of ASCII, what is printable and is no space is nothing that is stripped.
    if " " in together or not (together.isascii() and together.isprintable()):
        cells = [cell.strip() for cell in cells]
    together = "\n".join(cells)
    # Only what is no longer than a word for absent can be one; `longest` allows for
    # the threefold length that folding may give what is not ASCII.
    if together.isascii() and 3 * min(map(len, cells)) > column.longest:
        return cells
    # Folding goes by the character, so that folding them together is the same.
    folded = together.casefold().split("\n")
    if len(folded) != len(cells):  # a cell of several lines
        folded = [cell.casefold() for cell in cells]
    if column.absent.isdisjoint(folded):
        return cells
    absent = column.absent
    return [
        None if low in absent else cell for cell, low in zip(cells, folded, strict=True)
    ]


def values_of(name: NameColumn, table: Table) -> Sequence[str | None]:
    """What `NameColumn.value` says of each cell of the column."""
    cells = texts(name.column, table)
    if name.system != nhs_number.SYSTEM:
        return cells
    plain = _plain(cells)
    failing = nhs_number.failing(plain)
    if len(plain) == len(cells) and not failing:
        return plain
    good = frozenset(plain) - failing
    return [
        text if text is None or text in good else nhs_number.normalise(text)
        for text in cells
    ]


def _plain(texts: Sequence[str | None]) -> Sequence[str]:
    """Those that are ten digits and nothing else."""
    known = [text for text in texts if text is not None]
    if set(map(len, known)) == {10}:
        together = "".join(known)
        if together.isascii() and together.isdecimal():
            return known
    return [text for text in known if nhs_number.is_plain(text)]


def _joined(records: Sequence[Sequence[str | None]]) -> Iterable[str | None]:
    if len(records) == 1:
        return records[0]
    return [
        JOINED_BY.join(part or "" for part in parts)
        for parts in zip(*records, strict=True)
    ]


def _holding_none(columns: Sequence[Sequence[str | None]]) -> Iterator[int]:
    for column in columns:
        if None in column:
            yield from (n for n, cell in enumerate(column) if cell is None)


def _nobody(names: Sequence[Sequence[str | None]]) -> Iterator[int]:
    """The rows that no column names."""
    if all(None in column for column in names):
        rows = enumerate(zip(*names, strict=True))
        yield from (number for number, row in rows if not any(row))


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Whether a column's cells have a known shape, whatever their digits are."""

    column: Column
    shape: re.Pattern[str]
    good: set[str] = field(default_factory=set)

    def doubtful(self, table: Table) -> Iterator[int]:
        cells = table.column(self.column.index)
        outlines = "\n".join(cells).translate(_DIGITS).split("\n")
        if len(outlines) != len(cells):  # a cell of several lines
            yield from range(len(cells))
            return
        strange = {each for each in set(outlines) - self.good if not self._knows(each)}
        if strange:
            yield from (n for n, each in enumerate(outlines) if each in strange)

    def _knows(self, outline: str) -> bool:
        text = outline.strip()
        if self.shape.fullmatch(text) is None and not self._is_absent(text):
            return False
        if len(self.good) < _REMEMBERED:
            self.good.add(outline)
        return True

    def _is_absent(self, text: str) -> bool:
        # Without a zero it is the cell itself: digits have all become zeros.
        return "0" not in text and text.casefold() in self.column.absent


def _shapes(cell: TimeCell) -> Iterator[_Shapes]:
    if cell.takes_anything:
        return  # then no cell is a stranger
    yield _shape_of(cell.date, cell.shape, [f.written for f in cell.formats])
    if cell.clock is not None:
        clocks = [f.written for f in cell.clock_formats]
        yield _shape_of(cell.clock, cell.clock_shape, clocks)


def _shape_of(
    column: Column, shape: re.Pattern[str], written: Sequence[str]
) -> _Shapes:
    literal = any(_DIGIT.search(_DIRECTIVE.sub("", each)) for each in written)
    # A format that writes digits of its own tells them apart, so nothing is known.
    return _Shapes(column, re.compile(r"(?!)") if literal else shape)


@dataclass(frozen=True, slots=True)
class _Kinds:
    """Whether a column's cells are of kinds that the mapping knows."""

    kind: Translated
    good: set[str] = field(default_factory=set)

    def doubtful(self, table: Table) -> Iterator[int]:
        column = self.kind.column
        if column is None:
            return
        cells = table.column(column.index)
        new = set(cells) - self.good
        strange = {cell for cell in new if not self._knows(cell, column)}
        if strange:
            yield from (n for n, cell in enumerate(cells) if cell in strange)

    def _knows(self, cell: str, column: Column) -> bool:
        if self.kind.word([""] * column.index + [cell]) is None:
            return False
        if len(self.good) < _REMEMBERED:
            self.good.add(cell)
        return True
