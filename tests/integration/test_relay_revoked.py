"""Keys revoked while something waits at the relay: its routes, over one relay."""

import asyncio
import hashlib
import secrets
from functools import partial
from types import SimpleNamespace

import httpx
import pytest
from fastapi import Request

from adapters.relay import Brought
from adapters.site.outbound import member
from adapters.site.ticket import Handed, Ticket, answer_path, poll_path, ticket
from adapters.site.wire import Posted, read, spelt
from gateway.api import relay as relay_api
from gateway.app import routes
from gateway.audit.records import TicketsRefused
from gateway.relay.refusals import Refusals
from gateway.relay.relay import SiteRelay
from gateway.settings import Relay as Bounds
from tests.fakes import FakeTrail
from tests.houses import HouseClock
from tests.sites import GATEWAY, SITE, pair

JTI = "1" * 32
POSTED = Posted(question="a.b.c", body="d")
JSON, JOSE = "application/json", "application/jose"
POLL = poll_path(SITE)


class Gateway:
    """The relay's routes, a site with an old key and a new one, and what it holds."""

    def __init__(self) -> None:
        self.clock, self.trail = HouseClock(), FakeTrail()
        refusals = Refusals(self.trail.append)
        self.relay = SiteRelay(Bounds(poll_s=5, pickup_s=2), self.clock, refusals)
        self.old, old = pair()
        self.new, self.only_new = pair()
        # As while keys are rotated: both are good.
        self.pinned = [old, self.only_new]
        for nth in (0, 1):
            keys = partial(self.pinned.__getitem__, nth)
            self.relay.tickets.admit(
                member(SITE, GATEWAY, keys, leeway_s=5.0), owner="Z9B02"
            )
        app = routes()
        app.state.service = SimpleNamespace(relay=self.relay)
        transport = httpx.ASGITransport(app)
        self.client = httpx.AsyncClient(transport=transport, base_url="https://a")

    def revoke(self) -> None:
        """The old key is good no more."""
        self.pinned[0] = self.only_new

    async def post(self, keys, path, content, kind, *, body=None) -> httpx.Response:
        """`content` may come slowly; `body` is then what it will have been."""
        now = int(self.clock.now().timestamp())
        digest = hashlib.sha256(content if body is None else body).hexdigest()
        shown = Ticket(
            iss=SITE,
            aud=GATEWAY,
            jti=secrets.token_hex(16),
            iat=now,
            exp=now + 60,
            path=path,
            body_sha256=digest,
        )
        headers = {
            "Authorization": f"Bearer {ticket(shown, keys.signs)}",
            "Content-Type": kind,
        }
        return await self.client.post(path, content=content, headers=headers)

    async def polls(self, keys) -> "asyncio.Task[httpx.Response]":
        """A poll that is open."""
        before = len(self.relay.queue._polls.get(SITE, ()))
        task = asyncio.create_task(self.post(keys, POLL, b"{}", JSON))
        async with asyncio.timeout(5):
            while len(self.relay.queue._polls.get(SITE, ())) == before:  # noqa: ASYNC110 - what is watched tells nobody
                await asyncio.sleep(0)
        return task

    def asks(self) -> "asyncio.Task[Brought]":
        return asyncio.create_task(self.relay.carry(SITE, JTI, spelt(POSTED)))


@pytest.fixture
async def gateway():
    made = Gateway()
    yield made
    await made.client.aclose()
    await made.relay.aclose()


def refused(gateway, code):
    return [
        each
        for each in gateway.trail.records
        if isinstance(each, TicketsRefused) and (each.site, each.code) == (SITE, code)
    ]


async def brings(gateway, asked) -> None:
    path = answer_path(SITE, JTI)
    assert (await gateway.post(gateway.new, path, b"x", JOSE)).status_code == 204
    assert (await asked).body == b"x"


async def test_a_poll_opened_before_a_revocation_is_handed_nothing(gateway):
    """Seeded defect: whoever has the revoked key swallows the next question."""
    revoked = await gateway.polls(gateway.old)
    rotated = await gateway.polls(gateway.new)
    gateway.revoke()
    asked = gateway.asks()
    refusal, handed = await revoked, await rotated
    assert refusal.status_code == 401
    assert read(handed.content, Handed) == Handed(jti=JTI, posted=POSTED)
    await brings(gateway, asked)
    assert len(refused(gateway, "revoked")) == 1


async def test_a_question_on_its_way_to_a_revoked_key_is_given_to_another(gateway):
    rotated = gateway.pinned[0]
    revoked = await gateway.polls(gateway.old)
    found = iter([rotated])  # as it is given; and as it is handed out, no more
    gateway.relay.tickets._members[SITE][0] = member(
        SITE, GATEWAY, lambda: next(found, gateway.only_new), leeway_s=5.0
    )
    asked = gateway.asks()
    assert (await revoked).status_code == 401
    handed = await gateway.post(gateway.new, POLL, b"{}", JSON)
    assert read(handed.content, Handed).jti == JTI
    await brings(gateway, asked)


async def test_an_answer_that_comes_after_a_revocation_is_not_taken(gateway):
    fetched = await gateway.polls(gateway.old)
    asked = gateway.asks()
    assert read((await fetched).content, Handed).jti == JTI

    async def slowly():
        yield b"x"
        gateway.revoke()
        yield b"y"

    path = answer_path(SITE, JTI)
    said = await gateway.post(gateway.old, path, slowly(), JOSE, body=b"xy")
    assert said.status_code == 401
    assert not asked.done()
    await brings(gateway, asked)


async def test_refused_tickets_are_recorded_by_their_number(gateway):
    strangers = pair()[0]
    for _ in range(50):
        said = await gateway.post(strangers, POLL, b"{}", JSON)
        assert said.status_code == 401
    await gateway.relay.aclose()
    counts = [each.count for each in refused(gateway, "forged")]
    assert sum(counts) == 50
    assert len(counts) <= 2


async def test_an_answer_that_is_awaited_no_more_when_it_has_come_has_no_place(gateway):
    fetched = await gateway.polls(gateway.new)
    asked = gateway.asks()
    await fetched

    async def slowly():
        yield b"x"
        asked.cancel()
        await asyncio.wait([asked])
        yield b"y"

    path = answer_path(SITE, JTI)
    said = await gateway.post(gateway.new, path, slowly(), JOSE, body=b"xy")
    assert said.status_code == 404


async def test_a_question_given_to_a_poll_that_hangs_up_just_then_waits_again(gateway):
    """Seeded defect: what nobody reads counts as fetched, and is lost."""
    queue = gateway.relay.queue
    poll = queue.open(SITE)
    asked = gateway.asks()
    await asyncio.wait([poll.given])

    async def receive():
        return {"type": "http.disconnect"}

    request = Request({"type": "http"}, receive)
    assert await relay_api._given(request, gateway.relay, poll) is None
    assert queue.unfetched(SITE) == (JTI,)
    asked.cancel()
    await asyncio.wait([asked])
