"""Which sources are suspended, in every gateway of a store alike, and by whose leave.

A source that answers with somebody else too often is asked no more, until an
administrator of its organisation clears it; restarts and other gateways keep to that.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.engine import Connection

from adapters.contract import Identifier, Identifiers
from gateway.access.acting import actor_of
from gateway.access.requester import Requester
from gateway.alarms import raise_alarm
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Actor, Change
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.problems import RequestError
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from gateway.suspension import standing, tickets
from gateway.suspension.standing import Standing
from gateway.suspension.tickets import Place, Ticket

_EVERY_S: Final = 2.0  # other gateways' changes count here within that, and a little
_TIDY_EVERY: Final = timedelta(hours=1)
_LOOK_S: Final = 2.0  # for one look
_ASKED_FOR: Final = "urn:throughline:asked-for"
_WAITING: Final = 2_000  # different findings not yet written
_GATEWAY: Final = Actor(
    issuer="throughline",
    subject="gateway",
    client_id="gateway",
    organisation="gateway",
    role="gateway",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How a source stands, and some of what was found in it."""

    standing: Standing
    tickets: Sequence[Ticket]


class Suspensions:
    """What is suspended, and what was found. Closing twice, or unstarted, is safe."""

    def __init__(self, database: Database, trail: Trail, *, clock: Clock) -> None:
        self._database = database
        self._trail = trail
        self._clock = clock
        self._suspended: frozenset[str] = frozenset()
        self._found: dict[str, Ticket] = {}
        self._one_at_a_time = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._is_lost = False
        self._tidied_at: datetime | None = None

    def is_suspended(self, source: str) -> bool:
        """Whether this source may not be asked now."""
        return source in self._suspended

    async def start(self) -> None:
        """Look, and go on looking. AuditUnavailable if the store cannot be read."""
        try:
            await self._look()
        except (*FAILURES, TimeoutError):
            raise AuditUnavailable("store") from None
        self._following = asyncio.create_task(self._go_on())

    async def aclose(self) -> None:
        """Stop looking, and write what is not yet written, if that can be done."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
            await self.follow()

    async def follow(self) -> None:
        """Take what others changed, and write what was found; what is lost is told.

        While the store is lost, what was suspended stays so.
        """
        try:
            await self._look()
            await self._write()
            await self._tidy()
        except (*FAILURES, TimeoutError):
            if not self._is_lost:
                raise_alarm("standing_store_lost", source="store")
            self._is_lost = True
        else:
            self._is_lost = False

    async def mismatched(self, source: str, person: Identifiers, *, most: int) -> None:
        """Count the person asked for, of whom it told somebody else's record.

        With `most` people in 24 hours it is suspended; one asked for again is no other.
        AuditUnavailable if that is not known to be durable.
        """
        work = partial(
            _mismatched,
            source=source,
            person=self._person_of(source, person),
            most=most,
            clock=self._clock,
        )
        if await self._trail.change(work):
            raise_alarm("source_suspended", source=source)
            await self.follow()

    async def clear(self, source: str, requester: Requester, *, state: str) -> None:
        """Let it be asked again; `state` is what its administrator has read.

        RequestError: precondition-failed if it was changed since; conflict if it is
        not suspended; audit-unavailable.
        """
        work = partial(_cleared, source=source, requester=requester, state=state)
        await self._trail.change(work)
        await self.follow()

    def note(self, found: Collection[Ticket]) -> None:
        """Remember findings; they are written soon. Beyond a bound new ones are not."""
        for ticket in found:
            before = self._found.get(ticket.id)
            if before is not None:
                self._found[ticket.id] = before.and_again(ticket)
            elif len(self._found) < _WAITING:
                self._found[ticket.id] = ticket

    def record_of(self, source: str, record_id: str) -> str:
        """How a record of a source is known in its findings: by a keyed hash."""
        # Whatever a source calls its records can be hashed.
        text = record_id.encode("utf-8", "backslashreplace").decode("utf-8")
        named = Identifier(f"urn:throughline:record:{source}", text)
        subject = self._trail.subject_of(named)
        return f"{subject.key_id}:{subject.hmac}"

    def _person_of(self, source: str, person: Identifiers) -> str:
        """A person asked for, by a keyed hash that is another for each source."""
        others = sorted(f"{each.system}|{each.value}" for each in person.others)
        named = person.nhs_number or "\x1f".join(others)
        keyed = self._trail.subject_of(Identifier(f"{_ASKED_FOR}:{source}", named))
        return keyed.hmac

    async def page(self, source: str, *, after: Place | None, most: int) -> Page:
        """How it stands and what was found in it, the latest first.

        AuditUnavailable if the store cannot be read.
        """
        now = self._clock.now()
        listed = partial(
            tickets.of_source, source=source, after=after, most=most, now=now
        )
        return await self._paged(source, listed)

    async def in_records(self, source: str, record_ids: Collection[str]) -> Page:
        """How it stands and what was found in these records of it.

        AuditUnavailable if the store cannot be read.
        """
        known = {self.record_of(source, each) for each in record_ids}
        now = self._clock.now()
        listed = partial(tickets.in_records, source=source, records=known, now=now)
        return await self._paged(source, listed)

    async def _paged(self, source: str, listed: "partial[Sequence[Ticket]]") -> Page:
        def read(connection: Connection) -> Page:
            return Page(
                standing=standing.standing_of(connection, source),
                tickets=listed(connection),
            )

        try:
            await self._write()
            return await self._database.read(read)
        except FAILURES:
            raise AuditUnavailable("store") from None

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.follow()

    async def _look(self) -> None:
        # One at a time: what was read first may not replace what was read later.
        async with self._one_at_a_time, asyncio.timeout(_LOOK_S):
            self._suspended = await self._database.read(standing.suspended)

    async def _tidy(self) -> None:
        """Let go of what has had its time, whether or not anything new is found."""
        now = self._clock.now()
        if self._tidied_at is None or now - self._tidied_at >= _TIDY_EVERY:
            await self._database.transact(partial(_forgotten, now=now))
            self._tidied_at = now

    async def _write(self) -> None:
        found, self._found = self._found, {}
        if not found:
            return
        try:
            await self._database.transact(
                partial(tickets.write, tickets=found.values())
            )
        except FAILURES:
            self.note(found.values())
            raise


def _forgotten(connection: Connection, *, now: datetime) -> None:
    tickets.forget(connection, now)
    standing.forget(connection, now)


def _mismatched(
    connection: Connection, *, source: str, person: str, most: int, clock: Clock
) -> tuple[bool, Change]:
    """Whether this one suspends it; either is recorded."""
    now = clock.now()
    before = standing.held(connection, source)
    count = standing.count_mismatch(connection, source, person, now=now)
    suspends = before.suspended_at is None and count >= most
    if suspends:
        standing.suspend(connection, source, before, now=now)
    return suspends, Change(
        actor=_GATEWAY,
        action="suspend" if suspends else "mismatch",
        object="source",
        document=source,
    )


def _cleared(
    connection: Connection, *, source: str, requester: Requester, state: str
) -> tuple[None, Change]:
    before = standing.held(connection, source)
    if before.state != state:
        raise RequestError("precondition-failed")
    if before.suspended_at is None:
        raise RequestError("conflict", "It is not suspended.")
    standing.clear(connection, source, before)
    return None, Change(
        actor=actor_of(requester), action="clear", object="source", document=source
    )
