"""Generated events in a database table, with the source file that reads them back."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from adapters.contract import Event
from adapters.sql import Sql, build
from adapters.surroundings import Surroundings
from tests.parts import mariadb
from tests.rows import Rows, as_rows


def write_sqlite(
    folder: Path, events: Sequence[Event], *, key: str | None = None
) -> Path:
    """Writes `folder`/events.db and `folder`/source.toml; gives the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = as_rows(events, key=key)
    path = folder / "events.db"
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(_create(rows, "events"))
        marks = ", ".join("?" * len(rows.columns))
        database.executemany(f"INSERT INTO events VALUES ({marks})", rows.cells)  # noqa: S608 - marks only
    return _source_file(folder, 'url = "sqlite:///events.db"', "events", rows)


def open_sqlite(
    folder: Path,
    events: Sequence[Event],
    surroundings: Surroundings,
    *,
    key: str | None = None,
) -> Sql:
    """An adapter that reads these events from a SQLite table."""
    return build(write_sqlite(folder, events, key=key), surroundings)


async def write_postgres(
    folder: Path,
    events: Sequence[Event],
    *,
    url: str,
    table: str = "events",
    key: str | None = None,
) -> Path:
    """Writes a table of the PostgreSQL at `url` anew, and `folder`/source.toml."""
    rows = as_rows(events, key=key)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS {_quoted(table)}")
        await connection.execute(_create(rows, table))
        marks = ", ".join(f"${n}" for n in range(1, len(rows.columns) + 1))
        statement = f"INSERT INTO {_quoted(table)} VALUES ({marks})"  # noqa: S608 - marks only
        await connection.executemany(statement, rows.cells)
    finally:
        await connection.close()
    return _source_file(folder, f'url = "{url}"', table, rows)


async def open_postgres(
    folder: Path,
    events: Sequence[Event],
    surroundings: Surroundings,
    *,
    url: str,
    key: str | None = None,
) -> Sql:
    """An adapter that reads these events from a PostgreSQL table."""
    return build(await write_postgres(folder, events, url=url, key=key), surroundings)


async def write_mariadb(
    folder: Path,
    events: Sequence[Event],
    *,
    server: mariadb.Server,
    table: str = "events",
    key: str | None = None,
) -> Path:
    """Writes a table of the MariaDB anew, and `folder`/source.toml for its reader."""
    rows = as_rows(events, key=key)
    async with server.connected(sql_mode="'ANSI_QUOTES'") as session:
        await session.run(f"DROP TABLE IF EXISTS {_quoted(table)}")
        await session.run(_create(rows, table))
        if rows.cells:
            marks = ", ".join(["%s"] * len(rows.columns))
            statement = f"INSERT INTO {_quoted(table)} VALUES ({marks})"  # noqa: S608 - marks only
            await session.fill(statement, rows.cells)
    return _source_file(folder, f'url = "{server.url}"', table, rows)


async def open_mariadb(
    folder: Path,
    events: Sequence[Event],
    surroundings: Surroundings,
    *,
    server: mariadb.Server,
    key: str | None = None,
) -> Sql:
    """An adapter that reads these events from a MariaDB table."""
    return build(
        await write_mariadb(folder, events, server=server, key=key), surroundings
    )


def _create(rows: Rows, table: str) -> str:
    columns = ", ".join(f"{_quoted(name)} TEXT" for name in rows.columns)
    return f"CREATE TABLE {_quoted(table)} ({columns})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _source_file(folder: Path, url: str, table: str, rows: Rows) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "source.toml"
    text = f'kind = "sql"\n{url}\ntable = "{table}"\n{rows.mapping}'
    source.write_text(text, "utf-8")
    return source
