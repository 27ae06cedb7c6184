"""Where files land: each whole, on disk and under its name, or not there at all.

A file on its way lies in the folder `.arriving` of the source's own directory, which
no source reads. Nothing here follows a link below that directory.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.errors import Unavailable

_FOLDER: Final = ".arriving"
_LOCK: Final = "lock"
_SPARE: Final = 256 << 20  # bytes left free for whoever else writes to this disk
_LOOK_EVERY: Final = 16 << 20  # bytes written between looks at what is left
_TURN_S: Final = 0.1


@dataclass(slots=True)
class Part:
    """A file on its way. Not whole until `Landing.keep` has given it its name."""

    name: str = field(repr=False)
    number: int
    size: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)
    _looked: int = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        """Appends. Unavailable `state` if the disk is full or fails."""
        if self.size >= self._looked:
            self._looked = self.size + _LOOK_EVERY
            free = os.fstatvfs(self.number)
            if free.f_bavail * free.f_frsize < _SPARE:
                raise _unwritten()
        try:
            written = 0
            while written < len(block):
                written += os.write(self.number, block[written:])
        except OSError:
            raise _unwritten() from None
        self._digest.update(block)
        self.size += len(block)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The directory of a source, open, and nobody else's turn to put files there."""

    root: int
    folder: int

    @contextmanager
    def part(self) -> Iterator[Part]:
        """A new file on its way; gone at the end unless it was kept."""
        name = secrets.token_hex(16)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            number = os.open(name, flags, 0o600, dir_fd=self.folder)
        except OSError:
            raise _unwritten() from None
        try:
            yield Part(name, number)
        finally:
            os.close(number)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self.folder)

    def keep(self, part: Part, name: str, *, modified: datetime) -> None:
        """Puts it in the directory, on disk, in place of any file of that name.

        Unavailable `state` if it cannot be; then the directory is as it was.
        """
        seconds = modified.timestamp()
        try:
            os.utime(part.number, (seconds, seconds))
            os.fsync(part.number)
            os.rename(part.name, name, src_dir_fd=self.folder, dst_dir_fd=self.root)
            os.fsync(self.root)
        except OSError:
            raise _unwritten() from None


@contextmanager
def landing(into: Path, *, waits: Callable[[], bool]) -> Iterator[Landing]:
    """The directory, made if it is not there, once nobody else is landing files.

    `waits` says, between looks, whether to go on waiting for one's turn. Raises
    Unavailable: `state` if the directory cannot be written, `busy` without a turn.
    """
    with contextlib.ExitStack() as opened:
        try:
            into.mkdir(parents=True, exist_ok=True, mode=0o750)
            root = _opened(opened, into, None)
            with contextlib.suppress(FileExistsError):
                os.mkdir(_FOLDER, 0o700, dir_fd=root)
            folder = _opened(opened, _FOLDER, root)
            _take_turn(opened, folder, waits)
            _sweep(folder)
        except OSError:
            raise _unwritten() from None
        yield Landing(root=root, folder=folder)


def _opened(opened: contextlib.ExitStack, path: Path | str, within: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if within is not None:
        flags |= os.O_NOFOLLOW
    number = os.open(path, flags, dir_fd=within)
    opened.callback(os.close, number)
    return number


def _take_turn(
    opened: contextlib.ExitStack, folder: int, waits: Callable[[], bool]
) -> None:
    """The lock goes with the process that holds it, however that ends."""
    flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    number = os.open(_LOCK, flags, 0o600, dir_fd=folder)
    opened.callback(os.close, number)
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not waits():
                message = "another process is fetching files into the same directory"
                raise Unavailable("busy", message, domain="adapter") from None
            time.sleep(_TURN_S)
        else:
            return


def _sweep(folder: int) -> None:
    """Takes away what a process that died had on its way."""
    for name in os.listdir(folder):
        if name != _LOCK:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)


def _unwritten() -> Unavailable:
    message = (
        "the source's directory cannot be written, or its disk is full; "
        "look at its owner, its rights and the space that is left"
    )
    return Unavailable("state", message, domain="adapter")
