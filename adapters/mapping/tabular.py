"""Rows of a whole table as columns of events, by the same mapping as one person's.

Every cell is read by the code that reads it for one person; what came before is
remembered, so that a word, a day or a code is read once for all its rows.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, Self, TypeVar

import msgspec
import pyarrow as pa

from adapters import nhs_number
from adapters.contract import Caveat, Code, Event, Identifiers, Query
from adapters.mapping.answering import continues
from adapters.mapping.cells import FILLERS, Column, Reading, Row, TimeCell, shown_id
from adapters.mapping.columns import named
from adapters.mapping.columnwise import Columnwise, Table
from adapters.mapping.compiled import Mapping as Compiled
from adapters.mapping.specification import Demographics, MappingSpec
from adapters.moment import Moment, start_of_day
from adapters.tuples import WORDS, TupleQuery, schema
from adapters.vocabulary import LASTING, category_of

Of = TypeVar("Of")

_REMEMBERED: Final = 200_000  # distinct cells of one part
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLACES: Final[Mapping[str, Mapping[str, int]]] = {
    name: {word: place for place, word in enumerate(words)}
    for name, words in WORDS.items()
}

_SECOND: Final = _PLACES["precision"]["second"]
_SHORTEST: Final = len("2024-03-09T14:05:00+00:00")
_ZONED: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{6})?[+-]\d\d:\d\d", re.ASCII
)


def shortened(spec: MappingSpec) -> MappingSpec:
    """The mapping without what tuples do not tell; it rejects the same rows."""
    return spec.model_copy(
        update={
            "title": (),
            "version": None,
            "kind_code": None,
            "label_column": None,
            "detail": (),
            "person": Demographics(),
            "flags": (),
        }
    )


@dataclass(frozen=True, slots=True)
class _Part(Generic[Of]):
    """Something read from one cell of a row, or from a few together."""

    places: tuple[int, ...]
    width: int
    read: Callable[[Row], Of]
    quick: Callable[[str], Of | None] | None = None  # of one cell; None: not so read
    known: dict[Any, Of] = field(default_factory=dict)

    def each(self, table: Table) -> list[Of]:
        """What is read of each row."""
        if not self.places:
            return [self.read([""] * self.width)] * len(table)
        columns = [table.column(place) for place in self.places]
        cells: Sequence[Any] = columns[0]
        if len(columns) > 1:
            cells = list(zip(*columns, strict=True))
        new = set(cells) - self.known.keys()
        if len(self.known) + len(new) > _REMEMBERED:
            self.known.clear()
            new = set(cells)
        quick = self.quick if len(columns) == 1 else None
        for cell in new:
            found = quick(cell) if quick else None
            self.known[cell] = self.read(self._row(cell)) if found is None else found
        return list(map(self.known.__getitem__, cells))

    def _row(self, cell: Any) -> Row:  # noqa: ANN401 - one cell's text, or several cells'
        row = [""] * self.width
        cells = (cell,) if len(self.places) == 1 else cell
        for place, text in zip(self.places, cells, strict=True):
            row[place] = text
        return row


class _Instant(msgspec.Struct, frozen=True, gc=False):
    """A time that was read, as columns tell it."""

    moment: Moment | None
    micros: int | None
    precision: int | None
    is_inside: bool

    @classmethod
    def of(cls, reading: Reading, query: Query) -> Self:
        moment = reading.moment
        inside = query.covers(moment)
        if moment is None:
            return cls(None, None, None, inside)
        micros = (moment.at - _EPOCH) // _MICROSECOND
        return cls(moment, micros, _PLACES["precision"][moment.precision], inside)


@dataclass(frozen=True, slots=True)
class _Quick:
    """Reads the commonest of times, to the second and with an offset, in no time.

    It says what `TimeCell.read` says, or None: then that has to be asked.
    """

    column: Column
    may_be_absent: bool  # some word for absent is as long as a time
    since: datetime | None
    until: datetime | None

    @classmethod
    def of(cls, cell: TimeCell | None, query: Query) -> Self | None:
        if cell is None or cell.clock is not None or cell.formats[0].written != "iso":
            return None
        since, until = query.since, query.until
        return cls(
            cell.date,
            max(map(len, cell.date.absent)) >= _SHORTEST,
            None if since is None else start_of_day(since),
            None if until is None else start_of_day(until),
        )

    def __call__(self, cell: str) -> _Instant | None:
        if _ZONED.fullmatch(cell) is None:
            return None
        if self.may_be_absent and cell.casefold() in self.column.absent:
            return None
        try:
            at = datetime.fromisoformat(cell)
        except ValueError:  # no such day, hour or offset
            return None
        if at.year in FILLERS:
            return None
        is_inside = (self.since is None or at >= self.since) and (
            self.until is None or at < self.until
        )
        micros = (at - _EPOCH) // _MICROSECOND
        return _Instant(Moment(at, "second"), micros, _SECOND, is_inside)


@dataclass(slots=True, kw_only=True)
class Tabular:
    """Reads blocks of a table's cells, and counts what it leaves out."""

    asked: TupleQuery
    sector: str
    columns: tuple[str, ...]  # that a block has, in their order
    mapping: Compiled
    counts: Counter[str] = field(default_factory=Counter)
    told: int = 0
    _checks: Columnwise
    _parts: dict[str, _Part[Any]]
    _query: Query

    @classmethod
    def of(cls, spec: MappingSpec, asked: TupleQuery, *, sector: str) -> Self:
        """A reader of one whole table, for one query."""
        short = shortened(spec)
        columns = tuple(dict.fromkeys(column for _, column in named(short)))
        mapping = Compiled.compile(short, columns)
        query = Query(
            person=Identifiers(),
            since=asked.since,
            until=asked.until,
            categories=asked.categories,
            limit=asked.limit,
        )
        return cls(
            asked=asked,
            sector=sector,
            columns=columns,
            mapping=mapping,
            _checks=Columnwise.of(mapping),
            _parts=_parts(short, mapping, columns=columns, query=query),
            _query=query,
        )

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        return tuple(Caveat(code, n) for code, n in sorted(self.counts.items()) if n)

    def read(self, block: Sequence[Sequence[str]]) -> pa.RecordBatch:
        """A block of columns as a batch, of those of its rows that are asked for."""
        width = len(self.columns)
        flat = [""] * (width * len(block[0]))
        for place, cells in enumerate(block):
            flat[place::width] = cells
        table = Table(flat, width)
        checked = self._checks.check(table)
        parts = {name: part.each(table) for name, part in self._parts.items()}
        rejected = checked.rejected
        self.counts["rows_rejected"] += len(rejected)
        wanted = {kind for kind in set(parts["kind"]) if self._is_wanted(kind)}
        kept = [
            n
            for n, kind in enumerate(parts["kind"])
            if kind in wanted and n not in rejected
        ]
        self._count_numbers(table, checked.columns[1:], kept)
        inside = [n for n in kept if parts["start"][n].is_inside]
        if len(inside) < len(kept):
            self._count_outside(kept, parts)
        if self.told + len(inside) > self.asked.limit:
            inside = inside[: self.asked.limit - self.told]
            self.counts["truncated"] = 1
        self.told += len(inside)
        return _batch(self.mapping, checked.columns, parts=parts, rows=inside)

    @property
    def is_cut(self) -> bool:
        """Whether as many rows were told as were asked for, and there were more."""
        return bool(self.counts["truncated"])

    def _is_wanted(self, kind: str | None) -> bool:
        return (
            kind is not None
            and category_of(kind, self.sector) in self._query.categories
        )

    def _count_numbers(
        self, table: Table, names: Sequence[Sequence[str | None]], kept: Sequence[int]
    ) -> None:
        for name, values in zip(self.mapping.naming.columns, names, strict=True):
            if name.system == nhs_number.SYSTEM and None in values:
                self.counts["invalid_number"] += sum(
                    values[n] is None and name.column.text(table.row(n)) is not None
                    for n in kept
                )

    def _count_outside(
        self, kept: Sequence[int], parts: Mapping[str, Sequence[Any]]
    ) -> None:
        """What a window leaves out that its reader must know of."""
        for n in kept:
            start: _Instant = parts["start"][n]
            if start.moment is None:
                self.counts["undated"] += not start.is_inside
            elif not start.is_inside and parts["kind"][n] in LASTING:
                event = Event(
                    kind=parts["kind"][n],
                    record_id="",
                    title="",
                    status=parts["status"][n],
                    start=start.moment,
                    end=parts["end"][n].moment,
                )
                self.counts["continues_into_window"] += continues(event, self._query)


def _parts(
    spec: MappingSpec, mapping: Compiled, *, columns: Sequence[str], query: Query
) -> dict[str, _Part[Any]]:
    times, none = mapping.times, _Instant.of(Reading(), query)
    owner = mapping.organisation

    def part(
        names: Sequence[str | None],
        read: Callable[[Row], Of],
        quick: Callable[[str], Of | None] | None = None,
    ) -> _Part[Of]:
        found = dict.fromkeys(name for name in names if name is not None)
        places = tuple(columns.index(name) for name in found)
        return _Part(places, len(columns), read, quick)

    def end(row: Row) -> _Instant:
        return _Instant.of(times.end.read(row), query) if times.end else none

    ending = spec.end.columns if spec.end else ()
    status = ending if mapping.by_end else [spec.status.column]
    return {
        "kind": part([spec.kind.column], mapping.kind.word),
        "start": part(
            spec.start.columns,
            lambda row: _Instant.of(times.start.read(row), query),
            _Quick.of(times.start, query),
        ),
        "end": part(ending, end, _Quick.of(times.end, query)),
        "status": part(
            status,
            lambda row: mapping._status(row, times.read(row)),  # noqa: SLF001 - of this package, and the one way a status is read
        ),
        "codes": part(
            [n for e in spec.codes for n in (e.column, e.system_column, e.display)],
            mapping.codes.read,
        ),
        "organisation": part(
            [spec.organisation.column if spec.organisation else None],
            lambda row: owner.text(row) if owner else None,
        ),
    }


def _batch(
    mapping: Compiled,
    columns: Sequence[Sequence[str | None]],
    *,
    parts: Mapping[str, Sequence[Any]],
    rows: Sequence[int],
) -> pa.RecordBatch:
    def of(values: Sequence[Of]) -> Sequence[Of]:
        return values if len(rows) == len(values) else [values[n] for n in rows]

    ids, *names = map(of, columns)
    told = {name: of(values) for name, values in parts.items()}
    fields = schema()
    instant = fields.field("start").type
    return pa.RecordBatch.from_arrays(
        [
            _subjects([name.system for name in mapping.naming.columns], names),
            pa.array([shown_id(each or "") for each in ids], pa.string()),
            _words("kind", list(map(_PLACES["kind"].get, told["kind"]))),
            _words("status", list(map(_PLACES["status"].get, told["status"]))),
            pa.array([each.micros for each in told["start"]], instant),
            _words("precision", [each.precision for each in told["start"]]),
            pa.array([each.micros for each in told["end"]], instant),
            _words("precision", [each.precision for each in told["end"]]),
            _codes(told["codes"]),
            pa.array(told["organisation"], pa.string()),
        ],
        schema=fields,
    )


def _words(name: str, places: Sequence[int | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(places, pa.int16()), pa.array(WORDS[name], pa.string())
    )


def _subjects(
    systems: Sequence[str], names: Sequence[Sequence[str | None]]
) -> pa.ListArray:
    size, each = len(names[0]), len(systems)
    if len(set(systems)) == each and not any(None in column for column in names):
        flat: list[str | None] = [None] * (size * each)
        for place, column in enumerate(names):
            flat[place::each] = column
        every = list(range(0, size * each + 1, each))
        return _lists("subject", every, [list(systems) * size, flat])
    offsets, systems_told, values_told = [0], list[str](), list[str]()
    for values in zip(*names, strict=True):
        told = zip(systems, values, strict=True)
        # Two columns may say the same.
        for system, value in dict.fromkeys(told):
            if value is not None:
                systems_told.append(system)
                values_told.append(value)
        offsets.append(len(systems_told))
    return _lists("subject", offsets, [systems_told, values_told])


def _codes(codes: Sequence[tuple[Code, ...]]) -> pa.ListArray:
    if not any(codes):
        return _lists("codes", [0] * (len(codes) + 1), [[], []])
    offsets, systems, written = [0], list[str | None](), list[str | None]()
    for each in codes:
        for code in each:
            systems.append(code.system)
            written.append(code.code)
        offsets.append(len(systems))
    return _lists("codes", offsets, [systems, written])


def _lists(
    name: str, offsets: Sequence[int], columns: Sequence[Sequence[str | None]]
) -> pa.ListArray:
    own = schema().field(name).type
    structs = pa.StructArray.from_arrays(
        [pa.array(column, pa.string()) for column in columns],
        fields=list(own.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs, type=own)
