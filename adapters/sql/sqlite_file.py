"""A SQLite file as a pooled, read-only engine; its statements can be stopped at once.

A pooled connection is used only while the file is the one it was opened on: a file
taken away, replaced or written over is opened anew.
"""

import asyncio
import math
import os
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.sql.settings import DRIVERS
from adapters.sqlite_driver import open_connection

_STEPS: Final = 20_000  # of SQLite's machine between two looks, some 0.2 ms
_LOCK_S: Final = 1.0  # how long a locked file is waited for
_POOLED: Final = 4  # each has a thread of its own
_GUARD: Final = "guard"
_STAMP: Final = "stamp"
_FRESH: Final = "fresh"
_AGAIN_S: Final = 0.05  # between two attempts to stop a statement

Stamp = tuple[int, int, int, int]


@dataclass(slots=True, eq=False)
class Guard:
    """What SQLite asks, as it works, whether to go on; one for each connection."""

    until: float = math.inf
    is_stopped: bool = False

    def __call__(self) -> int:
        return int(self.is_stopped or time.monotonic() > self.until)

    def stop(self) -> None:
        self.is_stopped = True


@dataclass(slots=True, eq=False)
class Hold:
    """A question's hold on a connection, from when it has one until it has done.

    `until` is in seconds of the monotonic clock. Stopping is safe at any time and
    from the event loop: it never reaches a question that uses the connection later.
    """

    until: float
    is_stopped: bool = False
    _guard: Guard = field(default_factory=Guard)
    _driver: Any = None

    async def take(self, connection: AsyncConnection) -> None:
        raw = await connection.get_raw_connection()
        self._guard = raw.info[_GUARD]
        self._guard.until = self.until
        self._guard.is_stopped = self.is_stopped
        self._driver = getattr(raw.driver_connection, "_conn", None)

    def release(self) -> None:
        self._guard = Guard()
        self._driver = None

    def stop(self) -> None:
        """Stop the statement that runs, and whichever would be next."""
        self.is_stopped = self._guard.is_stopped = True
        if isinstance(self._driver, sqlite3.Connection):
            # A single step may be long, and none looks at the guard before its end.
            self._driver.interrupt()

    async def end(self, reading: "asyncio.Task[Any]") -> None:
        # Cancelling it would wait for the statement's end before closing.
        while not reading.done():
            self.stop()
            await asyncio.wait({reading}, timeout=_AGAIN_S)


def sqlite_engine(path: Path, statement_s: float) -> AsyncEngine:
    """The engine that reads this file; nothing is opened yet."""
    url = URL.create(
        DRIVERS["sqlite"],
        database=f"file:{quote(str(path.absolute()))}",
        query={"mode": "ro", "uri": "true"},
    )
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=_POOLED,
        max_overflow=_POOLED,
        pool_timeout=statement_s,
        pool_use_lifo=True,
        connect_args={
            "timeout": min(_LOCK_S, statement_s),
            "async_creator_fn": open_connection,
        },
    )
    _watch_over(engine, path)
    return engine


def _watch_over(engine: AsyncEngine, path: Path) -> None:
    def opening(_dialect: Any, record: Any, *_arguments: Any) -> None:  # noqa: ANN401 - as SQLAlchemy calls it
        record.info[_STAMP] = _stamp(path)  # before it is opened, never after
        record.info[_FRESH] = True

    def opened(connection: Any, record: Any) -> None:  # noqa: ANN401 - as SQLAlchemy calls it
        guard = record.info[_GUARD] = Guard()
        connection.run_async(lambda own: own.set_progress_handler(guard, _STEPS))

    def taken(_connection: Any, record: Any, _proxy: Any) -> None:  # noqa: ANN401 - as SQLAlchemy calls it
        if not record.info.pop(_FRESH, False) and record.info[_STAMP] != _stamp(path):
            raise DisconnectionError  # the pool then opens the file anew

    event.listen(engine.sync_engine, "do_connect", opening)
    event.listen(engine.sync_engine, "connect", opened)
    event.listen(engine.sync_engine, "checkout", taken)


def _stamp(path: Path) -> Stamp | None:
    """What tells a file from another in its place; None if there is none.

    Size and time too: a database copied over another keeps the inode, and SQLite
    may then take its cached pages of the old one for the new one's.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
