"""A whole table read at once: stopped, cut, locked, too long, changed, or not there."""

import asyncio
import contextlib
import time
from dataclasses import replace
from datetime import date

import pytest

from adapters import sql, tuples
from adapters.contract import Identifier
from adapters.errors import AdapterError, Unavailable, Unreadable
from adapters.tuples import TupleQuery, Tuples
from adapters.vocabulary import CATEGORIES
from tests.databases import (
    MAPPING,
    NUMBERS,
    SLEEP,
    Postgres,
    asking,
    database,
    held,
    server,
)
from tests.people import LOCAL, number

__all__ = ["database", "server"]  # fixtures

pytestmark = pytest.mark.fault

WHOLE = TupleQuery(since=None, until=None, categories=CATEGORIES, limit=1_000_000)


async def read(adapter, asked=WHOLE):
    async with contextlib.aclosing(adapter.tuples(asked)) as stream:
        batches = [batch async for batch in stream]
    return stream, [row for batch in batches for row in batch.to_pylist()]


def ids(rows):
    return sorted(row["record_id"] for row in rows)


async def endless(database):
    """A view of so many rows that nobody reads them all."""
    await database.run(
        "CREATE VIEW seen AS SELECT n.x AS id, h.who, h.began, h.title"  # noqa: S608 - constants only
        f" FROM {NUMBERS[database.name]} AS n CROSS JOIN held h WHERE h.id = 1"
    )
    return database.open('view = "seen"')


async def test_every_row_is_told(database):
    stream, rows = await read(database.open())
    assert ids(rows) == ["1", "2", "3"]
    assert stream.is_whole
    assert stream.caveats == ()
    assert {i["value"] for row in rows for i in row["subject"]} == {"L-1", "L-2"}


async def test_a_reading_cut_short_says_so_and_ends_at_the_source(database):
    adapter = await endless(database)
    asked = replace(WHOLE, limit=2500, batch_rows=1000)
    stream, rows = await read(adapter, asked)
    assert len(rows) == 2500
    assert [caveat.code for caveat in stream.caveats] == ["truncated"]
    assert stream.is_whole  # of what was asked for: it says itself that it is cut


@pytest.mark.parametrize(
    "bound", [{"limit": 0}, {"batch_rows": 0}, {"seconds": 0}, {"batch_rows": -1}]
)
def test_bounds_by_which_nothing_is_told_are_refused(bound):
    with pytest.raises(ValueError, match="more than nothing"):
        replace(WHOLE, **bound)


async def test_no_more_is_held_than_a_batch(database):
    adapter = await endless(database)
    asked = replace(WHOLE, batch_rows=100)
    async with contextlib.aclosing(adapter.tuples(asked)) as stream:
        sizes = []
        async for batch in stream:
            sizes.append(batch.num_rows)
            if len(sizes) == 20:
                break
    assert sizes == [100] * 20
    assert not stream.is_whole
    # Whoever stopped early is not in the way of the next.
    assert ids((await read(database.open()))[1]) == ["1", "2", "3"]


async def test_a_reading_ends_by_its_time(database):
    adapter = await endless(database)
    before = time.monotonic()
    stream = adapter.tuples(replace(WHOLE, seconds=0.6, limit=2_000_000_000))
    with pytest.raises(Unavailable) as refused:
        async for _ in stream:
            pass
    assert refused.value.reason == "busy"
    assert time.monotonic() - before < 3
    assert not stream.is_whole


async def test_a_reader_who_leaves_is_let_go_at_once(database):
    await database.run(
        "CREATE VIEW seen AS SELECT h.*, (SELECT count(*) FROM "  # noqa: S608 - constants only
        f"{NUMBERS[database.name]} AS n) AS slept FROM held h"
    )
    mapping = MAPPING.replace('title = "{title}"', 'organisation = "slept"')
    adapter = database.open('view = "seen"', mapping=mapping)
    stream = adapter.tuples(WHOLE)
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(aiter(stream)), 0.4)
    assert time.monotonic() - before < 2
    await stream.aclose()
    await stream.aclose()


async def test_a_window_and_a_category_narrow(database):
    adapter = database.open()
    from_tenth = replace(WHOLE, since=asking_day(10))
    assert ids((await read(adapter, from_tenth))[1]) == ["2", "3"]
    assert ids((await read(adapter, replace(WHOLE, until=asking_day(10))))[1]) == ["1"]
    none = replace(WHOLE, categories=frozenset({"medications"}))
    assert ids((await read(adapter, none))[1]) == []


def asking_day(day):
    return date(2024, 3, day)


async def test_what_cannot_be_told_is_counted(database):
    await database.run(
        "INSERT INTO held VALUES (4, NULL, '2024-03-12', 'Fall')",
        "INSERT INTO held VALUES (5, 'L-3', NULL, 'Fall')",
        "ALTER TABLE held ADD COLUMN nhs VARCHAR(12)",
        f"UPDATE held SET nhs = '{number(0)}' WHERE id = 1",  # noqa: S608 - constants only
        "UPDATE held SET nhs = '9990000000' WHERE id = 2",
    )
    more = (
        '[[mapping.identifiers]]\ncolumn = "nhs"\n'
        'system = "https://fhir.nhs.uk/Id/nhs-number"\n'
    )
    adapter = database.open(mapping=MAPPING + more)
    stream, rows = await read(adapter, replace(WHOLE, since=asking_day(1)))
    counted = {caveat.code: caveat.count for caveat in stream.caveats}
    assert counted == {"rows_rejected": 1, "undated": 1, "invalid_number": 1}
    assert ids(rows) == ["1", "2", "3"]
    (first,) = [row for row in rows if row["record_id"] == "1"]
    assert {i["value"] for i in first["subject"]} == {"L-1", number(0)}


async def test_a_column_that_is_gone_is_named(database):
    adapter = database.open()
    await read(adapter)
    await database.run("ALTER TABLE held RENAME COLUMN began TO started")
    with pytest.raises(Unreadable, match=r"mapping\.start.*'began'"):
        await read(adapter)


async def test_two_readings_of_one_source_follow_one_another(database):
    adapter = database.open()
    both = await asyncio.gather(read(adapter), read(adapter))
    assert [ids(rows) for _, rows in both] == [["1", "2", "3"]] * 2


async def test_a_question_is_answered_while_the_whole_is_read(database):
    adapter = await endless(database)
    async with contextlib.aclosing(adapter.tuples(WHOLE)) as stream:
        async for _ in stream:
            answer = await database.open().ask(asking("L-2"))
            assert [event.record_id for event in answer.events] == ["3"]
            assert answer.person.identifiers == {Identifier(LOCAL, "L-2")}
            break


async def test_nothing_can_be_written_while_the_whole_is_read(server):
    writing = {
        "postgresql": "CREATE OR REPLACE FUNCTION gone(INTEGER) RETURNS TEXT LANGUAGE"
        " SQL AS 'DELETE FROM held RETURNING title'",
        "mariadb": "CREATE OR REPLACE FUNCTION gone(n INTEGER) RETURNS TEXT"
        " MODIFIES SQL DATA BEGIN DELETE FROM held; RETURN ''; END",
    }
    await server.run(
        writing[server.name],
        "CREATE VIEW seen AS SELECT id, who, began, gone(id) AS title FROM held",
    )
    mapping = MAPPING.replace('title = "{title}"', 'organisation = "title"')
    with pytest.raises(AdapterError):
        await read(server.open('view = "seen"', mapping=mapping))
    assert len(await server.run("SELECT * FROM held")) == 3


async def test_a_session_that_is_cut_tells_nothing_as_whole(server):
    await server.run(
        f"CREATE VIEW seen AS SELECT h.*, {SLEEP[server.name].format(5)} AS slept"  # noqa: S608 - constants only
        " FROM held h"
    )
    mapping = MAPPING.replace('title = "{title}"', 'organisation = "slept"')
    adapter = server.open('view = "seen"', mapping=mapping)
    stream = adapter.tuples(WHOLE)
    reading = asyncio.create_task(anext(aiter(stream)))
    cutting = {
        "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
        " state = 'active' AND query LIKE '%seen%' AND pid <> pg_backend_pid()",
        "mariadb": "SELECT id FROM information_schema.processlist"
        " WHERE info LIKE '%seen%' AND id <> CONNECTION_ID()",
    }
    found: list[tuple[int]] = []
    while not found and not reading.done():
        await asyncio.sleep(0.05)
        found = await server.run(cutting[server.name])
    if server.name == "mariadb":
        await server.run(f"KILL {found[0][0]}")
    with pytest.raises(Unavailable) as refused:
        await reading
    assert refused.value.reason in {"cut", "connect"}
    assert not stream.is_whole
    await stream.aclose()


async def test_a_server_that_stopped_is_unavailable(server):
    adapter = server.open()
    await read(adapter)
    server.own.server.stop()
    try:
        with pytest.raises(Unavailable):
            await read(adapter)
    finally:
        server.own.server.start()
    assert ids((await read(adapter))[1]) == ["1", "2", "3"]


async def test_typed_columns_are_read_as_for_one_person(server):
    await server.run(
        "ALTER TABLE held ADD COLUMN seen TIMESTAMP NULL",
        "UPDATE held SET seen = '2024-07-01 09:30:00'",
        "ALTER TABLE held ADD COLUMN price DECIMAL(8,2)",
        "UPDATE held SET price = 1.50",
        "ALTER TABLE held ADD COLUMN done BOOLEAN",
        "UPDATE held SET done = true",
    )
    mapping = MAPPING.replace('"began"', '"began"\nend = "seen"\norganisation = "done"')
    mapping += '[[mapping.codes]]\ncolumn = "price"\nsystem = "urn:price"\n'
    adapter = server.open(mapping=mapping)
    _, rows = await read(adapter)
    (event, _) = (await adapter.ask(asking())).events
    (row,) = [row for row in rows if row["record_id"] == "1"]
    assert row["end"] == event.end.at
    assert (row["end_precision"], row["start_precision"]) == ("second", "day")
    assert row["start"] == event.start.at
    assert row["organisation"] == event.organisation
    assert [code["code"] for code in row["codes"]] == ["1.50"]
    assert [code.code for code in event.codes] == ["1.50"]


@pytest.mark.parts
async def test_a_day_without_end_is_an_unknown_time_both_ways(request, tmp_path):
    own = Postgres(server=request.getfixturevalue("postgres"))
    async with held(own, tmp_path) as opened:
        await opened.run("UPDATE held SET began = 'infinity' WHERE id = 1")
        await opened.run("UPDATE held SET began = '-infinity' WHERE id = 2")
        adapter = opened.open()
        _, rows = await read(adapter)
        answer = await adapter.ask(asking())
    assert [event.start for event in answer.events] == [None, None]
    by_id = {row["record_id"]: row["start"] for row in rows}
    assert (by_id["1"], by_id["2"]) == (None, None)


async def test_a_written_query_cannot_be_read_as_a_whole(database):
    adapter = database.open("query = 'SELECT * FROM held WHERE who = :value'")
    assert not isinstance(adapter, Tuples)


async def test_without_arrow_a_table_is_asked_for_people_alone(database, monkeypatch):
    monkeypatch.setattr(tuples, "find_spec", lambda _: None)
    adapter = database.open()
    assert type(adapter) is sql.SqlPlace
    assert not isinstance(adapter, Tuples)
    answer = await adapter.ask(asking())
    assert len(answer.events) == 2
