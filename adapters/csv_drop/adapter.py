"""Answers from a directory of drops, through an index that is kept up to date."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Profile, Query
from adapters.csv_drop.directory import Holding
from adapters.csv_drop.index import Asking, Found, Index, Place, Retired
from adapters.csv_drop.quarantine import rejected_in
from adapters.csv_drop.settings import DropFile
from adapters.csv_drop.upkeep import Upkeep
from adapters.errors import Unavailable
from adapters.mapping import Found as Rows
from adapters.mapping import Mapping, Source, answer, named
from adapters.rejects import RejectedRows
from adapters.surroundings import Surroundings
from adapters.vocabulary import categories_of

_ATTEMPTS: Final = 5  # at an index whose place others keep taking
_MOST_MISSING: Final = 1000  # counted so far; then there are simply many


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
        self._surroundings = surroundings
        spec = settings.mapping
        self._systems = tuple(i.system for i in spec.identifiers)
        self._key = next((n for n, i in enumerate(spec.identifiers) if i.key), None)
        self._columns = tuple(dict.fromkeys(column for _, column in named(spec)))
        self._mapping = Mapping.compile(spec, self._columns)
        self._upkeep = Upkeep(
            root=root,
            settings=settings,
            fingerprint=fingerprint,
            surroundings=surroundings,
            key=self._key,
        )
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

    async def watch(self) -> None:
        """Takes in drops as they arrive; see `adapters.contract.Watches`."""
        await self._upkeep.watch()

    async def forget(self) -> None:
        """Erases the index and the quarantine; see `adapters.contract.Forgets`."""
        await self._upkeep.forget()

    async def aclose(self) -> None:
        """Stops an intake, closes the index. Twice is safe."""
        await self._upkeep.aclose()

    async def rejected(self) -> tuple[RejectedRows, ...]:
        """The rows that the last intake set aside; see `adapters.rejects`."""
        path = self._upkeep.path.with_name("quarantine.csv")
        return await asyncio.to_thread(rejected_in, path)

    async def _ask_later(self, query: Query, holding: Holding) -> Answer:
        notes = await self._upkeep.bring_up_to_date(holding)
        for _ in range(_ATTEMPTS):
            index = self._upkeep.index
            if index is None:
                break
            try:
                return await asyncio.to_thread(self._answer, index, query, notes)
            except Retired:
                continue
        message = "the drop has not been taken in yet; ask again"
        raise Unavailable("busy", message, domain="adapter")

    def _look_and_answer(self, query: Query) -> Answer | Holding:
        """The answer if nothing is new, which is nearly always: else what is there."""
        holding = self._upkeep.look()
        index = self._upkeep.index
        if index is None or not self._upkeep.is_current(holding):
            return holding
        try:
            return self._answer(index, query, ())
        except Retired:
            return holding

    def _answer(self, index: Index, query: Query, notes: tuple[str, ...]) -> Answer:
        try:
            with index.asked(self._told) as asking:
                found, repeated = self._found(asking, query)
        except OSError:
            self._upkeep.lose(index)
            message = "the index cannot be read; it is built anew when asked again"
            raise Unavailable("state", message, domain="adapter") from None
        source = Source(
            mapping=self._mapping,
            sector=self._surroundings.sector,
            held=self.profile.held,
            as_of=min(index.imprint.as_of, self._surroundings.now()),
            notes=(
                *notes,
                *self._upkeep.arrival.caveats,
                *("drop_missing",) * min(index.imprint.missing, _MOST_MISSING),
                *("duplicate_record",) * repeated,
            ),
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
