"""Whether a question is the gateway's, to us, now, once, and as it was asked.

In one order, each step before the next is trusted: its signature by a pinned key,
whom it is for, when, that it was never seen, and that its body is the one signed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapters.contract import Identifiers, Query
from adapters.site import sealing
from adapters.site.keys import Keys
from adapters.site.wire import (
    LIFETIME_S,
    QUESTION_TYPE,
    Body,
    Claims,
    NotSpoken,
    Posted,
    RefusalCode,
    read,
)
from gateway.clock import Clock
from policies.vocabulary import OPERATIONS, PURPOSES

_MOST_REMEMBERED: Final = 100_000
_FORGED: Final[dict[str, RefusalCode]] = {
    "malformed": "malformed",
    "unknown_key": "unknown_key",
    "forged": "forged",
    "altered": "altered",
}


class Untaken(Exception):
    """A question that is not taken; `question` its id if the gateway signed it."""

    def __init__(self, code: RefusalCode, question: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.question = question


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A verified question."""

    claims: Claims
    body: Body

    @property
    def jti(self) -> str:
        """Its id."""
        return self.claims.jti

    @property
    def query(self) -> Query:
        """What it asks, of the categories that it names."""
        body = self.body
        return Query(
            person=Identifiers(
                nhs_number=body.nhs_number, others=frozenset(body.others)
            ),
            since=body.since,
            until=body.until,
            categories=frozenset(body.categories),
            limit=body.limit,
        )


def longest_s(leeway_s: float) -> float:
    """Seconds from taking a question until it would be believed no more.

    The gateway's clock may be ahead by the leeway, and ours is given it once more.
    """
    return LIFETIME_S + 2 * leeway_s


class Seen:
    """The ids of questions, each remembered while it could be believed again."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._order: deque[tuple[float, str]] = deque()
        self._forgotten = 0.0  # up to when, so that a clock set back revives nothing

    def restore(self, seen: Iterable[str], *, until: float) -> None:
        """Those that an earlier process took: a restart forgets nothing."""
        for jti in seen:
            self._remember(jti, until)

    def take(self, jti: str, *, until: float, now: float) -> None:
        """Note it. Untaken replayed if it was seen, busy if nothing more can be kept.

        `until` and `now` in seconds of Unix time; Untaken clock if what was believed
        until then is forgotten by now.
        """
        while self._order and self._order[0][0] < now:
            ended, old = self._order.popleft()
            self._until.pop(old, None)
            self._forgotten = max(self._forgotten, ended)
        if until <= self._forgotten:
            raise Untaken("clock", jti)
        if jti in self._until:
            raise Untaken("replayed", jti)
        if len(self._until) >= _MOST_REMEMBERED:
            raise Untaken("busy", jti)
        self._remember(jti, until)

    def _remember(self, jti: str, until: float) -> None:
        self._until[jti] = until
        self._order.append((until, jti))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Verifies questions of one gateway to one site."""

    site: str
    organisation: str
    gateway: str
    own: Keys
    pinned: Keys
    leeway_s: float
    clock: Clock
    seen: Seen

    def take(self, posted: bytes) -> Taken:
        """The question, or Untaken."""
        wire = _read(posted)
        claims = self._claims(wire.question)
        # A grant over another owner's data would be none over ours.
        addressed = (claims.iss, claims.aud, claims.decision.owner)
        if addressed != (self.gateway, self.site, self.organisation):
            raise Untaken("misaddressed", claims.jti)
        self._in_time(claims)
        body = self._body(wire.body, claims)
        _known(claims)
        return Taken(claims=claims, body=body)

    def _claims(self, token: str) -> Claims:
        try:
            payload = sealing.verified(token, self.pinned.signing, QUESTION_TYPE)
            return read(payload, Claims)
        except sealing.NotAuthentic as error:
            raise Untaken(_FORGED[error.code]) from None
        except NotSpoken:
            raise Untaken("malformed") from None

    def _in_time(self, claims: Claims) -> None:
        now, leeway = self.clock.now().timestamp(), self.leeway_s
        if not 0 < claims.exp - claims.iat <= LIFETIME_S:
            raise Untaken("malformed", claims.jti)
        if claims.iat > now + leeway:
            raise Untaken("clock", claims.jti)
        if claims.exp <= now - leeway:
            raise Untaken("expired", claims.jti)
        self.seen.take(claims.jti, until=claims.exp + leeway, now=now)

    def _body(self, token: str, claims: Claims) -> Body:
        try:
            plain = sealing.opened(token, self.own.sealing)
            if sealing.digest(plain) != claims.query_sha256:
                raise Untaken("altered", claims.jti)
            body = read(plain, Body)
        except sealing.NotAuthentic as error:
            raise Untaken(_FORGED[error.code], claims.jti) from None
        except NotSpoken:
            raise Untaken("malformed", claims.jti) from None
        if body.nhs_number is None and not body.others:
            raise Untaken("malformed", claims.jti)  # it is about nobody
        return body


def _read(posted: bytes) -> Posted:
    try:
        return read(posted, Posted)
    except NotSpoken:
        raise Untaken("malformed") from None


def _known(claims: Claims) -> None:
    """Untaken for a purpose, an operation or a mode that means nothing here."""
    decision = claims.decision
    if decision.purpose not in PURPOSES:
        raise Untaken("unknown_purpose", claims.jti)
    # One person's journey, identified, is all that is asked of a site so far.
    if decision.operation not in OPERATIONS[:1] or decision.mode != "identified":
        raise Untaken("unknown_operation", claims.jti)
