"""What a row does to others: it takes a record back, or it and another are one event.

Which of several is kept is told by preferences, one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from adapters.csv_drop.preference import Preferred
from adapters.csv_drop.rules import Action, Drops, UniqueColumn, plain
from adapters.mapping import (
    Checked,
    Column,
    Columnwise,
    Layout,
    Mapping,
    MappingSpec,
    NameColumn,
    RecordId,
    Rejected,
    Row,
    Table,
    layout_of,
    texts,
    values_of,
)

_NOT_ASKED: Final = "-"  # of a part that these rows do not have
_BLANK: Final = "0:"  # of one that they have, and that is not filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Rows as checked, those that take a record back, and what makes each one event."""

    checked: Checked
    deleted: frozenset[int] = frozenset()
    uniques: list[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Reads the rows of one file, be it a drop or a list of deletions."""

    record: RecordId
    unique: "Unique | None" = None
    preferred: tuple[Preferred, ...] = ()
    action: "_Told | None" = None
    mapping: Mapping | None = None  # None: of a list of deletions

    @classmethod
    def of(
        cls, spec: MappingSpec, rules: Drops, columns: Sequence[str], *, deletes: bool
    ) -> Self:
        """For the columns of a file, of which every one that is named must be there."""
        layout = layout_of(spec, columns)
        if deletes:
            return cls(record=RecordId.of(spec, layout))
        mapping = Mapping.compile(spec, columns)
        return cls(
            record=mapping.record,
            unique=Unique.of(rules.unique_by, mapping, layout),
            preferred=tuple(Preferred.of(each, spec, layout) for each in rules.prefer),
            action=_Told.of(rules.action, layout),
            mapping=mapping,
        )

    def kept(self, rows: Sequence[Row]) -> int:
        """Which of several rows that are one event is kept; of equals, the last."""
        left = list(range(len(rows)))
        for each in self.preferred:
            left = each.narrow(left, rows)
        return left[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """Checks tables of one file. It remembers cells, so it is of one thread."""

    rows: Rows
    columnwise: Columnwise | None
    names: int  # how many columns name the person

    @classmethod
    def of(cls, rows: Rows, spec: MappingSpec) -> Self:
        columnwise = Columnwise.of(rows.mapping) if rows.mapping else None
        return cls(rows=rows, columnwise=columnwise, names=len(spec.identifiers))

    def check(self, table: Table) -> Marked:
        """What is to be known of each row of the table."""
        if self.columnwise is None:
            return self._taking_back(table)
        checked = self.columnwise.check(table)
        deleted = self._by_action(table, checked)
        unique = self.rows.unique
        if unique is None:
            return Marked(checked=checked, deleted=deleted)
        left_out = deleted | checked.rejected.keys()
        uniques = unique.read_all(table) if len(table) else []
        for number in left_out:
            uniques[number] = None
        return Marked(checked=checked, deleted=deleted, uniques=uniques)

    def _taking_back(self, table: Table) -> Marked:
        """Every row of a list of deletions."""
        columns: list[list[str | None]] = [
            [None] * len(table) for _ in range(1 + self.names)
        ]
        checked = Checked(columns, {})
        deleted = self._taken_back(range(len(table)), table, checked)
        uniques: list[str | None] = [None] * len(table)
        return Marked(checked=checked, deleted=deleted, uniques=uniques)

    def _by_action(self, table: Table, checked: Checked) -> frozenset[int]:
        action = self.rows.action
        if action is None:
            return frozenset()
        words = [plain(cell) for cell in table.column(action.column.index)]
        if action.stated.issuperset(words):
            return frozenset()
        for number, word in enumerate(words):
            if word not in action.stated and word not in action.deleted:
                strange = Rejected("unknown_action", action.column.name)
                checked.rejected[number] = strange
        taken = [n for n, word in enumerate(words) if word in action.deleted]
        return self._taken_back(taken, table, checked)

    def _taken_back(
        self, numbers: Sequence[int], table: Table, checked: Checked
    ) -> frozenset[int]:
        """Of a row that takes a record back only that record's id must be there."""
        deleted = set()
        record, *names = checked.columns
        for number in numbers:
            read = self.rows.record.read(table.row(number))
            if isinstance(read, Rejected):
                checked.rejected[number] = read
                continue
            checked.rejected.pop(number, None)
            record[number] = read
            for column in names:
                column[number] = None
            deleted.add(number)
        return frozenset(deleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """The column of actions, and its words."""

    column: Column
    deleted: frozenset[str]
    stated: frozenset[str]

    @classmethod
    def of(cls, action: Action | None, layout: Layout) -> Self | None:
        if action is None:
            return None
        return cls(
            column=layout.column(action.column),
            deleted=frozenset(map(plain, action.deleted)),
            stated=frozenset(map(plain, action.stated)),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of what makes rows one event: the first of some cells that is filled."""

    cells: tuple[Column | NameColumn, ...]
    where: tuple[tuple[Column, frozenset[str]], ...]

    def read(self, row: Row) -> str:
        """The cell with its length, so that no two rows come to one text by chance."""
        for column, words in self.where:
            if plain(row[column.index]) not in words:
                return _NOT_ASKED
        found = next(filter(None, (_value(cell, row) for cell in self.cells)), "")
        return f"{len(found)}:{found}"

    def read_all(self, table: Table) -> list[str]:
        """What `read` says of each row of the table."""
        values = _values(self.cells[0], table)
        for cell in self.cells[1:]:
            others = _values(cell, table)
            values = [one or other for one, other in zip(values, others, strict=True)]
        told = [f"{len(each)}:{each}" if each else _BLANK for each in values]
        for column, words in self.where:
            cells = table.column(column.index)
            fits = {cell: plain(cell) in words for cell in set(cells)}
            told = [
                each if fits[cell] else _NOT_ASKED
                for each, cell in zip(told, cells, strict=True)
            ]
        return told


def _value(cell: Column | NameColumn, row: Row) -> str | None:
    return cell.text(row) if isinstance(cell, Column) else cell.value(row)


def _values(cell: Column | NameColumn, table: Table) -> Sequence[str | None]:
    return texts(cell, table) if isinstance(cell, Column) else values_of(cell, table)


@dataclass(frozen=True, slots=True)
class Unique:
    """What makes rows one event."""

    parts: tuple[_Part, ...]

    @classmethod
    def of(
        cls, parts: Sequence[UniqueColumn], mapping: Mapping, layout: Layout
    ) -> Self | None:
        """None where nothing is named."""
        if not parts:
            return None
        # An NHS number counts as one number however it is written, or not at all.
        own = {name.column.name: name for name in mapping.naming.columns}

        def where(column: str, words: Sequence[str]) -> tuple[Column, frozenset[str]]:
            return layout.column(column), frozenset(map(plain, words))

        return cls(
            tuple(
                _Part(
                    tuple(own.get(c) or layout.column(c) for c in part.columns),
                    tuple(where(*each) for each in part.where.items()),
                )
                for part in parts
            )
        )

    def read(self, row: Row) -> str | None:
        """Equal for rows that are one event; None if nothing of it is filled."""
        return self._filled("".join(part.read(row) for part in self.parts))

    def read_all(self, table: Table) -> list[str | None]:
        """What `read` says of each row of the table."""
        columns = [part.read_all(table) for part in self.parts]
        joined = map("".join, zip(*columns, strict=True))
        return [self._filled(each) for each in joined]

    def _filled(self, text: str) -> str | None:
        # Nothing else is so short: each part that is filled takes more.
        if len(text) > len(_BLANK) * len(self.parts):
            return text
        return text if text.replace(_BLANK, "").strip(_NOT_ASKED) else None
