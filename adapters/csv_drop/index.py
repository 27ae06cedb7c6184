"""The index of a drop, kept at the organisation: who is on which row.

One SQLite file, built aside and put in place whole. It holds the rows themselves,
so that a later drop that fails leaves the last good one answering.
"""

import contextlib
import json
import operator
import os
import sqlite3
import threading
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

Place = tuple[int, str]  # a name column of the index, and a value in it

FORMAT: Final = 2  # raised when older indexes can no longer be read
_BLOCK: Final = 32  # rows whose texts lie together; few, since all are read for one
_BETWEEN: Final = "\0"  # texts, since no row that is taken in holds it
_SQL_OF_FILE: Final = "file:{}?mode=ro&immutable=1"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A row as it was written, and the file and line it stood in."""

    file: str
    line: int
    text: str


class Texts:
    """Rows as they were written, best asked for in the order of their numbers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._first = 0
        self._file = ""
        self._lines = memoryview(b"").cast("Q")
        self._texts: list[str] = []

    def hit(self, number: int) -> Hit:
        if not 0 <= number - self._first < len(self._texts):
            self._read(number)
        at = number - self._first
        return Hit(file=self._file, line=self._lines[at], text=self._texts[at])

    def _read(self, number: int) -> None:
        self._first, self._file, lines, text = self._connection.execute(
            "SELECT first, file, lines, text FROM blocks WHERE first <= ? "
            "ORDER BY first DESC LIMIT 1",
            (number,),
        ).fetchone()
        self._lines = memoryview(lines).cast("Q")
        self._texts = text.split(_BETWEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Rows that identifiers reach, and which identifiers reach several people."""

    hits: tuple[Hit, ...]
    shared: frozenset[Place]
    truncated: bool


class Index:
    """An index in place, read by any thread, one at a time."""

    def __init__(self, path: Path, imprint: Imprint, key: int | None) -> None:
        self.imprint = imprint
        self._key = "born" if key is None else f"n{key}"
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = _connect(path)

    @classmethod
    def open(cls, path: Path, *, mapping: str, key: int | None) -> Self | None:
        """The index at `path` if it was built by this mapping, else None."""
        imprint = read_imprint(path)
        if imprint is None or imprint.mapping != mapping:
            return None
        return cls(path, imprint, key)

    def reach(self, asked: Sequence[Place], *, limit: int) -> Reached:
        """Rows that stand at any of the places asked, oldest first.

        Values that reach several people are left out and told, but never those of
        the key itself. Retired if a newer index took this one's place.
        """
        with self._lock:
            connection = self._open()
            shared = {place for place in asked if self._is_shared(connection, place)}
            rows: set[int] = set()
            for column, value in asked:
                if (column, value) in shared:
                    continue
                found = connection.execute(
                    f"SELECT id FROM rows WHERE n{column} = ? ORDER BY id LIMIT ?",  # noqa: S608 - a number of ours
                    (value, limit + 1),
                )
                rows.update(number for (number,) in found)
            texts = Texts(connection)
            hits = tuple(texts.hit(number) for number in sorted(rows)[:limit])
        return Reached(hits=hits, shared=frozenset(shared), truncated=len(rows) > limit)

    def shared(self, places: Iterable[Place]) -> frozenset[Place]:
        """Those of the places where more than one person stands."""
        with self._lock:
            connection = self._open()
            return frozenset(p for p in places if self._is_shared(connection, p))

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Retired
        return self._connection

    def _is_shared(self, connection: sqlite3.Connection, place: Place) -> bool:
        column, value = place
        name = f"n{column}"
        if name == self._key:
            return False
        # Two are enough, so a placeholder on a million rows costs a few of them.
        found = connection.execute(
            f"SELECT DISTINCT {self._key} FROM rows WHERE {name} = ? "  # noqa: S608 - names of ours
            f"AND {self._key} IS NOT NULL LIMIT 2",
            (value,),
        )
        return len(found.fetchall()) > 1

    def retire(self) -> None:
        """Closes it once nobody reads it; later questions raise Retired."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _connect(path: Path) -> sqlite3.Connection:
    uri = _SQL_OF_FILE.format(
        str(path.absolute()).replace("?", "%3f").replace("#", "%23")
    )
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    connection.execute("PRAGMA mmap_size = 268435456")
    return connection


def read_imprint(path: Path) -> Imprint | None:
    """What the index at `path` was built from; None if there is none that is whole."""
    if not path.is_file():
        return None
    with contextlib.closing(_connect_quietly(path)) as connection:
        try:
            found = connection.execute("SELECT value FROM imprint").fetchone()
            values: dict[str, Any] = json.loads(found[0])
            if values.pop("format") != FORMAT:
                return None
            values["as_of"] = datetime.fromisoformat(values["as_of"])
            return Imprint(**values)
        except (sqlite3.Error, ValueError, TypeError, KeyError):
            return None


def _connect_quietly(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True)


@dataclass(frozen=True, slots=True)
class Written:
    """Rows for an index: the line each starts on, its text, and what finds it again.

    A key is the record id, the birth date as written, and then the identifiers.
    """

    lines: Sequence[int]
    texts: Sequence[str]
    keys: Sequence[Sequence[str | None]]


class Building:
    """An index being built beside the one in use; nobody sees it until it is whole."""

    def __init__(self, path: Path, names: int) -> None:
        self._final = path
        self._path = path.with_suffix(".building")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._names = names
        self._next = 1
        self._last = ""
        # While record ids only rise, none can come twice, and none is looked for.
        self.is_rising = True
        self.connection = sqlite3.connect(self._path, isolation_level=None)
        columns = "".join(f", n{number} TEXT" for number in range(names))
        self.connection.executescript(
            "PRAGMA page_size = 16384; PRAGMA journal_mode = OFF;"
            "PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;"
            "PRAGMA temp_store = FILE; PRAGMA threads = 2;"
            "PRAGMA locking_mode = EXCLUSIVE;"
            "CREATE TABLE imprint (value TEXT);"
            "CREATE TABLE blocks (first INTEGER PRIMARY KEY, file TEXT, lines BLOB,"
            " text TEXT);"
            "CREATE TABLE rows (id INTEGER PRIMARY KEY, record TEXT, born TEXT"
            f"{columns});"
            "BEGIN;"
        )
        marks = ", ".join("?" * (2 + names))
        self._insert = f"INSERT INTO rows VALUES (NULL, {marks})"  # noqa: S608 - marks only

    def add(self, file: str, written: Written) -> None:
        """Adds rows of one file, in the order they are to be found again."""
        first, keys = self._next, written.keys
        if not keys:
            return
        self._next += len(keys)
        self._note_order([str(key[0]) for key in keys])
        self.connection.executemany(self._insert, keys)  # it numbers them on
        self.connection.executemany(
            "INSERT INTO blocks VALUES (?, ?, ?, ?)",
            (
                (
                    first + n,
                    file,
                    array("Q", written.lines[n : n + _BLOCK]).tobytes(),
                    _BETWEEN.join(written.texts[n : n + _BLOCK]),
                )
                for n in range(0, len(keys), _BLOCK)
            ),
        )

    def _note_order(self, records: Sequence[str]) -> None:
        if not self.is_rising:
            return
        before = [self._last, *records[:-1]]
        self.is_rising = all(map(operator.lt, before, records))
        self._last = records[-1]

    def index_names(self) -> None:
        for number in range(self._names):
            self.connection.execute(
                f"CREATE INDEX by_n{number} ON rows (n{number}) "
                f"WHERE n{number} IS NOT NULL"
            )

    def finish(self, imprint: Imprint) -> None:
        """Puts the index in place, whole and on disk."""
        values = {**asdict(imprint), "as_of": imprint.as_of.isoformat()}
        text = json.dumps({"format": FORMAT, **values})
        self.connection.execute("INSERT INTO imprint VALUES (?)", (text,))
        self.connection.execute("COMMIT")
        self.connection.close()
        number = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
        self._path.replace(self._final)

    def abandon(self) -> None:
        """Leaves nothing behind; after `finish` there is nothing to leave."""
        self.connection.close()
        self._path.unlink(missing_ok=True)
