"""By which column one row is kept before another that tells of the same event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from adapters.csv_drop.rules import Preference, plain
from adapters.csv_drop.standing import natural
from adapters.mapping import Column, Layout, MappingSpec, Row, Time, TimeCell
from adapters.moment import in_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred:
    """One preference: a value of each row, and which value is best."""

    value: Callable[[Row], Any]
    greatest: bool
    blank_first: bool

    @classmethod
    def of(cls, spec: Preference, mapping: MappingSpec, layout: Layout) -> Self:
        column = layout.column(spec.column)
        value: Callable[[Row], Any] = partial(_natural, column)
        if spec.ranked:
            ranks = {plain(word): rank for rank, word in enumerate(spec.ranked)}
            value = partial(_ranked, column, ranks)
        elif spec.reads == "time":
            value = partial(_instant, layout.time(_time_of(mapping, spec.column)))
        return cls(
            value=value, greatest=spec.descending, blank_first=spec.blank == "first"
        )

    def narrow(self, left: Sequence[int], rows: Sequence[Row]) -> list[int]:
        """Those that are best alike."""
        values = {number: self.value(rows[number]) for number in left}
        filled = [number for number in left if values[number] is not None]
        blank = [number for number in left if values[number] is None]
        if not filled or (blank and self.blank_first):
            return blank
        best = (max if self.greatest else min)(values[number] for number in filled)
        return [number for number in filled if values[number] == best]


def _natural(column: Column, row: Row) -> Any:  # noqa: ANN401 - what compares with its like
    text = column.text(row)
    return None if text is None else natural(text)


def _ranked(column: Column, ranks: dict[str, int], row: Row) -> int | None:
    text = column.text(row)
    return None if text is None else ranks.get(plain(text), len(ranks))


def _instant(cell: TimeCell, row: Row) -> Any:  # noqa: ANN401 - what compares with its like
    if cell.stranger(row) is not None:
        return None
    moment = cell.read(row).moment
    return None if moment is None else in_utc(moment.at)


def _time_of(mapping: MappingSpec, column: str) -> Time:
    """The column as the mapping reads it, or by the mapping's own formats."""
    for time in (mapping.start, mapping.end, mapping.recorded):
        if time is not None and time.column == column:
            return time
    return Time(column=column)
