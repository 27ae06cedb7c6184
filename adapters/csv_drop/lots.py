"""Whole blocks of records cut at once, where every record is one line.

A block that is not so simple is cut the exact way, record by record: what comes out is
the same.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from adapters.csv_drop.records import Bad, Lines, Record, Writing, records_of
from adapters.mapping import Table

Each = TypeVar("Each")

_WIDTH: Final = "wrong_width"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Records of the same width: where each begins, by line and byte; and their cells.

    `bad` are those that stood among them and are none.
    """

    numbers: Sequence[int]
    starts: Sequence[int]
    table: Table
    bad: Sequence[Bad] = ()


def lots(lines: Lines, width: int) -> Iterator[Lot]:
    """Every record of these lines in order; those of another width are bad."""
    while True:
        many, starts = lines.take_many()
        if not many:
            return
        cut = _Cut(many, starts, lines.number - len(many) + 1)
        lot = cut.lot(lines.writing, width)
        if lot is not None:
            yield lot
            continue
        end = lines.number
        lines.give_back(many, starts)
        yield _exactly(lines, end, width)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Lines to be cut at once, where each begins, and the number of the first."""

    many: Sequence[str | Bad]
    starts: Sequence[int]
    first: int

    def lot(self, writing: Writing, width: int) -> Lot | None:
        """The lot of these lines; None where they are not records for certain."""
        texts: list[str] = [x for x in self.many if isinstance(x, str) and x]
        numbers: Sequence[int] = range(self.first, self.first + len(self.many))
        starts = self.starts
        if len(texts) < len(self.many):
            if any(isinstance(line, Bad) for line in self.many):
                return None
            full = [n for n, line in enumerate(self.many) if line]
            numbers, starts = _only(full, numbers), _only(full, starts)
        if not texts or max(map(len, texts)) * 4 > writing.field_bytes:
            return None
        quoted = _quoted(texts, writing)
        if quoted is None:
            return None
        bad: Sequence[Bad] = ()
        places = _of_width(texts, quoted, delimiter=writing.delimiter, width=width)
        if places is not None:
            fit = frozenset(places)
            bad = [Bad(n, _WIDTH) for p, n in enumerate(numbers) if p not in fit]
            texts = _only(places, texts)
            numbers, starts = _only(places, numbers), _only(places, starts)
            quoted = {n: quoted[p] for n, p in enumerate(places) if p in quoted}
        flat = _flat(texts, quoted, delimiter=writing.delimiter, width=width)
        return Lot(numbers=numbers, starts=starts, table=Table(flat, width), bad=bad)


def _only(places: Sequence[int], each: Sequence[Each]) -> list[Each]:
    return [each[place] for place in places]


def _quoted(texts: Sequence[str], writing: Writing) -> dict[int, list[str]] | None:
    """The cells of lines with a quote, by their place.

    None if one of them is not a whole record.
    """
    quote = writing.quote
    if not quote:
        return {}
    places = [place for place, line in enumerate(texts) if quote in line]
    if not places:
        return {}
    try:
        rows = list(writing.reader(map(texts.__getitem__, places)))
    except csv.Error:
        return None
    # A record of several lines leaves fewer records than lines.
    return dict(zip(places, rows, strict=True)) if len(rows) == len(places) else None


def _of_width(
    texts: Sequence[str], quoted: dict[int, list[str]], *, delimiter: str, width: int
) -> list[int] | None:
    """The places of records of this width; None if all are."""
    widths = [line.count(delimiter) + 1 for line in texts]
    for place, cells in quoted.items():
        widths[place] = len(cells)
    if widths.count(width) == len(widths):
        return None
    return [place for place, own in enumerate(widths) if own == width]


def _flat(
    texts: list[str], quoted: dict[int, list[str]], *, delimiter: str, width: int
) -> list[str]:
    if not texts:
        return []
    if quoted:
        texts = texts.copy()
        for place in quoted:
            texts[place] = delimiter * (width - 1)
    flat = "\n".join(texts).replace("\n", delimiter).split(delimiter)
    for place, cells in quoted.items():
        flat[place * width : (place + 1) * width] = cells
    return flat


def _exactly(lines: Lines, end: int, width: int) -> Lot:
    """The records that start up to this line."""
    good: list[Record] = []
    bad: list[Bad] = []
    for record in records_of(lines):
        if isinstance(record, Bad):
            bad.append(record)
        elif len(record.cells) != width:
            bad.append(Bad(record.line, _WIDTH))
        else:
            good.append(record)
        if lines.number >= end:
            break
    return Lot(
        numbers=[record.line for record in good],
        starts=[record.start for record in good],
        table=Table([cell for record in good for cell in record.cells], width),
        bad=bad,
    )
