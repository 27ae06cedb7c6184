"""A site that opens no port: it fetches its questions, and brings its answers.

Some polls are always open. Each that is given a question is answered beside the next
poll, so that one slow source keeps none waiting; only as many are fetched as may be
answered at once. Whatever ends a poll, another follows it, later each time.
"""

import asyncio
import hashlib
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from adapters.addresses import is_own_host
from adapters.errors import AdapterError
from adapters.http import Request, Response, Transport
from adapters.site.ticket import (
    HANDED_BYTES,
    SCHEME,
    TICKET_S,
    Handed,
    Ticket,
    answer_path,
    poll_path,
    ticket,
)
from adapters.site.wire import NotSpoken, Refusal, read, spelt
from adapters.tls import Identity, Papers
from gateway.alarms import raise_alarm
from gateway.site.answering import Desk, reply
from gateway.site.settings import SiteSettings

_JSON: Final = "application/json"
_JOSE: Final = "application/jose"
_NOTHING: Final = b"{}"
_PATIENCE_S: Final = 10.0  # beyond what a poll is told to wait, and for an answer
_STOPS_S: Final = 5.0
_FIRST_S: Final = 0.1
_MOST_S: Final = 5.0  # so that a gateway that comes back is soon polled
_SOON_S: Final = 0.1
_ALARM_AFTER: Final = 5  # failures one after the other
_SETTLED_S: Final = 1.0  # beyond connecting: a poll that is open for longer waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """To the gateway's relay: where it is, and whose word we take for that."""

    url: str
    host: str
    transport: Transport
    identity: Identity | None
    connect_s: float
    poll_s: float
    polls: int
    spread: Callable[[], float] = field(default=random.random)  # 0 to 1: the jitter


@dataclass(slots=True, eq=False)
class _Poll:
    """One of the polls that are kept open, and how it does."""

    failures: int = 0  # one after the other
    defects: int = 0  # those among them that nothing outside explains
    began: float | None = None  # on the monotonic scale; None between two


class Polling:
    """Fetches and answers until it is closed. Closing twice, or unstarted, is safe."""

    def __init__(self, desk: Desk, way: Way, *, most: int, stops_s: float) -> None:
        self._desk = desk
        self._way = way
        # A place is taken before a poll, and given back with the answer.
        self._places = asyncio.Semaphore(most)
        self._stops_s = stops_s
        self._polls = tuple(_Poll() for _ in range(way.polls))
        self._running: list[asyncio.Task[None]] = []
        self._answering: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Open the polls."""
        self._running = [asyncio.create_task(self._go_on(poll)) for poll in self._polls]

    @property
    def is_working(self) -> bool:
        """Whether any poll waits at the relay, or did not fail when it last was."""
        return any(self._works(poll) for poll in self._polls)

    async def aclose(self) -> None:
        """Fetch no more, and bring what is being answered, for a while."""
        running, self._running = self._running, []
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        answering = list(self._answering)
        if answering:
            _, late = await asyncio.wait(answering, timeout=self._stops_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _go_on(self, poll: _Poll) -> None:
        clock = self._desk.clock
        while True:
            await self._places.acquire()
            poll.began = began = clock.monotonic()
            handed = await self._tried(poll)
            poll.began = None
            if handed is not None and handed.jti and handed.posted:
                self._begin(handed.jti, spelt(handed.posted))
                continue
            self._places.release()
            if handed is None:
                await asyncio.sleep(self._pause_s(poll.failures))
            elif clock.monotonic() - began < _SOON_S:
                await asyncio.sleep(self._pause_s(1))  # it does not let a poll wait

    async def _tried(self, poll: _Poll) -> Handed | None:
        """What the relay hands out; None where that failed, which is told."""
        # Whatever it raises is kept from the log: its text is not ours.
        (got,) = await asyncio.gather(self._poll(), return_exceptions=True)
        if isinstance(got, Handed):
            poll.failures = poll.defects = 0
            return got
        poll.failures += 1
        if not isinstance(got, AdapterError | TimeoutError | NotSpoken):
            poll.defects += 1
            if poll.defects % _ALARM_AFTER == 1:
                raise_alarm("poll_failed", source="relay", count=poll.defects)
        elif poll.failures % _ALARM_AFTER == 0:
            raise_alarm("relay_not_reached", source="relay", count=poll.failures)
        return None

    def _works(self, poll: _Poll) -> bool:
        if not poll.failures:
            return True
        settled_s = self._way.connect_s + _SETTLED_S
        now = self._desk.clock.monotonic()
        return poll.began is not None and now - poll.began >= settled_s

    def _pause_s(self, failures: int) -> float:
        """Twice as long each time, and never all sites at once."""
        longest = min(_MOST_S, _FIRST_S * 2.0 ** min(failures, 20))
        return longest * (0.5 + 0.5 * self._way.spread())

    def _begin(self, jti: str, posted: bytes) -> None:
        task = asyncio.create_task(self._answer(jti, posted))
        self._answering.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._answering.discard(task)
        self._places.release()
        if not task.cancelled() and task.exception() is not None:
            raise_alarm("answer_failed", source="relay")

    async def _poll(self) -> Handed:
        """What the relay hands out. Raises what keeps us from hearing it."""
        path = poll_path(self._desk.ends.site)
        response = await self._sent(
            path, _NOTHING, _JSON, within_s=self._way.poll_s + _PATIENCE_S
        )
        if response.status != 200:
            raise NotSpoken
        return read(response.body, Handed)

    async def _answer(self, jti: str, posted: bytes) -> None:
        said = await reply(self._desk, posted)
        body = spelt(said) if isinstance(said, Refusal) else said
        path = answer_path(self._desk.ends.site, jti)
        media_type = _JSON if isinstance(said, Refusal) else _JOSE
        status = await self._brought(path, body, media_type)
        if status >= 500:
            await asyncio.sleep(self._pause_s(1))
            status = await self._brought(path, body, media_type)
        if status != 204:
            raise_alarm("answer_not_taken", source="relay")

    async def _brought(self, path: str, body: bytes, media_type: str) -> int:
        """The status that an answer is received with, 503 for none."""
        try:
            sent = await self._sent(path, body, media_type, within_s=_PATIENCE_S)
        except (AdapterError, TimeoutError):
            return 503
        return sent.status

    async def _sent(
        self, path: str, body: bytes, media_type: str, *, within_s: float
    ) -> Response:
        way, ends = self._way, self._desk.ends
        now = int(self._desk.clock.now().timestamp())
        shown = Ticket(
            iss=ends.site,
            aud=ends.gateway,
            jti=secrets.token_hex(16),
            iat=now,
            exp=now + TICKET_S,
            path=path,
            body_sha256=hashlib.sha256(body).hexdigest(),
        )
        async with asyncio.timeout(within_s):
            tls = await way.identity.context() if way.identity else None
            return await way.transport.send(
                Request(
                    url=way.url + path,
                    body=body,
                    headers={
                        "Authorization": f"{SCHEME} {ticket(shown, ends.own.signs)}",
                        "Content-Type": media_type,
                    },
                    connect_s=way.connect_s,
                    page_bytes=HANDED_BYTES,
                    tls=tls,
                    loopback=is_own_host(way.host),
                    again=False,
                )
            )


def polling_of(
    settings: SiteSettings, desk: Desk, transport: Transport
) -> Polling | None:
    """The polling of a configuration, not started; None where it has no relay."""
    relay = settings.relay
    if relay is None:
        return None
    ca = None if relay.ca is None else Identity(Papers(ca=relay.ca), settings.secret)
    way = Way(
        url=relay.url,
        host=urlsplit(relay.url).hostname or "",
        transport=transport,
        identity=ca,
        connect_s=settings.limits.connect_s,
        poll_s=relay.poll_s,
        polls=relay.polls,
    )
    return Polling(desk, way, most=settings.bounds.questions, stops_s=_STOPS_S)
