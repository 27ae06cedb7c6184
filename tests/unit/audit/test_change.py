"""A change and its record: both durable, or neither; others are not kept waiting."""

import asyncio
import json
import threading
import time

import pytest
from sqlalchemy import text

from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Change
from gateway.problems import RequestError
from gateway.store.database import Database
from tests.fakes import FakeClock
from tests.trails import ACTOR, bounds, intent, is_whole, rows_of, sqlite_url, trail_at

RECORD = Change(actor=ACTOR, action="create", object="agreement", document="DSA-1")


class Refusal(Exception):
    """Whatever a change may raise of its own."""


@pytest.fixture
async def trail(tmp_path):
    trail = trail_at(sqlite_url(tmp_path), FakeClock(), write_s=0.5)
    await trail.start("0.1.0")
    yield trail
    await trail.aclose()


def told(folder):
    return [json.loads(record) for _, record, _ in rows_of(folder)]


def set_key(connection, value):
    statement = text("INSERT INTO idempotency_key VALUES ('c', :key, 'r', 'x', 'now')")
    connection.execute(statement, {"key": value})


async def keys(folder):
    database = Database(sqlite_url(folder), busy_s=1)
    try:
        return await database.read(
            lambda c: list(c.execute(text("SELECT key FROM idempotency_key")).scalars())
        )
    finally:
        await database.aclose()


async def test_what_was_changed_and_its_record_are_written_together(trail, tmp_path):
    def work(connection):
        set_key(connection, "k")
        return "result", RECORD

    assert await trail.change(work) == "result"
    assert told(tmp_path)[-1]["document"] == "DSA-1"
    assert told(tmp_path)[-1]["type"] == "change"
    assert await keys(tmp_path) == ["k"]
    assert is_whole(tmp_path)


async def test_whatever_it_raises_undoes_all_and_comes_through(trail, tmp_path):
    def work(connection):
        set_key(connection, "k")
        raise Refusal

    with pytest.raises(Refusal):
        await trail.change(work)
    assert await keys(tmp_path) == []
    assert [each["type"] for each in told(tmp_path)] == ["start"]
    assert trail.is_writable()


async def test_a_change_that_another_made_first_is_refused_and_the_log_is_whole(
    trail, tmp_path
):
    def work(connection):
        set_key(connection, "k")
        return None, RECORD

    await trail.change(work)
    with pytest.raises(RequestError) as caught:
        await trail.change(work)
    assert caught.value.code == "conflict"
    assert trail.is_writable()
    assert await keys(tmp_path) == ["k"]
    assert is_whole(tmp_path)


async def test_a_record_that_may_not_be_written_undoes_the_change(trail, tmp_path):
    def work(connection):
        set_key(connection, "k")
        return None, Change(actor=ACTOR, action="two words", object="agreement")

    with pytest.raises(ValueError, match="not a code"):
        await trail.change(work)
    assert await keys(tmp_path) == []
    await trail.append(intent())


async def test_a_store_that_fails_undoes_it_and_says_so(trail, tmp_path):
    def work(connection):
        set_key(connection, "k")
        connection.execute(text("SELECT * FROM nowhere"))
        return None, RECORD

    with pytest.raises(AuditUnavailable) as caught:
        await trail.change(work)
    assert caught.value.reason == "store"
    assert not trail.is_writable()
    assert await keys(tmp_path) == []
    await trail.append(intent())
    assert trail.is_writable()


async def test_a_log_that_was_cut_refuses_the_change(trail, tmp_path):
    await trail.append(intent())

    def cut(connection):
        connection.execute(text("UPDATE audit_head SET n = 1"))

    await trail._log._database.transact(cut)
    with pytest.raises(AuditUnavailable) as caught:
        await trail.change(lambda _: (None, RECORD))
    assert caught.value.reason == "broken"


async def test_changes_and_records_of_others_make_one_chain(trail, tmp_path):
    def change(name):
        return lambda connection: (set_key(connection, name), RECORD)

    await asyncio.gather(
        *(trail.append(intent(f"j{n}")) for n in range(20)),
        *(trail.change(change(f"k{n}")) for n in range(20)),
    )
    assert is_whole(tmp_path)
    assert len(rows_of(tmp_path)) == 41
    assert len(await keys(tmp_path)) == 20


async def test_a_change_that_takes_too_long_is_refused_and_not_done(trail, tmp_path):
    def work(connection):
        set_key(connection, "k")
        time.sleep(1.0)
        return None, RECORD

    with pytest.raises(AuditUnavailable) as caught:
        await trail.change(work)
    assert caught.value.reason == "slow"
    await asyncio.sleep(0.8)
    await trail.append(intent())
    assert await keys(tmp_path) == []


async def test_who_goes_away_does_not_take_the_change_back(trail, tmp_path):
    leaving = asyncio.create_task(
        trail.change(lambda connection: (set_key(connection, "k"), RECORD))
    )
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await trail.append(intent())
    assert await keys(tmp_path) == ["k"]


async def test_a_change_under_way_is_ended_before_the_store_is_let_go(tmp_path):
    trail = trail_at(sqlite_url(tmp_path), FakeClock(), write_s=2)
    await trail.start("0.1.0")

    def work(connection):
        time.sleep(0.2)
        set_key(connection, "k")
        return None, RECORD

    changing = asyncio.create_task(trail.change(work))
    await asyncio.sleep(0.05)
    await trail.aclose()
    await changing
    assert await keys(tmp_path) == ["k"]


async def test_a_change_that_outlasts_the_stop_is_told_that_it_was_not_done(tmp_path):
    trail = trail_at(sqlite_url(tmp_path), FakeClock(), write_s=2)
    await trail.start("0.1.0")
    hanging = threading.Event()

    def work(connection):
        set_key(connection, "k")
        hanging.wait(5)
        raise Refusal

    changing = asyncio.create_task(trail.change(work))
    await asyncio.sleep(0.05)
    trail._settings = bounds(write_s=0.2)
    closing = asyncio.create_task(trail.aclose())
    with pytest.raises(AuditUnavailable) as caught:
        await changing
    assert caught.value.reason == "not-writing"
    hanging.set()
    await closing
    assert await keys(tmp_path) == []


async def test_before_the_start_and_after_the_end_nothing_is_changed(tmp_path):
    trail = trail_at(sqlite_url(tmp_path), FakeClock())
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            await trail.change(lambda _: (None, RECORD))
        await trail.start("0.1.0")
        await trail.aclose()


async def test_a_request_is_known_again_by_a_keyed_hash(trail):
    known = trail.request_of(b"a body")
    assert known == trail.request_of(b"a body")
    assert known != trail.request_of(b"another")
    assert len(known) == 64


async def test_a_reader_sees_one_moment_and_keeps_no_writer_waiting(trail, tmp_path):
    database = Database(sqlite_url(tmp_path), busy_s=1)
    began, written = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def read(connection):
        count = text("SELECT count(*) FROM audit_record")
        before = connection.execute(count).scalar()
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(written.wait(), loop).result(5)
        return before, connection.execute(count).scalar()

    reading = asyncio.create_task(database.read(read))
    await began.wait()
    await trail.append(intent())
    written.set()
    assert await reading == (1, 1)
    await database.aclose()
    await database.aclose()
