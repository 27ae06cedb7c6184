"""What came over MLLP, on disk before anybody is told that it was taken.

The files are the organisation's own feed, as those of a directory are: the index is
made from them. Messages that come at once share one write to disk.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from adapters.hl7v2.framing import END, START

SUFFIX: Final = ".mllp"
_BLOCK: Final = 1 << 16
_PRIVATE: Final = 0o600


@dataclass(slots=True)
class Journal:
    """Appends messages to the file of the day. OSError if they cannot be written."""

    folder: Path
    now: Callable[[], datetime]
    _waiting: list[tuple[bytes, asyncio.Future[None]]] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None
    _repaired: set[Path] = field(default_factory=set)

    async def append(self, message: bytes) -> None:
        """Returns once the message is on disk. Raises OSError, and it is not."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        # Whoever gives up waiting takes no one else's message with them.
        await asyncio.shield(done)

    async def aclose(self) -> None:
        """Waits for what is being written. Twice is safe."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            data = b"".join(START + each + END + b"\r" for each, _ in batch)
            try:
                await asyncio.to_thread(self._write, data)
            except OSError as error:
                for _, done in batch:
                    _settle(done, error)
            else:
                for _, done in batch:
                    _settle(done, None)

    def _write(self, data: bytes) -> None:
        path = self.folder / f"{self.now():%Y-%m-%d}{SUFFIX}"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_new = not path.exists()
        number = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE
        )
        with os.fdopen(number, "r+b", buffering=0) as stream:
            end = os.fstat(stream.fileno()).st_size
            if path not in self._repaired:
                # What a crash cut was acknowledged to nobody.
                end = whole_until(stream, 0, end)
                stream.truncate(end)
                self._repaired.add(path)
            try:
                _append(stream, end, data)
            except OSError:
                stream.truncate(end)
                raise
        if is_new:
            _make_lasting(self.folder)


def _append(stream: BinaryIO, end: int, data: bytes) -> None:
    stream.seek(end)
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]
    os.fsync(stream.fileno())


def _make_lasting(folder: Path) -> None:
    """A file's name lasts once its folder is on disk too."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _settle(done: asyncio.Future[None], error: OSError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def whole_until(stream: BinaryIO, start: int, size: int) -> int:
    """Up to where, from `start` on, the file holds whole messages alone."""
    place = size
    tail = len(END) + 1
    while place > start:
        begin = max(start, place - _BLOCK)
        stream.seek(begin)
        block = stream.read(min(place + tail, size) - begin)
        found = block.rfind(END + b"\r")
        if found >= 0:
            return begin + found + tail
        place = begin
    return start
