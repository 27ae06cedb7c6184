"""Answers from a mapped table, view or query, read-only."""

from dataclasses import dataclass

from adapters.contract import Answer, Profile, Query, Rights
from adapters.errors import AdapterError
from adapters.mapping import Found, Source, answer
from adapters.sql.engine import Database
from adapters.sql.faults import DRIVER_ERRORS, explained
from adapters.sql.looking import Looking
from adapters.sql.reading import Bounds, mapping_of
from adapters.sql.rights import rights
from adapters.sql.settings import SqlFile
from adapters.sql.statement import Connection as Session
from adapters.surroundings import Surroundings
from adapters.vocabulary import categories_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What an adapter of this kind is made of."""

    database: Database
    settings: SqlFile
    fingerprint: str
    surroundings: Surroundings


class Sql:
    """Asks one table, view or query of a database."""

    def __init__(self, own: Own) -> None:
        database, settings, surroundings = own.database, own.settings, own.surroundings
        self._database = database
        self._settings = settings
        self._surroundings = surroundings
        self._mapping = mapping_of(settings.mapping)
        limits = surroundings.limits
        self._looking = Looking(
            database=database,
            settings=settings,
            mapping=self._mapping,
            bounds=Bounds(
                records=limits.records,
                bytes_=limits.source_bytes,
                sector=surroundings.sector,
            ),
        )
        spec = settings.mapping
        self.profile = Profile(
            adapter="sql/1",
            mapping=own.fingerprint,
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
                self._looking.forget()
            raise
        except DRIVER_ERRORS as error:
            told = explained(error)
            if told.reason == "schema":
                self._looking.forget()  # looked at again, to name what is gone
                return await self._again(query)
            if told.reason == "cut":
                return await self._again(query)  # a pooled connection grew stale
            raise told from None

    async def rights(self) -> Rights:
        """What our user could do there besides reading; see `adapters.contract`."""
        try:
            return await self._database.look(rights)
        except DRIVER_ERRORS as error:
            raise explained(error) from None

    async def aclose(self) -> None:
        """Closes the connections. Twice is safe."""
        await self._database.aclose()

    async def _again(self, query: Query) -> Answer:
        try:
            return await self._ask(query)
        except DRIVER_ERRORS as error:
            raise explained(error) from None

    async def _ask(self, query: Query) -> Answer:
        reader = await self._looking.found()

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
        told = answer(source, query, found)
        if any(caveat.code == "rows_rejected" for caveat in told.caveats):
            await self._looking.doubt()
        return told
