"""Two relays of one PostgreSQL store, in this process: what they hear of each other."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import asyncpg
import pytest
import structlog
from sqlalchemy.engine import make_url

from adapters.errors import Unavailable
from adapters.http import Response
from adapters.relay import Brought
from gateway.clock import SystemClock
from gateway.relay import bulletin as bulletin_file
from gateway.relay.bulletin import Bulletin
from gateway.relay.relay import SiteRelay, open_relay
from gateway.store.database import Database
from tests.configuration import changed, settings
from tests.fakes import FakeTrail

pytestmark = pytest.mark.parts

SITE, JTI = "z9b02-site", "1" * 32
BROUGHT = Brought(media_type="application/jose", body=b"sealed answer")
PLACES = ("http://127.0.0.1:8001", "http://127.0.0.1:8002")


class Wire:
    """What goes over HTTP from one gateway to the other."""

    def __init__(self) -> None:
        self.relays: dict[str, SiteRelay] = {}

    async def send(self, request):
        place, _, path = request.url.rpartition("/v1/relay/")
        site, _, jti = path.split("/")
        replicas = self.relays[place].replicas
        assert replicas is not None
        found = replicas.handed(request.headers["Authorization"], site, jti)
        if found is None:
            return Response(status=404, headers={}, body=b"")
        headers = {"content-type": found.media_type}
        return Response(status=200, headers=headers, body=found.body)

    async def aclose(self) -> None: ...


@pytest.fixture
async def url(postgres):
    """A new, empty database of the server."""
    name = f"relay_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    made = make_url(postgres.url).set(database=name, drivername="postgresql+asyncpg")
    return made.render_as_string(hide_password=False)


@pytest.fixture
async def relays(tmp_path, url):
    """The relay that is asked, and the one that is polled."""
    wire, opened, stores = Wire(), [], []
    text = changed("sqlite+aiosqlite:///throughline.db", url)
    for place in PLACES:
        part = (
            f'[relay]\naddress = "{place}"\nkey = "env:RELAY"\n'
            "pickup_s = 0.5\npoll_s = 0.5\n[limits]"
        )
        read = settings(tmp_path, changed("[limits]", part, text), RELAY="5a" * 32)
        stores.append(Database(read.database_url(), busy_s=1))
        relay = open_relay(
            read, stores[-1], wire, clock=SystemClock(), record=FakeTrail().append
        )
        wire.relays[place] = relay
        relay.start()
        assert relay.bulletin is not None
        await asyncio.wait_for(relay.bulletin.is_connected.wait(), 10)
        opened.append(relay)
    yield opened
    for relay, store in zip(opened, stores, strict=True):
        await relay.aclose()
        await relay.aclose()
        await store.aclose()


async def test_a_question_and_its_answer_cross_from_one_to_the_other(relays):
    asked, polled = relays
    poll = polled.queue.open(SITE)
    waiting = asyncio.create_task(polled.next_question(poll))
    carried = asyncio.create_task(asked.carry(SITE, JTI, b"posted"))
    question = await asyncio.wait_for(waiting, 5)
    assert (question.jti, question.posted) == (JTI, b"posted")
    assert await polled.bring(SITE, JTI, BROUGHT)
    assert await carried == BROUGHT
    assert not await asked.bring(SITE, JTI, BROUGHT)  # nobody awaits another


async def test_a_question_waits_for_a_poll_that_opens_elsewhere(relays):
    asked, polled = relays
    carried = asyncio.create_task(asked.carry(SITE, JTI, b"posted"))
    await asyncio.sleep(0.1)
    poll = polled.queue.open(SITE)
    question = await polled.next_question(poll)
    assert question.jti == JTI
    carried.cancel()
    with pytest.raises(asyncio.CancelledError):
        await carried
    assert not await polled.bring(SITE, JTI, BROUGHT)  # it is awaited no more


async def test_where_no_poll_is_open_anywhere_it_is_said_soon(relays):
    asked, polled = relays
    with pytest.raises(Unavailable) as caught:
        await asked.carry(SITE, JTI, b"posted")
    assert caught.value.reason == "no_poll"
    assert await polled.next_question(polled.queue.open(SITE)) is None


async def test_a_stopping_gateway_lets_its_polls_go(relays):
    _, polled = relays
    poll = polled.queue.open(SITE)
    waiting = asyncio.create_task(polled.next_question(poll))
    polled.leave()
    assert await asyncio.wait_for(waiting, 0.4) is None


@asynccontextmanager
async def told(url, monkeypatch):
    """What is heard by one who is told of by another; and a way to cut them off."""
    monkeypatch.setattr(bulletin_file, "_AGAIN_S", 0.05)
    monkeypatch.setattr(bulletin_file, "_ALIVE_S", 0.2)
    heard: asyncio.Queue[str] = asyncio.Queue()
    connected: asyncio.Queue[None] = asyncio.Queue()
    database = Database(make_url(url), busy_s=1)
    bulletin = Bulletin(
        database, heard.put_nowait, connected=lambda: connected.put_nowait(None)
    )
    bulletin.start()
    try:
        yield bulletin, heard, connected
    finally:
        await bulletin.aclose()
        await bulletin.aclose()
        await database.aclose()


async def test_a_connection_that_is_lost_is_made_again(url, monkeypatch):
    async with told(url, monkeypatch) as (bulletin, heard, connected):
        await asyncio.wait_for(connected.get(), 10)
        for number in range(250):
            bulletin.tell(f"word {number}")
        words = [await asyncio.wait_for(heard.get(), 5) for _ in range(250)]
        assert words == [f"word {number}" for number in range(250)]
        plain = url.replace("postgresql+asyncpg", "postgresql")
        connection = await asyncpg.connect(plain)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        await asyncio.wait_for(connected.get(), 10)  # nothing had to be told for it
        bulletin.tell("again")
        assert await asyncio.wait_for(heard.get(), 5) == "again"


async def test_a_store_that_is_not_there_is_tried_again_and_told_once(monkeypatch):
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:9/none"
    with structlog.testing.capture_logs() as alarms:
        async with told(nowhere, monkeypatch) as (bulletin, heard, connected):
            for number in range(3_000):
                bulletin.tell(str(number))  # what nobody takes is bounded
            await asyncio.sleep(0.5)
            assert connected.empty()
            assert heard.empty()
            assert bulletin._waiting.qsize() == 2_000
    assert [each["event"] for each in alarms] == ["relay_store_lost"]
