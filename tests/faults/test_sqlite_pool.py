"""SQLite's connections are kept, and never keep an old file or a caller waiting."""

import asyncio
import contextlib
import os
import shutil
import socket
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import datetime

import pytest

from adapters.contract import Event, Query
from adapters.errors import Unavailable
from adapters.moment import LONDON, Moment
from adapters.sql import build
from adapters.sqlite_driver import open_connection
from adapters.vocabulary import CATEGORIES
from tests.people import LOCAL, person
from tests.surroundings import in_folder
from tests.tables import open_sqlite, write_sqlite

pytestmark = pytest.mark.fault

SOMEONE = person(0)
QUERY = Query(person=SOMEONE, since=None, until=None, categories=CATEGORIES, limit=100)
PROMPT_S = 0.1
ENDLESS = (
    "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n"
    " LIMIT 2000000000) SELECT count(*) FROM n)"
)


def events(title="Fall", count=3):
    return tuple(
        Event(
            kind="ed_attendance",
            record_id=f"r{n}",
            title=title,
            status="finished",
            start=Moment(datetime(2024, 3, n + 1, tzinfo=LONDON), "day"),
            subject=SOMEONE.every,
        )
        for n in range(count)
    )


@contextlib.asynccontextmanager
async def opened(adapter):
    try:
        yield adapter
    finally:
        await adapter.aclose()


def slow_source(folder, *, statement_s=60.0, where="work"):
    """A view that counts without end: for each row, or once before the first."""
    source = write_sqlite(folder, events())
    view = {
        "work": f"CREATE VIEW slow AS SELECT e.*, {ENDLESS} AS work FROM events e",  # noqa: S608 - constants only
        "where": f"CREATE VIEW slow AS SELECT * FROM events WHERE {ENDLESS} > 0",  # noqa: S608 - constants only
    }[where]
    with contextlib.closing(sqlite3.connect(folder / "events.db")) as database:
        database.execute(view)
    text = source.read_text("utf-8")
    text = text.replace('table = "events"', 'view = "slow"')
    text = text.replace("[mapping]", f"statement_s = {statement_s}\n[mapping]", 1)
    if where == "work":
        text += '\n[[mapping.detail]]\ncolumn = "work"\nelement = "x"\n'
    source.write_text(text, "utf-8")
    return source


def connections():
    return [each for each in threading.enumerate() if "worker" in each.name]


async def until_quiet(most):
    """Waits until at most so many threads of connections are left."""
    for _ in range(100):
        if len(connections()) <= most:
            break
        await asyncio.sleep(0.02)
    return len(connections())


async def lateness(adapter, after_s):
    """How much later than asked a caller who leaves is let go, in seconds.

    The least of a few is compared: a machine full of work is late now and then, but
    who waits for a statement's end, a lock or a server waits every time.
    """
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after_s):
            await adapter.ask(QUERY)
    return time.monotonic() - before - after_s


@pytest.mark.parametrize("where", ["work", "where"])
async def test_a_caller_who_leaves_is_let_go_at_once(tmp_path, where):
    source = slow_source(tmp_path, where=where)
    async with opened(build(source, in_folder(tmp_path))) as adapter:
        late = [await lateness(adapter, after_s) for after_s in (0.3, 0.1, 0.05, 0.0)]
    assert min(late) < PROMPT_S


async def test_a_statement_that_was_left_ends_and_harms_no_later_one(tmp_path):
    source = slow_source(tmp_path)
    async with opened(build(source, in_folder(tmp_path))) as slow:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await slow.ask(QUERY)
        await asyncio.sleep(PROMPT_S)
        before = time.process_time()
        await asyncio.sleep(0.3)
        assert time.process_time() - before < 0.15  # nothing counts any more
        with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database:
            database.execute("DROP VIEW slow")
            database.execute("CREATE VIEW slow AS SELECT *, 1 AS work FROM events")
        assert len((await slow.ask(QUERY)).events) == 3


async def test_a_caller_who_waits_for_a_lock_is_let_go_at_once(tmp_path):
    async with opened(open_sqlite(tmp_path, events(), in_folder(tmp_path))) as adapter:
        with contextlib.closing(
            sqlite3.connect(tmp_path / "events.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN EXCLUSIVE")
            late = [await lateness(adapter, after_s) for after_s in (0.2, 0.1, 0.05)]
            assert min(late) < PROMPT_S
        assert len((await adapter.ask(QUERY)).events) == 3


async def test_a_slow_statement_ends_by_its_bound(tmp_path):
    source = slow_source(tmp_path, statement_s=0.5)
    async with opened(build(source, in_folder(tmp_path))) as adapter:
        took = []
        for _ in range(3):
            before = time.monotonic()
            with pytest.raises(Unavailable) as refused:
                await adapter.ask(QUERY)
            assert refused.value.reason == "busy"
            took.append(time.monotonic() - before)
        assert 0.4 < min(took) < 0.5 + PROMPT_S


async def test_questions_one_after_another_share_a_thread(tmp_path):
    earlier = set(connections())  # of other tests, about to end
    async with opened(open_sqlite(tmp_path, events(), in_folder(tmp_path))) as adapter:
        seen = set()
        for _ in range(5):
            assert len((await adapter.ask(QUERY)).events) == 3
            seen |= set(connections()) - earlier
        assert len(seen) == 1
        answers = await asyncio.gather(*(adapter.ask(QUERY) for _ in range(40)))
        assert {len(answer.events) for answer in answers} == {3}
        assert await until_quiet(len(earlier) + 4) <= len(earlier) + 4
    assert await until_quiet(len(earlier)) <= len(earlier)


async def test_a_database_put_in_place_of_another_is_the_one_read(tmp_path):
    write_sqlite(tmp_path / "new", events("Burn", count=2))
    async with opened(open_sqlite(tmp_path, events(), in_folder(tmp_path))) as adapter:
        assert len((await adapter.ask(QUERY)).events) == 3
        (tmp_path / "new" / "events.db").replace(tmp_path / "events.db")
        assert [e.title for e in (await adapter.ask(QUERY)).events] == ["Burn", "Burn"]


async def test_a_database_copied_over_another_is_the_one_read(tmp_path):
    """The same inode, size and change counter: SQLite alone would not see it."""
    write_sqlite(tmp_path / "new", events("Burn"))
    async with opened(open_sqlite(tmp_path, events("Fall"), in_folder(tmp_path))) as a:
        assert [e.title for e in (await a.ask(QUERY)).events] == ["Fall"] * 3
        before = (tmp_path / "events.db").stat()
        shutil.copyfile(tmp_path / "new" / "events.db", tmp_path / "events.db")
        # A clock may be too coarse to tell two writes of one test apart.
        later = before.st_mtime_ns + 1_000_000
        os.utime(tmp_path / "events.db", ns=(later, later))
        assert (tmp_path / "events.db").stat().st_ino == before.st_ino
        assert [e.title for e in (await a.ask(QUERY)).events] == ["Burn"] * 3


async def test_what_another_writes_is_read_by_the_next_question(tmp_path):
    async with opened(open_sqlite(tmp_path, events(), in_folder(tmp_path))) as adapter:
        for count in (3, 2, 1, 0):
            assert len((await adapter.ask(QUERY)).events) == count
            with (
                contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database,
                database,
            ):
                database.execute(
                    "DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events)"
                )


async def test_closing_waits_for_what_was_left_and_twice_is_safe(tmp_path):
    before = len(connections())
    adapter = build(slow_source(tmp_path), in_folder(tmp_path))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await adapter.ask(QUERY)
    await adapter.aclose()
    await adapter.aclose()
    assert await until_quiet(before) <= before


async def test_many_who_leave_at_once_do_not_use_up_the_connections(tmp_path):
    source = slow_source(tmp_path)
    async with opened(build(source, in_folder(tmp_path))) as adapter:

        async def leave():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await adapter.ask(replace(QUERY, limit=9))

        await asyncio.gather(*(leave() for _ in range(20)))
        with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database:
            database.execute("DROP VIEW slow")
            database.execute("CREATE VIEW slow AS SELECT *, 1 AS work FROM events")
        assert len((await adapter.ask(QUERY)).events) == 3


async def test_the_local_key_is_still_followed_over_kept_connections(tmp_path):
    adapter = open_sqlite(tmp_path, events(), in_folder(tmp_path), key=LOCAL)
    async with opened(adapter):
        first, second = await adapter.ask(QUERY), await adapter.ask(QUERY)
        assert first.events == second.events
        assert first.person == second.person


async def test_a_caller_of_a_silent_server_is_let_go_at_once(tmp_path):
    """PostgreSQL's own driver may take seconds to give a connection up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = write_sqlite(tmp_path, events())
        url = f"postgresql://reader@127.0.0.1:{silent.getsockname()[1]}/events"
        text = source.read_text("utf-8")
        source.write_text(text.replace("sqlite:///events.db", url), "utf-8")
        async with opened(build(source, in_folder(tmp_path))) as adapter:
            late = [await lateness(adapter, after_s) for after_s in (0.2, 0.1, 0.05)]
            assert min(late) < PROMPT_S


async def test_a_file_that_cannot_be_opened_leaves_no_thread_behind(tmp_path):
    before = set(threading.enumerate())
    with pytest.raises(sqlite3.OperationalError):
        await open_connection(str(tmp_path))  # a directory is no database
    left = set(threading.enumerate()) - before
    assert all(each.name.startswith("asyncio_") for each in left)
