"""ARROW: a whole table of PostgreSQL in columns, beside the same rows one by one.

Both go through the same mapping and must tell the same of every row. Beside both, what
the server sends in columns with nothing made of it.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import asyncpg

from adapters.mapping import Mapping, MappingSpec, Read
from adapters.source_file import load
from adapters.sql import build
from adapters.sql.bulk import SqlTable
from adapters.sql.reading import columns_of
from adapters.sql.values import cell
from adapters.tuples import TupleQuery, is_possible
from adapters.vocabulary import CATEGORIES
from bench.measured import Measured
from bench.one_person import surroundings
from tests.parts.postgres import installed, running

GOAL: Final = 3.0
_WORK: Final = "a whole table in columns, times the rows a second of one by one"
_COLUMNS: Final = ("contact_id", "started", "ended", "state", "team", "patient_id")
_SOURCE: Final = """\
kind = "sql"
url = "{url}"
table = "contacts"

[mapping]
record_id = "contact_id"
kind = "community_contact"
start = "started"
end = "ended"
organisation = "team"

[mapping.status]
column = "state"
codes = {{ Done = "finished" }}

[[mapping.identifiers]]
column = "patient_id"
system = "urn:example:patient-id"
key = true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many rows, and rounds."""

    rows: int = 300_000
    rounds: int = 5


def run(sizes: Sizes | None = None) -> list[Measured]:
    """One row: ours beside the same rows one by one."""
    programs = installed()
    if programs is None or not is_possible():
        floor = "not run: apt-get install postgresql, and the extra population"
        return [Measured(goal="ARROW", work=_WORK, ours="-", floor=floor, allowed=GOAL)]
    with running(programs) as server, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measured(server.url, Path(folder), sizes or Sizes()))


async def _measured(url: str, folder: Path, sizes: Sizes) -> list[Measured]:
    await _filled(url, sizes)
    source = folder / "source.toml"
    source.write_text(_SOURCE.format(url=url), "utf-8")
    adapter = build(source, surroundings(folder))
    spec = MappingSpec.model_validate(load(source)["mapping"])
    try:
        rounds = [
            (
                await _ours(cast("SqlTable", adapter), sizes),
                await _one_by_one(url, spec),
                await asyncio.to_thread(_bare, url),
            )
            for _ in range(sizes.rounds + 1)
        ]
    finally:
        await adapter.aclose()
    return _rows(rounds[1:], sizes)  # the first round warms all


async def _filled(url: str, sizes: Sizes) -> None:
    connection = await asyncpg.connect(url)
    columns = ", ".join(f"{name} text" for name in _COLUMNS)
    await connection.execute(f"CREATE TABLE contacts ({columns})")
    await connection.copy_records_to_table("contacts", records=_records(sizes.rows))
    await connection.close()


def _records(rows: int) -> Iterator[tuple[str, ...]]:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    for n in range(rows):
        began = first + timedelta(seconds=41 * n)
        ended = began + timedelta(minutes=30)
        yield (
            *(f"C{n:08d}", began.isoformat(), ended.isoformat(), "Done"),
            *(f"Z9B{n % 40:02d}", f"P{n // 10}"),
        )


async def _ours(adapter: SqlTable, sizes: Sizes) -> tuple[float, int]:
    """(CPU seconds of this process, rows told)."""
    asked = TupleQuery(
        since=None, until=None, categories=CATEGORIES, limit=sizes.rows, seconds=600
    )
    busy, told = time.process_time(), 0
    async with contextlib.aclosing(adapter.tuples(asked)) as stream:
        async for batch in stream:
            told += batch.num_rows
    return time.process_time() - busy, told


async def _one_by_one(url: str, spec: MappingSpec) -> tuple[float, int]:
    """The same of asyncpg's rows, each read into an event."""
    names = columns_of(spec)
    mapping = Mapping.compile(spec, names)
    connection = await asyncpg.connect(url)
    busy, told = time.process_time(), 0
    async with connection.transaction():
        statement = f"SELECT {', '.join(names)} FROM contacts"  # noqa: S608 - constants only
        async for row in connection.cursor(statement, prefetch=5000):
            told += isinstance(mapping.read([cell(each) for each in row]), Read)
    busy = time.process_time() - busy
    await connection.close()
    return busy, told


def _bare(url: str) -> tuple[float, int]:
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - only of the extra

    busy, told = time.process_time(), 0
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM contacts")
        told = sum(batch.num_rows for batch in cursor.fetch_record_batch())
    return time.process_time() - busy, told


def _rows(rounds: list[Any], sizes: Sizes) -> list[Measured]:
    if {told for sides in rounds for _, told in sides} != {sizes.rows}:
        message = "the sides told of different rows; nothing is reported"
        raise RuntimeError(message)
    ours, single, bare = (
        [sizes.rows / busy for busy, _ in side] for side in zip(*rounds, strict=True)
    )
    ratios = [mine / theirs for mine, theirs in zip(ours, single, strict=True)]
    floors = (
        f"one by one {statistics.median(single):,.0f} rows/s;"
        f" ADBC with nothing made of it {statistics.median(bare):,.0f} rows/s"
    )
    return [
        Measured(
            goal="ARROW",
            work=_WORK,
            ours=f"{statistics.median(ours):,.0f} rows/s of CPU",
            floor=floors,
            allowed=GOAL,
            at_least=True,
            ratio=statistics.median(ratios),
            spread=(min(ratios), max(ratios)),
            cause="each id and time is new, and read in Python",
        )
    ]


def _arguments() -> Sizes:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=Sizes().rows)
    parser.add_argument("--rounds", type=int, default=Sizes().rounds)
    given = parser.parse_args()
    return Sizes(rows=given.rows, rounds=given.rounds)


if __name__ == "__main__":
    results = run(_arguments())
    sys.stdout.write("".join(f"{each}\n" for each in results))
    sys.exit(any(each.is_missed for each in results))
