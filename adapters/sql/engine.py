"""The engine of one database: read-only, bounded in time, silent about values."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import NullPool, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.sql.direct import Direct
from adapters.sql.faults import too_slow
from adapters.sql.settings import DRIVERS, SqlFile
from adapters.sql.sqlite_file import Hold, sqlite_engine
from adapters.sql.statement import Connection, Through
from adapters.surroundings import Limits

Result = TypeVar("Result")

_AGAIN_S: Final = 0.05  # between two attempts to stop a statement
_ENDING_S: Final = 2.5  # how long closing waits for what was left to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that is only ever read."""

    engine: AsyncEngine
    statement_s: float
    direct: Direct | None  # of PostgreSQL; the engine then only looks at its schema
    left: set[asyncio.Task[None]] = field(default_factory=set)  # still to end

    @classmethod
    def of(
        cls, settings: SqlFile, *, folder: Path, password: str | None, limits: Limits
    ) -> "Database":
        """The engine a source file asks for; nothing is opened yet."""
        url = make_url(settings.url)
        drivername = DRIVERS.get(url.drivername, url.drivername)
        statement_s = min(settings.statement_s, limits.source_s)
        if drivername == DRIVERS["sqlite"]:
            engine = sqlite_engine(folder / (url.database or ""), statement_s)
            return cls(engine=engine, statement_s=statement_s, direct=None)
        session = _session(statement_s, limits.connect_s)
        full = url.set(drivername=drivername, password=password)
        engine = create_async_engine(
            full,
            hide_parameters=True,
            # Every statement stands alone: none is in need of BEGIN and ROLLBACK.
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args=session,
        )
        own = full.translate_connect_args(username="user")
        direct = Direct(
            options={**own, **full.query, **session}, wait_s=2 * limits.connect_s
        )
        return cls(engine=engine, statement_s=statement_s, direct=direct)

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
        file takes longer than `statement_s`; PostgreSQL bounds its own statements.
        """
        if self.direct is not None:
            return await self.direct.read(work)

        async def asking(connection: AsyncConnection) -> Result:
            return await work(Through(connection))

        return await self._through(asking)

    async def _through(
        self, work: Callable[[AsyncConnection], Awaitable[Result]]
    ) -> Result:
        hold = None
        if self.direct is None:
            hold = Hold(until=time.monotonic() + self.statement_s)
        reading = asyncio.create_task(self._held(work, hold))
        reading.add_done_callback(_noted)
        try:
            most_s = None if hold is None else self.statement_s
            await asyncio.wait({reading}, timeout=most_s)
        finally:
            if not reading.done():
                self._leave(reading, hold)
        if not reading.done():
            raise too_slow()
        return reading.result()

    async def _held(
        self, work: Callable[[AsyncConnection], Awaitable[Result]], hold: Hold | None
    ) -> Result:
        async with self.engine.connect() as connection:
            if hold is None:
                return await work(connection)
            try:
                await hold.take(connection)
                return await work(connection)
            finally:
                hold.release()  # before the connection is another question's

    def _leave(self, reading: asyncio.Task[Result], hold: Hold | None) -> None:
        leaving = asyncio.create_task(_stopped(reading, hold))
        self.left.add(leaving)
        leaving.add_done_callback(self.left.discard)

    async def aclose(self) -> None:
        """Closes the connections, after what was left has ended. Twice is safe."""
        if self.direct is not None:
            await self.direct.aclose()
        if self.left:
            await asyncio.wait(self.left, timeout=_ENDING_S)
        await self.engine.dispose()


async def _stopped(reading: asyncio.Task[Any], hold: Hold | None) -> None:
    if hold is None:
        reading.cancel()  # its driver cancels at the server
    while not reading.done():
        if hold is not None:
            # Cancelling it would wait for the statement's end before closing.
            hold.stop()
        await asyncio.wait({reading}, timeout=_AGAIN_S)


def _noted(reading: asyncio.Task[Any]) -> None:
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
