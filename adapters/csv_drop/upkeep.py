"""The index, kept up to date: when somebody asks, and when something arrives."""

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.arrivals import ArrivalState, Directory, arriving, taking
from adapters.csv_drop.directory import Holding, look
from adapters.csv_drop.index import Account, Index
from adapters.csv_drop.intake import Intake
from adapters.csv_drop.portion import Stopped
from adapters.csv_drop.records import Writing
from adapters.csv_drop.settings import DropFile
from adapters.errors import AdapterError, Unavailable, Unreadable
from adapters.surroundings import Surroundings

_PATIENCE_S: Final = 1.0  # how long an answer waits for a newer drop, if one is good
_ATTEMPTS: Final = 5  # looks at a directory that keeps changing
_EARLIER: Final = ("index.sqlite", "index.sqlite-shm", "index.sqlite-wal")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """An intake that ended badly, so that the same files are not tried again."""

    signature: str
    error: AdapterError


class Upkeep:
    """One index in its state directory, and the intake that brings it up to date.

    `key` is the identifier column that is the source's own key.
    """

    def __init__(
        self,
        *,
        root: Path,
        settings: DropFile,
        fingerprint: str,
        surroundings: Surroundings,
        key: int | None,
    ) -> None:
        self._root = root
        self._settings = settings
        self._print = fingerprint
        self._surroundings = surroundings
        self._key = key
        self._writing = Writing(
            delimiter=settings.delimiter,
            quote=settings.quote,
            encoding=settings.encoding,
            field_bytes=surroundings.limits.csv_field_bytes,
        )
        self._opened = False
        self._opening = threading.Lock()  # two first questions open it once
        self._failed: _Failed | None = None
        self._intake: asyncio.Task[None] | None = None
        self._stop = threading.Event()  # for the threads and processes of an intake
        self._halt = asyncio.Event()  # for one that waits for the files to settle
        self._closed = False
        self._came = asyncio.Event()
        self.arrival = ArrivalState()
        self.path = surroundings.state / "index.drop"
        self.index: Index | None = None

    def look(self) -> Holding:
        """What lies there now, with the index opened. Unavailable if nothing does."""
        holding = look(self._root, self._settings)
        with self._opening:
            if not self._opened:
                with contextlib.suppress(OSError):  # an intake will tell of it
                    self._remove(_EARLIER)
                self.index = Index.open(
                    self.path,
                    mapping=self._print,
                    writing=self._writing,
                    key=self._key,
                )
                self._opened = True
        return holding

    def is_current(self, holding: Holding) -> bool:
        """Whether the index was made from what lies there."""
        index = self.index
        return index is not None and index.imprint.signature == holding.signature

    def lose(self, index: Index) -> None:
        """Gives up an index that cannot be read, so that it is built anew."""
        self.index = None
        index.retire()

    async def bring_up_to_date(self, holding: Holding) -> tuple[str, ...]:
        """Takes in what is new; caveats if the answer comes from something older."""
        if self.is_current(holding):
            return ()
        if not self._has_failed(holding):
            patience = _PATIENCE_S + self._settings.settle_s if self.index else None
            await self._wait_for_intake(holding, patience)
        if self.index is None:
            if self._failed is not None:
                raise self._failed.error
            return ()
        # The intake may have taken in something newer than what was looked at.
        is_newest = self._failed is None and self._intake is None
        return () if is_newest else ("stale_intake",)

    async def watch(self) -> None:
        """Takes in what arrives, until cancelled; what goes wrong shows in answers."""
        settings = taking(
            self._settings.arrival,
            self._settings.pattern,
            manifest=self._settings.manifest,
            named=self._settings.drops.name is not None,
        )
        deletions = self._settings.drops.deletions
        if not isinstance(settings, Directory) and deletions is not None:
            wanted = dict.fromkeys((*settings.take, deletions))
            settings = settings.model_copy(update={"take": tuple(wanted)})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                arriving(
                    settings,
                    into=self._root,
                    surroundings=self._surroundings,
                    changed=self._note,
                    state=self.arrival,
                )
            )
            tasks.create_task(self._take_in_what_comes())

    async def forget(self) -> None:
        """Erases the index and the quarantine; see `adapters.contract.Forgets`."""
        await self._stop_intake()
        self._stop, self._halt = threading.Event(), asyncio.Event()
        self._failed = None
        if self.index is not None:
            self.lose(self.index)
        try:
            await asyncio.to_thread(self._erase)
        except OSError:
            message = "the index could not be erased; look at the state directory"
            raise Unavailable("state", message, domain="adapter") from None

    async def aclose(self) -> None:
        """Stops an intake, closes the index. Twice is safe."""
        self._closed = True
        await self._stop_intake()
        if self.index is not None:
            self.lose(self.index)

    async def _stop_intake(self) -> None:
        self._stop.set()
        self._halt.set()
        if self._intake is not None:
            await asyncio.wait({self._intake})

    def _erase(self) -> None:
        with self._opening:
            self._opened = True  # there is nothing to open
            building = self.path.parent.glob("index.building*")
            kept = (self.path.name, "quarantine.csv", *_EARLIER)
            self._remove([*kept, *(each.name for each in building)])

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(NotADirectoryError):  # then nothing is there
                self.path.with_name(name).unlink(missing_ok=True)

    async def _note(self) -> None:
        self._came.set()

    async def _take_in_what_comes(self) -> None:
        while True:
            self._came.clear()
            # Of a directory that is not there answers tell.
            with contextlib.suppress(AdapterError):
                holding = await asyncio.to_thread(self.look)
                if not self.is_current(holding) and not self._has_failed(holding):
                    await self._wait_for_intake(holding, None)
            await self._came.wait()

    def _has_failed(self, holding: Holding) -> bool:
        return self._failed is not None and self._failed.signature == holding.signature

    async def _wait_for_intake(self, holding: Holding, patience: float | None) -> None:
        if self._closed:
            raise Unavailable("busy", "the source is closing", domain="adapter")
        if self._intake is None:
            self._intake = asyncio.create_task(self._take_in(holding))
        # Waited for, not awaited: a caller who gives up leaves it to the next one.
        await asyncio.wait({self._intake}, timeout=patience)

    async def _take_in(self, holding: Holding) -> None:
        try:
            account = await self._run_intake(await self._settled(holding))
        except Stopped:
            return
        except AdapterError as error:
            self._failed = _Failed(signature=holding.signature, error=error)
        except OSError:
            message = "the index could not be written; look at the state directory"
            unwritten = Unavailable("state", message, domain="adapter")
            # No signature: the same files are tried again when asked.
            self._failed = _Failed(signature="", error=unwritten)
        else:
            self._failed = None
            older = self.index
            self.index = Index(self.path, account, writing=self._writing, key=self._key)
            if older is not None:
                older.retire()
        finally:
            self._intake = None

    async def _run_intake(self, holding: Holding) -> Account:
        intake = Intake(
            root=self._root,
            settings=self._settings,
            writing=self._writing,
            mapping_print=self._print,
            path=self.path,
            stop=self._stop,
        )
        # A thread of its own, so that a long intake takes no one's turn.
        thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(thread, intake.run, holding)
        finally:
            thread.shutdown(wait=False)

    async def _settled(self, holding: Holding) -> Holding:
        """The files once nobody writes them. Unreadable `incomplete` if they go on."""
        if self._settings.manifest is not None:
            return holding
        for _ in range(_ATTEMPTS):
            age = self._surroundings.now() - holding.changed_last
            if age.total_seconds() >= self._settings.settle_s:
                return holding
            await self._pause()
            later = await asyncio.to_thread(look, self._root, self._settings)
            if later.signature == holding.signature:
                return holding
            holding = later
        message = "the drop is still being written; it is read when it is left alone"
        raise Unreadable("incomplete", message)

    async def _pause(self) -> None:
        """As long as files take to settle. Stopped if told to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.settle_s):
                await self._halt.wait()
        if self._halt.is_set():
            raise Stopped
