"""A sample of a database table: its columns, their types, and its first rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Connection, MetaData, Table, func, inspect, select
from sqlalchemy.exc import NoSuchTableError

from adapters.sql.engine import Database, Place
from adapters.sql.faults import DRIVER_ERRORS, explained
from adapters.sql.settings import SqlFile
from adapters.sql.values import cell
from adapters.surroundings import Limits
from gateway.onboarding.sample import NotASample, Sample

ROWS: Final = 5_000  # of a table, looked at
_SHOWN: Final = 40  # tables named in a message
_LONG_S: Final = 20.0  # somebody waits, and nobody else does


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A table: its database's URL, and where its password is."""

    url: str
    table: str
    folder: Path  # what a SQLite path is relative to
    password: str | None = field(default=None, repr=False)


async def read_table(where: Where) -> Sample:
    """Its first rows. NotASample if it is not there, has none, or cannot be.

    AdapterError if the database cannot be read.
    """
    database = Database.of(
        Place(
            settings=_settings(where),
            folder=where.folder,
            password=where.password,
            limits=Limits(source_s=_LONG_S, connect_s=5.0, records=ROWS),
        )
    )
    try:
        return await database.look(lambda connection: _sample(connection, where.table))
    except DRIVER_ERRORS as error:
        raise explained(error) from None
    finally:
        await database.aclose()


def _settings(where: Where) -> SqlFile:
    """Settings that read the table; the mapping in them is asked for nothing."""
    nothing = {
        "record_id": "-",
        "kind": "other",
        "start": "-",
        "identifiers": [{"column": "-", "system": "-"}],
    }
    tables = {
        "kind": "sql",
        "url": where.url,
        "table": where.table,
        "statement_s": _LONG_S,
        "mapping": nothing,
    }
    try:
        return SqlFile.model_validate(tables)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        raise NotASample(found["msg"].removeprefix("Value error, ")) from None


def _sample(connection: Connection, name: str) -> Sample:
    schema, _, own = name.rpartition(".")
    try:
        table = Table(own, MetaData(), schema=schema or None, autoload_with=connection)
    except NoSuchTableError:
        raise NotASample(_no_table(connection, schema or None)) from None
    total = connection.execute(select(func.count()).select_from(table)).scalar_one()
    found = connection.execute(select(table).limit(ROWS)).all()
    if not found:
        raise NotASample("holds no row. Give a table or view that has some.")
    return Sample(
        columns=tuple(column.name for column in table.columns),
        rows=tuple(tuple(map(cell, row)) for row in found),
        types={column.name: str(column.type) for column in table.columns},
        is_whole=total == len(found),
    )


def _no_table(connection: Connection, schema: str | None) -> str:
    seen = inspect(connection)
    names: Sequence[str] = [
        *seen.get_table_names(schema=schema),
        *seen.get_view_names(schema=schema),
    ]
    there = ", ".join(sorted(names)[:_SHOWN]) or "none"
    return f"has no such table or view. There are: {there}. Correct --table."
