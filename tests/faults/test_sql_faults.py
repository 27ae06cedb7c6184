"""Databases that are stopped, locked, slow, changed, or none at all."""

import asyncio
import contextlib
import sqlite3
import time
from datetime import datetime

import asyncpg
import pytest

from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.errors import Refused, Unavailable, Unreadable
from adapters.moment import LONDON, Moment
from adapters.sql import build
from adapters.vocabulary import CATEGORIES
from tests.people import LOCAL, person
from tests.surroundings import in_folder
from tests.tables import open_postgres, open_sqlite, write_postgres

pytestmark = pytest.mark.fault

SOMEONE = person(0)
EVENTS = tuple(
    Event(
        kind="ed_attendance",
        record_id=f"r{n}",
        title="Fall",
        status="finished",
        start=Moment(datetime(2024, 3, n + 1, tzinfo=LONDON), "day"),
        subject=SOMEONE.every,
    )
    for n in range(3)
)
QUERY = Query(person=SOMEONE, since=None, until=None, categories=CATEGORIES, limit=100)
SLOW_VIEW = (
    "CREATE VIEW slow AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1"
    " FROM n LIMIT 500000000) SELECT e.*, (SELECT count(*) FROM n) AS work"
    " FROM events e"
)


def mapped(folder, place, *, url='url = "sqlite:///events.db"', more=""):
    """A small source file about whatever table, view or query is named."""
    source = folder / "other.toml"
    source.write_text(
        f'kind = "sql"\n{url}\n{place}\n{more}\n[mapping]\n'
        'record_id = "record id"\nkind = "ed_attendance"\nstart = "start"\n'
        f'[[mapping.identifiers]]\ncolumn = "{LOCAL} 0"\nsystem = "{LOCAL}"\n'
        "key = true\n",
        "utf-8",
    )
    return source


@contextlib.asynccontextmanager
async def opened(adapter):
    try:
        yield adapter
    finally:
        await adapter.aclose()


async def test_a_database_file_that_is_not_there_is_unavailable(tmp_path):
    async with opened(open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))) as adapter:
        (tmp_path / "events.db").unlink()
        with pytest.raises(Unavailable) as refused:
            await adapter.ask(QUERY)
        assert refused.value.reason == "connect"
        open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))
        assert len((await adapter.ask(QUERY)).events) == 3


async def test_a_database_file_taken_away_later_is_not_read_from_a_pool(tmp_path):
    async with opened(open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))) as adapter:
        assert len((await adapter.ask(QUERY)).events) == 3
        (tmp_path / "events.db").unlink()
        with pytest.raises(Unavailable):
            await adapter.ask(QUERY)


async def test_a_file_that_is_no_database_is_unreadable(tmp_path):
    async with opened(open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))) as adapter:
        (tmp_path / "events.db").write_bytes(b"no database at all" * 1000)
        with pytest.raises(Unreadable) as refused:
            await adapter.ask(QUERY)
        assert refused.value.reason == "unreadable"


async def test_a_locked_database_is_busy_and_answers_later(tmp_path):
    async with opened(open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))) as adapter:
        with contextlib.closing(
            sqlite3.connect(tmp_path / "events.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(Unavailable) as refused:
                await adapter.ask(QUERY)
            assert refused.value.reason == "busy"
        assert len((await adapter.ask(QUERY)).events) == 3


async def test_a_slow_statement_is_stopped_in_time(tmp_path):
    await open_sqlite(tmp_path, EVENTS, in_folder(tmp_path)).aclose()
    with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database:
        database.execute(SLOW_VIEW)
    source = mapped(tmp_path, 'view = "slow"', more="statement_s = 0.3")
    source.write_text(
        source.read_text("utf-8")
        + '[[mapping.detail]]\ncolumn = "work"\nelement = "x"\n',
        "utf-8",
    )
    async with opened(build(source, in_folder(tmp_path))) as adapter:
        before = time.monotonic()
        with pytest.raises(Unavailable) as refused:
            await adapter.ask(QUERY)
        assert refused.value.reason == "busy"
        assert time.monotonic() - before < 2


async def test_a_caller_who_leaves_stops_the_statement(tmp_path):
    await open_sqlite(tmp_path, EVENTS, in_folder(tmp_path)).aclose()
    with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database:
        database.execute(SLOW_VIEW)
    source = mapped(tmp_path, 'view = "slow"')
    source.write_text(
        source.read_text("utf-8")
        + '[[mapping.detail]]\ncolumn = "work"\nelement = "x"\n',
        "utf-8",
    )
    async with opened(build(source, in_folder(tmp_path))) as adapter:
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await adapter.ask(QUERY)
        assert time.monotonic() - before < 1.5


async def test_a_column_that_is_gone_is_named(tmp_path):
    async with opened(open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))) as adapter:
        await adapter.ask(QUERY)
        with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database:
            database.execute("ALTER TABLE events RENAME COLUMN start TO began")
        with pytest.raises(Unreadable, match=r"mapping\.start.*'start'.*began") as told:
            await adapter.ask(QUERY)
        assert told.value.reason == "schema"
        with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database:
            database.execute("ALTER TABLE events RENAME COLUMN began TO start")
        assert len((await adapter.ask(QUERY)).events) == 3


async def test_a_table_that_is_not_there_is_named(tmp_path):
    open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))
    source = mapped(tmp_path, 'table = "absent"')
    async with opened(build(source, in_folder(tmp_path))) as adapter:
        with pytest.raises(Unreadable, match="absent"):
            await adapter.ask(QUERY)


@pytest.mark.parametrize(
    "value",
    [
        "' OR 1=1 --",
        '"',
        "%",
        "_",
        "\\",
        ":value",
        "%(x)s",
        "0",
        "\N{BOMB}",
        "a" * 9999,
    ],
)
async def test_a_value_is_bound_and_never_part_of_the_statement(tmp_path, value):
    async with opened(open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))) as adapter:
        asked = Identifiers(others=frozenset({Identifier(LOCAL, value)}))
        answer = await adapter.ask(
            Query(person=asked, since=None, until=None, categories=CATEGORIES, limit=9)
        )
        assert answer.person is None
        assert answer.events == ()


async def test_a_written_query_tells_whom_it_returned(tmp_path):
    open_sqlite(tmp_path, EVENTS, in_folder(tmp_path))
    source = mapped(tmp_path, "query = 'SELECT * FROM events WHERE :value <> title'")
    async with opened(build(source, in_folder(tmp_path))) as adapter:
        asked = Identifiers(others=frozenset({Identifier(LOCAL, "somebody else")}))
        answer = await adapter.ask(
            Query(person=asked, since=None, until=None, categories=CATEGORIES, limit=9)
        )
        # A query that returns another person is not believed: the rows say who it is.
        assert {s for e in answer.events for s in e.subject} == SOMEONE.others


@pytest.mark.parts
class TestPostgres:
    async def test_typed_columns_read_as_what_they_are(self, postgres, tmp_path):
        connection = await asyncpg.connect(postgres.url)
        await connection.execute(
            'DROP TABLE IF EXISTS typed; CREATE TABLE typed ("record id" bigint,'
            f' "start" timestamptz, "{LOCAL} 0" uuid, day date, done boolean,'
            " amount numeric, nhs bigint)"
        )
        await connection.execute(
            "INSERT INTO typed VALUES (7, '2024-07-01 09:30+00',"
            " '6f1e1f9e-0000-4000-8000-000000000001', '2024-07-02', true, 1.50, $1)",
            int(SOMEONE.nhs_number or "0"),
        )
        await connection.close()
        source = mapped(tmp_path, 'table = "typed"', url=f'url = "{postgres.url}"')
        source.write_text(
            source.read_text("utf-8").replace(
                'start = "start"', 'start = "start"\nend = "day"\nrecorded = "day"'
            )
            + '[[mapping.identifiers]]\ncolumn = "nhs"\n'
            'system = "https://fhir.nhs.uk/Id/nhs-number"\n'
            '[[mapping.detail]]\ncolumn = "done"\nelement = "done"\n'
            '[[mapping.detail]]\ncolumn = "amount"\nelement = "amount"\n',
            "utf-8",
        )
        async with opened(build(source, in_folder(tmp_path))) as adapter:
            by_number = await adapter.ask(QUERY)
            uid = Identifier(LOCAL, "6f1e1f9e-0000-4000-8000-000000000001")
            by_key = await adapter.ask(
                Query(
                    person=Identifiers(others=frozenset({uid})),
                    since=None,
                    until=None,
                    categories=CATEGORIES,
                    limit=9,
                )
            )
        (event,) = by_number.events
        assert event.record_id == "7"
        assert event.start.text == "2024-07-01T09:30:00+00:00"
        assert event.end.text == "2024-07-02"
        assert [d.value for d in event.detail] == ["true", "1.50"]
        assert len(by_key.events) == 1

    async def test_nothing_can_be_written(self, postgres, tmp_path):
        await write_postgres(tmp_path, EVENTS, url=postgres.url, table="kept")
        query = (
            "query = '''WITH gone AS (DELETE FROM kept RETURNING *)"
            " SELECT * FROM gone WHERE :value <> title'''"
        )
        source = mapped(tmp_path, query, url=f'url = "{postgres.url}"')
        async with opened(build(source, in_folder(tmp_path))) as adapter:
            with pytest.raises((Unreadable, Refused, Unavailable)):
                await adapter.ask(QUERY)
        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval("SELECT count(*) FROM kept") == 3
        await connection.close()

    async def test_a_locked_table_is_busy(self, postgres, tmp_path):
        source = await write_postgres(tmp_path, EVENTS, url=postgres.url, key=LOCAL)
        text = source.read_text("utf-8")
        source.write_text(text.replace("[mapping]", "statement_s = 0.5\n[mapping]"))
        async with opened(build(source, in_folder(tmp_path))) as adapter:
            assert len((await adapter.ask(QUERY)).events) == 3
            other = await asyncpg.connect(postgres.url)
            transaction = other.transaction()
            await transaction.start()
            await other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Unavailable) as refused:
                await adapter.ask(QUERY)
            assert refused.value.reason == "busy"
            await transaction.rollback()
            await other.close()
            assert len((await adapter.ask(QUERY)).events) == 3

    async def test_a_caller_who_leaves_stops_the_statement(self, postgres, tmp_path):
        connection = await asyncpg.connect(postgres.url)
        await write_postgres(tmp_path, EVENTS, url=postgres.url, table="base")
        await connection.execute(
            "CREATE OR REPLACE VIEW sleepy AS"
            " SELECT b.*, pg_sleep(3)::text AS work FROM base b"
        )
        source = mapped(tmp_path, 'view = "sleepy"', url=f'url = "{postgres.url}"')
        source.write_text(
            source.read_text("utf-8")
            + '[[mapping.detail]]\ncolumn = "work"\nelement = "x"\n',
            "utf-8",
        )
        async with opened(build(source, in_folder(tmp_path))) as adapter:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.8):
                    await adapter.ask(QUERY)
        running = None
        for _ in range(20):
            running = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                " AND application_name = 'throughline'"
            )
            if not running:
                break
            await asyncio.sleep(0.05)
        await connection.execute("DROP VIEW sleepy")
        await connection.close()
        assert running == 0

    async def test_a_server_that_stops_is_unavailable_until_it_is_back(
        self, postgres, tmp_path
    ):
        adapter = await open_postgres(
            tmp_path, EVENTS, in_folder(tmp_path), url=postgres.url, key=LOCAL
        )
        async with opened(adapter):
            assert len((await adapter.ask(QUERY)).events) == 3
            postgres.stop()
            try:
                with pytest.raises(Unavailable):
                    await adapter.ask(QUERY)
                with pytest.raises(Unavailable):
                    await adapter.ask(QUERY)
            finally:
                postgres.start()
            assert len((await adapter.ask(QUERY)).events) == 3

    async def test_an_unknown_database_is_named_as_such(self, postgres, tmp_path):
        url = postgres.url.replace("/postgres", "/absent")
        url = url.replace("//throughline@", "//throughline@")
        source = mapped(tmp_path, 'table = "events"', url=f'url = "{url}"')
        async with opened(build(source, in_folder(tmp_path))) as adapter:
            with pytest.raises(Unreadable, match="url"):
                await adapter.ask(QUERY)
