"""A whole table read at once tells of everybody what is told of each, one by one.

Catches what only the fast road could do: a day taken in UTC, a cell remembered for
another column's, a row of another category, a code lost where the first has none.
"""

import asyncio
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from datetime import UTC, date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.conformance import POPULATION, Carries
from adapters.conformance.population import KEY, SINCE, UNTIL
from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.sql import build
from adapters.tuples import TupleQuery, Tuples, schema
from adapters.vocabulary import CATEGORIES
from tests import tables
from tests.histories import DAYS, PEOPLE, events
from tests.opened import surroundings
from tests.people import LOCAL

COUNTED = {"undated", "continues_into_window", "invalid_number", "rows_rejected"}


def told(event: Event) -> dict[str, object]:
    """An event as tuples tell it."""
    return {
        "subject": sorted((i.system, i.value) for i in event.subject or ()),
        "record_id": event.record_id,
        "kind": event.kind,
        "status": event.status,
        "start": event.start and event.start.at.astimezone(UTC),
        "start_precision": event.start and event.start.precision,
        "end": event.end and event.end.at.astimezone(UTC),
        "end_precision": event.end and event.end.precision,
        "codes": [{"system": c.system, "code": c.code} for c in event.codes],
        "organisation": event.organisation,
    }


def by_id(rows):
    return sorted(rows, key=lambda row: row["record_id"])


async def read(adapter, asked):
    """Every row, and what was counted."""
    assert isinstance(adapter, Tuples)
    stream = adapter.tuples(asked)
    rows = []
    was_whole = stream.is_whole
    async for batch in stream:
        assert batch.schema.equals(schema())
        assert batch.num_rows <= asked.batch_rows
        batch.validate(full=True)
        rows += batch.to_pylist()
    assert (was_whole, stream.is_whole) == (False, True)
    await stream.aclose()
    for row in rows:
        row["subject"] = sorted((i["system"], i["value"]) for i in row["subject"])
    return rows, {c.code: c.count for c in stream.caveats}


async def one_by_one(adapter, people, asked):
    """The same of each person in turn: every row names one by their own key."""
    found: list[dict[str, object]] = []
    counted: Counter[str] = Counter()
    for person in people:
        answer = await adapter.ask(
            Query(
                person=Identifiers(others=person.others),
                since=asked.since,
                until=asked.until,
                categories=asked.categories,
                limit=10_000,
            )
        )
        found += [told(event) for event in answer.events]
        for caveat in answer.caveats:
            counted[caveat.code] += caveat.count
    return found, counted


async def assert_same(adapter, people, asked):
    rows, counts = await read(adapter, asked)
    found, counted = await one_by_one(adapter, people, asked)
    assert by_id(rows) == by_id(found)
    assert counts == {code: n for code, n in counted.items() if code in COUNTED}


@st.composite
def tuple_queries(draw):
    every = st.just(CATEGORIES)
    return TupleQuery(
        since=draw(st.none() | DAYS),
        until=draw(st.none() | DAYS),
        categories=draw(every | st.frozensets(st.sampled_from(sorted(CATEGORIES)))),
        limit=1000,
        batch_rows=draw(st.sampled_from([1, 3, 1000])),
    )


SERVERS = [pytest.param(n, marks=pytest.mark.parts) for n in ("postgres", "mariadb")]


async def opened(folder, history, name, server, key=LOCAL):
    around = surroundings(folder)
    if name == "postgres":
        return await tables.open_postgres(
            folder, history, around, url=server.url, key=key
        )
    if name == "mariadb":
        return await tables.open_mariadb(
            folder, history, around, server=server, key=key
        )
    return tables.open_sqlite(folder, history, around, key=key)


def compare(name, server, history, asked):
    async def compared(folder):
        adapter = await opened(folder, history, name, server)
        try:
            for each in asked:
                await assert_same(adapter, PEOPLE, each)
        finally:
            await adapter.aclose()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compared(Path(folder)))


HISTORIES = events(Carries())
ASKED = st.lists(tuple_queries(), min_size=1, max_size=3)


@given(history=HISTORIES, asked=ASKED)
def test_everybody_at_once_is_everybody_in_turn(history, asked):
    compare("sqlite", None, history, asked)


@pytest.mark.parametrize("name", SERVERS)
# Each trial makes a table and several sessions: a fifth as many as of a file.
@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_everybody_on_a_server_is_everybody_in_turn(request, name, data):
    server = request.getfixturevalue(name)
    compare(name, server, data.draw(HISTORIES), data.draw(ASKED))


@pytest.mark.parametrize("name", ["sqlite", *SERVERS])
@pytest.mark.parametrize("window", [(None, None), (SINCE, UNTIL), (SINCE, None)])
async def test_the_published_population_is_told_whole(request, tmp_path, name, window):
    server = None if name == "sqlite" else request.getfixturevalue(name)
    adapter = await opened(tmp_path, POPULATION.events, name, server, key=KEY)
    named = {i for e in POPULATION.events for i in e.subject or () if i.system == KEY}
    people = [Identifiers(others=frozenset({each})) for each in named]
    asked = TupleQuery(
        since=window[0], until=window[1], categories=CATEGORIES, limit=1000
    )
    try:
        await assert_same(adapter, people, asked)
    finally:
        await adapter.aclose()


ZONED = "2024-03-09T14:05:00+00:00"
ROWS = (
    ("1", ZONED, ZONED),
    ("2", "1800-01-01T00:00:00+00:00", "9999-12-31T00:00:00+00:00"),
    ("3", "2024-02-30T10:00:00+00:00", "2024-03-09T25:00:00+00:00"),
    ("4", "2024-03-09 14:05:00.123456+05:30", "2024-03-09T14:05:00-00:30"),
    ("5", "0001-01-01T00:00:00+00:00", ""),
    ("6", "2024-03-09T14:05:00+24:00", "2024-03-09T14:05:00Z"),
    ("7", "2024-03-09T14:05:00", "2024"),
    ("8", "0000-00-00T00:00:00+00:00", "2024-03-09T14:05"),
    ("9", "2024-06-30T23:00:00+00:00", "2024-07-01T00:00:00+01:00"),
)
TIMES = """
kind = "sql"
url = "sqlite:///times.db"
table = "times"
[mapping]
record_id = "id"
kind = "inpatient_spell"
start = { column = "began", absent = ["1800-01-01T00:00:00+00:00"] }
end = "ended"
status = { ended = "finished", open = "active" }
[[mapping.identifiers]]
column = "id"
system = "urn:id"
"""


@pytest.mark.parametrize(
    "window",
    [(None, None), (SINCE, UNTIL), (date(2024, 3, 9), None), (None, date(2024, 3, 9))],
)
async def test_times_of_every_sort_are_read_as_for_one_person(tmp_path, window):
    """Catches a quick reading of a time that the exact one would not believe."""
    with closing(sqlite3.connect(tmp_path / "times.db")) as database, database:
        database.execute("CREATE TABLE times (id TEXT, began TEXT, ended TEXT)")
        database.executemany("INSERT INTO times VALUES (?, ?, ?)", ROWS)
    (tmp_path / "times.toml").write_text(TIMES, "utf-8")
    adapter = build(tmp_path / "times.toml", surroundings(tmp_path))
    people = [
        Identifiers(others=frozenset({Identifier("urn:id", number)}))
        for number, *_ in ROWS
    ]
    asked = TupleQuery(
        since=window[0], until=window[1], categories=CATEGORIES, limit=1000
    )
    try:
        await assert_same(adapter, people, asked)
    finally:
        await adapter.aclose()
