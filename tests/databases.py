"""One table in each kind of database, which tests may change under an adapter."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest

from adapters.contract import Identifier, Identifiers, Query
from adapters.sql import Sql, build
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.parts import mariadb, postgres
from tests.people import LOCAL
from tests.surroundings import in_folder

MAPPING = f"""
[mapping]
record_id = "id"
kind = "ed_attendance"
title = "{{title}}"
start = "began"

[[mapping.identifiers]]
column = "who"
system = "{LOCAL}"
key = true
"""
CREATE = "CREATE TABLE held (id INTEGER, who VARCHAR(40), began DATE, title VARCHAR(9))"
ROWS = (
    "INSERT INTO held VALUES (1, 'L-1', '2024-03-09', 'Fall'),"
    " (2, 'L-1', '2024-03-10', 'Burn'), (3, 'L-2', '2024-03-11', 'Fall')"
)
# What each kind of server says to sleep for seconds, and to a table that never ends.
SLEEP = {"postgresql": "pg_sleep({})::text", "mariadb": "SLEEP({})"}
NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
    "SELECT x FROM n)",
    "postgresql": "(SELECT generate_series(1, 2000000000) AS x)",
    "mariadb": "(SELECT seq AS x FROM seq_1_to_2000000000)",
}


def asking(value: str = "L-1", system: str = LOCAL, limit: int = 99) -> Query:
    """Everything of whoever has this identifier."""
    return Query(
        person=Identifiers(others=frozenset({Identifier(system, value)})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=limit,
    )


class Engine(Protocol):
    """A kind of database that tests do things to, beside the adapter."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    async def run(self, *statements: str) -> list[Any]: ...


@dataclass(frozen=True, kw_only=True)
class Sqlite:
    path: Path
    name: str = "sqlite"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    async def run(self, *statements: str) -> list[Any]:
        rows: list[Any] = []
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            for statement in statements:
                rows = database.execute(statement).fetchall()
        return rows


@dataclass(frozen=True, kw_only=True)
class Postgres:
    server: postgres.Server
    name: str = "postgresql"

    @property
    def url(self) -> str:
        return self.server.url

    async def run(self, *statements: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        rows: list[Any] = []
        try:
            for statement in statements:
                rows = await connection.fetch(statement)
        finally:
            await connection.close()
        return rows


@dataclass(frozen=True, kw_only=True)
class MariaDb:
    server: mariadb.Server
    name: str = "mariadb"

    @property
    def url(self) -> str:
        return self.server.url

    async def run(self, *statements: str) -> list[Any]:
        async with self.server.connected() as session:
            return await session.run(*statements)


@dataclass(kw_only=True)
class Held:
    """A database with the table `held`, and adapters that are open on it."""

    own: Engine
    folder: Path
    opened: list[Sql] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.own.name

    async def run(self, *statements: str) -> list[Any]:
        return await self.own.run(*statements)

    def open(
        self,
        place: str = 'table = "held"',
        *,
        mapping: str = MAPPING,
        limits: Limits | None = None,
        url: str | None = None,
    ) -> Sql:
        """An adapter on it; `place` may hold further settings of the file."""
        source = self.folder / f"source{len(self.opened)}.toml"
        text = f'kind = "sql"\nurl = "{url or self.own.url}"\n{place}\n{mapping}'
        source.write_text(text, "utf-8")
        self.opened.append(build(source, in_folder(self.folder, limits=limits)))
        return self.opened[-1]

    async def aclose(self) -> None:
        for adapter in self.opened:
            await adapter.aclose()
            await adapter.aclose()


_GONE = ("DROP VIEW IF EXISTS seen", "DROP TABLE IF EXISTS held")


@contextlib.asynccontextmanager
async def held(own: Engine, folder: Path) -> AsyncIterator[Held]:
    await own.run(*_GONE, CREATE, ROWS)
    database = Held(own=own, folder=folder)
    try:
        yield database
    finally:
        await database.aclose()
        await own.run(*_GONE)


def engine(request: pytest.FixtureRequest, name: str, folder: Path) -> Engine:
    """The database of this kind; its server runs, or the test skips."""
    if name == "sqlite":
        return Sqlite(path=folder / "held.db")
    if name == "postgresql":
        return Postgres(server=request.getfixturevalue("postgres"))
    return MariaDb(server=request.getfixturevalue("mariadb"))


SERVERS = tuple(
    pytest.param(name, marks=pytest.mark.parts) for name in ("postgresql", "mariadb")
)


@pytest.fixture(params=["sqlite", *SERVERS])
async def database(request, tmp_path) -> AsyncIterator[Held]:
    """The table `held` in each kind of database."""
    async with held(engine(request, request.param, tmp_path), tmp_path) as opened:
        yield opened


@pytest.fixture(params=SERVERS)
async def server(request, tmp_path) -> AsyncIterator[Held]:
    """The table `held` in each kind of database that is a server."""
    async with held(engine(request, request.param, tmp_path), tmp_path) as opened:
        yield opened
