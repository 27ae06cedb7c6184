"""Whole blocks of records cut at once, where every record is one line.

A block that is not so simple is cut the exact way, record by record: what comes out is
the same.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.csv_drop.records import Bad, Lines, Record, Writing, records_of
from adapters.mapping import Table

_WIDTH: Final = "wrong_width"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Records of the same width: the line each starts on, its text, and their cells.

    `bad` are those that stood among them and are none.
    """

    numbers: Sequence[int]
    texts: Sequence[str]
    table: Table
    bad: Sequence[Bad] = ()


def lots(lines: Lines, width: int) -> Iterator[Lot]:
    """Every record of these lines in order; those of another width are bad."""
    while many := lines.take_many():
        first = lines.number - len(many) + 1
        lot = _cut(many, first, writing=lines.writing, width=width)
        if lot is not None:
            yield lot
            continue
        end = lines.number
        lines.give_back(many)
        yield _exactly(lines, end, width)


def _cut(
    many: Sequence[str | Bad], first: int, *, writing: Writing, width: int
) -> Lot | None:
    """The lot of these lines; None where lines are not records, or not for certain."""
    texts: Sequence[str] = [x for x in many if isinstance(x, str) and x]
    numbers: Sequence[int] = range(first, first + len(many))
    if len(texts) < len(many):
        if any(isinstance(line, Bad) for line in many):
            return None
        numbers = [n for n, line in zip(numbers, many, strict=True) if line]
    if not texts or max(map(len, texts)) * 4 > writing.field_bytes:
        return None
    quoted: dict[int, list[str]] | None = {}
    if writing.quote:
        quoted = _quoted(numbers, texts, writing)
    if quoted is None:
        return None
    delimiter = writing.delimiter
    widths = [line.count(delimiter) + 1 for line in texts]
    if quoted:
        each = zip(numbers, widths, strict=True)
        widths = [len(quoted[n]) if n in quoted else own for n, own in each]
    numbers, texts, bad = _of_width(numbers, texts, widths=widths, width=width)
    flat = _flat(numbers, texts, quoted, delimiter=delimiter, width=width)
    return Lot(numbers=numbers, texts=texts, table=Table(flat, width), bad=bad)


def _quoted(
    numbers: Sequence[int], texts: Sequence[str], writing: Writing
) -> dict[int, list[str]] | None:
    """The cells of lines with a quote; None if one of them is not a whole record."""
    quote = writing.quote
    places = [n for n, line in zip(numbers, texts, strict=True) if quote in line]
    if not places:
        return {}
    try:
        rows = list(writing.reader(line for line in texts if quote in line))
    except csv.Error:
        return None
    # A record of several lines leaves fewer records than lines.
    return dict(zip(places, rows, strict=True)) if len(rows) == len(places) else None


def _flat(
    numbers: Sequence[int],
    texts: Sequence[str],
    quoted: dict[int, list[str]],
    *,
    delimiter: str,
    width: int,
) -> list[str]:
    if not texts:
        return []
    if not quoted:
        return "\n".join(texts).replace("\n", delimiter).split(delimiter)
    blank = delimiter * (width - 1)
    each = list(zip(numbers, texts, strict=True))
    plain = [blank if number in quoted else text for number, text in each]
    flat = "\n".join(plain).replace("\n", delimiter).split(delimiter)
    for place, number in enumerate(numbers):
        if number in quoted:
            flat[place * width : (place + 1) * width] = quoted[number]
    return flat


def _of_width(
    numbers: Sequence[int], texts: Sequence[str], *, widths: Sequence[int], width: int
) -> tuple[Sequence[int], Sequence[str], Sequence[Bad]]:
    if set(widths) == {width}:
        return numbers, texts, ()
    each = list(zip(numbers, texts, widths, strict=True))
    return (
        [number for number, _, own in each if own == width],
        [text for _, text, own in each if own == width],
        [Bad(number, _WIDTH) for number, _, own in each if own != width],
    )


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
        texts=[record.text for record in good],
        table=Table([cell for record in good for cell in record.cells], width),
        bad=bad,
    )
