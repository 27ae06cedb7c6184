"""The index of a feed, kept up to date with its files: opened, fed, dropped, closed."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from adapters.errors import AdapterError, Unavailable, Unreadable
from adapters.hl7v2.feed import REFUSED, Feed, File, changes, is_damaged, take
from adapters.hl7v2.framing import Bad
from adapters.hl7v2.index import Index, Taken, erase
from adapters.hl7v2.intake import Intake, Stopped

_PATIENCE_S: Final = 1.0  # how long an answer waits for what is new, if it has anything
_ATTEMPTS: Final = 5  # looks at a directory that keeps changing

_T = TypeVar("_T")


class Upkeep:
    """One source's index and the files it is made from. Closing twice is safe."""

    def __init__(  # noqa: PLR0913 - what an index is made of, each named
        self,
        *,
        feed: Feed,
        intake: Intake,
        path: Path,
        fingerprint: str,
        settle_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self._feed = feed
        self._intake = intake
        self._path = path
        self._fingerprint = fingerprint
        self._settle_s = settle_s
        self._now = now
        self._index: Index | None = None
        self._lock = threading.Lock()  # of opening, closing and dropping it
        self._taking: asyncio.Task[None] | None = None
        self._seen: frozenset[File] = frozenset()
        self._is_closed = False

    async def bring_up_to_date(self) -> tuple[str, ...]:
        """Takes in what is new: a caveat if what is held is older than that.

        Raises as an adapter does where nothing is held yet, or nothing is there.
        """
        if self._is_closed:
            raise Unavailable("busy", "the source is closing", domain="adapter")
        if not await asyncio.to_thread(self._is_behind):
            return ()
        task = self._taking_in()
        # A part of what was there at first is no answer; what is older may be one.
        was_whole = await asyncio.to_thread(self.using, Index.is_whole)
        patience = _PATIENCE_S + self._settle_s if was_whole else None
        # Waited for, not awaited: a caller who gives up leaves it to the next one.
        done, _ = await asyncio.wait({task}, timeout=patience)
        error = task.exception() if done and not task.cancelled() else None
        if isinstance(error, AdapterError) and not was_whole:
            raise error
        return () if done and error is None else ("stale_intake",)

    async def refuse(self, reason: str, segment: str | None) -> None:
        """Counts a message that was refused where it came in."""
        bad = [Bad(0, 1, reason, segment)]
        seen = Taken("", 0)
        with contextlib.suppress(AdapterError):
            await asyncio.to_thread(
                self.using,
                lambda index: index.take(REFUSED, bad, seen=seen, goes_on=True),
            )

    def using(self, work: Callable[[Index], _T]) -> _T:
        """What `work` returns, in a thread.

        Unavailable `state` if the index fails; a spoilt one is made anew when asked
        again.
        """
        try:
            with self._lock:
                if self._index is None:
                    self._index = Index(self._path, fingerprint=self._fingerprint)
                index = self._index
            return work(index)
        except sqlite3.Error as error:
            if is_damaged(error):
                with contextlib.suppress(OSError):
                    self.drop()
            message = "the index failed; it is made anew when asked again"
            raise Unavailable("state", message, domain="adapter") from None
        except OSError:
            message = "the index could not be written; look at the state directory"
            raise Unavailable("state", message, domain="adapter") from None

    async def stop(self) -> None:
        """Ends an intake, and waits until it has ended."""
        self._intake.stop.set()
        if self._taking is not None:
            await asyncio.wait({self._taking})
        self._intake.stop.clear()

    async def aclose(self) -> None:
        """Ends an intake, closes the index."""
        self._is_closed = True
        await self.stop()
        await asyncio.to_thread(self._close)

    def drop(self) -> None:
        """Erases the index. OSError if it cannot be."""
        self._close()
        erase(self._path)

    def _close(self) -> None:
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None

    def _is_behind(self) -> bool:
        files = self._feed.look()
        if not files:
            message = "no message has come yet, or no file fits the pattern"
            raise Unavailable("drop_missing", message)
        return self.using(lambda index: changes(files, index.files()).any)

    def _taking_in(self) -> asyncio.Task[None]:
        if self._taking is None or self._taking.done():
            self._taking = asyncio.create_task(self._take_in())
            self._taking.add_done_callback(_noticed)
        return self._taking

    async def _take_in(self) -> None:
        # A thread of its own, so that a long intake takes no one's turn.
        with _thread() as thread:
            loop = asyncio.get_running_loop()
            for _ in range(_ATTEMPTS):
                is_whole = await loop.run_in_executor(thread, self._take_settled)
                if is_whole:
                    await loop.run_in_executor(thread, self.using, Index.note_whole)
                    return
                if self._intake.stop.is_set():
                    raise Unavailable("busy", "the source is closing", domain="adapter")
                await asyncio.sleep(self._settle_s)
        message = "a file is still being written; it is read when it is left alone"
        raise Unreadable("incomplete", message)

    def _take_settled(self) -> bool:
        """Takes in what nobody writes any more; whether that is everything."""
        found = self.using(lambda index: changes(self._feed.look(), index.files()))
        ready = [file for file in found.fresh if self._is_settled(file)]
        self._seen = frozenset(found.fresh)
        self.using(lambda index: index.leave_out(found.gone))
        with contextlib.suppress(Stopped):
            taken = [self._take(file) for file in ready]
            return all(taken) and len(ready) == len(found.fresh)
        return False

    def _take(self, file: File) -> bool:
        """Whether the file was still the same when it had been read."""
        try:
            self.using(lambda index: take(file, index, self._intake))
        except Unavailable as error:
            if isinstance(error.__context__, OSError) and self._was_changed(file):
                return False
            raise
        return True

    def _was_changed(self, file: File) -> bool:
        try:
            return file not in self._feed.look()
        except AdapterError:
            return True

    def _is_settled(self, file: File) -> bool:
        # By the clock, or since it is as it was when last looked at.
        age = self._now() - file.modified
        is_old = age.total_seconds() >= self._settle_s
        return file.grows or is_old or file in self._seen


@contextlib.contextmanager
def _thread() -> Iterator[ThreadPoolExecutor]:
    thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
    try:
        yield thread
    finally:
        thread.shutdown(wait=False)


def _noticed(task: asyncio.Task[None]) -> None:
    """So that an intake nobody waits for any more ends without a warning."""
    if not task.cancelled():
        task.exception()
