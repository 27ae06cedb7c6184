"""Answers from a mapped table, view or query, read-only."""

import asyncio

from sqlalchemy import Connection

from adapters.contract import Answer, Profile, Query
from adapters.errors import AdapterError
from adapters.mapping import Found, Source, answer
from adapters.sql.engine import Database
from adapters.sql.faults import DRIVER_ERRORS, explained
from adapters.sql.reading import Bounds, QueryReader, Reader, TableReader, mapping_of
from adapters.sql.relation import Relation
from adapters.sql.settings import SqlFile
from adapters.sql.statement import Connection as Session
from adapters.surroundings import Surroundings
from adapters.vocabulary import categories_of


class Sql:
    """Asks one table, view or query of a database."""

    def __init__(
        self,
        *,
        database: Database,
        settings: SqlFile,
        fingerprint: str,
        surroundings: Surroundings,
    ) -> None:
        self._database = database
        self._settings = settings
        self._surroundings = surroundings
        self._mapping = mapping_of(settings.mapping)
        self._reader: Reader | None = None
        self._looking = asyncio.Lock()  # many first questions look once
        spec = settings.mapping
        self.profile = Profile(
            adapter="sql/1",
            mapping=fingerprint,
            held=categories_of(spec.kind.kinds, surroundings.sector),
            identifier_systems=frozenset(each.system for each in spec.identifiers),
            key_system=spec.key_system,
        )

    async def ask(self, query: Query) -> Answer:
        """Answer from the database as it is now; see `adapters.contract`."""
        try:
            return await self._ask(query)
        except AdapterError as error:
            if error.reason == "schema":
                self._reader = None
            raise
        except DRIVER_ERRORS as error:
            told = explained(error)
            if told.reason == "schema":
                self._reader = None  # looked at again, to name what is gone
                return await self._again(query)
            if told.reason == "cut":
                return await self._again(query)  # a pooled connection grew stale
            raise told from None

    async def aclose(self) -> None:
        """Closes the connections. Twice is safe."""
        await self._database.aclose()

    async def _again(self, query: Query) -> Answer:
        try:
            return await self._ask(query)
        except DRIVER_ERRORS as error:
            raise explained(error) from None

    async def _made(self) -> Reader:
        """The reader, once the table or view has been looked at."""
        settings, limits = self._settings, self._surroundings.limits
        bounds = Bounds(
            records=limits.records,
            bytes_=limits.source_bytes,
            sector=self._surroundings.sector,
        )
        if settings.query is not None:
            return QueryReader.of(
                settings, self._mapping, bounds, direct=self._database.is_direct
            )

        def look(connection: Connection) -> Relation:
            name = settings.relation or ""
            return Relation.found(connection, settings.mapping, name=name)

        relation = await self._database.look(look)
        return TableReader(relation=relation, mapping=self._mapping, bounds=bounds)

    async def _ask(self, query: Query) -> Answer:
        if (reader := self._reader) is None:
            async with self._looking:
                reader = self._reader = self._reader or await self._made()

        async def find(session: Session) -> tuple[Found, int]:
            return await reader.find(session, query)

        found, strange = await self._database.read(find)
        source = Source(
            mapping=self._mapping,
            sector=self._surroundings.sector,
            held=self.profile.held,
            as_of=self._surroundings.now(),
            rejected=strange,
        )
        return answer(source, query, found)
