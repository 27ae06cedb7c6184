"""Records that come more than once: one row of each is kept, and the others counted.

Of the newest file that has a record's id the first row counts; of a log of changes, the
last. What stood in older files is superseded; a row that says the same is repeated; one
that says another thing under the same id is set aside. A row that takes a record back
is never kept itself. Of the rows then left that are one event, one is preferred.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Self

from adapters.csv_drop.changes import Rows
from adapters.csv_drop.index import Copy
from adapters.csv_drop.portion import Portion
from adapters.csv_drop.postings import BUCKETS, Postings, hashes, read, word
from adapters.csv_drop.quarantine import Quarantine
from adapters.mapping import Rejected, Row

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a portion, and where it begins in the copy."""

    portion: int
    number: int
    place: int


@dataclass(slots=True)
class Settled:
    """What became of rows that are not kept; `gone` has a bit for each."""

    gone: list[bytes]
    repeated: int = 0
    superseded: int = 0

    @property
    def count(self) -> int:
        """How many rows are not kept."""
        return sum(int.from_bytes(each).bit_count() for each in self.gone)


_Reading = Callable[[Rows, Row], str | None]
_Stood = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True, slots=True)
class _Key:
    """What rows are compared by: where it stands, and how it is read of a row."""

    postings: Sequence[Postings]
    inside: frozenset[int]  # hashes that several rows of one portion have
    read: _Reading

    @classmethod
    def of(
        cls, numbers: Sequence[int], stood: Sequence[_Stood], read: _Reading
    ) -> Self:
        """Of portions' open files, the edges there, and hashes that several have."""
        both = zip(numbers, stood, strict=True)
        return cls(
            [Postings(number, edges) for number, (edges, _) in both],
            frozenset(each for _, several in stood for each in several),
            read,
        )


@dataclass(slots=True, kw_only=True)
class Repeats:
    """The portions of one intake, as they are looked through for repeated records."""

    portions: Sequence[Portion]
    copy: Copy
    rows_of: dict[str, Rows]  # by file
    quarantine: Quarantine
    is_log: bool = False  # a file is read from its first change to its last
    _settled: Settled = field(default_factory=lambda: Settled([]))
    _deleted: list[bytearray | None] = field(default_factory=list)
    _gone: list[bytearray | None] = field(default_factory=list)
    _unlike: list[int] = field(default_factory=list)  # places of those set aside

    def settle(self) -> Settled:
        """Leaves one row of each record, and of each event one."""
        self._deleted = [self._bits(each) for each in self.portions]
        self._gone = [each and each.copy() for each in self._deleted]
        with ExitStack() as opened:
            files = [opened.enter_context(p.path.open("rb")) for p in self.portions]
            numbers = [each.fileno() for each in files]
            stood = [(each.uniques, each.alike) for each in self.portions]
            has_events = any(edges for edges, _ in stood)
            for rows in self._of_records(numbers):
                self._leave_newest(rows)
                if not has_events:
                    self._leave_first(rows)
            if has_events:
                for rows in self._alike(_Key.of(numbers, stood, _unique), numbers):
                    self._leave_best(self._left(rows))
                for rows in self._of_records(numbers):
                    self._leave_first(rows)
        self._set_aside()
        self._settled.gone = [bytes(each or b"") for each in self._gone]
        return self._settled

    def _only_rise(self) -> bool:
        both = pairwise(portion.ids for portion in self.portions)
        rising = all(portion.ids.so_far for portion in self.portions)
        return rising and all(later.follows(earlier) for earlier, later in both)

    @staticmethod
    def _bits(portion: Portion) -> bytearray | None:
        """A bit for each row that takes a record back."""
        if not portion.deleted:
            return None
        bits = bytearray(portion.rows // 8 + 1)
        for number in portion.deleted:
            bits[number // 8] |= 1 << number % 8
        return bits

    def _alike(self, key: _Key, numbers: Sequence[int]) -> Iterator[list[_Row]]:
        """The rows of each key that several have, oldest first."""
        for own in self._several(key):
            rows: dict[str | None, list[_Row]] = {}
            both = zip(key.postings, numbers, strict=True)
            for portion, (each, file) in enumerate(both):
                for number in each.rows_of_hash(own):
                    row = _Row(portion, number, word(file, number * 8))
                    rows.setdefault(key.read(*self._read(row)), []).append(row)
            yield from (found for found in rows.values() if len(found) > 1)

    def _several(self, key: _Key) -> Iterator[int]:
        """The hashes that more than one key may have."""
        yield from sorted(key.inside)
        if len(key.postings) == 1:
            return
        for which in range(BUCKETS):
            seen: set[int] = set()
            for each in key.postings:
                found = set(hashes(each.bucket(which)))
                yield from sorted((seen & found) - key.inside)
                seen |= found

    def _read(self, row: _Row) -> tuple[Rows, Row]:
        cells = self.copy.cells(row.place)
        return self.rows_of[self.copy.file(row.place).name], cells

    def _of_records(self, numbers: Sequence[int]) -> Iterator[list[_Row]]:
        if self._only_rise():
            return
        stood = [(each.records, each.repeating) for each in self.portions]
        yield from self._alike(_Key.of(numbers, stood, _record), numbers)

    def _leave_newest(self, rows: Sequence[_Row]) -> None:
        """Of a record the rows of its newest file; of a log of changes the last."""
        newest = self._file(rows[-1])
        for row in rows[:-1]:
            if self.is_log or self._file(row) != newest or self._takes_back(row):
                self._supersede(row)

    def _leave_first(self, rows: Sequence[_Row]) -> None:
        """Of what is left of a record the first row; what says another is set aside."""
        left = self._left(rows)
        said = self.copy.cells(left[0].place) if left[1:] else []
        for row in left[1:]:
            self._remove(row)
            if self.copy.cells(row.place) == said:
                self._settled.repeated += 1
            else:
                self._unlike.append(row.place)

    def _left(self, rows: Sequence[_Row]) -> list[_Row]:
        return [row for row in rows if not _is_set(self._gone[row.portion], row.number)]

    def _file(self, row: _Row) -> str:
        return self.copy.file(row.place).name

    def _leave_best(self, rows: Sequence[_Row]) -> None:
        """Of the newest file that tells of an event, the row that is preferred."""
        if not rows:
            return
        newest = self._file(rows[-1])
        left = [row for row in rows if self._file(row) == newest]
        cells = [self.copy.cells(row.place) for row in left]
        kept = left[self.rows_of[newest].kept(cells)]
        for row in rows:
            if row is not kept:
                self._supersede(row)

    def _takes_back(self, row: _Row) -> bool:
        return _is_set(self._deleted[row.portion], row.number)

    def _supersede(self, row: _Row) -> None:
        self._remove(row)
        self._settled.superseded += 1

    def _remove(self, row: _Row) -> None:
        bits = self._gone[row.portion]
        if bits is None:
            size = self.portions[row.portion].rows // 8 + 1
            bits = self._gone[row.portion] = bytearray(size)
        bits[row.number // 8] |= 1 << row.number % 8

    def _set_aside(self) -> None:
        """Counts the lines before each of those that are to be named in the list."""
        file, at, line = None, 0, 1
        for place in sorted(self._unlike):
            if file != (own := self.copy.file(place)):
                file, at, line = own, own.place, 1
            line += self._ends(at, place)
            at = place
            self.quarantine.add(own.name, line, Rejected("duplicate_record"))

    def _ends(self, first: int, last: int) -> int:
        """How many lines end between two places of the copy."""
        blocks = range(first, last, _BLOCK)
        return sum(
            read(self.copy.number, min(_BLOCK, last - at), at).count(b"\n")
            for at in blocks
        )


def _is_set(bits: bytearray | None, number: int) -> bool:
    return bits is not None and bool(bits[number // 8] >> number % 8 & 1)


def _record(rows: Rows, cells: Row) -> str:
    found = rows.record.read(cells)
    if isinstance(found, Rejected):
        raise OSError("the copy was changed")
    return found


def _unique(rows: Rows, cells: Row) -> str | None:
    return rows.unique.read(cells) if rows.unique else None
