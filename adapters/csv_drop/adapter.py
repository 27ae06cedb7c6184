"""Answers from a directory of drops, through an index that is kept up to date."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Profile, Query
from adapters.csv_drop.directory import Holding, look
from adapters.csv_drop.index import Account, Asking, Found, Index, Place, Retired
from adapters.csv_drop.intake import Intake
from adapters.csv_drop.portion import Stopped
from adapters.csv_drop.quarantine import rejected_in
from adapters.csv_drop.records import Writing
from adapters.csv_drop.settings import DropFile
from adapters.errors import AdapterError, Unavailable, Unreadable
from adapters.mapping import Found as Rows
from adapters.mapping import Mapping, Source, answer, named
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
        self._path = surroundings.state / "index.drop"
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
                self._index = Index.open(
                    self._path,
                    mapping=self._print,
                    writing=self._writing,
                    key=self._key,
                )
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
            older = self._index
            self._index = Index(
                self._path, account, writing=self._writing, key=self._key
            )
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
        try:
            with index.asked(self._told) as asking:
                found, repeated = self._found(asking, query)
        except OSError:
            self._index = None  # so that it is built anew
            index.retire()
            message = "the index cannot be read; it is built anew when asked again"
            raise Unavailable("state", message, domain="adapter") from None
        source = Source(
            mapping=self._mapping,
            sector=self._surroundings.sector,
            held=self.profile.held,
            as_of=min(index.imprint.as_of, self._surroundings.now()),
            notes=(*notes, *("duplicate_record",) * repeated),
            rejected=index.imprint.rejected,
        )
        return answer(source, query, found)

    def _found(self, asking: Asking, query: Query) -> tuple[Rows, int]:
        asked = {
            identifier: self._places(identifier) for identifier in query.person.every
        }
        places = [place for each in asked.values() for place in each]
        reached = asking.reach(places, limit=self._surroundings.limits.records)
        named = {
            (column, value)
            for row in reached.rows
            for column, value in enumerate(row.names)
            if value is not None
        }
        shared = asking.shared(named)
        found = Rows(
            rows=[each.row for each in reached.rows],
            shared=frozenset(Identifier(self._systems[c], v) for c, v in shared),
            dropped=sum(
                any(p in reached.shared for p in each) for each in asked.values()
            ),
            truncated=reached.truncated,
        )
        return found, reached.repeated

    def _places(self, identifier: Identifier) -> tuple[Place, ...]:
        """Where in the index an identifier may stand."""
        system, value = identifier.system, identifier.value
        if system in nhs_number.SYSTEMS:
            system = nhs_number.SYSTEM
            value = nhs_number.normalise(value) or value
        return tuple((n, value) for n, own in enumerate(self._systems) if own == system)

    def _told(self, columns: Sequence[str], cells: Sequence[str]) -> Found:
        """The mapped cells of a record, in the mapping's order whatever the file's."""
        row = [cells[columns.index(column)] for column in self._columns]
        names = self._mapping.naming.values(row)
        if self._key is not None:
            return Found(row=row, names=names, apart=names[self._key])
        return Found(row=row, names=names, apart=self._mapping.person.born(row))
