"""Record ids that come more than once: one row of each is kept, and the others counted.

Of the newest file that has the id the first row counts. What stood in older files is
superseded; a row that says the same is repeated; one that says another thing under the
same id is set aside.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from adapters.csv_drop.index import Copy
from adapters.csv_drop.portion import Portion
from adapters.csv_drop.postings import BUCKETS, Postings, hashes, read, word
from adapters.csv_drop.quarantine import Quarantine
from adapters.mapping import Indexed, Mapping, Rejected

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a portion, and where it begins in the copy."""

    portion: int
    number: int
    place: int


@dataclass(slots=True)
class Settled:
    """What became of rows whose record id others have; `gone` has a bit for each."""

    gone: list[bytes]
    repeated: int = 0
    superseded: int = 0
    count: int = 0


@dataclass(slots=True, kw_only=True)
class Repeats:
    """The portions of one intake, as they are looked through for repeated ids."""

    portions: Sequence[Portion]
    copy: Copy
    mappings: dict[str, Mapping]  # by file
    quarantine: Quarantine
    _gone: list[bytearray | None] = field(default_factory=list)
    _unlike: list[int] = field(default_factory=list)  # places of those set aside

    def settle(self) -> Settled:
        """Leaves one row of each record id."""
        settled = Settled([b"" for _ in self.portions])
        both = pairwise(portion.ids for portion in self.portions)
        rising = all(portion.ids.so_far for portion in self.portions)
        if rising and all(later.follows(earlier) for earlier, later in both):
            return settled
        self._gone = [None for _ in self.portions]
        with ExitStack() as opened:
            files = [opened.enter_context(p.path.open("rb")) for p in self.portions]
            numbers = [each.fileno() for each in files]
            records = [
                Postings(number, portion.records)
                for number, portion in zip(numbers, self.portions, strict=True)
            ]
            for own in self._several(records):
                for rows in self._by_id(own, records, numbers):
                    self._leave_one(rows, settled)
        self._set_aside()
        settled.gone = [bytes(each or b"") for each in self._gone]
        return settled

    def _several(self, records: Sequence[Postings]) -> Iterator[int]:
        """The hashes that more than one record id may have."""
        inside = {each for portion in self.portions for each in portion.repeating}
        yield from sorted(inside)
        if len(records) == 1:
            return
        for which in range(BUCKETS):
            seen: set[int] = set()
            for each in records:
                found = set(hashes(each.bucket(which)))
                yield from sorted((seen & found) - inside)
                seen |= found

    def _by_id(
        self, own: int, records: Sequence[Postings], numbers: Sequence[int]
    ) -> Iterator[list[_Row]]:
        """The rows of each record id of this hash that has several, oldest first."""
        rows: dict[str, list[_Row]] = {}
        for portion, (each, file) in enumerate(zip(records, numbers, strict=True)):
            for number in each.rows_of_hash(own):
                row = _Row(portion, number, word(file, number * 8))
                rows.setdefault(self._id(row), []).append(row)
        yield from (found for found in rows.values() if len(found) > 1)

    def _id(self, row: _Row) -> str:
        file = self.copy.file(row.place).name
        checked = self.mappings[file].check(self.copy.cells(row.place))
        if not isinstance(checked, Indexed):
            raise OSError("the copy was changed")
        return checked.record_id

    def _leave_one(self, rows: Sequence[_Row], settled: Settled) -> None:
        files = [self.copy.file(row.place).name for row in rows]
        kept = files.index(files[-1])
        said = self.copy.cells(rows[kept].place)
        for which, row in enumerate(rows):
            if which == kept:
                continue
            self._remove(row)
            settled.count += 1
            if files[which] != files[-1]:
                settled.superseded += 1
            elif self.copy.cells(row.place) == said:
                settled.repeated += 1
            else:
                self._unlike.append(row.place)

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
