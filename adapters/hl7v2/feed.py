"""The files of a feed as they lie there, and how each is taken into the index."""

import fnmatch
import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from adapters.errors import Unavailable
from adapters.hl7v2.framing import Bad
from adapters.hl7v2.index import Entry, Index, Taken
from adapters.hl7v2.intake import Intake
from adapters.hl7v2.journal import SUFFIX, whole_until

# Messages that were refused over MLLP stand in no file, and are counted all the same.
REFUSED: Final = "(refused over MLLP)"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as it lies there now; what came over MLLP only ever grows."""

    name: str
    path: Path
    size: int
    modified_ns: int
    inode: int
    grows: bool

    @property
    def signature(self) -> str:
        """Differs whenever the file may have another content."""
        if self.grows:
            return f"{self.inode}"
        return f"{self.size}:{self.modified_ns}:{self.inode}"

    @property
    def modified(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Where the files of one source lie."""

    directory: Path | None
    pattern: str
    received: Path  # of what came over MLLP

    def look(self) -> list[File]:
        """Every file, oldest first. Unavailable `drop_missing` without a directory."""
        found = list(_files(self.received, f"*{SUFFIX}", grows=True))
        if self.directory is not None:
            try:
                found += _files(self.directory, self.pattern, grows=False)
            except OSError:
                message = "the directory of messages is not there or cannot be read"
                raise Unavailable("drop_missing", message) from None
        return sorted(found, key=_by_time)


def _files(root: Path, pattern: str, *, grows: bool) -> Iterator[File]:
    if grows and not root.is_dir():
        return
    with os.scandir(root) as entries:
        for entry in entries:
            # A name that begins with a dot is of a file still on its way.
            if entry.name.startswith(".") or not fnmatch.fnmatchcase(
                entry.name, pattern
            ):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # taken away while the directory was read
            if stat.S_ISREG(status.st_mode):
                yield File(
                    name=f"mllp/{entry.name}" if grows else entry.name,
                    path=Path(entry.path),
                    size=status.st_size,
                    modified_ns=status.st_mtime_ns,
                    inode=status.st_ino,
                    grows=grows,
                )


def _by_time(file: File) -> tuple[int, str]:
    return file.modified_ns, file.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What the index has to learn."""

    gone: frozenset[str]
    fresh: tuple[File, ...]

    @property
    def any(self) -> bool:
        return bool(self.gone or self.fresh)


def changes(files: list[File], known: dict[str, Taken]) -> Changes:
    """What lies there and is not in the index as it lies there, and the reverse."""
    names = {file.name for file in files} | {REFUSED}
    return Changes(
        gone=frozenset(known.keys() - names),
        fresh=tuple(file for file in files if _is_fresh(file, known.get(file.name))),
    )


def _is_fresh(file: File, known: Taken | None) -> bool:
    if known is None or known.signature != file.signature:
        return True
    return file.grows and file.size > known.size


def take(file: File, index: Index, intake: Intake) -> None:
    """Takes one file into the index, whole or not at all.

    A file that cannot be read is counted as such. OSError if it is another one now;
    sqlite3.Error if the index cannot be written.
    """
    known = index.files().get(file.name)
    goes_on = file.grows and known is not None and known.signature == file.signature
    start = known.size if goes_on and known is not None else 0
    try:
        stream = _opened(file.path)
    except PermissionError:  # pragma: no cover - nothing is forbidden to root
        unreadable = Bad(0, 1, "cannot_be_read")
        seen = Taken(file.signature, file.size)
        index.take(file.name, [unreadable], seen=seen, goes_on=False)
        return
    with stream:
        until = whole_until(stream, start, file.size) if file.grows else file.size
        seen = Taken(file.signature, until)
        found = _read(stream, file, intake, start=start, until=until)
        index.take(file.name, found, seen=seen, goes_on=goes_on)


def _opened(path: Path) -> BinaryIO:
    """The file itself, never what a link leads to."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return os.fdopen(number, "rb", buffering=0)


def _read(
    stream: BinaryIO, file: File, intake: Intake, *, start: int, until: int
) -> Iterator[Entry | Bad]:
    stream.seek(start)
    part = _Part(stream, until - start)
    yield from intake.read(part, arrived=file.modified)
    if part.left or (not file.grows and not _is_same(stream, file)):
        message = f"{file.name} was changed while it was read"
        raise OSError(message)


def _is_same(stream: BinaryIO, file: File) -> bool:
    status = os.fstat(stream.fileno())
    return (status.st_size, status.st_mtime_ns) == (file.size, file.modified_ns)


@dataclass(slots=True)
class _Part:
    """So many bytes of a stream."""

    stream: BinaryIO
    left: int

    def read(self, size: int) -> bytes:
        block = self.stream.read(min(size, self.left))
        self.left = self.left - len(block) if block else self.left
        return block


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the index itself is spoilt, and not the disk full or busy."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError | sqlite3.ProgrammingError
    )
