"""The store's engine: SQLite beside the gateway, or PostgreSQL for many of them.

Both are told to have written before they say so. Statements are never shown with
their parameters, in no error and in no log.
"""

import asyncio
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.sqlite_driver import open_connection

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
Identity: TypeAlias = tuple[int, int]  # device and inode
_T = TypeVar("_T")

_PAUSE_S: Final = 0.01
_LOCK: Final = 7_312_004_711  # any number of our own: who migrates holds it


class Database:
    """One store, of which nobody waits longer than `busy_s`.

    A statement gives up a little earlier than that, so that what its caller was
    told has failed is not written after all. Closing twice is safe.
    """

    def __init__(self, url: URL, *, busy_s: float) -> None:
        self.file = _file_of(url)
        self.engine = _engine(url, 0.8 * busy_s)
        self.writer = None if self.file is None else _writer(url, 0.8 * busy_s)
        self.reader = None if self.file is None else _reader(url, 0.8 * busy_s)
        self._busy_s = busy_s
        self._thread: ThreadPoolExecutor | None = None
        self._reading: ThreadPoolExecutor | None = None

    async def migrate(self) -> None:
        """Bring the tables up to date; a second process waits for the first."""
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(_keep_log_ahead, self.file, 0.8 * self._busy_s)
        async with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                lock = text("SELECT pg_advisory_xact_lock(:lock)")
                await connection.execute(lock, {"lock": _LOCK})
            await connection.run_sync(_upgrade)

    def identity(self) -> Identity | None:
        """Which file this is now, None for a server. OSError if it is gone."""
        if self.file is None:
            return None
        found = self.file.stat()
        return found.st_dev, found.st_ino

    def free_bytes(self) -> int:
        """Room left on the file's disk; a server minds its own."""
        if self.file is None:
            return sys.maxsize
        return shutil.disk_usage(self.file.parent).free

    async def transact(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` returns, once all that it did is durable; or nothing was done.

        On SQLite in a thread that does nothing else, from the first statement to the
        commit: handing over each statement by itself costs more than it takes.
        """
        if self.writer is None:
            async with self.engine.begin() as connection:
                return await connection.run_sync(work)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _at_once, self.writer, work)

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` returns of one moment of the store; it writes nothing.

        Readers wait for no writer, and keep none waiting.
        """
        if self.reader is None:
            async with self.engine.connect() as connection:
                await connection.execution_options(isolation_level="REPEATABLE READ")
                async with connection.begin():
                    return await connection.run_sync(work)
        if self._reading is None:
            self._reading = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, _at_once, self.reader, work)

    async def aclose(self) -> None:
        writing, self._thread = self._thread, None
        reading, self._reading = self._reading, None
        await self._end(writing, self.writer)
        await self._end(reading, self.reader)
        await self.engine.dispose()

    async def _end(
        self, thread: ThreadPoolExecutor | None, engine: Engine | None
    ) -> None:
        if thread is None or engine is None:
            return
        # Bounded like a write: a disk that hangs may not hang the stop.
        loop = asyncio.get_running_loop()
        disposed = loop.run_in_executor(thread, engine.dispose)
        await asyncio.wait([disposed], timeout=self._busy_s)
        thread.shutdown(wait=False)


def _at_once(engine: Engine, work: Callable[[Connection], _T]) -> _T:
    with engine.begin() as connection:
        return work(connection)


def _reader(url: URL, busy_s: float) -> Engine:
    """The same file for the thread that reads, which sees one moment at a time."""
    engine = create_engine(
        url.set(drivername="sqlite"),
        hide_parameters=True,
        connect_args={"timeout": busy_s},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _writer(url: URL, busy_s: float) -> Engine:
    """The same file for the thread that writes."""
    engine = create_engine(
        url.set(drivername="sqlite"),
        hide_parameters=True,
        connect_args={"timeout": busy_s},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediately)
    return engine


def _file_of(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite":
        return None
    return Path(url.database or "")


def _engine(url: URL, busy_s: float) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(
            url,
            hide_parameters=True,
            connect_args={"timeout": busy_s, "async_creator_fn": open_connection},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_immediately)
        return engine
    settings = {
        "synchronous_commit": "on",
        "lock_timeout": f"{int(busy_s * 1000)}ms",
        "application_name": "throughline",
    }
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "server_settings": settings,
            "timeout": busy_s,
            "command_timeout": busy_s,
        },
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's own
    # Transactions are ours to begin: the driver would begin them late, and then a
    # writer could find that another had written since it read.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _keep_log_ahead(file: Path, busy_s: float) -> None:
    """Set a new file to write-ahead logging, however many processes open it at once.

    SQLite answers "locked" to this one change without waiting, whatever its timeout.
    sqlite3.OperationalError if the file stays locked for so many seconds.
    """
    until = time.monotonic() + busy_s
    with closing(sqlite3.connect(file, timeout=busy_s)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                is_locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_locked or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediately(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
