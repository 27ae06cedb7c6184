"""Two gateways by hand: what they tell each other, and what they hand over."""

import asyncio

import msgspec
import pytest
import structlog

from adapters.errors import ConfigurationError, Unavailable
from adapters.http import AiohttpTransport, Response
from adapters.relay import Brought
from gateway.relay import replicas as replicas_file
from gateway.relay.queue import Question, Queue
from gateway.relay.relay import open_relay, refuse_alone
from gateway.relay.replicas import SCHEME, Own, Replicas, Word, replica_path
from gateway.store.database import Database
from tests.configuration import TEXT, changed, settings
from tests.fakes import FakeClock, FakeTrail
from tests.houses import HouseClock

SITE, JTI = "z9b02-site", "1" * 32
BROUGHT = Brought(media_type="application/jose", body=b"sealed answer")
KEY = b"k" * 32
HERE, THERE = "http://gateway-1.example.invalid", "http://gateway-2.example.invalid"


class Wire:
    """Between the two: what is told, and what is fetched."""

    def __init__(self) -> None:
        self.ends: dict[str, Replicas] = {}
        self.told: list[str] = []
        self.fetched: list[str] = []
        self.is_cut = False

    def tell(self, said: str) -> None:
        self.told.append(said)
        for end in self.ends.values():
            end.heard(said)

    async def send(self, request):
        if self.is_cut:
            message = "cut"
            raise Unavailable("connect", message)
        place, _, path = request.url.rpartition("/v1/relay/")
        site, _, jti = path.split("/")
        self.fetched.append(request.url)
        shown = request.headers["Authorization"]
        found = self.ends[place].handed(shown, site, jti)
        if found is None:
            return Response(status=404, headers={}, body=b"")
        headers = {"content-type": found.media_type}
        return Response(status=200, headers=headers, body=found.body)

    async def aclose(self) -> None: ...


class Ends:
    """Two gateways: the one that is asked, and the one that is polled."""

    def __init__(self, *, key: bytes = KEY) -> None:
        self.wire, self.clock = Wire(), HouseClock()
        self.asked = Queue(questions=4, polls=4)
        self.polled = Queue(questions=4, polls=4)
        self.here = self.end(HERE, self.asked, KEY)
        self.there = self.end(THERE, self.polled, key)

    def end(self, address: str, queue: Queue, key: bytes) -> Replicas:
        own = Own(address=address, key=key, connect_s=1.0, most_bytes=1_000)
        made = Replicas(queue, own, self.wire, clock=self.clock)
        self.wire.ends[address], made.tell = made, self.wire.tell
        return made

    def put(self) -> Question:
        question = Question(SITE, JTI, b"posted")
        self.asked.put(question)
        return question

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def shown(self, what="question", *, use="fetching", key=KEY, **changed) -> str:
        at = int(self.clock.now().timestamp())
        word = Word(what=what, site=SITE, jti=JTI, place=HERE, at=at)
        own = Own(address=THERE, key=key, connect_s=1.0, most_bytes=1)
        word = msgspec.structs.replace(word, **changed)
        return f"{SCHEME} {own.signed(word, use)}"


async def test_a_question_is_fetched_by_the_gateway_that_is_polled():
    ends = Ends()
    poll = ends.polled.open(SITE)
    question = ends.put()
    ends.here.question(SITE, JTI)
    await ends.settle()
    assert poll.given.result().posted == b"posted"
    assert question.is_fetched.is_set()
    assert ends.wire.fetched == [HERE + replica_path(SITE, JTI)]
    # And its answer by the one that asked.
    brought = asyncio.create_task(ends.there.bring(SITE, JTI, BROUGHT))
    assert await question.answer == BROUGHT
    assert await brought


async def test_a_poll_that_opens_later_finds_the_question():
    ends = Ends()
    ends.put()
    ends.here.question(SITE, JTI)
    await ends.settle()
    poll = ends.polled.open(SITE)
    ends.there.poll(SITE)
    await ends.settle()
    assert poll.given.result().jti == JTI


async def test_pointers_alone_are_told():
    ends = Ends()
    ends.put()
    ends.here.question(SITE, JTI)
    ends.there.poll(SITE)
    assert ends.wire.told
    assert not [each for each in ends.wire.told if "posted" in each]


async def test_all_is_told_again_after_a_connection_was_lost():
    ends = Ends()
    ends.here.tell = ends.there.tell = lambda _: None
    ends.put()
    poll = ends.polled.open(SITE)
    ends.here.question(SITE, JTI)
    ends.there.poll(SITE)
    await ends.settle()
    assert not poll.given.done()
    ends.here.tell = ends.there.tell = ends.wire.tell
    ends.there.all_again()
    ends.here.all_again()
    await ends.settle()
    assert poll.given.result().jti == JTI


async def test_a_poll_waits_on_when_another_gateway_was_sooner():
    ends = Ends()
    poll = ends.polled.open(SITE)
    ends.put()
    ends.asked.open(SITE)  # which is given the question meanwhile
    ends.here.question(SITE, JTI)
    await ends.settle()
    assert not poll.given.done()
    assert not poll.is_reserved
    assert ends.polled.polled == (SITE,)


async def test_a_gateway_that_cannot_be_reached_leaves_the_poll_waiting():
    ends = Ends()
    poll = ends.polled.open(SITE)
    ends.put()
    ends.wire.is_cut = True
    ends.here.question(SITE, JTI)
    await ends.settle()
    assert ends.polled.reserve(SITE) is poll


async def test_a_poll_that_ends_while_its_question_is_fetched_loses_none():
    ends = Ends()
    first = ends.polled.open(SITE)
    ends.put()
    send = ends.wire.send

    async def meanwhile(request):
        got = await send(request)
        ends.polled.shut(first)
        return got

    ends.wire.send = meanwhile  # type: ignore[method-assign]  # it hangs up just then
    second = ends.polled.open(SITE)
    ends.here.question(SITE, JTI)
    await ends.settle()
    assert second.given.result().posted == b"posted"


async def test_a_defect_of_the_wire_is_told_without_its_text():
    ends = Ends()
    ends.polled.open(SITE)
    ends.put()

    async def breaks(_):
        message = "what was sent"
        raise RuntimeError(message)

    ends.wire.send = breaks  # type: ignore[method-assign]  # a defect of ours
    with structlog.testing.capture_logs() as alarms:
        ends.here.question(SITE, JTI)
        await ends.settle()
    assert [each["event"] for each in alarms] == ["relay_fetch_failed"]
    assert "what was sent" not in str(alarms)
    assert ends.there._under_way == set()


async def test_what_a_stranger_tells_is_not_heard():
    ends = Ends(key=b"x" * 32)
    poll = ends.polled.open(SITE)
    ends.put()
    ends.here.question(SITE, JTI)
    ends.there.heard("")
    ends.there.heard("0" * 64 + "{}")
    ends.there.heard("é" * 200)
    await ends.settle()
    assert not poll.given.done()
    assert ends.wire.fetched == []


NOT_SHOWN = {
    "nothing": lambda ends: "",
    "another scheme": lambda ends: ends.shown().replace(SCHEME, "Bearer"),
    "another key": lambda ends: ends.shown(key=b"x" * 32),
    "what all have heard": lambda ends: ends.shown(use="told"),
    "for another gateway": lambda ends: ends.shown(place=THERE),
    "of another site": lambda ends: ends.shown(site="z9c03-site"),
    "of another question": lambda ends: ends.shown(jti="2" * 32),
    "long ago": lambda ends: ends.shown(at=int(ends.clock.now().timestamp()) - 31),
    "a poll": lambda ends: ends.shown("poll"),
    "an answer that is not here": lambda ends: ends.shown("answer"),
}


@pytest.mark.parametrize("made", NOT_SHOWN.values(), ids=list(NOT_SHOWN))
async def test_nothing_is_handed_to_who_is_not_one_of_us(made):
    ends = Ends()
    question = ends.put()
    assert ends.here.handed(made(ends), SITE, JTI) is None
    assert not question.is_fetched.is_set()


async def test_a_question_and_an_answer_are_handed_over_once():
    ends = Ends()
    ends.put()
    handed = ends.here.handed(ends.shown(), SITE, JTI)
    assert handed is not None
    assert handed.body == b"posted"
    assert ends.here.handed(ends.shown(), SITE, JTI) is None
    ends.here.tell = lambda _: None
    bringing = asyncio.create_task(ends.here.bring(SITE, JTI, BROUGHT))
    await ends.settle()
    assert not await ends.here.bring(SITE, JTI, BROUGHT)  # one is held already
    assert ends.here.handed(ends.shown("answer"), SITE, JTI) == BROUGHT
    assert ends.here.handed(ends.shown("answer"), SITE, JTI) is None
    assert await bringing


async def test_an_answer_that_no_gateway_awaits_is_let_go(monkeypatch):
    monkeypatch.setattr(replicas_file, "_TAKEN_S", 0.05)
    ends = Ends()
    assert not await ends.there.bring(SITE, JTI, BROUGHT)
    assert ends.there._parcels == {}
    assert ends.wire.fetched == []


async def test_an_answer_that_cannot_be_fetched_is_not_brought(monkeypatch):
    monkeypatch.setattr(replicas_file, "_TAKEN_S", 0.05)
    ends = Ends()
    question = ends.put()
    ends.asked.open(SITE)
    ends.wire.is_cut = True
    assert not await ends.there.bring(SITE, JTI, BROUGHT)
    assert not question.answer.done()


async def test_closing_ends_what_is_under_way():
    ends = Ends()
    hangs = asyncio.Event()

    async def send(_):
        await hangs.wait()

    ends.wire.send = send  # type: ignore[method-assign]  # a gateway that hangs
    ends.polled.open(SITE)
    ends.put()
    ends.here.question(SITE, JTI)
    await ends.settle()
    await ends.there.aclose()
    await ends.there.aclose()
    assert ends.there._under_way == set()


SERVER = "postgresql+asyncpg://me@db/x"


def opened(folder, text, **environ):
    read = settings(folder, text, **environ)
    database = Database(read.database_url(), busy_s=1)
    relay = open_relay(
        read,
        database,
        AiohttpTransport(),
        clock=FakeClock(),
        record=FakeTrail().append,
    )
    return read, relay


def shared(key="RELAY"):
    text = changed("sqlite+aiosqlite:///throughline.db", SERVER)
    part = f'[relay]\naddress = "{HERE}"\nkey = "env:{key}"\n[limits]'
    return changed("[limits]", part, text)


@pytest.mark.parametrize("key", ["ab", "no hex", "5a" * 31])
def test_a_key_of_gateways_is_32_bytes(tmp_path, key):
    with pytest.raises(
        ConfigurationError, match=r"relay\.key: is not 32 bytes"
    ) as told:
        opened(tmp_path, shared(), RELAY=key)
    assert key not in str(told.value)


@pytest.mark.parametrize("more", ["/b", "?c", "#d"])
def test_an_address_of_a_gateway_is_scheme_host_and_port(tmp_path, more):
    with pytest.raises(ConfigurationError, match="Leave out the rest"):
        opened(tmp_path, shared().replace(HERE, HERE + more), RELAY="5a" * 32)


def test_gateways_of_one_file_have_no_address(tmp_path):
    text = shared().replace(SERVER, "sqlite+aiosqlite:///throughline.db")
    with pytest.raises(ConfigurationError, match="one PostgreSQL"):
        opened(tmp_path, text, RELAY="5a" * 32)


def test_a_gateway_alone_on_a_shared_store_does_not_serve_polling_sites(tmp_path):
    text = changed("sqlite+aiosqlite:///throughline.db", SERVER)
    read, relay = opened(tmp_path, text)
    refuse_alone(read, relay)  # nobody polls
    relay.tickets._members[SITE] = []
    with pytest.raises(ConfigurationError, match=r"relay\.address: is missing"):
        refuse_alone(read, relay)
    read, relay = opened(tmp_path / "shared", shared(), RELAY="5a" * 32)
    relay.tickets._members[SITE] = []
    refuse_alone(read, relay)


def test_a_gateway_on_a_file_of_its_own_serves_polling_sites_alone(tmp_path):
    read, relay = opened(tmp_path, TEXT)
    relay.tickets._members[SITE] = []
    refuse_alone(read, relay)
    assert relay.replicas is None
