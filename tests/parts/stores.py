"""An empty store of each kind: whatever holds for one must hold for the other."""

import uuid

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from tests.parts.postgres import Server
from tests.policy_store import office_at
from tests.trails import sqlite_url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.parts)])
async def store_url(request, tmp_path) -> URL:
    """The URL of a store without tables; PostgreSQL's as `postgres` does."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return await new_database(request.getfixturevalue("postgres"))


@pytest.fixture
async def office(tmp_path):
    """An administration of policy on SQLite; whatever is told of it holds elsewhere."""
    async with office_at(sqlite_url(tmp_path)) as opened:
        yield opened


async def new_database(server: Server) -> URL:
    """The URL of an empty database of a PostgreSQL server."""
    name = f"store_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return make_url(server.url).set(drivername="postgresql+asyncpg", database=name)
