"""The engine of one database: read-only, bounded in time, silent about values."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from adapters.sql.settings import DRIVERS, SqlFile
from adapters.surroundings import Limits

Result = TypeVar("Result")

_STEPS: Final = 2_000  # of SQLite's machine between two looks at the clock
_LOCK_S: Final = 1.0  # how long a locked SQLite file is waited for


@dataclass(slots=True)
class _Watch:
    """Stops a SQLite statement that is late, or whose caller is gone."""

    until: float
    is_stopped: bool = False

    def __call__(self) -> int:
        return int(self.is_stopped or time.monotonic() > self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that is only ever read."""

    engine: AsyncEngine
    statement_s: float
    is_sqlite: bool

    @classmethod
    def of(
        cls, settings: SqlFile, *, folder: Path, password: str | None, limits: Limits
    ) -> "Database":
        """The engine a source file asks for; nothing is opened yet."""
        url = make_url(settings.url)
        drivername = DRIVERS.get(url.drivername, url.drivername)
        statement_s = min(settings.statement_s, limits.source_s)
        if drivername == DRIVERS["sqlite"]:
            engine = _sqlite(folder / (url.database or ""), statement_s)
        else:
            full = url.set(drivername=drivername, password=password)
            engine = _postgresql(full, statement_s, limits.connect_s)
        return cls(
            engine=engine,
            statement_s=statement_s,
            is_sqlite=drivername == DRIVERS["sqlite"],
        )

    async def read(
        self, work: Callable[[AsyncConnection], Awaitable[Result]]
    ) -> Result:
        """What `work` reads; a caller who leaves stops the statement."""
        if not self.is_sqlite:
            async with self.engine.connect() as connection:
                return await work(connection)  # its driver cancels at the server
        watch = _Watch(time.monotonic() + self.statement_s)
        reading = asyncio.ensure_future(self._watched(work, watch))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            # Cancelling it would wait for the statement's end before closing.
            watch.is_stopped = True
            await asyncio.wait({reading})
            reading.exception()
            raise

    async def _watched(
        self, work: Callable[[AsyncConnection], Awaitable[Result]], watch: _Watch
    ) -> Result:
        async with self.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await driver.set_progress_handler(watch, _STEPS)
            return await work(connection)

    async def aclose(self) -> None:
        await self.engine.dispose()


def _sqlite(path: Path, statement_s: float) -> AsyncEngine:
    # Opened for each question: a pool would go on reading a file that was taken
    # away or replaced.
    url = URL.create(
        DRIVERS["sqlite"],
        database=f"file:{quote(str(path.absolute()))}",
        query={"mode": "ro", "uri": "true"},
    )
    return create_async_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"timeout": min(_LOCK_S, statement_s)},
    )


def _postgresql(url: URL, statement_s: float, connect_s: float) -> AsyncEngine:
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_size=4,
        max_overflow=4,
        pool_timeout=connect_s,
        pool_recycle=1800,
        connect_args={
            "timeout": connect_s,
            "command_timeout": statement_s + 1,
            "server_settings": {
                "default_transaction_read_only": "on",
                "statement_timeout": str(int(statement_s * 1000)),
                "idle_in_transaction_session_timeout": "10000",
                "application_name": "throughline",
            },
        },
    )
