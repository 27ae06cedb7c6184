"""The audit trail on PostgreSQL: one log for many writers, durable, refused in time."""

import asyncio
import time
import uuid

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from gateway.audit.chain import Entry, first_broken
from gateway.audit.log import AuditUnavailable
from gateway.store.database import Database
from tests.trails import intent, trail_at

pytestmark = pytest.mark.parts


@pytest.fixture
async def url(postgres):
    """A new, empty database of the server."""
    name = f"audit_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return make_url(postgres.url).set(drivername="postgresql+asyncpg", database=name)


async def read(url):
    """The rows and the head, as another client of the server sees them."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        rows = await connection.fetch("SELECT * FROM audit_record ORDER BY n")
        head = await connection.fetchrow("SELECT * FROM audit_head")
        level = await connection.fetchval("SHOW server_version_num")
    finally:
        await connection.close()
    assert int(level) > 0
    return [tuple(row) for row in rows], Entry(n=head["n"], chain=head["chain"])


async def test_writers_of_several_trails_make_one_chain(url):
    trails = [trail_at(url, write_s=5) for _ in range(4)]
    # All at once: each finds the store empty, and one of them migrates it.
    await asyncio.gather(*(trail.start("0.1.0") for trail in trails))
    entries = await asyncio.gather(
        *(trail.append(intent()) for _ in range(25) for trail in trails)
    )
    for trail in trails:
        await trail.aclose()
    rows, head = await read(url)
    assert first_broken(rows, head) is None
    assert {entry.n for entry in entries} <= {n for n, _, _ in rows}
    assert head.n == 108


async def test_a_log_is_continued_and_its_head_verified(url):
    for expected in (1, 3):
        trail = trail_at(url)
        assert (await trail.start("0.1.0")).n == expected
        await trail.aclose()
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    await connection.execute("UPDATE audit_record SET record = '{}' WHERE n = 4")
    await connection.close()
    with pytest.raises(AuditUnavailable) as caught:
        await trail_at(url).start("0.1.0")
    assert caught.value.reason == "broken"


async def test_a_commit_is_asked_to_reach_the_disk(url):
    database = Database(url, busy_s=1)
    async with database.engine.begin() as connection:
        shown = await connection.exec_driver_sql("SHOW synchronous_commit")
        assert shown.scalar() == "on"
    await database.aclose()


async def test_a_head_held_by_another_refuses_in_time_and_works_when_let_go(url):
    trail = trail_at(url, write_s=0.5)
    await trail.start("0.1.0")
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    other = await asyncpg.connect(plain)
    held = other.transaction()
    await held.start()
    await other.execute("SELECT * FROM audit_head FOR UPDATE")
    began = time.perf_counter()
    with pytest.raises(AuditUnavailable):
        await trail.append(intent("jny_refused"))
    assert time.perf_counter() - began < 1.0
    await held.rollback()
    await other.close()
    await trail.append(intent("jny_after"))
    await trail.aclose()
    rows, head = await read(url)
    assert first_broken(rows, head) is None
    assert "jny_refused" not in "".join(record for _, record, _ in rows)


async def test_a_server_that_stops_refuses_and_is_found_again(url, postgres):
    trail = trail_at(url)
    await trail.start("0.1.0")
    postgres.stop()
    try:
        with pytest.raises(AuditUnavailable) as caught:
            await trail.append(intent())
        assert caught.value.reason == "store"
        assert not trail.is_writable()
        with pytest.raises(AuditUnavailable) as caught:
            await trail_at(url).start("0.1.0")
        assert caught.value.reason == "store"
    finally:
        postgres.start()
    await trail.append(intent())
    await trail.aclose()
    rows, head = await read(url)
    assert first_broken(rows, head) is None


async def test_a_database_that_is_not_there_stops_the_start(url):
    with pytest.raises(AuditUnavailable) as caught:
        await trail_at(url.set(database="none")).start("0.1.0")
    assert caught.value.reason == "store"
