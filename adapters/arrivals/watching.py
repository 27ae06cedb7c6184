"""A directory watched: told by the file system, and looked at in case it does not."""

import asyncio
import contextlib
import hashlib
import os
import stat
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Self

import watchfiles

Changed = Callable[[], Awaitable[None]]

_DEBOUNCE_MS: Final = 400  # changes so close together are told once
_STEP_MS: Final = 100  # how long a stop may take
_LISTENING_S: Final = 0.5  # by then a thread listens; what came before is looked for
_NOTHING: Final = "nothing to be read"


class Watch:
    """Calls `changed` after the files of a directory have changed.

    Once at the start too, for what came while nobody watched. A directory that is
    not there is waited for.
    """

    def __init__(self, directory: Path, *, poll_s: float, changed: Changed) -> None:
        self._directory = directory
        self._poll_s = poll_s
        self._changed = changed
        self._hint = asyncio.Event()
        self._known = _NOTHING

    def look(self) -> None:
        """Makes it look at the directory without waiting to be told."""
        self._hint.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            identity = await self._identity()
            with _Listener(self._directory, identity, self._hint) as listener:
                while True:
                    await self._tell()
                    await self._wait()
                    if not listener.hears(await self._identity()):
                        break

    async def _identity(self) -> tuple[int, int] | None:
        return await asyncio.to_thread(_identity, self._directory)

    async def _tell(self) -> None:
        found = await asyncio.to_thread(_signature, self._directory)
        if found != self._known:
            self._known = found
            await self._changed()

    async def _wait(self) -> None:
        # Not wait_for: it forgets that it was cancelled when both come at once.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._hint.wait()
        self._hint.clear()


class _Listener:
    """A thread that listens at one directory, and sets an event when it hears."""

    def __init__(
        self,
        directory: Path,
        identity: tuple[int, int] | None,
        heard: asyncio.Event,
    ) -> None:
        self._directory = directory
        self._identity = identity
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._listen, name="arrivals", daemon=True
        )

    def __enter__(self) -> Self:
        if self._identity is not None:
            self._thread.start()
            self._loop.call_later(_LISTENING_S, self._began)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def hears(self, identity: tuple[int, int] | None) -> bool:
        """Whether it still listens, and at the directory that is there now."""
        return self._thread.is_alive() and identity == self._identity

    def _began(self) -> None:
        if self._thread.is_alive():
            self._heard.set()

    def _listen(self) -> None:
        # Not told any more (the directory is gone, no more watches are to be had):
        # the thread ends, and the directory is looked at now and then instead.
        with contextlib.suppress(OSError, RuntimeError):
            for _ in watchfiles.watch(
                self._directory,
                watch_filter=None,
                recursive=False,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=self._stop,
                raise_interrupt=False,
            ):
                self._loop.call_soon_threadsafe(self._heard.set)


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _signature(directory: Path) -> str:
    """Differs whenever a file that may be a drop came, went or changed."""
    try:
        with os.scandir(directory) as entries:
            lines = sorted(filter(None, map(_line, entries)))
    except OSError:
        return _NOTHING
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()


def _line(entry: os.DirEntry[str]) -> str | None:
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # taken away while the directory was read
    if not stat.S_ISREG(found.st_mode):
        return None
    times = f"{found.st_mtime_ns}:{found.st_ctime_ns}"
    return f"{entry.name}:{found.st_size}:{found.st_ino}:{times}"
