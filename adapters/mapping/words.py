"""Words of a row: kinds and statuses translated, titles, codes, labels, detail."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from adapters.contract import Code, Detail
from adapters.mapping.cells import Column, Layout, Row, plain
from adapters.mapping.specification import (
    CodeColumn,
    DetailColumn,
    Kind,
    MappingSpec,
    Status,
)

_HOLE: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A word of a closed list: fixed, or a column's cell through a table."""

    fixed: str | None
    column: Column | None
    codes: Mapping[str, str]
    otherwise: str | None

    @classmethod
    def of(cls, spec: Kind | Status, layout: Layout, *, otherwise: str | None) -> Self:
        column = layout.column(spec.column, spec.absent) if spec.column else None
        return cls(
            fixed=spec.fixed, column=column, codes=spec.codes, otherwise=otherwise
        )

    @property
    def name(self) -> str | None:
        return self.column.name if self.column else None

    def word(self, row: Row) -> str | None:
        if self.column is None:
            return self.fixed
        written = self.column.text(row)
        if written is None:
            return self.otherwise
        return self.codes.get(written, self.otherwise)

    def written(self, row: Row) -> str | None:
        """The source's own word."""
        return self.column.text(row) if self.column else None

    def is_untranslated(self, row: Row) -> bool:
        written = self.written(row)
        return written is not None and written not in self.codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """Templates, of which the first is taken whose columns are all filled."""

    templates: tuple[tuple[str | Column, ...], ...]

    @classmethod
    def of(cls, written: Sequence[str], layout: Layout) -> Self:
        return cls(
            templates=tuple(
                tuple(
                    # Splitting at the holes leaves words and columns in turn.
                    layout.column(part) if index % 2 else part
                    for index, part in enumerate(_HOLE.split(template))
                )
                for template in written
            )
        )

    def read(self, row: Row) -> str | None:
        for template in self.templates:
            words = [p if isinstance(p, str) else p.text(row) for p in template]
            if None not in words:
                return "".join(word for word in words if word is not None)
        return None


def holes(template: str) -> list[str]:
    """The columns a title names."""
    return _HOLE.findall(template)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels of every row, and those a column adds; unknown ones are kept."""

    fixed: frozenset[str]
    column: Column | None
    codes: Mapping[str, str]
    split: str | None

    @classmethod
    def of(cls, spec: MappingSpec, layout: Layout) -> Self:
        own = spec.label_column
        return cls(
            fixed=spec.labels,
            column=layout.column(own.column, own.absent) if own else None,
            codes=own.codes if own else {},
            split=own.split if own else None,
        )

    def read(self, row: Row) -> tuple[frozenset[str], bool]:
        """The labels, and whether one was not translated (it is kept: it may hide)."""
        if self.column is None or (text := self.column.text(row)) is None:
            return self.fixed, False
        written = _split(text, self.split)
        added = {self.codes.get(word, word) for word in written}
        strange = bool(self.codes) and any(word not in self.codes for word in written)
        return self.fixed | added, strange


def _split(text: str, separator: str | None) -> list[str]:
    if separator is None:
        return [text]
    return [part.strip() for part in text.split(separator) if part.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CodeCell:
    code: Column | None
    system: str | None
    system_column: Column | None
    display: Column | None
    split: str | None

    def read(self, row: Row) -> Iterator[Code]:
        text = self.code.text(row) if self.code else None
        display = self.display.text(row) if self.display else None
        if text is None and display is None:
            return
        system = self.system_column.text(row) if self.system_column else self.system
        shown = plain(display) if display else None
        if text is None:
            yield Code(system=system, display=shown)
            return
        for part in _split(text, self.split):
            yield Code(system=system, code=part, display=shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """Codes of a row, in the mapping's order."""

    cells: tuple[_CodeCell, ...]

    @classmethod
    def of(cls, specs: Sequence[CodeColumn], layout: Layout) -> Self:
        def one(name: str | None, absent: Sequence[str] = ()) -> Column | None:
            return layout.column(name, absent) if name else None

        return cls(
            cells=tuple(
                _CodeCell(
                    code=one(spec.column, spec.absent),
                    system=spec.system,
                    system_column=one(spec.system_column),
                    display=one(spec.display),
                    split=spec.split,
                )
                for spec in specs
            )
        )

    def read(self, row: Row) -> tuple[Code, ...]:
        return tuple(code for cell in self.cells for code in cell.read(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Allow-listed columns kept as detail, in the mapping's order."""

    cells: tuple[tuple[str, Column, str | None, Column | None], ...]

    @classmethod
    def of(cls, specs: Sequence[DetailColumn], layout: Layout) -> Self:
        return cls(
            cells=tuple(
                (
                    spec.element,
                    layout.column(spec.column, spec.absent),
                    spec.unit,
                    layout.column(spec.unit_column) if spec.unit_column else None,
                )
                for spec in specs
            )
        )

    def read(self, row: Row) -> Iterator[Detail]:
        for element, column, unit, unit_column in self.cells:
            value = column.text(row)
            if value is not None:
                own = unit_column.text(row) if unit_column else unit
                yield Detail(element=element, value=value, unit=own)
