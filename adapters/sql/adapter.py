"""Answers from a mapped table, view or query, read-only."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from adapters.contract import (
    Answer,
    Candidate,
    Person,
    Profile,
    Query,
    Rights,
    day_of_birth,
)
from adapters.errors import AdapterError, Unreadable
from adapters.mapping import Found, Row, Source, answer, candidates, written_days
from adapters.sql.engine import Database
from adapters.sql.faults import DRIVER_ERRORS, explained
from adapters.sql.looking import Looking
from adapters.sql.reading import Bounds, TableReader, mapping_of
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


# One person may be described in several ways; so many rows for each are read.
_ROWS: Final = 4

Given = TypeVar("Given")


class Sql:
    """Asks one written query of a database, and what a table or view is asked too."""

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
        return await self._patiently(lambda: self._ask(query))

    async def rights(self) -> Rights:
        """What our user could do there besides reading; see `adapters.contract`."""
        try:
            return await self._database.look(rights)
        except DRIVER_ERRORS as error:
            raise explained(error) from None

    async def aclose(self) -> None:
        """Closes the connections. Twice is safe."""
        await self._database.aclose()

    async def _patiently(self, work: Callable[[], Awaitable[Given]]) -> Given:
        """What the work gives, tried once more where that may help."""
        try:
            return await work()
        except AdapterError as error:
            if error.reason == "schema":
                self._looking.forget()
            raise
        except DRIVER_ERRORS as error:
            told = explained(error)
            if told.reason not in {"schema", "cut"}:
                raise told from None
            if told.reason == "schema":
                self._looking.forget()  # looked at again, to name what is gone
        try:
            return await work()  # after a cut, a pooled connection had grown stale
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


class SqlPlace(Sql):
    """Asks one table or view, in which people can be looked for by their birth too."""

    async def match(self, described: Person, *, limit: int) -> tuple[Candidate, ...]:
        """Those of one day of birth; see `adapters.contract`. Nobody without a column.

        Unreadable `too_large` if it describes so few people in too many ways.
        """
        born = day_of_birth(described)
        if born is None:
            return ()
        return await self._patiently(lambda: self._match(born, limit))

    async def _match(self, born: date, limit: int) -> tuple[Candidate, ...]:
        reader = await self._looking.found()
        cell = self._mapping.person.birth_date
        if not isinstance(reader, TableReader) or cell is None:
            return ()
        days = written_days(born, cell.formats)

        async def find(session: Session) -> tuple[list[Row], bool]:
            return await reader.born(session, days, limit=_ROWS * (limit + 1))

        rows, is_cut = await self._database.read(find)
        now = self._surroundings.now()
        people = candidates(self._mapping, rows, born, as_of=now)[: limit + 1]
        if is_cut and len(people) <= limit:
            message = "the source describes its people in too many ways to tell apart."
            raise Unreadable("too_large", message)
        return people
