"""A profile of what a source holds: counts of each mapped column, and no cell. Pure.

Counts below five are never told: they may be one person's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters import nhs_number
from adapters.mapping import Mapping, MappingSpec, Rejected, named
from adapters.mapping.cells import Column, Layout, TimeCell
from adapters.mapping.words import Translated
from gateway.checking.rows import Batch, Held

FEW: Final = 5
_DISTINCT: Final = 100_000  # values told apart in one column; more are "at least"
_CODES: Final = 12  # words without a translation that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column the mapping names. Counts are of rows."""

    key: str
    column: str
    filled: int
    absent: int  # rows with a word for nothing
    distinct: int
    first: str | None = None  # the earliest month or year
    last: str | None = None
    unreadable: int = 0  # of no format, or no such day
    untranslated: int = 0
    words: tuple[str, ...] = ()  # without translation, each of five people or more
    valid: int | None = None  # NHS numbers; None where it is another identifier
    invalid: int = 0
    shared: int = 0  # values that five people or more have


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProfile:
    """All columns, and what became of the rows."""

    rows: int
    is_whole: bool
    columns: tuple[ColumnProfile, ...]
    rejected: dict[str, int]
    repeated_ids: int  # of rows that differ otherwise
    repeated_rows: int = 0  # the same in every cell: left out, and told
    arrivals: tuple[datetime, ...] = ()

    def share(self, count: int) -> float:
        """Of all rows."""
        return count / self.rows if self.rows else 0.0

    def as_json(self) -> dict[str, Any]:
        """With small counts as "<5"."""
        return {
            "rows": told(self.rows),
            "is_whole": self.is_whole,
            "repeated_ids": told(self.repeated_ids),
            "repeated_rows": told(self.repeated_rows),
            "rejected": {why: told(n) for why, n in self.rejected.items()},
            "columns": [_column_json(each) for each in self.columns],
        }


def told(count: int) -> int | str:
    """A count that tells of nobody in particular."""
    return "<5" if 0 < count < FEW else count


def _column_json(each: ColumnProfile) -> dict[str, Any]:
    return {
        "key": each.key,
        "column": each.column,
        "filled": told(each.filled),
        "absent": told(each.absent),
        "distinct": each.distinct,
        "first": each.first,
        "last": each.last,
        "unreadable": told(each.unreadable),
        "untranslated": told(each.untranslated),
        "words": list(each.words),
        "valid": None if each.valid is None else told(each.valid),
        "invalid": told(each.invalid),
        "shared": told(each.shared),
    }


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What is counted of one column while rows go by."""

    filled: int = 0
    absent: int = 0
    values: set[str] = field(default_factory=set, repr=False)
    times: list[datetime | None] = field(default_factory=lambda: [None, None])
    unreadable: int = 0
    untranslated: int = 0
    people: dict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set), repr=False
    )
    valid: int = 0
    invalid: int = 0
    apart: dict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set), repr=False
    )


def profile_of(held: Held) -> DataProfile:
    """The profile of all rows that were read."""
    spec = held.spec
    tallies: dict[tuple[str, str], _Tally] = {
        (_key(place), column): _Tally() for place, column in named(spec)
    }
    rejected: Counter[str] = Counter()
    ids: Counter[str] = Counter()
    rows = repeated = 0
    for batch in held.batches:
        rejected.update(batch.bad)
        rows += len(batch.rows) + sum(batch.bad.values())
        once = list(dict.fromkeys(map(tuple, batch.rows)))
        repeated += len(batch.rows) - len(once)
        _Reader(spec, replace(batch, rows=once), tallies).read(rejected, ids)
    return DataProfile(
        rows=rows,
        is_whole=held.is_whole,
        columns=tuple(
            _column(key, column, tally, spec=spec)
            for (key, column), tally in tallies.items()
        ),
        rejected=dict(rejected),
        repeated_ids=sum(n - 1 for n in ids.values()),
        repeated_rows=repeated,
        arrivals=held.arrivals,
    )


def _key(place: Sequence[str | int]) -> str:
    named = [str(each) for each in place[1:] if not isinstance(each, int)]
    return ".".join(named[:-1] if len(named) > 1 and named[-1] == "column" else named)


class _Reader:
    """Reads one batch of rows into the tallies."""

    def __init__(
        self, spec: MappingSpec, batch: Batch, tallies: dict[tuple[str, str], _Tally]
    ) -> None:
        self._batch = batch
        self._tallies = tallies
        self._mapping = Mapping.compile(spec, batch.columns)
        layout = Layout(
            places={name: index for index, name in enumerate(batch.columns)},
            absent=spec.absent,
            formats=spec.dates,
            zone=ZoneInfo(spec.zone),
        )
        self._columns = [
            (tally, layout.column(column, _absent(spec, key, column)))
            for (key, column), tally in tallies.items()
        ]
        self._times = list(self._of_times())
        self._words = list(self._of_words())
        self._names = [
            (self._tally("identifiers", name.column.name), name)
            for name in self._mapping.naming.columns
        ]

    def _tally(self, prefix: str, column: str) -> _Tally:
        return next(
            tally
            for (key, own), tally in self._tallies.items()
            if own == column and key.startswith(prefix)
        )

    def _of_times(self) -> Iterator[tuple[_Tally, TimeCell]]:
        times, person = self._mapping.times, self._mapping.person
        for key, cell in (
            ("start", times.start),
            ("end", times.end),
            ("recorded", times.recorded),
            ("person.birth_date", person.birth_date),
        ):
            if cell is not None:
                yield self._tally(key, cell.date.name), cell

    def _of_words(self) -> Iterator[tuple[_Tally, Translated]]:
        mapping = self._mapping
        for key, word in (("kind", mapping.kind), ("status", mapping.status)):
            if word.column is not None:
                yield self._tally(key, word.column.name), word

    def read(self, rejected: Counter[str], ids: Counter[str]) -> None:
        for row in self._batch.rows:
            for tally, column in self._columns:
                _count(tally, column, row)
            checked = self._mapping.check(row)
            if isinstance(checked, Rejected):
                rejected[checked.reason] += 1
            else:
                ids[checked.record_id] += 1
            who = self._who(row)
            for tally, cell in self._times:
                _count_time(tally, cell, row)
            for tally, word in self._words:
                if word.is_untranslated(row):
                    tally.untranslated += 1
                    tally.people[word.written(row) or ""].add(who)
            self._count_names(row, who)

    def _who(self, row: Sequence[str]) -> str:
        """What tells this row's person from others: the key, else a number."""
        naming = self._mapping.naming
        values = naming.values(row)
        if naming.key is not None:
            return values[naming.key] or ""
        return next((each for each in values if each), "")

    def _count_names(self, row: Sequence[str], who: str) -> None:
        born = self._mapping.person.born(row)
        for tally, name in self._names:
            value = name.value(row)
            written = name.column.text(row)
            if name.system == nhs_number.SYSTEM and written is not None:
                tally.valid += value is not None
                tally.invalid += value is None
            apart = born if name.key else who or born
            if written is not None and apart:
                tally.apart[written].add(apart)


def _absent(spec: MappingSpec, key: str, column: str) -> tuple[str, ...]:
    """Words for nothing that the mapping gives for this column alone."""
    for prefix, cell in (("start", spec.start), ("end", spec.end)):
        if key == prefix and cell is not None:
            return cell.time_absent if column == cell.time else cell.absent
    own = (each for each in spec.identifiers if each.column == column)
    return next((each.absent for each in own), ())


def _count(tally: _Tally, column: Column, row: Sequence[str]) -> None:
    text = column.text(row)
    if text is None:
        tally.absent += column.is_sentinel(row)
        return
    tally.filled += 1
    if len(tally.values) < _DISTINCT:
        tally.values.add(text)


def _count_time(tally: _Tally, cell: TimeCell, row: Sequence[str]) -> None:
    if cell.date.text(row) is None:
        return
    if cell.stranger(row) is not None:
        tally.unreadable += 1
        return
    reading = cell.read(row)
    if reading.moment is None:
        tally.unreadable += 1
        return
    at = reading.moment.at
    first, last = tally.times
    tally.times[0] = at if first is None or at < first else first
    tally.times[1] = at if last is None or at > last else last


def _column(
    key: str, column: str, tally: _Tally, *, spec: MappingSpec
) -> ColumnProfile:
    is_born = key == "person.birth_date"
    first, last = (
        None if at is None or tally.filled < FEW else _coarse(at, year=is_born)
        for at in tally.times
    )
    is_number = key.startswith("identifiers") and _is_number(spec, column)
    return ColumnProfile(
        key=key,
        column=column,
        filled=tally.filled,
        absent=tally.absent,
        distinct=len(tally.values),
        first=first,
        last=last,
        unreadable=tally.unreadable,
        untranslated=tally.untranslated,
        words=tuple(_shown(tally)),
        valid=tally.valid if is_number else None,
        invalid=tally.invalid,
        shared=sum(len(apart) >= FEW for apart in tally.apart.values()),
    )


def _is_number(spec: MappingSpec, column: str) -> bool:
    return any(
        each.column == column and each.system == nhs_number.SYSTEM
        for each in spec.identifiers
    )


def _coarse(at: datetime, *, year: bool) -> str:
    """A month, or of a birth the year: a day may be one person's."""
    return f"{at.year:04d}" if year else f"{at.year:04d}-{at.month:02d}"


def _shown(tally: _Tally) -> Iterable[str]:
    often = sorted(tally.people.items(), key=lambda each: -len(each[1]))
    return [word for word, people in often[:_CODES] if len(people - {""}) >= FEW]
