"""Where a value stands: hashes of values with the numbers of their rows, sorted.

Built piece by piece in little memory. A hash only leads to rows: what they hold is for
the reader to look at.
"""

import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, BinaryIO, Final
from zlib import crc32

ROWS: Final = (
    1 << 32
)  # most of a portion: an entry is a hash and a number, 32 bits each
BUCKETS: Final = 256  # by the first bits of the hash
_PIECE: Final = 1 << 16  # entries sorted at once
_WIDE: Final = 8  # bytes of an entry
_AHEAD: Final = 32  # entries read at once, where one value stands
_HASH: Final = int(sys.byteorder == "little")  # which half of an entry it is


@dataclass(slots=True)
class Pieces:
    """Entries as they come, sorted piece by piece in a file of their own."""

    stream: BinaryIO
    _waiting: list[int] = field(default_factory=list)
    _bounds: list[list[int]] = field(default_factory=list)
    _written: int = 0

    def add(self, values: Sequence[str | None], first: int) -> None:
        """The values of rows numbered from `first` on; None stands nowhere."""
        if None in values:
            self._waiting += [
                crc32(value.encode()) << 32 | number
                for number, value in enumerate(values, first)
                if value is not None
            ]
        else:
            hashes = map(crc32, map(str.encode, values))  # type: ignore[arg-type]  # none is None
            self._waiting += [each << 32 | n for n, each in enumerate(hashes, first)]
        if len(self._waiting) >= _PIECE:
            self._sort()

    def buckets(self) -> Iterator["array[int]"]:
        """All entries in order, bucket by bucket."""
        self._sort()
        self.stream.flush()
        number = self.stream.fileno()
        for bucket in range(BUCKETS):
            entries: array[int] = array("Q")
            for bounds in self._bounds:
                first, last = bounds[bucket], bounds[bucket + 1]
                size = (last - first) * _WIDE
                entries.frombytes(os.pread(number, size, first * _WIDE))
            yield array("Q", sorted(entries)) if len(self._bounds) > 1 else entries

    def _sort(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting.sort()
        edges = (bisect_left(waiting, edge << 56) for edge in range(BUCKETS + 1))
        self._bounds.append([self._written + edge for edge in edges])
        self._written += len(waiting)
        array("Q", waiting).tofile(self.stream)


def write(entries: Iterator["array[int]"], stream: BinaryIO) -> tuple[int, ...]:
    """Writes all buckets; where each begins in the stream, and where the last ends."""
    edges = [stream.tell()]
    for bucket in entries:
        bucket.tofile(stream)
        edges.append(edges[-1] + len(bucket) * _WIDE)
    return tuple(edges)


def hashes(entries: "array[int]") -> list[int]:
    """The hashes of entries, in their order."""
    halves = memoryview(entries).cast("B").cast("I")
    return halves[_HASH::2].tolist()


def repeating(bucket: "array[int]") -> list[int]:
    """The hashes that several entries of a bucket have, rising."""
    found = hashes(bucket)
    if len(set(found)) == len(found):
        return []
    return sorted({one for one, other in pairwise(found) if one == other})


@dataclass(frozen=True, slots=True)
class Postings:
    """The postings of one column in a file: where its buckets begin, and the last ends.

    OSError if the file was cut since.
    """

    number: int  # of the open file
    edges: Sequence[int]

    def rows_of(self, value: str) -> Iterator[int]:
        """Numbers of the rows where the value may stand, rising."""
        return self.rows_of_hash(crc32(value.encode()))

    def rows_of_hash(self, own: int) -> Iterator[int]:
        """Numbers of the rows whose value has this hash, rising."""
        bucket = own >> 24
        entries = _Entries(self.number, *self.edges[bucket : bucket + 2])
        for place in range(bisect_left(entries, own << 32), len(entries), _AHEAD):
            for entry in entries.some(place, _AHEAD):
                if entry >> 32 != own:
                    return
                yield entry & 0xFFFFFFFF

    def bucket(self, which: int) -> "array[int]":
        """All entries of a bucket."""
        first, last = self.edges[which : which + 2]
        entries = array("Q")
        entries.frombytes(read(self.number, last - first, first))
        return entries


@dataclass(frozen=True, slots=True)
class _Entries(Sequence[int]):
    """Entries of a bucket, each read as it is looked at."""

    number: int
    first: int
    last: int

    def __len__(self) -> int:
        return (self.last - self.first) // _WIDE

    def some(self, place: int, most: int) -> "array[int]":
        """Entries from there on, as many as there are and no more than asked."""
        at = self.first + place * _WIDE
        some = array("Q")
        some.frombytes(read(self.number, min(most * _WIDE, self.last - at), at))
        return some

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401 - by a number alone
        return word(self.number, self.first + place * _WIDE)


def word(number: int, at: int) -> int:
    """The eight bytes that stand there, as a number."""
    return int.from_bytes(read(number, _WIDE, at), sys.byteorder)


def read(number: int, size: int, at: int) -> bytes:
    """So many bytes of an open file. OSError if it has no more so many."""
    try:
        data = os.pread(number, size, at)
    except OverflowError:
        data = b""  # no file is so long
    if len(data) < size:
        raise OSError("the file was cut")
    return data
