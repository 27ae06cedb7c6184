"""Rows of a source as they lie there, for a profile: bounded, and never shown.

What a drop or a table holds is read here beside the adapter, and only counted.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, MetaData, Table, select

from adapters.csv_drop.directory import Drop, Holding, look, open_drop
from adapters.csv_drop.records import Bad, Writing, records
from adapters.csv_drop.settings import DropFile
from adapters.mapping import MappingSpec, missing, named
from adapters.source_file import load, read
from adapters.sql.engine import Database, Place
from adapters.sql.faults import DRIVER_ERRORS, explained
from adapters.sql.settings import SqlFile
from adapters.sql.values import cell
from gateway.checking.registered import Registered
from gateway.sources import limits_of

_KINDS: Final = frozenset({"csv_drop", "sql"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows under one header; `bad` are records that were none, by reason."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]] = field(repr=False)
    bad: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was read of a source, and whether that is all of it."""

    spec: MappingSpec = field(repr=False)
    batches: tuple[Batch, ...]
    is_whole: bool
    arrivals: tuple[datetime, ...] = ()  # when each drop that lies there was changed


async def read_rows(registered: Registered, *, most: int) -> Held | None:
    """At most so many rows; None of a kind or a source that has none to be read.

    AdapterError if they cannot be read, ConfigurationError for a wrong file.
    """
    kind = load(registered.source.file).get("kind")
    if kind not in _KINDS or most < 1:
        return None
    if kind == "sql":
        return await _of_table(registered, most=most)
    return await asyncio.to_thread(_of_drops, registered, most=most)


def _of_drops(registered: Registered, *, most: int) -> Held:
    path = registered.source.file
    settings = read(path, DropFile)
    root = path.parent / settings.directory
    holding = look(root, settings)
    writing = Writing(
        delimiter=settings.delimiter,
        quote=settings.quote,
        encoding=settings.encoding,
        field_bytes=limits_of(registered.settings).csv_field_bytes,
    )
    batches: list[Batch] = []
    left, is_whole = most, True
    for drop in reversed(_counted(holding, settings)):  # the newest first
        batch, is_all = _batch(root, drop, settings, writing=writing, most=left)
        is_whole = is_whole and is_all
        left -= len(batch.rows)
        if not missing(settings.mapping, batch.columns):
            batches.append(batch)
        if left <= 0:
            break
    return Held(
        spec=settings.mapping,
        batches=tuple(batches),
        is_whole=is_whole and left > 0,
        arrivals=tuple(_arrivals(root, settings)),
    )


def _counted(holding: Holding, settings: DropFile) -> list[Drop]:
    return [drop for drop in holding.drops if not settings.deletes(drop.name)]


def _batch(
    root: Path, drop: Drop, settings: DropFile, *, writing: Writing, most: int
) -> tuple[Batch, bool]:
    bad: dict[str, int] = {}
    rows: list[Sequence[str]] = []
    columns = settings.columns
    with open_drop(root, drop) as stream:
        for each in records(stream, writing):
            if isinstance(each, Bad):
                bad[each.reason] = bad.get(each.reason, 0) + 1
            elif not columns:
                columns = tuple(name.strip() for name in each.cells)
            elif len(each.cells) != len(columns):
                bad["wrong_width"] = bad.get("wrong_width", 0) + 1
            elif len(rows) >= most:
                return Batch(columns=columns, rows=rows, bad=bad), False
            else:
                rows.append(each.cells)
    return Batch(columns=columns, rows=rows, bad=bad), True


def _arrivals(root: Path, settings: DropFile) -> Iterator[datetime]:
    """When each file of the pattern was last changed, oldest first."""
    found = [p.stat() for p in root.iterdir() if p.is_file() and settings.takes(p.name)]
    for each in sorted(found, key=lambda status: status.st_mtime_ns):
        yield datetime.fromtimestamp(each.st_mtime, UTC)


async def _of_table(registered: Registered, *, most: int) -> Held | None:
    settings = read(registered.source.file, SqlFile)
    name = settings.relation
    if name is None:
        return None  # a query is asked about one person; it cannot be read whole
    secret = registered.settings.secret
    database = Database.of(
        Place(
            settings=settings,
            folder=registered.source.file.parent,
            password=secret(settings.password) if settings.password else None,
            limits=replace(limits_of(registered.settings), records=most),
        )
    )
    try:
        batch = await database.look(
            lambda found: _table(found, name, settings.mapping, most=most)
        )
    except DRIVER_ERRORS as error:
        raise explained(error) from None
    finally:
        await database.aclose()
    return Held(
        spec=settings.mapping,
        batches=(Batch(columns=batch.columns, rows=batch.rows[:most]),),
        is_whole=len(batch.rows) <= most,
    )


def _table(connection: Connection, name: str, spec: MappingSpec, *, most: int) -> Batch:
    schema, _, own = name.rpartition(".")
    table = Table(own, MetaData(), schema=schema or None, autoload_with=connection)
    columns = tuple(dict.fromkeys(column for _, column in named(spec)))
    found = connection.execute(
        select(*(table.c[column] for column in columns)).limit(most + 1)
    )
    return Batch(columns=columns, rows=[tuple(map(cell, row)) for row in found])
