"""Answers from a directory of drops, through an index that is kept up to date."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Profile, Query
from adapters.csv_drop.directory import Holding, look
from adapters.csv_drop.index import Hit, Imprint, Index, Place, Reached, Retired
from adapters.csv_drop.intake import Intake, Stopped
from adapters.csv_drop.quarantine import rejected_in
from adapters.csv_drop.records import Writing
from adapters.csv_drop.settings import DropFile
from adapters.errors import AdapterError, Unavailable, Unreadable
from adapters.mapping import Found, Mapping, Row, Source, answer, named
from adapters.rejects import RejectedRows
from adapters.surroundings import Surroundings
from adapters.vocabulary import categories_of

_PATIENCE_S: Final = 1.0  # how long an answer waits for a newer drop, if one is good
_ATTEMPTS: Final = 5  # looks at a directory that keeps changing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """An intake that ended badly, so that the same files are not tried again."""

    signature: str
    error: AdapterError


class CsvDrop:
    """Asks a directory of CSV drops."""

    def __init__(
        self,
        *,
        root: Path,
        settings: DropFile,
        fingerprint: str,
        surroundings: Surroundings,
    ) -> None:
        self._root = root
        self._settings = settings
        self._print = fingerprint
        self._surroundings = surroundings
        self._path = surroundings.state / "index.sqlite"
        self._writing = Writing(
            delimiter=settings.delimiter,
            quote=settings.quote,
            encoding=settings.encoding,
            field_bytes=surroundings.limits.csv_field_bytes,
        )
        spec = settings.mapping
        self._systems = tuple(i.system for i in spec.identifiers)
        self._key = next((n for n, i in enumerate(spec.identifiers) if i.key), None)
        self._columns = tuple(dict.fromkeys(column for _, column in named(spec)))
        self._mapping = Mapping.compile(spec, self._columns)
        self._index: Index | None = None
        self._opened = False
        self._opening = threading.Lock()  # two first questions open it once
        self._failed: _Failed | None = None
        self._intake: asyncio.Task[None] | None = None
        self._stop = threading.Event()
        self.profile = Profile(
            adapter="csv_drop/1",
            mapping=fingerprint,
            held=categories_of(spec.kind.kinds, surroundings.sector),
            identifier_systems=frozenset(self._systems),
            key_system=spec.key_system,
        )

    async def ask(self, query: Query) -> Answer:
        """Answer from the newest drop that is whole; see `adapters.contract`."""
        looked = await asyncio.to_thread(self._look_and_answer, query)
        if isinstance(looked, Answer):
            return looked
        return await self._ask_later(query, looked)

    async def _ask_later(self, query: Query, holding: Holding) -> Answer:
        notes = await self._bring_up_to_date(holding)
        for _ in range(_ATTEMPTS):
            index = self._index
            if index is None:
                break
            try:
                return await asyncio.to_thread(self._answer, index, query, notes)
            except Retired:
                continue
        message = "the drop has not been taken in yet; ask again"
        raise Unavailable("busy", message, domain="adapter")

    async def aclose(self) -> None:
        """Stops an intake, closes the index. Twice is safe."""
        self._stop.set()
        if self._intake is not None:
            await asyncio.wait({self._intake})
        if self._index is not None:
            self._index.retire()
            self._index = None

    async def rejected(self) -> tuple[RejectedRows, ...]:
        """The rows that the last intake set aside; see `adapters.rejects`."""
        path = self._path.with_name("quarantine.csv")
        return await asyncio.to_thread(rejected_in, path)

    def _look_and_answer(self, query: Query) -> Answer | Holding:
        """The answer if nothing is new, which is nearly always: else what is there."""
        holding = self._look()
        index = self._index
        if index is None or not self._is_current(holding):
            return holding
        try:
            return self._answer(index, query, ())
        except Retired:
            return holding

    def _look(self) -> Holding:
        holding = look(self._root, self._settings)
        with self._opening:
            if not self._opened:
                self._index = Index.open(self._path, mapping=self._print, key=self._key)
                self._opened = True
        return holding

    async def _bring_up_to_date(self, holding: Holding) -> tuple[str, ...]:
        """Takes in what is new; caveats if the answer comes from something older."""
        if self._is_current(holding):
            return ()
        if self._failed is None or self._failed.signature != holding.signature:
            await self._wait_for_intake(holding)
        if self._index is None:
            if self._failed is not None:
                raise self._failed.error
            return ()
        # The intake may have taken in something newer than what was looked at.
        is_newest = self._failed is None and self._intake is None
        return () if is_newest else ("stale_intake",)

    def _is_current(self, holding: Holding) -> bool:
        index = self._index
        return index is not None and index.imprint.signature == holding.signature

    async def _wait_for_intake(self, holding: Holding) -> None:
        if self._stop.is_set():
            raise Unavailable("busy", "the source is closing", domain="adapter")
        if self._intake is None:
            self._intake = asyncio.create_task(self._take_in(holding))
        patience = _PATIENCE_S + self._settings.settle_s if self._index else None
        # Waited for, not awaited: a caller who gives up leaves it to the next one.
        await asyncio.wait({self._intake}, timeout=patience)

    async def _take_in(self, holding: Holding) -> None:
        try:
            imprint = await self._run_intake(await self._settled(holding))
        except Stopped:
            return
        except AdapterError as error:
            self._failed = _Failed(signature=holding.signature, error=error)
        except (OSError, sqlite3.Error):
            message = "the index could not be written; look at the state directory"
            unwritten = Unavailable("state", message, domain="adapter")
            # No signature: the same files are tried again when asked.
            self._failed = _Failed(signature="", error=unwritten)
        else:
            self._failed = None
            older, self._index = self._index, Index(self._path, imprint, self._key)
            if older is not None:
                older.retire()
        finally:
            self._intake = None

    async def _run_intake(self, holding: Holding) -> Imprint:
        intake = Intake(
            root=self._root,
            settings=self._settings,
            writing=self._writing,
            mapping_print=self._print,
            path=self._path,
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
            await asyncio.sleep(self._settings.settle_s)
            later = await asyncio.to_thread(look, self._root, self._settings)
            if later.signature == holding.signature:
                return holding
            holding = later
        message = "the drop is still being written; it is read when it is left alone"
        raise Unreadable("incomplete", message)

    def _answer(self, index: Index, query: Query, notes: tuple[str, ...]) -> Answer:
        asked = {
            identifier: self._places(identifier) for identifier in query.person.every
        }
        places = [place for each in asked.values() for place in each]
        reached = index.reach(places, limit=self._surroundings.limits.records)
        dropped = sum(any(p in reached.shared for p in each) for each in asked.values())
        source = Source(
            mapping=self._mapping,
            sector=self._surroundings.sector,
            held=self.profile.held,
            as_of=min(index.imprint.as_of, self._surroundings.now()),
            notes=notes,
            rejected=index.imprint.rejected,
        )
        return answer(source, query, self._found(index, reached, dropped))

    def _found(self, index: Index, reached: Reached, dropped: int) -> Found:
        rows = [self._row(index.imprint, hit) for hit in reached.hits]
        named = {
            (column, value)
            for row in rows
            for column, value in enumerate(self._mapping.naming.values(row))
            if value is not None
        }
        shared = index.shared(named)
        return Found(
            rows=rows,
            shared=frozenset(Identifier(self._systems[c], v) for c, v in shared),
            dropped=dropped,
            truncated=reached.truncated,
        )

    def _places(self, identifier: Identifier) -> tuple[Place, ...]:
        """Where in the index an identifier may stand."""
        system, value = identifier.system, identifier.value
        if system in nhs_number.SYSTEMS:
            system = nhs_number.SYSTEM
            value = nhs_number.normalise(value) or value
        return tuple((n, value) for n, own in enumerate(self._systems) if own == system)

    def _row(self, imprint: Imprint, hit: Hit) -> Row:
        """The mapped cells of a row, in the mapping's order whatever the file's."""
        cells = self._writing.cells(hit.text)
        header = imprint.columns[hit.file]
        return [cells[header.index(column)] for column in self._columns]
