"""Several gateways of one store: the one that asks, and the one a site polls.

Who holds something says so to all: what it is, its id, and where it is held. Who needs
it fetches it from there, showing that it is one of us. Nothing is held twice, and
nothing goes by way of the store but pointers.
"""

import asyncio
import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from adapters.addresses import is_own_host
from adapters.errors import AdapterError
from adapters.http import Request, Transport
from adapters.relay import Brought
from adapters.site.wire import Code, Instant, NotSpoken, Spoken, read, spelt
from gateway.alarms import raise_alarm
from gateway.clock import Clock
from gateway.relay.queue import Poll, Question, Queue

SCHEME: Final = "Replica"
_FRESH_S: Final = 30.0
_TAKEN_S: Final = 2.0  # for another gateway to fetch an answer that is its own
_FETCH_S: Final = 2.0
_MAC: Final = 64  # hex digits
Use = Literal["told", "fetching"]  # what all hear opens nothing


class Word(Spoken, frozen=True, kw_only=True):
    """What a gateway tells the others: what is to be had, and at which address.

    `at` in seconds of Unix time; `jti` is empty where a poll takes whatever there is.
    """

    what: Literal["question", "answer", "poll"]
    site: Code
    jti: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")]
    place: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """Where other gateways find this one, and what shows that they are ours."""

    address: str
    key: bytes = field(repr=False)
    connect_s: float
    most_bytes: int

    def signed(self, word: Word, use: Use) -> str:
        """A word as only one who has the key can say it, for one use."""
        said = spelt(word)
        return self._mac(use, said) + said.decode("utf-8")

    def believed(self, text: str, use: Use) -> Word | None:
        """The word, if it was said so, for this use."""
        data = text.encode("utf-8", "replace")
        mac, said = data[:_MAC], data[_MAC:]
        if not hmac.compare_digest(mac, self._mac(use, said).encode("ascii")):
            return None
        try:
            return read(said, Word)
        except NotSpoken:
            return None

    def _mac(self, use: Use, said: bytes) -> str:
        return hmac.digest(self.key, f"{use} ".encode() + said, "sha256").hex()


@dataclass(slots=True, eq=False)
class _Parcel:
    """An answer that another gateway awaits."""

    site: str
    brought: Brought = field(repr=False)
    is_fetched: asyncio.Event = field(default_factory=asyncio.Event, repr=False)


class Replicas:
    """The other gateways of this one's store."""

    def __init__(
        self, queue: Queue, own: Own, transport: Transport, *, clock: Clock
    ) -> None:
        self._queue = queue
        self._own = own
        self._transport = transport
        self._clock = clock
        self._parcels: dict[str, _Parcel] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self.tell: Callable[[str], None] = _to_nobody

    def question(self, site: str, jti: str) -> None:
        """Say that a question waits here for a poll of its site, wherever that is."""
        self.tell(self._own.signed(self._word("question", site, jti), "told"))

    def poll(self, site: str) -> None:
        """Say that a poll of a site waits here for a question, whoever holds one."""
        self.tell(self._own.signed(self._word("poll", site), "told"))

    def all_again(self) -> None:
        """Say all of that again: it may not have been heard."""
        for site in self._queue.asked:
            for jti in self._queue.unfetched(site):
                self.question(site, jti)
        for site in self._queue.polled:
            self.poll(site)

    async def bring(self, site: str, jti: str, brought: Brought) -> bool:
        """Hold an answer until the gateway that asked has it; False if none comes."""
        if jti in self._parcels:
            return False
        parcel = self._parcels[jti] = _Parcel(site, brought)
        try:
            self.tell(self._own.signed(self._word("answer", site, jti), "told"))
            async with asyncio.timeout(_TAKEN_S):
                return await parcel.is_fetched.wait()
        except TimeoutError:
            return False
        finally:
            del self._parcels[jti]

    def heard(self, text: str) -> None:
        """What a gateway told all; our own word among it means nothing to us."""
        word = self._own.believed(text, "told")
        if word is None or word.place == self._own.address:
            return
        if word.what == "poll":
            for jti in self._queue.unfetched(word.site):
                self.question(word.site, jti)
        elif word.what == "question":
            poll = self._queue.reserve(word.site)
            if poll is not None:
                self._do(self._fetch_for(poll, word))
        elif self._queue.awaits(word.site, word.jti):
            self._do(self._fetch_answer(word))

    def handed(self, authorization: str, site: str, jti: str) -> Brought | None:
        """What another gateway comes to fetch; once, and for one of us alone."""
        scheme, _, text = authorization.partition(" ")
        word = self._own.believed(text, "fetching") if scheme == SCHEME else None
        if word is None or (word.site, word.jti) != (site, jti):
            return None
        apart_s = abs(self._clock.now().timestamp() - word.at)
        if word.place != self._own.address or apart_s > _FRESH_S:
            return None
        if word.what == "question":
            question = self._queue.fetch(site, jti)
            return (
                None
                if question is None
                else Brought(media_type="application/json", body=question.posted)
            )
        parcel = self._parcels.get(jti)
        if word.what != "answer" or parcel is None or parcel.site != site:
            return None
        if parcel.is_fetched.is_set():
            return None
        parcel.is_fetched.set()
        return parcel.brought

    async def aclose(self) -> None:
        """Fetch nothing more."""
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)

    def _word(
        self, what: Literal["question", "answer", "poll"], site: str, jti: str = ""
    ) -> Word:
        at = int(self._clock.now().timestamp())
        return Word(what=what, site=site, jti=jti, place=self._own.address, at=at)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            raise_alarm("relay_fetch_failed", source="relay")

    async def _fetch_for(self, poll: Poll, word: Word) -> None:
        """Fetch a question for a poll that waits here; else the poll waits on."""
        got = await self._fetch(word)
        if got is None:
            self._queue.put_back(poll)
            return
        question = Question(word.site, word.jti, got.body, is_elsewhere=True)
        if poll.given.done():
            self._queue.give_back(question)
        else:
            poll.given.set_result(question)

    async def _fetch_answer(self, word: Word) -> None:
        got = await self._fetch(word)
        if got is not None:
            self._queue.bring(word.site, word.jti, got)

    async def _fetch(self, word: Word) -> Brought | None:
        """What a gateway said that it holds; None if it holds it no longer."""
        at = int(self._clock.now().timestamp())
        asked = msgspec.structs.replace(word, at=at)
        request = Request(
            url=word.place + replica_path(word.site, word.jti),
            body=b"",
            headers={
                "Authorization": f"{SCHEME} {self._own.signed(asked, 'fetching')}",
                "Content-Type": "application/octet-stream",
            },
            connect_s=self._own.connect_s,
            page_bytes=self._own.most_bytes,
            loopback=is_own_host(urlsplit(word.place).hostname or ""),
            again=False,
        )
        try:
            async with asyncio.timeout(_FETCH_S):
                response = await self._transport.send(request)
        except (AdapterError, TimeoutError):
            return None
        if response.status != 200:
            return None
        media_type = response.headers.get("content-type", "")
        return Brought(media_type=media_type, body=response.body)


def replica_path(site: str, jti: str) -> str:
    """Where a gateway fetches what another holds."""
    return f"/v1/relay/{site}/replicas/{jti}"


def _to_nobody(_: str) -> None:
    """What is said before the start is said again at it."""
