"""Whether a poll, or an answer, is from the site it says it is from.

Whatever is wrong with a ticket, whoever shows it is told the same: not even whether
there is such a site here.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.relay import Member
from adapters.site.ticket import SCHEME, TICKET_S, Ticket
from adapters.site.wire import NotSpoken, read
from gateway.clock import Clock
from gateway.problems import RequestError
from gateway.relay.refusals import Why

_TICKET_CHARACTERS: Final = 4096
_MOST_REMEMBERED: Final = 20_000  # of one site: more than it can use in a ticket's life


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A ticket that was believed when it was shown: whose, and for which body."""

    site: str
    body_sha256: str
    token: str = field(repr=False)


class Tickets:
    """Believes the tickets of admitted sites, each once.

    `refused` is told of each that is not: of which site, if there is such a one, and
    why. Whoever showed it is told neither.
    """

    def __init__(
        self, clock: Clock, *, refused: Callable[[str | None, Why], None]
    ) -> None:
        self._clock = clock
        self._refused = refused
        self._members: dict[str, list[Member]] = {}
        self._owners: dict[str, str] = {}
        self._used: dict[str, dict[str, float]] = {}

    def admit(self, member: Member, *, owner: str) -> None:
        """As `adapters.relay.Relay` has it; `owner` is the source's organisation.

        A site is its organisation's own: of two that name theirs alike, either would
        be handed the other's questions.
        """
        if self._owners.setdefault(member.site, owner) != owner:
            message = (
                "names a site that another organisation's source names too. Give one "
                "of the two sites another id."
            )
            raise ValueError(message)
        members = self._members.setdefault(member.site, [])
        if any(each.gateway != member.gateway for each in members):
            message = "a site knows one gateway alone. Correct [gateway] id."
            raise ValueError(message)
        members.append(member)

    @property
    def sites(self) -> frozenset[str]:
        """Those that are listened to."""
        return frozenset(self._members)

    def take(self, site: str, path: str, authorization: str) -> Shown:
        """The ticket, good for this very path. RequestError for what is none.

        Its body's digest is compared by `hold`: a ticket is looked at first.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != SCHEME.lower() or len(token) > _TICKET_CHARACTERS:
            raise self._stranger(site, "forged")
        members = self._members.get(site, [])
        ticket = _signed(members, token)
        if ticket is None:
            raise self._stranger(site, "forged")
        named = (ticket.iss, ticket.aud, ticket.path)
        if named != (site, members[0].gateway, path):
            raise self._stranger(site, "misaddressed")
        self._once(ticket, leeway_s=max(each.leeway_s for each in members))
        return Shown(site=site, body_sha256=ticket.body_sha256, token=token)

    def hold(self, shown: Shown, body: bytes) -> None:
        """RequestError where the ticket was made for another body."""
        if hashlib.sha256(body).hexdigest() != shown.body_sha256:
            raise self._stranger(shown.site, "altered")

    def is_good(self, shown: Shown) -> bool:
        """Whether a key that the site has now signed it: it may have been revoked."""
        return _signed(self._members[shown.site], shown.token) is not None

    def hold_still(self, shown: Shown) -> None:
        """RequestError where it is good no more; see `is_good`."""
        if not self.is_good(shown):
            raise self._stranger(shown.site, "revoked")

    def _once(self, ticket: Ticket, *, leeway_s: float) -> None:
        """In its time, and for the first time."""
        now = self._clock.now().timestamp()
        lasts = 0 < ticket.exp - ticket.iat <= TICKET_S
        if not lasts or ticket.iat > now + leeway_s or ticket.exp <= now - leeway_s:
            raise self._stranger(ticket.iss, "expired")
        used = self._used.setdefault(ticket.iss, {})
        for jti in [jti for jti in _oldest(used) if used[jti] < now]:
            del used[jti]
        if ticket.jti in used:
            raise self._stranger(ticket.iss, "replayed")
        if len(used) >= _MOST_REMEMBERED:
            raise RequestError("overloaded", retry_after_s=TICKET_S)
        used[ticket.jti] = ticket.exp + leeway_s

    def _stranger(self, site: str, why: Why) -> RequestError:
        """What whoever shows it is told: always the same."""
        self._refused(site if site in self._members else None, why)
        return RequestError("token-invalid")


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
