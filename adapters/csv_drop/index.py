"""The index of a drop, kept at the organisation: who is on which row.

One file, built aside and put in place whole: a copy of the drop, so that a later one
that fails leaves the last good one answering; where each good row begins in it; where
each identifier stands; and at the end what all this was made from.
"""

import contextlib
import csv
import json
import os
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, Self

from adapters.csv_drop.postings import Postings, read, word
from adapters.csv_drop.records import Writing
from adapters.mapping import Row

Place = tuple[int, str]  # an identifier column of the mapping, and a value in it

FORMAT: Final = 4  # raised when older indexes can no longer be read
MAGIC: Final = b"drop\n\0\r\n"
_TAIL: Final = 8 + len(MAGIC)  # how long the account before it is, and what this is
_BLOCK: Final = 4096  # bytes of the copy read at once
_LOOKED: Final = 50_000  # rows looked at to see whether a value is one person's


class Retired(Exception):
    """A newer index took the place of this one; ask that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imprint:
    """What the index was built from, and what was left out."""

    signature: str  # of the files and manifests
    mapping: str  # fingerprint of the source file
    columns: dict[str, list[str]]  # the header of each file
    as_of: datetime
    rows: int
    rejected: int
    repeated: int
    superseded: int
    missing: int = 0  # drops that would count and are not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A file as it lies in the copy."""

    name: str
    place: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A portion's part of the index: all by where it begins."""

    starts: int
    rows: int
    names: list[list[int]]
    gone: int | None = None  # a bit for each row that another has taken the place of


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What stands at the end of an index."""

    imprint: Imprint
    files: list[Copied]
    sections: list[Section]

    def written(self) -> bytes:
        values = asdict(self)
        values["imprint"]["as_of"] = self.imprint.as_of.isoformat()
        text = json.dumps({"format": FORMAT, "order": sys.byteorder, **values}).encode()
        return text + len(text).to_bytes(8, sys.byteorder) + MAGIC

    @classmethod
    def of(cls, number: int) -> Self | None:
        """That of an open file; None if it is no whole index of this format."""
        size = os.fstat(number).st_size
        try:
            tail = read(number, _TAIL, size - _TAIL)
            length = int.from_bytes(tail[:8], sys.byteorder)
            if tail[8:] != MAGIC or length > size:
                return None
            values = json.loads(read(number, length, size - _TAIL - length))
            if (values["format"], values["order"]) != (FORMAT, sys.byteorder):
                return None
            imprint = values["imprint"]
            imprint["as_of"] = datetime.fromisoformat(imprint["as_of"])
            return cls(
                imprint=Imprint(**imprint),
                files=[Copied(**each) for each in values["files"]],
                sections=[Section(**each) for each in values["sections"]],
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None


def read_imprint(path: Path) -> Imprint | None:
    """What the index at `path` was built from; None if there is none that is whole."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        account = Account.of(stream.fileno())
        return account.imprint if account else None
    return None


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy of the drop: records by the place of their first byte."""

    number: int
    files: Sequence[Copied]
    writing: Writing

    def file(self, place: int) -> Copied:
        return self.files[bisect_right(self.files, place, key=_begins) - 1]

    def cells(self, place: int) -> list[str]:
        """The cells of the record that begins there. OSError if it is not there now."""
        own = self.file(place)
        try:
            return self.writing.cells(self._lines(place, own.place + own.size))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            raise OSError("the copy was changed") from None

    def _lines(self, place: int, end: int) -> Iterator[str]:
        waiting = b""
        while place < end:
            block = read(self.number, min(_BLOCK, end - place), place)
            place += len(block)
            *whole, waiting = (waiting + block).split(b"\n")
            for line in whole:
                yield line.decode(self.writing.encoding).removesuffix("\r")
        if waiting:
            yield waiting.decode(self.writing.encoding).removesuffix("\r")


def _begins(copied: Copied) -> int:
    return copied.place


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A row of the mapping's columns, as it was read; whom it names, and by which key.

    `apart` tells two people apart: the source's own key, or else the birth date.
    """

    row: Row
    names: Sequence[str | None]
    apart: str | None


Told = Callable[[Sequence[str], Sequence[str]], Found]  # of columns and their cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Rows that identifiers reach, and which identifiers reach several people."""

    rows: tuple[Found, ...]
    shared: frozenset[Place]
    repeated: int  # rows that say again what one of these says
    truncated: bool


class Index:
    """An index in place, read by any thread, one at a time.

    `key` is the identifier column that is the source's own key: its values are never
    those of several people.
    """

    def __init__(
        self, path: Path, account: Account, *, writing: Writing, key: int | None
    ) -> None:
        self.imprint = account.imprint
        self._account = account
        self._writing = writing
        self._key = key
        self._lock = threading.Lock()
        self._number: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @classmethod
    def open(
        cls, path: Path, *, mapping: str, writing: Writing, key: int | None
    ) -> Self | None:
        """The index at `path` if it was built by this mapping, else None."""
        with contextlib.suppress(OSError), path.open("rb") as stream:
            account = Account.of(stream.fileno())
            if account is not None and account.imprint.mapping == mapping:
                return cls(path, account, writing=writing, key=key)
        return None

    @contextlib.contextmanager
    def asked(self, told: Told) -> Iterator["Asking"]:
        """For one question. Retired if a newer index took this one's place."""
        with self._lock:
            if self._number is None:
                raise Retired
            yield Asking(
                number=self._number,
                account=self._account,
                copy=Copy(self._number, self._account.files, self._writing),
                told=told,
                key=self._key,
            )

    def retire(self) -> None:
        """Closes it once nobody reads it; later questions raise Retired."""
        with self._lock:
            if self._number is not None:
                os.close(self._number)
                self._number = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """An index as one question uses it: each row is read once."""

    number: int
    account: Account
    copy: Copy
    told: Told
    key: int | None
    _seen: dict[tuple[int, int], Found] = field(default_factory=dict)
    _gone: set[tuple[int, int]] = field(default_factory=set)

    def reach(self, asked: Sequence[Place], *, limit: int) -> Reached:
        """Rows that stand at any of the places asked, oldest first.

        Values that reach several people are left out and told, but never those of
        the key itself.
        """
        shared = self.shared(asked)
        rows: set[tuple[int, int]] = set()
        for place in asked:
            if place not in shared:
                rows.update(islice(self._standing(place), limit + 1))
        kept = tuple(self._seen[row] for row in sorted(rows)[:limit])
        return Reached(
            rows=kept,
            shared=shared,
            repeated=self._repeated(rows),
            truncated=len(rows) > limit,
        )

    def _repeated(self, rows: Iterable[tuple[int, int]]) -> int:
        """How many rows left out say what one of these does, in the same file."""
        if not self._gone:
            return 0
        said = set(map(self._said, rows))
        return sum(self._said(row) in said for row in self._gone)

    def _said(self, row: tuple[int, int]) -> tuple[str, ...]:
        place = self._place(self.account.sections[row[0]], row[1])
        return self.copy.file(place).name, *self.copy.cells(place)

    def shared(self, places: Iterable[Place]) -> frozenset[Place]:
        """Those of the places where more than one person stands."""
        return frozenset(place for place in places if self._is_shared(place))

    def _is_shared(self, place: Place) -> bool:
        if place[0] == self.key:
            return False
        keys: set[str] = set()
        for looked, row in enumerate(self._standing(place)):
            apart = self._seen[row].apart
            keys |= {apart} if apart is not None else set()
            # Two are enough, so a placeholder on a million rows costs a few of them;
            # what stands on more than anyone has is taken for a placeholder too.
            if len(keys) > 1 or looked >= _LOOKED:
                return True
        return False

    def _standing(self, place: Place) -> Iterator[tuple[int, int]]:
        """The rows where the value stands, by section and number, oldest first."""
        column, value = place
        for order, section in enumerate(self.account.sections):
            postings = Postings(self.number, section.names[column])
            for number in postings.rows_of(value):
                row = order, number
                if row in self._gone:
                    continue
                if row not in self._seen:
                    if self._is_gone(section, number):
                        self._gone.add(row)
                        continue
                    self._seen[row] = self._read(section, number)
                # Another value may have the same hash.
                if self._seen[row].names[column] == value:
                    yield row

    def _is_gone(self, section: Section, number: int) -> bool:
        if section.gone is None:
            return False
        (byte,) = read(self.number, 1, section.gone + number // 8)
        return bool(byte >> number % 8 & 1)

    def _read(self, section: Section, number: int) -> Found:
        place = self._place(section, number)
        columns = self.account.imprint.columns[self.copy.file(place).name]
        cells = self.copy.cells(place)
        if len(cells) != len(columns):
            raise OSError("the copy was changed")
        return self.told(columns, cells)

    def _place(self, section: Section, number: int) -> int:
        return word(self.number, section.starts + number * 8)
