"""The SQLite driver, opened so that a failure is told once its thread has ended."""

import asyncio
from typing import Any

import aiosqlite


async def open_connection(*arguments: Any, **named: Any) -> aiosqlite.Connection:  # noqa: ANN401 - as the driver takes them
    """A connection, as `aiosqlite.connect` opens it.

    The driver gives each connection a thread, and lets it go unawaited where opening
    failed: it would then report to an event loop that may have ended.
    """
    connection = aiosqlite.connect(*arguments, **named)
    thread = connection._thread  # noqa: SLF001 - the driver has no other way to await it
    thread.daemon = True  # as SQLAlchemy has it: a stuck file must not hold the process
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(thread.join)
        raise
