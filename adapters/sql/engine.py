"""The engine of one database: read-only, bounded in time, silent about values."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

from sqlalchemy import URL, NullPool, make_url
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.sql import mariadb, sqlite_file
from adapters.sql.direct import Direct
from adapters.sql.faults import too_slow
from adapters.sql.settings import DRIVERS, SqlFile
from adapters.sql.statement import Connection, Through
from adapters.sql.tls import context
from adapters.surroundings import Limits

Result = TypeVar("Result")

_ENDING_S: Final = 2.5  # how long closing waits for what was left to end
_GRACE_S: Final = 1.0  # a server that bounds its statements is given so much longer


class Hold(Protocol):
    """A question's hold on a connection, from when it has one until it has done."""

    async def take(self, connection: AsyncConnection) -> None: ...

    def release(self) -> None: ...

    async def end(self, reading: "asyncio.Task[Any]") -> None:
        """End what was left, at the database too; until then it is not done."""
        ...


@dataclass(slots=True, eq=False)
class Cancelled:
    """A hold on a connection whose driver itself cancels at the server."""

    async def take(self, connection: AsyncConnection) -> None:
        """Nothing to hold."""

    def release(self) -> None:
        """Nothing is held."""

    async def end(self, reading: "asyncio.Task[Any]") -> None:
        reading.cancel()
        await asyncio.wait({reading})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a database is, with what it takes to be let in, and its bounds."""

    settings: SqlFile
    folder: Path
    password: str | None = field(repr=False)
    limits: Limits

    @property
    def url(self) -> URL:
        """The database, by the driver that reads it."""
        url = make_url(self.settings.url)
        driver = DRIVERS.get(url.drivername, url.drivername)
        return url.set(drivername=driver, password=self.password)

    @property
    def path(self) -> Path:
        """Of a SQLite file."""
        return self.folder / (self.url.database or "")

    @property
    def statement_s(self) -> float:
        return min(self.settings.statement_s, self.limits.source_s)

    def mariadb(self, *, statement_s: float, rows: int | None) -> mariadb.Server:
        """The server, with sessions held to so many seconds and rows a statement."""
        return mariadb.Server(
            url=self.url.set(query={}),
            tls=context(self.url.query.get("ssl"), self.authority),
            connect_s=self.limits.connect_s,
            statement_s=statement_s,
            rows=rows,
        )

    @property
    def authority(self) -> Path | None:
        """The certificate that a server's own must lead to, if the file names one."""
        named = self.settings.ca_file
        return None if named is None else self.folder / named


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that is only ever read."""

    engine: AsyncEngine
    hold: Callable[[], Hold]
    most_s: float | None  # of one question; None where the server alone bounds it
    direct: Direct | None = None  # PostgreSQL's; the engine then looks at its schema
    left: set["asyncio.Task[None]"] = field(default_factory=set)  # still to end

    @classmethod
    def of(cls, place: Place) -> Self:
        """The database a source file asks for; nothing is opened yet."""
        name = place.url.get_backend_name()
        if name == "sqlite":
            return cls._sqlite(place)
        return cls._mariadb(place) if name == "mariadb" else cls._postgresql(place)

    @classmethod
    def _sqlite(cls, place: Place) -> Self:
        most_s = place.statement_s
        return cls(
            engine=sqlite_file.sqlite_engine(place.path, most_s),
            hold=lambda: sqlite_file.Hold(until=time.monotonic() + most_s),
            most_s=most_s,
        )

    @classmethod
    def _mariadb(cls, place: Place) -> Self:
        rows = place.limits.records + 1
        server = place.mariadb(statement_s=place.statement_s, rows=rows)
        return cls(
            engine=server.engine(),
            hold=lambda: mariadb.Hold(server),
            most_s=place.statement_s + 2 * place.limits.connect_s + _GRACE_S,
        )

    @classmethod
    def _postgresql(cls, place: Place) -> Self:
        session = _session(place.statement_s, place.limits.connect_s)
        query = dict(place.url.query)
        if place.authority is not None:
            query.pop("ssl", None)
            session["ssl"] = context(place.url.query.get("ssl"), place.authority)
        url = place.url.set(query=query)
        engine = create_async_engine(
            url,
            hide_parameters=True,
            # Every statement stands alone: none is in need of BEGIN and ROLLBACK.
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args=session,
        )
        own = url.translate_connect_args(username="user")
        direct = Direct(
            options={**own, **query, **session}, wait_s=2 * place.limits.connect_s
        )
        return cls(engine=engine, hold=Cancelled, most_s=None, direct=direct)

    @property
    def is_direct(self) -> bool:
        """Whether statements go to the server without SQLAlchemy."""
        return self.direct is not None

    async def look(self, work: Callable[[SyncConnection], Result]) -> Result:
        """What `work` sees of the schema; bounded and let go of as in `read`."""

        async def looking(connection: AsyncConnection) -> Result:
            return await connection.run_sync(work)

        return await self._through(looking)

    async def read(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` reads. A caller who leaves is let go at once.

        What was left is stopped and ends by itself. Unavailable `busy` if a SQLite
        file takes longer than `statement_s`; servers bound their own statements.
        """
        if self.direct is not None:
            return await self.direct.read(work)

        async def asking(connection: AsyncConnection) -> Result:
            return await work(Through(connection))

        return await self._through(asking)

    async def _through(
        self, work: Callable[[AsyncConnection], Awaitable[Result]]
    ) -> Result:
        hold = self.hold()
        reading = asyncio.create_task(self._held(work, hold))
        reading.add_done_callback(_noted)
        try:
            await asyncio.wait({reading}, timeout=self.most_s)
        finally:
            if not reading.done():
                self._leave(reading, hold)
        if not reading.done():
            raise too_slow()
        return reading.result()

    async def _held(
        self, work: Callable[[AsyncConnection], Awaitable[Result]], hold: Hold
    ) -> Result:
        async with self.engine.connect() as connection:
            try:
                await hold.take(connection)
                return await work(connection)
            finally:
                hold.release()  # before the connection is another question's

    def _leave(self, reading: "asyncio.Task[Result]", hold: Hold) -> None:
        leaving = asyncio.create_task(hold.end(reading))
        self.left.add(leaving)
        leaving.add_done_callback(self.left.discard)

    async def aclose(self) -> None:
        """Closes the connections, after what was left has ended. Twice is safe."""
        if self.direct is not None:
            await self.direct.aclose()
        if self.left:
            await asyncio.wait(self.left, timeout=_ENDING_S)
        await self.engine.dispose()


def _noted(reading: "asyncio.Task[Any]") -> None:
    """Take note of how it ended: nobody may be left to hear of it."""
    if not reading.cancelled():
        reading.exception()


def _session(statement_s: float, connect_s: float) -> dict[str, Any]:
    """How each session of PostgreSQL is opened."""
    return {
        "timeout": connect_s,
        "command_timeout": statement_s + 1,
        "server_settings": {
            "default_transaction_read_only": "on",
            "statement_timeout": str(int(statement_s * 1000)),
            "idle_in_transaction_session_timeout": "10000",
            "application_name": "throughline",
        },
    }
