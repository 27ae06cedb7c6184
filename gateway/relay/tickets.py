"""Whether a poll, or an answer, is from the site it says it is from.

Whatever is wrong with a ticket, whoever shows it is told the same: not even whether
there is such a site here.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from adapters.relay import Member
from adapters.site.ticket import SCHEME, TICKET_S, Ticket
from adapters.site.wire import NotSpoken, read
from gateway.clock import Clock
from gateway.problems import RequestError

_TICKET_CHARACTERS: Final = 4096
_MOST_REMEMBERED: Final = 20_000  # of one site: more than it can use in a ticket's life


class Tickets:
    """Believes the tickets of admitted sites, each once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._members: dict[str, list[Member]] = {}
        self._used: dict[str, dict[str, float]] = {}

    def admit(self, member: Member) -> None:
        """As `adapters.relay.Relay` has it."""
        members = self._members.setdefault(member.site, [])
        if any(each.gateway != member.gateway for each in members):
            message = "a site knows one gateway alone. Correct [gateway] id."
            raise ValueError(message)
        members.append(member)

    @property
    def sites(self) -> frozenset[str]:
        """Those that are listened to."""
        return frozenset(self._members)

    def take(self, site: str, path: str, authorization: str) -> Ticket:
        """The ticket, good for this very path. RequestError for what is none.

        Its body's digest is for the caller to compare: a ticket is looked at first.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != SCHEME.lower() or len(token) > _TICKET_CHARACTERS:
            raise _stranger()
        members = self._members.get(site, [])
        ticket = _signed(members, token)
        if ticket is None:
            raise _stranger()
        member = members[0]
        named = (ticket.iss, ticket.aud, ticket.path)
        if named != (site, member.gateway, path):
            raise _stranger()
        self._once(ticket, leeway_s=max(each.leeway_s for each in members))
        return ticket

    def _once(self, ticket: Ticket, *, leeway_s: float) -> None:
        """In its time, and for the first time."""
        now = self._clock.now().timestamp()
        lasts = 0 < ticket.exp - ticket.iat <= TICKET_S
        if not lasts or ticket.iat > now + leeway_s or ticket.exp <= now - leeway_s:
            raise _stranger()
        used = self._used.setdefault(ticket.iss, {})
        for jti in [jti for jti in _oldest(used) if used[jti] < now]:
            del used[jti]
        if ticket.jti in used:
            raise _stranger()
        if len(used) >= _MOST_REMEMBERED:
            raise RequestError("overloaded", retry_after_s=TICKET_S)
        used[ticket.jti] = ticket.exp + leeway_s


def is_of(ticket: Ticket, body: bytes) -> bool:
    """Whether this is the body that the ticket was made for."""
    return hashlib.sha256(body).hexdigest() == ticket.body_sha256


def _oldest(used: dict[str, float]) -> list[str]:
    """A few of those that were first: each call that adds one looks at two."""
    return [jti for jti, _ in zip(used, range(2), strict=False)]


def _signed(members: Sequence[Member], token: str) -> Ticket | None:
    for member in members:
        payload = member.believed(token)
        if payload is not None:
            try:
                return read(payload, Ticket)
            except NotSpoken:
                return None
    return None


def _stranger() -> RequestError:
    return RequestError("token-invalid")
