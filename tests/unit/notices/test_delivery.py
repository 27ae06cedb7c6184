"""Notices are kept until they arrive, however often that takes."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from gateway.notices.channels import Channels
from gateway.notices.delivery import Delivery
from gateway.notices.outbox import Notice, queue, settle, take, wait_after
from tests.fakes import FakeClock
from tests.stores import migrated
from tests.trails import sqlite_url

ADDRESS = "http://officer.example.invalid/told"
CHANNELS = Channels(
    addresses={
        ("Z9A01", "privacy-officer"): ADDRESS,
        ("Z9B02", "owner"): "http://a:b",
    }
)
NOTICE = Notice(
    organisation="Z9A01",
    recipient="privacy-officer",
    kind="break-glass",
    reference="bgl_a",
)


class Channel(httpx.AsyncBaseTransport):
    """A receiver that answers what it is told to, and remembers what came."""

    def __init__(self) -> None:
        self.answers: list[int | Exception] = []
        self.requests: list[httpx.Request] = []
        self.asked = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.asked.set()
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, headers={"Location": ADDRESS + "/else"})


@pytest.fixture
async def store(tmp_path):
    async with migrated(sqlite_url(tmp_path)) as database:
        yield database


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
async def delivery(store, clock, channel):
    opened = Delivery(store, CHANNELS, clock=clock, transport=channel)
    yield opened
    await opened.aclose()


async def put(store, clock, *notices):
    await store.transact(lambda it: queue(it, notices or (NOTICE,), now=clock.now()))


async def waiting(store):
    rows = await store.transact(
        lambda it: it.exec_driver_sql(
            "SELECT due_at, tries FROM notice WHERE due_at IS NOT NULL"
        ).all()
    )
    return [tuple(row) for row in rows]


async def test_a_notice_arrives_once_and_holds_a_reference_alone(
    store, clock, channel, delivery
):
    await put(store, clock)
    assert await delivery.deliver_due() == 1
    assert await delivery.deliver_due() == 0
    (request,) = channel.requests
    assert str(request.url) == ADDRESS
    said = json.loads(request.content)
    assert said.pop("notice").startswith("ntc_")
    assert said.pop("next_step").startswith("Sign in and read GET /v1/break-glass;")
    assert said == {
        "kind": "break-glass",
        "to": "privacy-officer",
        "organisation": "Z9A01",
        "reference": "bgl_a",
        "at": "2026-03-01T12:00:00.000000Z",
    }
    assert await waiting(store) == []


async def test_what_is_said_twice_is_put_in_the_outbox_once(store, clock):
    await put(store, clock, NOTICE, NOTICE)
    await put(store, clock)
    assert len(await waiting(store)) == 1


@pytest.mark.parametrize(
    "failure",
    [
        500,
        301,
        404,
        httpx.ConnectError("no"),
        httpx.ReadTimeout("late"),
        TimeoutError(),
    ],
    ids=str,
)
async def test_what_was_not_taken_is_sent_again_later_with_the_same_id(
    store, clock, channel, delivery, failure
):
    """Catches a redirect that is followed: a notice goes to nobody else."""
    channel.answers = [failure]
    await put(store, clock)
    assert await delivery.deliver_due() == 0
    assert await delivery.deliver_due() == 0
    assert len(channel.requests) == 1
    clock.pass_by(10)
    assert await delivery.deliver_due() == 1
    first, second = (json.loads(each.content) for each in channel.requests)
    assert first == second


async def test_each_wait_is_longer_than_the_last_up_to_an_hour(
    store, clock, channel, delivery
):
    channel.answers = [500] * 12
    await put(store, clock)
    waits: list[float] = []
    for _ in range(12):
        began = clock.now()
        while not await delivery.deliver_due() and len(channel.requests) <= len(waits):
            clock.pass_by(5)
        waits.append((clock.now() - began).total_seconds())
    assert waits[:5] == [0, 10, 20, 40, 80]
    assert waits[-1] == 3600
    assert wait_after(10**6) == timedelta(hours=1)


async def test_after_five_tries_somebody_is_alarmed(
    store, clock, channel, delivery, capsys
):
    channel.answers = [500] * 5
    await put(store, clock)
    for _ in range(5):
        assert "notice_undelivered" not in capsys.readouterr().out
        await delivery.deliver_due()
        clock.pass_by(3600)
    told = capsys.readouterr().out
    assert "notice_undelivered" in told
    assert "bgl_a" not in told


async def test_a_channel_that_was_taken_away_or_is_none_keeps_its_notices(
    store, clock, channel, delivery
):
    gone = Notice(
        organisation="Z9C03", recipient="owner", kind="agreement", reference="dec_a"
    )
    broken = Notice(
        organisation="Z9B02", recipient="owner", kind="agreement", reference="dec_a"
    )
    await put(store, clock, gone, broken)
    assert await delivery.deliver_due() == 0
    assert channel.requests == []
    assert [tries for _, tries in await waiting(store)] == [1, 1]


async def test_what_one_gateway_took_another_leaves_alone_for_a_minute(store, clock):
    await put(store, clock)
    (due,) = await store.transact(lambda it: take(it, now=clock.now(), most=8))
    assert not await store.transact(lambda it: take(it, now=clock.now(), most=8))
    clock.pass_by(60)
    (again,) = await store.transact(lambda it: take(it, now=clock.now(), most=8))
    assert again == due
    await store.transact(lambda it: settle(it, due, delivered=True, now=clock.now()))
    clock.pass_by(60)
    assert not await store.transact(lambda it: take(it, now=clock.now(), most=8))


async def test_an_outbox_is_emptied_once_by_two_gateways(store_url, clock, channel):
    async with migrated(store_url) as one, migrated(store_url) as other:
        notices = [replace(NOTICE, reference=f"bgl_{n}") for n in "abcdefgh"]
        await put(one, clock, *notices, NOTICE)
        both = [
            Delivery(each, CHANNELS, clock=clock, transport=channel)
            for each in (one, other)
        ]
        arrived = await asyncio.gather(*(each.deliver_due() for each in both))
        for each in both:
            await each.deliver_due()
            await each.aclose()
    sent = [json.loads(each.content)["reference"] for each in channel.requests]
    assert sorted(sent) == [f"bgl_{n}" for n in "abcdefgh"]
    assert sum(arrived) == 8


async def test_started_it_delivers_when_it_is_woken_and_stops_at_once(
    store, clock, channel, delivery
):
    delivery.start()
    delivery.start()
    await asyncio.sleep(0.05)
    await put(store, clock)
    delivery.wake()
    async with asyncio.timeout(1.5):
        await channel.asked.wait()
    await delivery.aclose()
    await delivery.aclose()


async def test_unwoken_it_looks_by_itself(store, clock, channel, delivery):
    delivery.start()
    await asyncio.sleep(0.05)
    await put(store, clock)
    async with asyncio.timeout(8):
        await channel.asked.wait()


async def test_with_nobody_to_tell_it_does_not_start(store, clock):
    idle = Delivery(store, Channels(), clock=clock)
    idle.start()
    idle.wake()
    await idle.aclose()


async def test_a_store_that_is_lost_is_looked_at_again(
    store, clock, channel, delivery, capsys
):
    await put(store, clock)
    await store.transact(
        lambda it: it.exec_driver_sql("ALTER TABLE notice RENAME TO lost")
    )
    delivery.start()
    await asyncio.sleep(0.2)
    await store.transact(
        lambda it: it.exec_driver_sql("ALTER TABLE lost RENAME TO notice")
    )
    async with asyncio.timeout(8):
        while not channel.requests:
            delivery.wake()
            await asyncio.sleep(0.05)
    assert "notices_unreadable" in capsys.readouterr().out


def test_only_who_has_a_channel_can_be_told():
    assert CHANNELS.duties("Z9A01", "Z9B02") == {
        "notify:privacy-officer",
        "notify:owner",
    }
    assert CHANNELS.duties("Z9B02", "Z9A01") == frozenset()
    assert CHANNELS.of("Z9A01", "owner") is None
    assert ADDRESS not in repr(CHANNELS)
