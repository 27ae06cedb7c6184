"""The relay of one process: sites poll it, and its own journeys ask through it.

A question is here in memory alone, sealed, and gone when it is answered, when nobody
awaits its answer any more, or when this process ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from adapters.errors import Unavailable
from adapters.http import Transport
from adapters.relay import Brought, Member, Relay
from adapters.source_file import wrong
from gateway.audit.records import TicketsRefused
from gateway.clock import Clock
from gateway.relay.bulletin import Bulletin
from gateway.relay.queue import Full, Poll, Question, Queue
from gateway.relay.refusals import Refusals
from gateway.relay.replicas import Own, Replicas
from gateway.relay.room import Room
from gateway.relay.tickets import Tickets
from gateway.settings import Relay as Bounds
from gateway.settings import Settings
from gateway.store.database import Database

_BUSY_S: Final = 1
_KEY_BYTES: Final = 32
_FETCHED_S: Final = 2.0  # from another gateway, at the very end of a poll


class SiteRelay:
    """What the routes do, and sources of each organisation. Closing twice is safe."""

    def __init__(self, bounds: Bounds, clock: Clock, refusals: Refusals) -> None:
        self.refusals = refusals
        self.tickets = Tickets(clock, refused=refusals.note)
        self.bounds = bounds
        self.queue = Queue(questions=bounds.questions, polls=bounds.polls)
        self.room = Room(bounds.answers)
        self.replicas: Replicas | None = None
        self.bulletin: Bulletin | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def leave(self) -> None:
        """End the polls, and open no more: this process stops. For a signal, too."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.queue.close)

    def start(self) -> None:
        """Hear the other gateways, where there are any."""
        self._loop = asyncio.get_running_loop()
        if self.bulletin is not None:
            self.bulletin.start()

    async def aclose(self) -> None:
        await self.refusals.aclose()
        if self.bulletin is not None:
            await self.bulletin.aclose()
        if self.replicas is not None:
            await self.replicas.aclose()

    def of(self, organisation: str) -> Relay:
        """The relay as the sources of one organisation use it."""
        return _Owned(self, organisation)

    async def carry(self, site: str, jti: str, question: bytes) -> Brought:
        """As `adapters.relay.Relay` has it."""
        held = Question(site, jti, question)
        try:
            self.queue.put(held)
        except Full:
            message = "too many questions wait for this site. Ask again later."
            raise Unavailable(
                "busy", message, domain="adapter", retry_after_s=_BUSY_S
            ) from None
        try:
            await self._fetched(held)
            return await held.answer
        finally:
            self.queue.drop(held)

    async def _fetched(self, held: Question) -> None:
        """Wait until its site has fetched a question, here or elsewhere."""
        if held.is_fetched.is_set():
            return
        if self.replicas is not None:
            self.replicas.question(held.site, held.jti)
        try:
            async with asyncio.timeout(self.bounds.pickup_s):
                await held.is_fetched.wait()
        except TimeoutError:
            message = "the site does not fetch its questions. See that it runs."
            raise Unavailable("no_poll", message, domain="adapter") from None

    async def next_question(self, poll: Poll) -> Question | None:
        """What an open poll is given; None if that is nothing in `relay.poll_s`."""
        if self.replicas is not None and not poll.given.done():
            self.replicas.poll(poll.site)
        given = poll.given
        await asyncio.wait([given], timeout=self.bounds.poll_s)
        if not given.done() and poll.is_reserved:
            await asyncio.wait([given], timeout=_FETCHED_S)
        return given.result() if given.done() and not given.cancelled() else None

    async def bring(self, site: str, jti: str, brought: Brought) -> bool:
        """Hand on what a site brought; False where nobody awaits it."""
        if self.queue.bring(site, jti, brought):
            return True
        return self.replicas is not None and await self.replicas.bring(
            site, jti, brought
        )


@dataclass(frozen=True, slots=True)
class _Owned:
    """`adapters.relay.Relay`, for the sources of one organisation."""

    _relay: SiteRelay = field(repr=False)
    _organisation: str

    def admit(self, member: Member) -> None:
        self._relay.tickets.admit(member, owner=self._organisation)

    async def carry(self, site: str, jti: str, question: bytes) -> Brought:
        return await self._relay.carry(site, jti, question)


def open_relay(
    settings: Settings,
    database: Database,
    transport: Transport,
    *,
    clock: Clock,
    record: Callable[[TicketsRefused], Awaitable[object]],
) -> SiteRelay:
    """The relay of a configuration, not started; `record` is the audit trail's.

    ConfigurationError for its address or its key.
    """
    relay = SiteRelay(settings.relay, clock, Refusals(record))
    if settings.relay.address is not None:
        own = Own(
            address=_address(settings, settings.relay.address),
            key=_key(settings),
            connect_s=settings.limits.connect_s,
            most_bytes=settings.relay.answer_bytes,
        )
        replicas = Replicas(relay.queue, own, transport, clock=clock)
        relay.replicas = replicas
        relay.bulletin = Bulletin(
            database, replicas.heard, connected=replicas.all_again
        )
        replicas.tell = relay.bulletin.tell
    return relay


def refuse_alone(settings: Settings, relay: SiteRelay) -> None:
    """ConfigurationError where a site could poll one gateway, and another ask it."""
    is_shared = not settings.store.url.startswith("sqlite")
    if is_shared and relay.tickets.sites and relay.replicas is None:
        message = (
            "is missing, with key: a site that fetches its questions may do so at "
            "another gateway of this store. Say where this one is found."
        )
        raise wrong(settings.path, ("relay", "address"), message)


def _address(settings: Settings, given: str) -> str:
    where = ("relay", "address")
    if settings.store.url.startswith("sqlite"):
        message = "is for gateways of one PostgreSQL. Remove it, and the key."
        raise wrong(settings.path, where, message)
    parts = urlsplit(given)
    if parts.path.strip("/") or parts.query or parts.fragment:
        message = "is more than scheme, host and port. Leave out the rest."
        raise wrong(settings.path, where, message)
    return f"{parts.scheme}://{parts.netloc}"


def _key(settings: Settings) -> bytes:
    try:
        key = bytes.fromhex(settings.secret(settings.relay.key or ""))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        message = "is not 32 bytes in hex. Make one: openssl rand -hex 32."
        raise wrong(settings.path, ("relay", "key"), message)
    return key
