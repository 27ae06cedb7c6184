"""A site that polls: how often, how much at once, and how it stops."""

import asyncio
import gc
import random
from contextlib import asynccontextmanager, contextmanager

import msgspec
import pytest
import structlog

from adapters.errors import Unavailable
from adapters.http import Response
from adapters.site import sealing
from adapters.site.ticket import TICKET_TYPE, Handed, Ticket, answer_path, poll_path
from adapters.site.wire import Posted, Refusal, read, spelt
from gateway.site import polling as polling_file
from gateway.site.polling import Polling, Way
from tests.fakes import FakeAdapter, FakeClock
from tests.houses import answer, event, memory, profile, source
from tests.sites import GATEWAY, SITE, Around, InHand, adapter_to, desk_of, query

NOTHING = spelt(Handed(jti=None, posted=None))


class Relay:
    """Hands out the questions it is given, and takes the answers to them."""

    def __init__(self) -> None:
        self.questions: asyncio.Queue[bytes] = asyncio.Queue()
        self.brought: asyncio.Queue[tuple[str, str, bytes]] = asyncio.Queue()
        self.shown: list[tuple[str, str]] = []
        self.polls = 0
        self.most_polls = 0
        self.poll_statuses: list[int] = []
        self.answer_statuses: list[int] = []
        self.jti = 0

    async def send(self, request):
        path = request.url.removeprefix("https://gateway.example.invalid")
        self.shown.append((path, request.headers["Authorization"]))
        if path == poll_path(SITE):
            return await self._poll()
        status = self.answer_statuses.pop(0) if self.answer_statuses else 204
        if status == 0:
            message = "cut"
            raise Unavailable("cut", message)
        kind = request.headers["Content-Type"]
        self.brought.put_nowait((path, kind, request.body))
        return Response(status=status, headers={}, body=b"")

    async def _poll(self):
        if self.poll_statuses:
            status = self.poll_statuses.pop(0)
            body = NOTHING if status == 200 else b"{}"
            return Response(status=status, headers={}, body=body)
        self.polls += 1
        self.most_polls = max(self.most_polls, self.polls)
        try:
            posted = await self.questions.get()
        finally:
            self.polls -= 1
        self.jti += 1
        handed = Handed(
            jti=f"{self.jti:032x}", posted=msgspec.json.decode(posted, type=Posted)
        )
        return Response(status=200, headers={}, body=spelt(handed))

    async def aclose(self) -> None: ...


EPR = "Z9B02.epr"


@asynccontextmanager
async def polling(relay, adapter=None, *, most=4, polls=2, around=None):
    around = around or Around()
    epr = source(EPR, adapter or memory(event("a-1")))
    desk = desk_of(epr, around)
    way = Way(
        url="https://gateway.example.invalid",
        host="gateway.example.invalid",
        transport=relay,
        identity=None,
        connect_s=1.0,
        poll_s=5.0,
        polls=polls,
        spread=lambda: 0.0,
    )
    made = Polling(desk, way, most=most, stops_s=0.2)
    made.start()
    try:
        yield made
    finally:
        await made.aclose()
        await made.aclose()


async def posted(around, epr) -> bytes:
    """A question as the gateway's adapter posts it."""
    carried = InHand(desk_of(epr, around))
    await adapter_to(epr, around, carried).ask(query())
    return carried.carried[0]


@pytest.fixture
def around():
    return Around()


async def test_a_question_is_fetched_answered_and_brought(around):
    relay, epr = Relay(), source(EPR, memory(event("a-1")))
    relay.questions.put_nowait(await posted(around, epr))
    async with polling(relay, around=around):
        path, kind, body = await asyncio.wait_for(relay.brought.get(), 5)
    assert (path, kind) == (answer_path(SITE, f"{1:032x}"), "application/jose")
    assert sealing.opened(body, around.gateway[0].sealing)
    for shown_for, authorization in relay.shown:
        token = authorization.removeprefix("Bearer ")
        said = read(
            sealing.verified(token, around.site[1].signing, TICKET_TYPE), Ticket
        )
        assert (said.iss, said.aud, said.path) == (SITE, GATEWAY, shown_for)
        assert said.exp - said.iat <= 60


async def test_a_question_that_is_not_taken_is_refused_to_the_relay(around):
    relay = Relay()
    relay.questions.put_nowait(spelt(Posted(question="a.b.c", body="d")))
    async with polling(relay, around=around):
        _, kind, body = await asyncio.wait_for(relay.brought.get(), 5)
    assert kind == "application/json"
    assert read(body, Refusal).refused == "malformed"


async def test_a_slow_question_keeps_no_other_waiting(around):
    slow = FakeAdapter(lambda _: answer(), profile=profile(), waits_s=30)
    relay = Relay()
    epr = source(EPR, memory(event("a-1")))
    relay.questions.put_nowait(await posted(around, epr))
    async with polling(relay, slow, around=around, polls=1) as made:
        await _until(lambda: len(made._answering) == 1)
        await _until(lambda: relay.polls == 1)  # and one is open all the same


async def test_no_more_is_fetched_than_may_be_answered_at_once(around):
    slow = FakeAdapter(lambda _: answer(), profile=profile(), waits_s=30)
    relay = Relay()
    epr = source(EPR, memory(event("a-1")))
    for _ in range(3):
        relay.questions.put_nowait(await posted(around, epr))
    async with polling(relay, slow, around=around, most=2, polls=1) as made:
        await _until(lambda: len(made._answering) == 2)
        await asyncio.sleep(0.05)
        assert (relay.polls, relay.questions.qsize()) == (0, 1)


async def test_no_more_is_fetched_than_may_be_answered_whatever_polls_are_open(around):
    """Seeded defect: each poll looks for room by itself, and all find the same."""
    slow = FakeAdapter(lambda _: answer(), profile=profile(), waits_s=30)
    relay = Relay()
    epr = source(EPR, memory(event("a-1")))
    async with polling(relay, slow, around=around, most=1, polls=4) as made:
        await _until(lambda: relay.polls == 1)
        await asyncio.sleep(0.02)
        assert relay.most_polls == 1
        for _ in range(3):
            relay.questions.put_nowait(await posted(around, epr))
        await _until(lambda: len(made._answering) == 1)
        await asyncio.sleep(0.05)
        assert (relay.polls, relay.questions.qsize()) == (0, 2)


class Broken(Relay):
    """What goes wrong beside what a poll knows of."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def _poll(self):
        if self.times:
            self.times -= 1
            message = "what a file held"
            raise OSError(message)
        return await super()._poll()


@contextmanager
def listened():
    """The alarms, and what the loop is told of tasks that nobody looked at."""
    unheard = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, about: unheard.append(about)
    )
    with structlog.testing.capture_logs() as alarms:
        yield alarms
    gc.collect()
    assert unheard == []


async def test_a_defect_ends_no_poll_and_is_told_without_its_text(around, monkeypatch):
    """Seeded defect: the poll's task ends, and after four of them the site is deaf."""
    monkeypatch.setattr(polling_file, "_FIRST_S", 0.001)
    relay, epr = Broken(7), source(EPR, memory(event("a-1")))
    relay.questions.put_nowait(await posted(around, epr))
    with listened() as alarms:
        async with polling(relay, around=around, polls=1) as made:
            await asyncio.wait_for(relay.brought.get(), 5)
            assert made.is_working
    assert [(each["event"], each["count"]) for each in alarms] == [
        ("poll_failed", 1),
        ("poll_failed", 6),
    ]
    assert "what a file held" not in str(alarms)


async def test_a_defect_in_answering_is_told_and_gives_its_place_back(around):
    relay = Relay()
    epr = source(EPR, memory(event("a-1")))
    relay.answer_statuses = [0, 204]  # cut, and then
    with listened() as alarms:
        async with polling(relay, around=around, most=1, polls=1) as made:
            made._pause_s = None  # a defect where it is tried again
            relay.questions.put_nowait(await posted(around, epr))
            await _until(lambda: alarms)
            relay.questions.put_nowait(await posted(around, epr))
            await asyncio.wait_for(relay.brought.get(), 5)
    assert [each["event"] for each in alarms] == ["answer_failed"]


async def test_a_site_works_while_any_of_its_polls_does():
    relay, clock = Relay(), FakeClock()
    around = Around(site_clock=clock)
    relay.poll_statuses = [401] * 1_000
    async with polling(relay, around=around, polls=2) as made:
        assert made.is_working  # nothing has failed yet
        await _until(lambda: len(relay.poll_statuses) <= 998)
        await _until(lambda: not made.is_working)
        relay.poll_statuses.clear()
        await _until(lambda: relay.polls > 0)
        assert not made.is_working  # it may be refused yet
        clock.pass_by(2.5)
        assert made.is_working  # it is let wait


async def test_what_is_refused_is_tried_again_later_each_time(around, monkeypatch):
    slept = []
    sleep = asyncio.sleep

    async def briefly(seconds):
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", briefly)
    relay = Relay()
    relay.poll_statuses = [401, 503, 404, 401, 401, 401, 401, 401]
    async with polling(relay, around=around, polls=1):
        async with asyncio.timeout(5):
            while relay.polls == 0:
                await sleep(0)
    assert slept[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5, 2.5]


async def test_a_relay_that_lets_no_poll_wait_is_not_asked_without_end(around):
    relay = Relay()
    relay.poll_statuses = [200] * 1_000
    async with polling(relay, around=around, polls=1):
        await asyncio.sleep(0.45)
    assert 1_000 - len(relay.poll_statuses) <= 6


async def test_an_answer_is_brought_again_where_that_may_help(around, monkeypatch):
    monkeypatch.setattr(polling_file, "_FIRST_S", 0.01)
    relay = Relay()
    relay.answer_statuses = [0, 204]
    relay.questions.put_nowait(spelt(Posted(question="a.b.c", body="d")))
    async with polling(relay, around=around):
        await asyncio.wait_for(relay.brought.get(), 5)
    relay.answer_statuses = [404, 204]
    relay.questions.put_nowait(spelt(Posted(question="a.b.c", body="d")))
    async with polling(relay, around=around):
        await asyncio.wait_for(relay.brought.get(), 5)
        await asyncio.sleep(0.05)
    assert relay.answer_statuses == [204]  # too late is too late


async def test_what_is_being_answered_is_brought_before_it_stops(around):
    slow = FakeAdapter(lambda _: answer(), profile=profile(), waits_s=0.1)
    relay = Relay()
    epr = source(EPR, memory(event("a-1")))
    relay.questions.put_nowait(await posted(around, epr))
    async with polling(relay, slow, around=around) as made:
        await _until(lambda: len(made._answering) == 1)
    assert relay.brought.qsize() == 1
    assert relay.polls == 0


async def test_it_stops_in_time_whatever_is_being_answered(around):
    hangs = FakeAdapter(lambda _: answer(), profile=profile(), waits_s=30)
    relay = Relay()
    epr = source(EPR, memory(event("a-1")))
    relay.questions.put_nowait(await posted(around, epr))
    async with polling(relay, hangs, around=around) as made:
        await _until(lambda: len(made._answering) == 1)
        began = asyncio.get_running_loop().time()
        await made.aclose()
        assert asyncio.get_running_loop().time() - began < 1
    assert made._answering == set()


async def _until(is_so) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - what is watched tells nobody
            await asyncio.sleep(0.01)


def test_sites_do_not_all_come_back_at_once():
    way = Way(
        url="",
        host="",
        transport=Relay(),
        identity=None,
        connect_s=1.0,
        poll_s=1.0,
        polls=1,
        spread=random.Random(1).random,  # noqa: S311 - the same jitter each time
    )
    made = Polling(None, way, most=1, stops_s=1)  # type: ignore[arg-type]  # no question comes
    pauses = [made._pause_s(3) for _ in range(50)]
    assert min(pauses) >= 0.4
    assert max(pauses) <= 0.8
    assert len(set(pauses)) == 50
