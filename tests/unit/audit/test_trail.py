"""The trail: appended is durable, in order, about nobody by name, and bounded."""

import asyncio
import json
import time
from datetime import timedelta

import pytest

from adapters.contract import Identifier
from gateway.audit.chain import START, Entry, extend, first_broken
from gateway.audit.log import AuditUnavailable, Log
from gateway.audit.records import Start
from gateway.audit.trail import Trail, open_trail
from gateway.store.database import Database
from tests.configuration import settings
from tests.fakes import FakeClock
from tests.people import LOCAL, number
from tests.trails import (
    KEY,
    bounds,
    head_of,
    intent,
    is_whole,
    outcome,
    rows_of,
    sqlite_url,
    trail_at,
)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def trail(tmp_path, clock):
    trail = trail_at(sqlite_url(tmp_path), clock)
    await trail.start("0.1.0")
    yield trail
    await trail.aclose()


def types_of(folder):
    return [json.loads(record)["type"] for _, record, _ in rows_of(folder)]


async def test_what_was_appended_is_in_the_store_when_append_returns(trail, tmp_path):
    entry = await trail.append(intent())
    n, record, chain = rows_of(tmp_path)[-1]
    assert (entry.n, entry.chain) == (n, chain) == (2, chain)
    assert json.loads(record)["journey"] == "jny_1"
    assert entry.head == f"sha256:{chain.hex()}"
    assert head_of(tmp_path) == entry


async def test_the_chain_is_the_published_formula(trail, tmp_path):
    await trail.append(intent())
    chain = START
    for n, record, stored in rows_of(tmp_path):
        chain = extend(chain, n, record.encode())
        assert stored == chain
    assert is_whole(tmp_path)


async def test_many_callers_share_their_commits_and_each_gets_its_own_entry(
    trail, tmp_path
):
    journeys = [f"jny_{n}" for n in range(300)]
    entries = await asyncio.gather(*(trail.append(intent(each)) for each in journeys))
    stored = {n: json.loads(record) for n, record, _ in rows_of(tmp_path)}
    assert [stored[entry.n]["journey"] for entry in entries] == journeys
    assert len({entry.n for entry in entries}) == 300
    assert is_whole(tmp_path)


async def test_start_and_stop_are_recorded_and_the_log_continues(tmp_path, clock):
    for _ in range(2):
        trail = trail_at(sqlite_url(tmp_path), clock)
        await trail.start("0.1.0")
        await trail.append(intent())
        await trail.aclose()
    assert types_of(tmp_path) == ["start", "intent", "stop"] * 2
    assert is_whole(tmp_path)


async def test_ids_and_processes_tell_records_and_writers_apart(tmp_path, clock):
    for _ in range(2):
        trail = trail_at(sqlite_url(tmp_path), clock)
        await trail.start("0.1.0")
        await trail.aclose()
    told = [json.loads(record) for _, record, _ in rows_of(tmp_path)]
    assert len({each["id"] for each in told}) == 4
    assert all(len(each["id"]) == 32 for each in told)
    assert len({each["process"] for each in told}) == 2


async def test_nobody_stands_in_the_store_by_number_or_identifier(trail, tmp_path):
    subjects = (
        trail.subject_of(number(0)),
        trail.subject_of(Identifier(LOCAL, "L-0001")),
    )
    assert subjects[0] == KEY.of_number(number(0))
    await trail.append(intent())
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    for value in (number(0), "L-0001"):
        assert not any(value.encode() in content for content in files)


async def test_a_record_with_content_is_refused_and_nothing_is_written(trail, tmp_path):
    with pytest.raises(ValueError, match="not a code"):
        await trail.append(outcome(reason="fell at home"))
    assert types_of(tmp_path) == ["start"]
    await trail.append(intent())


async def test_a_long_record_is_written_in_parts_together(tmp_path, clock):
    trail = trail_at(sqlite_url(tmp_path), clock, entry_bytes=2048)
    await trail.start("0.1.0")
    entry = await trail.append(intent(sources=600))
    after = await trail.append(intent())
    told = [json.loads(record) for _, record, _ in rows_of(tmp_path)]
    parts = [each for each in told if each["type"] == "part"]
    assert len(parts) > 2
    assert entry.n == len(parts) + 1
    assert after.n == entry.n + 1
    whole = json.loads("".join(part["text"] for part in parts))
    assert len(whole["sources"]) == 600
    await trail.aclose()


async def test_a_clock_that_goes_back_is_recorded_and_the_order_stands(
    trail, tmp_path, clock
):
    clock.at -= timedelta(seconds=1)
    await trail.append(intent())
    clock.at -= timedelta(seconds=1.5)
    await trail.append(intent())
    assert types_of(tmp_path) == ["start", "intent", "clock_jump", "intent"]
    assert json.loads(rows_of(tmp_path)[2][1])["back_ms"] == 1500


async def test_before_the_start_and_after_the_end_nothing_is_appended(tmp_path):
    trail = trail_at(sqlite_url(tmp_path))
    await trail.aclose()
    with pytest.raises(AuditUnavailable) as caught:
        await trail.append(intent())
    assert (caught.value.status, caught.value.code) == (503, "audit-unavailable")
    assert not trail.is_writable()
    await trail.start("0.1.0")
    assert trail.is_writable()
    await trail.aclose()
    await trail.aclose()
    assert not trail.is_writable()
    with pytest.raises(AuditUnavailable):
        await trail.append(intent())


async def test_a_caller_who_goes_away_does_not_take_the_record_back(trail, tmp_path):
    leaving = asyncio.create_task(trail.append(intent("jny_left")))
    await asyncio.sleep(0)
    leaving.cancel()
    await trail.append(intent("jny_next"))
    journeys = [json.loads(record).get("journey") for _, record, _ in rows_of(tmp_path)]
    assert journeys == [None, "jny_left", "jny_next"]
    assert leaving.cancelled()


class HeldLog(Log):
    """A log that writes only when let, and may then fail after all."""

    def __init__(self, folder):
        super().__init__(Database(sqlite_url(folder), busy_s=1), bounds())
        self.let = asyncio.Event()
        self.let.set()
        self.fails = False

    async def append(self, texts):
        await self.let.wait()
        if self.fails:
            raise AuditUnavailable("store")
        return await super().append(texts)


@pytest.mark.parametrize("fails", [False, True])
async def test_whoever_gave_up_is_told_once_whatever_becomes_of_the_write(
    tmp_path, clock, fails
):
    log = HeldLog(tmp_path)
    trail = Trail(log, KEY, settings=bounds(write_s=0.1), clock=clock)
    await trail.start("0.1.0")
    log.let.clear()
    gave_up = [asyncio.create_task(trail.append(intent())) for _ in range(2)]
    told = await asyncio.gather(*gave_up, return_exceptions=True)
    log.fails = fails
    log.let.set()
    reasons = [each.reason for each in told if isinstance(each, AuditUnavailable)]
    assert reasons == ["slow", "slow"]
    await asyncio.sleep(0.05)
    log.fails = False
    await trail.append(intent())
    await trail.aclose()
    assert is_whole(tmp_path)


async def test_a_write_under_way_is_no_reason_to_doubt_but_one_too_late_is(
    tmp_path, clock
):
    log = HeldLog(tmp_path)
    trail = Trail(log, KEY, settings=bounds(write_s=0.2), clock=clock)
    await trail.start("0.1.0")
    log.let.clear()
    waiting = asyncio.create_task(trail.append(intent()))
    await asyncio.sleep(0.02)
    assert trail.is_writable()
    with pytest.raises(AuditUnavailable):
        await waiting
    assert not trail.is_writable()
    log.let.set()
    await trail.append(intent())
    assert trail.is_writable()
    await trail.aclose()


async def test_a_record_written_while_other_work_held_us_is_not_called_late(
    tmp_path, clock
):
    """A timer of the whole second would fire before the commit could be heard of."""
    trail = trail_at(sqlite_url(tmp_path), clock, write_s=0.4)
    await trail.start("0.1.0")
    appending = [asyncio.create_task(trail.append(intent(f"j{n}"))) for n in range(3)]
    for _ in range(6):
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 - this is the loop being held
    assert [(await each).n for each in appending] == [2, 3, 4]
    assert trail.is_writable()
    await trail.aclose()


async def test_who_gave_up_before_the_turn_came_is_not_written(tmp_path, clock):
    log = HeldLog(tmp_path)
    trail = Trail(log, KEY, settings=bounds(write_s=0.1, batch=1), clock=clock)
    await trail.start("0.1.0")
    log.let.clear()
    gave_up = [asyncio.create_task(trail.append(intent(f"j{n}"))) for n in range(5)]
    await asyncio.wait(gave_up)
    log.let.set()
    await trail.append(intent("after"))
    await trail.aclose()
    journeys = [json.loads(record).get("journey") for _, record, _ in rows_of(tmp_path)]
    assert journeys == [None, "j0", "after", None]


async def test_a_stop_waits_no_longer_for_a_store_that_hangs(tmp_path, clock):
    log = HeldLog(tmp_path)
    trail = Trail(log, KEY, settings=bounds(write_s=0.1), clock=clock)
    await trail.start("0.1.0")
    log.let.clear()
    async with asyncio.timeout(1):
        await trail.aclose()
    assert types_of(tmp_path) == ["start"]


async def test_a_configured_trail_uses_its_key_and_its_store(tmp_path, clock):
    trail = open_trail(settings(tmp_path), clock)
    entry = await trail.start("0.1.0")
    await trail.aclose()
    assert entry.n == 1
    assert (tmp_path / "throughline.db").exists()


def test_a_log_is_broken_where_it_does_not_follow():
    texts = [b'{"a":%d}' % n for n in range(3)]
    rows, chain = [], START
    for n, text in enumerate(texts, 1):
        chain = extend(chain, n, text)
        rows.append((n, text.decode(), chain))
    head = Entry(n=3, chain=chain)
    assert first_broken(rows, head) is None
    assert first_broken([], Entry(n=0, chain=START)) is None
    assert first_broken(rows[:2], head) == 3
    assert first_broken(rows[1:], head) == 1
    assert first_broken(rows, Entry(n=2, chain=rows[1][2])) == 3
    assert first_broken(rows, Entry(n=3, chain=START)) == 4
    assert first_broken([], head) == 1
    changed = [rows[0], (2, '{"a":9}', rows[1][2]), rows[2]]
    assert first_broken(changed, head) == 2


def test_a_start_names_its_version():
    assert Start(version="0.1.0").kind == "start"
