"""The index of a feed, kept at the organisation: which messages are about whom.

One SQLite file that can be erased at any time: it is made again from the feed's own
files. Messages are kept as they were read, since what they mean together is worked out
anew for each question: one that comes late, or is taken back, needs no repair.
"""

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from adapters.contract import Identifier
from adapters.hl7v2.framing import Bad
from adapters.rejects import RejectedRows

FORMAT: Final = 1  # raised when older indexes can no longer be read
SUFFIXES: Final = ("", "-wal", "-shm")
_SCHEMA: Final = """
CREATE TABLE made (fingerprint TEXT NOT NULL, whole INTEGER NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, signature TEXT NOT NULL,
    taken INTEGER NOT NULL, messages INTEGER NOT NULL
);
CREATE TABLE identifiers (
    id INTEGER PRIMARY KEY, system TEXT NOT NULL, value TEXT NOT NULL,
    UNIQUE (system, value)
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, number INTEGER NOT NULL,
    part INTEGER NOT NULL, anchor INTEGER, at INTEGER NOT NULL,
    sequence INTEGER NOT NULL, type TEXT NOT NULL, links INTEGER NOT NULL,
    cleaned INTEGER NOT NULL, sender TEXT NOT NULL, control TEXT, digest BLOB NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX messages_of_file ON messages (file);
CREATE INDEX messages_of_anchor ON messages (anchor);
CREATE TABLE names (
    identifier INTEGER NOT NULL, message INTEGER NOT NULL, anchor INTEGER NOT NULL,
    role INTEGER NOT NULL, PRIMARY KEY (identifier, anchor, role, message)
) WITHOUT ROWID;
CREATE INDEX names_of_message ON names (message);
CREATE TABLE rejects (
    file INTEGER NOT NULL, number INTEGER NOT NULL, line INTEGER NOT NULL,
    reason TEXT NOT NULL, segment TEXT
);
CREATE INDEX rejects_of_file ON rejects (file);
"""
_PRAGMAS: Final = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"

SUBJECT: Final = 0
PRIOR: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message, or the part of one about one person, as the index keeps it."""

    number: int  # within its file, from 1
    part: int
    at: int  # microseconds since 1970 in UTC: what messages are ordered by
    sequence: int
    type: str
    is_link: bool
    cleaned: bool
    sender: str
    control: str | None
    digest: bytes
    text: str = field(repr=False)
    anchor: Identifier | None = None
    subject: frozenset[Identifier] = frozenset()
    prior: frozenset[Identifier] = frozenset()


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the index gives it back; `order` is that of all messages."""

    order: tuple[int, ...]
    type: str
    is_link: bool
    cleaned: bool
    sender: str
    control: str | None
    digest: bytes  # of the whole message but its header
    part: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known of a file that was taken in: how it looked, and how far it was."""

    signature: str
    size: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What of the whole feed every answer says."""

    newest: datetime | None
    messages: int
    rejected: int


class Index:
    """An open index. Any thread may ask; one at a time is let in.

    sqlite3.Error if the file cannot be read or written.
    """

    def __init__(self, path: Path, *, fingerprint: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection = self._opened(fingerprint)
        # A connection of its own, so that a long intake keeps no question waiting.
        self._reader = self._connect()
        self._asked = threading.Lock()
        self._standing: Standing | None = None

    def _opened(self, fingerprint: str) -> sqlite3.Connection:
        """That at the path if it was made by this source file, else a new one."""
        try:
            connection = self._connect()
            if self._is_ours(connection, fingerprint):
                return connection
            connection.close()
        except sqlite3.OperationalError:
            raise  # somebody else's turn, or no room: it may be whole
        except sqlite3.DatabaseError:
            pass  # no index at all
        erase(self._path)
        connection = self._connect()
        connection.executescript(f"PRAGMA user_version={FORMAT}; {_SCHEMA}")
        connection.execute("INSERT INTO made VALUES (?, 0)", (fingerprint,))
        connection.commit()
        return connection

    def _connect(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, check_same_thread=False)
        try:
            connection.executescript(_PRAGMAS)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _is_ours(self, connection: sqlite3.Connection, fingerprint: str) -> bool:
        try:
            ((found,),) = connection.execute("PRAGMA user_version")
            made = connection.execute("SELECT fingerprint FROM made").fetchall()
        except sqlite3.OperationalError:
            return False  # without our tables
        return bool(found == FORMAT and made == [(fingerprint,)])

    def close(self) -> None:
        """Twice is safe; what is asked afterwards raises sqlite3.ProgrammingError."""
        with self._asked, self._lock:
            self._reader.close()
            self._connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator["Reading"]:
        """For one question: what it reads is of one moment."""
        with self._asked:
            self._reader.execute("BEGIN")
            try:
                yield Reading(self._reader)
            finally:
                self._reader.rollback()

    def files(self) -> dict[str, Taken]:
        """The files taken in, by name."""
        with self._lock:
            rows = self._connection.execute("SELECT name, signature, taken FROM files")
            return {name: Taken(signature, size) for name, signature, size in rows}

    def leave_out(self, names: Iterable[str]) -> None:
        """Takes these files out, with everything they brought."""
        with self._lock, self._connection as connection:
            for name in names:
                _leave_out(connection, name)
            self._standing = None

    def take(
        self, name: str, found: Iterable[Entry | Bad], *, seen: Taken, goes_on: bool
    ) -> None:
        """Takes in a file's messages, all or none.

        In place of what it brought before, or after it where the file `goes_on`.
        """
        with self._lock, self._connection as connection:
            if not goes_on:
                _leave_out(connection, name)
            file = _file(connection, name, seen)
            writing = _Writing(connection, file)
            for each in found:
                writing.add(each)
            connection.execute(
                "UPDATE files SET messages = messages + ? WHERE id = ?",
                (writing.messages, file),
            )
            self._standing = None

    def standing(self) -> Standing:
        """What every answer says of the whole feed."""
        with self._lock:
            if self._standing is None:
                self._standing = _standing(self._connection)
            return self._standing

    def rejected(self) -> tuple[RejectedRows, ...]:
        """What was set aside, by file, segment and reason, most first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT f.name, r.segment, r.reason, COUNT(*), MIN(r.line) "
                "FROM rejects r JOIN files f ON f.id = r.file "
                "GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 5"
            ).fetchall()
        return tuple(
            RejectedRows(
                file=name, column=segment, reason=reason, rows=count, first_line=line
            )
            for name, segment, reason, count, line in rows
        )

    def is_whole(self) -> bool:
        """Whether everything that lay there was ever taken in."""
        with self._lock:
            ((whole,),) = self._connection.execute("SELECT whole FROM made")
        return bool(whole)

    def note_whole(self) -> None:
        """Everything that lay there has been taken in."""
        with self._lock, self._connection as connection:
            connection.execute("UPDATE made SET whole = 1")

    def types(self) -> Counter[str]:
        """How many messages of each type and trigger were taken in."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT type, COUNT(*) FROM messages WHERE part = 0 GROUP BY 1"
            ).fetchall()
        return Counter(dict(rows))


def erase(path: Path) -> None:
    """Removes an index that nobody has open. OSError if it cannot be."""
    for suffix in SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _leave_out(connection: sqlite3.Connection, name: str) -> None:
    found = connection.execute("SELECT id FROM files WHERE name = ?", (name,))
    for (file,) in found.fetchall():
        connection.execute(
            "DELETE FROM names WHERE message IN "
            "(SELECT id FROM messages WHERE file = ?)",
            (file,),
        )
        for table in ("messages", "rejects"):
            connection.execute(f"DELETE FROM {table} WHERE file = ?", (file,))  # noqa: S608 - two names of our own
        connection.execute("DELETE FROM files WHERE id = ?", (file,))


def _file(connection: sqlite3.Connection, name: str, seen: Taken) -> int:
    connection.execute(
        "INSERT INTO files (name, signature, taken, messages) VALUES (?, ?, ?, 0) "
        "ON CONFLICT (name) DO UPDATE SET signature = excluded.signature, "
        "taken = excluded.taken",
        (name, seen.signature, seen.size),
    )
    ((file,),) = connection.execute("SELECT id FROM files WHERE name = ?", (name,))
    return int(file)


def _standing(connection: sqlite3.Connection) -> Standing:
    ((newest, messages),) = connection.execute("SELECT MAX(at), COUNT(*) FROM messages")
    ((rejected,),) = connection.execute("SELECT COUNT(*) FROM rejects")
    at = None if newest is None else datetime.fromtimestamp(newest / 1e6, UTC)
    return Standing(at, messages, rejected)


@dataclass(slots=True)
class _Writing:
    """One file's messages on their way into the index."""

    connection: sqlite3.Connection
    file: int
    messages: int = 0
    _known: dict[Identifier, int] = field(default_factory=dict)

    def add(self, each: Entry | Bad) -> None:
        if isinstance(each, Bad):
            self.connection.execute(
                "INSERT INTO rejects VALUES (?, ?, ?, ?, ?)",
                (self.file, each.number, each.line, each.reason, each.segment),
            )
            return
        self.messages += each.part == 0
        anchor = None if each.anchor is None else self._id(each.anchor)
        cursor = self.connection.execute(
            "INSERT INTO messages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(self.file, each.number, each.part, anchor, each.at, each.sequence),
                *(each.type, each.is_link, each.cleaned, each.sender, each.control),
                *(each.digest, each.text),
            ),
        )
        roles: tuple[tuple[Literal[0, 1], frozenset[Identifier]], ...]
        roles = ((SUBJECT, each.subject), (PRIOR, each.prior))
        self.connection.executemany(
            "INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?)",
            [
                (self._id(one), cursor.lastrowid, anchor or 0, role)
                for role, identifiers in roles
                for one in identifiers
            ],
        )

    def _id(self, identifier: Identifier) -> int:
        if identifier not in self._known:
            pair = (identifier.system, identifier.value)
            self.connection.execute(
                "INSERT OR IGNORE INTO identifiers (system, value) VALUES (?, ?)", pair
            )
            ((known,),) = self.connection.execute(
                "SELECT id FROM identifiers WHERE system = ? AND value = ?", pair
            )
            self._known[identifier] = known
        return self._known[identifier]


_STORED: Final = (
    "m.at, m.sequence, m.id, m.type, m.links, m.cleaned, m.sender, m.control, "
    "m.digest, m.part, m.text"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The index as one question reads it."""

    connection: sqlite3.Connection

    def anchors(self, identifier: Identifier, limit: int) -> frozenset[Identifier]:
        """By whom messages that name it know their person; at most so many."""
        rows = self.connection.execute(
            "SELECT DISTINCT a.system, a.value FROM identifiers i "
            "JOIN names n ON n.identifier = i.id AND n.role = 0 "
            "JOIN identifiers a ON a.id = n.anchor "
            "WHERE i.system = ? AND i.value = ? LIMIT ?",
            (identifier.system, identifier.value, limit),
        )
        return frozenset(Identifier(system, value) for system, value in rows)

    def of(self, anchor: Identifier, limit: int) -> Sequence[Stored]:
        """The messages about whoever is known by it, the newest of them; unordered."""
        rows = self.connection.execute(
            f"SELECT {_STORED} FROM identifiers i JOIN messages m ON m.anchor = i.id "  # noqa: S608 - our own columns
            "WHERE i.system = ? AND i.value = ? ORDER BY m.at DESC LIMIT ?",
            (anchor.system, anchor.value, limit),
        )
        return [_stored(row) for row in rows]

    def links(self, identifier: Identifier, limit: int) -> Sequence[Stored]:
        """The messages that merge, move or part people, and name it; unordered."""
        rows = self.connection.execute(
            f"SELECT DISTINCT {_STORED} FROM identifiers i "  # noqa: S608 - our own columns
            "JOIN names n ON n.identifier = i.id "
            "JOIN messages m ON m.id = n.message AND m.links = 1 "
            "WHERE i.system = ? AND i.value = ? LIMIT ?",
            (identifier.system, identifier.value, limit),
        )
        return [_stored(row) for row in rows]


def _stored(row: tuple[Any, ...]) -> Stored:
    return Stored(tuple(row[:3]), row[3], bool(row[4]), bool(row[5]), *row[6:])
