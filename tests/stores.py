"""Stores whose tables are made, open while they are used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import URL

from gateway.store.database import Database


@asynccontextmanager
async def migrated(url: URL) -> AsyncIterator[Database]:
    """The store of an address, its tables made."""
    database = Database(url, busy_s=5)
    await database.migrate()
    try:
        yield database
    finally:
        await database.aclose()
