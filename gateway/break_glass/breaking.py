"""Breaking the glass, using it, and putting it back.

Whatever is wrong with a token, it is refused alike: nothing is learned of a person
by trying. Breaking is never refused for being done often; people are told instead.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final, NoReturn

from sqlalchemy.engine import Connection

from adapters.contract import Identifiers
from gateway.access.acting import actor_of
from gateway.access.requester import Requester
from gateway.access.sign_in import require_recent_sign_in
from gateway.alarms import raise_alarm
from gateway.audit import records
from gateway.audit.log import AuditUnavailable
from gateway.audit.trail import Trail
from gateway.break_glass import glass as glasses
from gateway.break_glass.glass import LASTS, Glass, review_date
from gateway.break_glass.key import GlassKey
from gateway.clock import Clock
from gateway.notices.channels import Channels
from gateway.notices.outbox import Notice, letters, queue
from gateway.problems import RequestError
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from gateway.store.idempotency import Keyed, claim
from policies.vocabulary import INDIVIDUAL

_OFTEN: Final = timedelta(hours=1)
_REFUSED: Final = "The break-glass token is not good for this question."


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Why somebody breaks the glass, for whom, and what for."""

    nhs_number: str = field(repr=False)  # ten digits
    purpose: str
    reason_code: str
    reason: str = field(repr=False)
    key: str  # the caller's Idempotency-Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What breaking the glass gives: itself, and the token to ask with."""

    glass: Glass
    token: str = field(repr=False)


class _AlreadyDoneError(Exception):
    """Nothing is left to do, or to record."""

    def __init__(self, glass: Glass) -> None:
        super().__init__()
        self.glass = glass


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """What breaking the glass needs of the gateway; one per process."""

    trail: Trail
    database: Database
    key: GlassKey
    channels: Channels
    clock: Clock
    often: int  # people an hour, after which the privacy officer is told of it

    async def declare(self, requester: Requester, declared: Declaration) -> Broken:
        """Break the glass: durable and recorded, with the notice to be sent.

        RequestError: reauthentication-needed; not-permitted for a purpose that is not
        the caller's or not individual care, or where nobody could be told;
        idempotency-mismatch; conflict if what the key declared has ended or expired;
        audit-unavailable.
        """
        self._check(requester, declared)
        try:
            glass, people = await self.trail.change(
                partial(self._declared, requester=requester, declared=declared)
            )
        except _AlreadyDoneError as done:
            glass, people = done.glass, 0
        if people > self.often:
            raise_alarm("break_glass_often", source=requester.organisation)
        return Broken(glass=glass, token=self.key.token_of(glass.id))

    async def redeem(
        self, token: str, requester: Requester, *, person: Identifiers, purpose: str
    ) -> Glass:
        """The glass of a token, for its own caller, person and purpose alone.

        RequestError not-permitted, always in the same words; audit-unavailable.
        """
        id_ = self.key.glass_of(token)
        glass = None if id_ is None else await self._found(id_)
        number = person.nhs_number
        if glass is None or number is None:
            return refuse()
        is_good = (
            glass.is_of(requester)
            and glass.person == self.trail.subject_of(number)
            and glass.purpose == purpose
            and glass.is_open_at(self.clock.now())
        )
        return glass if is_good else refuse()

    async def end(self, id_: str, requester: Requester) -> None:
        """Put one's own glass back; doing it twice is no harm.

        RequestError not-found for another's, or for none; audit-unavailable.
        """
        try:
            await self.trail.change(partial(self._ended, id_=id_, requester=requester))
        except _AlreadyDoneError:
            return

    def _check(self, requester: Requester, declared: Declaration) -> None:
        require_recent_sign_in(requester, now=self.clock.now())
        if not requester.purpose_allowed(declared.purpose):
            raise RequestError("not-permitted", "This purpose is not yours to give.")
        if declared.purpose not in INDIVIDUAL:
            message = "The glass is broken for one person's own care, and nothing else."
            raise RequestError("not-permitted", message)
        if self.channels.of(requester.organisation, "privacy-officer") is None:
            message = "Your organisation has no channel to its privacy officer."
            raise RequestError("not-permitted", message)

    def _declared(
        self, connection: Connection, *, requester: Requester, declared: Declaration
    ) -> tuple[tuple[Glass, int], records.BreakGlass]:
        now = self.clock.now()
        keyed = self._keyed(requester, declared)
        glass = self._new(requester, declared)
        # The key first: whoever sent the same at once waits here for who was first.
        made = claim(connection, keyed, glass.id, now=now)
        if made is not None:
            raise _AlreadyDoneError(self._again(connection, made))
        glasses.keep(connection, glass)
        people = glasses.people_of(connection, glass.caller, since=now - _OFTEN)
        queue(connection, self._notices(glass, people), now=now)
        return (glass, people), records.BreakGlass(
            action="declared",
            actor=glass.caller,
            glass=glass.id,
            purpose=glass.purpose,
            subjects=(glass.person,),
            reason_code=glass.reason_code,
            reason_hmac=self.key.hmac_of("reason", declared.reason),
            expires_at=glass.expires_at,
        )

    def _again(self, connection: Connection, id_: str) -> Glass:
        """The glass that this very declaration has broken, while its token is good."""
        known = glasses.find(connection, id_)
        if known is None or not known.is_open_at(self.clock.now()):
            message = "What this key declared is over. Declare anew with another key."
            raise RequestError("conflict", message)
        return known

    def _new(self, requester: Requester, declared: Declaration) -> Glass:
        now, id_ = self.clock.now(), letters("bgl_")
        return Glass(
            id=id_,
            caller=actor_of(requester),
            person=self.trail.subject_of(declared.nhs_number),
            purpose=declared.purpose,
            reason_code=declared.reason_code,
            declared_at=now,
            expires_at=now + LASTS,
            review_by=review_date(now),
            reason=self.key.sealed(id_, declared.reason),
        )

    def _keyed(self, requester: Requester, declared: Declaration) -> Keyed:
        said = (declared.nhs_number, declared.purpose, declared.reason_code)
        caller = (requester.issuer, requester.subject, requester.client_id)
        return Keyed(
            caller="|".join(("break-glass", *caller, requester.organisation)),
            key=declared.key,
            request=self.key.hmac_of("request", "|".join((*said, declared.reason))),
        )

    def _notices(self, glass: Glass, people: int) -> list[Notice]:
        notice = Notice(
            organisation=glass.caller.organisation,
            recipient="privacy-officer",
            kind="break-glass",
            reference=glass.id,
        )
        if people <= self.often:
            return [notice]
        often = Notice(
            organisation=glass.caller.organisation,
            recipient="privacy-officer",
            kind="break-glass-often",
            reference=glass.id,
        )
        return [notice, often]

    def _ended(
        self, connection: Connection, *, id_: str, requester: Requester
    ) -> tuple[None, records.BreakGlass]:
        glass = glasses.find(connection, id_, held=True)
        if glass is None or not glass.is_of(requester):
            raise RequestError("not-found")
        if not glass.is_open_at(self.clock.now()):
            raise _AlreadyDoneError(glass)
        glasses.end(connection, id_, at=self.clock.now())
        return None, records.BreakGlass(
            action="ended",
            actor=actor_of(requester),
            glass=glass.id,
            purpose=glass.purpose,
            subjects=(glass.person,),
        )

    async def _found(self, id_: str) -> Glass | None:
        try:
            return await self.database.read(lambda store: glasses.find(store, id_))
        except FAILURES:
            raise AuditUnavailable("store") from None


def refuse() -> NoReturn:
    """The one refusal of a token, whoever the person is and whatever is wrong."""
    raise RequestError("not-permitted", _REFUSED)
