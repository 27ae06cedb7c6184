"""The `site` kind: asks a source through Throughline inside its own organisation.

Each question is signed, bound to its decision and its query, good for one use and a
few seconds, and sealed to the site; each answer must be signed by the site, sealed to
us, and name the question. Nothing else is believed.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from adapters.contract import Answer, Profile, Query
from adapters.errors import (
    AdapterError,
    Refused,
    Unavailable,
    Unreadable,
    Vetoed,
)
from adapters.long_work import LongWork
from adapters.site import sealing
from adapters.site.answers import Reply, heard, read_reply
from adapters.site.carrying import Carrier, Direct
from adapters.site.keys import Keys, NotKeys, own_keys
from adapters.site.outbound import member, outbound
from adapters.site.pinning import pinned_by
from adapters.site.settings import SiteFile
from adapters.site.wire import (
    ANSWER_TYPE,
    LIFETIME_S,
    QUESTION_TYPE,
    Body,
    Claims,
    Clause,
    Decision,
    NotSpoken,
    Posted,
    Refusal,
    fresh_id,
    spelt,
)
from adapters.source_file import read, wrong
from adapters.surroundings import Surroundings
from adapters.tls import Identity, Papers
from adapters.warrant import Warrant

_LONG_BYTES: Final = 256 * 1024  # of an answer: opening it would hold the event loop
# Refusals that say that the other end does not, or does not any more, know us, and
# those that asking again may mend.
_TEMPORARY: Final = frozenset({"unknown_key", "clock", "expired", "busy", "audit"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Both ends of the exchange: who each is, and its keys."""

    gateway: str
    site: str
    own: Keys = field(repr=False)
    pinned: Callable[[], Keys] = field(repr=False)  # as they are now
    leeway_s: float = 5.0  # between the two clocks


class SiteAdapter:
    """One source behind a site. Closing twice, or unasked, is safe."""

    def __init__(
        self,
        ends: Ends,
        carrier: Carrier,
        *,
        source: str,
        profile: Profile,
        surroundings: Surroundings,
    ) -> None:
        self.profile = profile
        self._ends = ends
        self._carrier = carrier
        self._source = source
        self._now = surroundings.now
        self._long_work: LongWork = surroundings.long_work

    async def ask(self, query: Query) -> Answer:
        """As the contract has it, or TimeoutError where the source let its time pass.

        Vetoed where the organisation's own rules refuse all that is asked.
        """
        warrant = query.warrant
        if warrant is None:
            message = (
                "a site answers a question with its decision alone. Check the source "
                "at its organisation: see docs/sites.md."
            )
            raise Refused("no_warrant", message, domain="adapter")
        jti = fresh_id()
        posted = self._posted(query, warrant, jti)
        warrant.exchanges.sent(jti)
        got = await self._carrier.carry(posted, jti)
        if isinstance(got, Refusal):
            _refused(got, self._now(), leeway_s=self._ends.leeway_s)
        reply = await self._off_loop(got, lambda: self._opened(got, jti, warrant))
        return await self._off_loop(got, lambda: _answered(reply))

    async def aclose(self) -> None:
        await self._carrier.aclose()

    async def _off_loop(self, got: bytes, work: Callable[[], _T]) -> _T:
        return work() if len(got) <= _LONG_BYTES else await self._long_work.do(work)

    def _posted(self, query: Query, warrant: Warrant, jti: str) -> bytes:
        ends = self._ends
        body = spelt(_body(query, self._source))
        now = self._now()
        left_ms = (warrant.until - now).total_seconds() * 1000
        deadline_ms = max(1, min(round(left_ms), LIFETIME_S * 1000))
        issued = int(now.timestamp())
        claims = Claims(
            iss=ends.gateway,
            aud=ends.site,
            jti=jti,
            iat=issued,
            exp=issued + min(LIFETIME_S, ceil(deadline_ms / 1000) + 1),
            query_sha256=sealing.digest(body),
            decision=_decision(warrant),
            journey=warrant.journey,
            deadline_ms=deadline_ms,
        )
        posted = Posted(
            question=sealing.signed(spelt(claims), ends.own.signs, QUESTION_TYPE),
            body=sealing.sealed(body, ends.pinned().seals),
        )
        return spelt(posted)

    def _opened(self, got: bytes, jti: str, warrant: Warrant) -> Reply:
        """What the site said, if it is the site that said it, to this question."""
        ends = self._ends
        try:
            token = sealing.opened(got, ends.own.sealing)
            payload = sealing.verified(token, ends.pinned().signing, ANSWER_TYPE)
            reply = read_reply(payload)
        except (sealing.NotAuthentic, NotSpoken):
            raise _untrusted() from None
        if (reply.jti, reply.iss, reply.aud) != (jti, ends.site, ends.gateway):
            raise _untrusted()
        warrant.exchanges.answered(jti, sealing.digest(token))
        return reply


def _body(query: Query, source: str) -> Body:
    others = sorted(query.person.others, key=lambda each: (each.system, each.value))
    return Body(
        salt=secrets.token_hex(16),
        source=source,
        nhs_number=query.person.nhs_number,
        others=tuple(others),
        since=query.since,
        until=query.until,
        categories=tuple(sorted(query.categories)),
        limit=query.limit,
    )


def _decision(warrant: Warrant) -> Decision:
    return Decision(
        id=warrant.decision,
        owner=warrant.owner,
        policy=warrant.policy,
        purpose=warrant.purpose,
        operation=warrant.operation,
        mode=warrant.mode,
        organisation=warrant.organisation,
        role=warrant.role,
        assurance=warrant.assurance,
        agreement=warrant.agreement,
        break_glass=warrant.break_glass,
        granted=tuple(
            Clause(
                relationship=each.relationship,
                categories=tuple(sorted(each.categories)),
                view=dict(each.view),
            )
            for each in warrant.granted
        ),
    )


def _answered(reply: Reply) -> Answer:
    """The answer of a reply, or the error that stands for why there is none."""
    domain, reason = reply.domain or "source", reply.reason or reply.state
    match reply.state:
        case "answered" if reply.answer is not None:
            try:
                return heard(reply.answer)
            except NotSpoken:
                raise _untrusted() from None
        case "denied":
            raise Vetoed
        case "timeout":
            raise TimeoutError
        case "unavailable":
            message = "the site could not reach its source. Ask again later."
            raise Unavailable(
                reason, message, domain=domain, retry_after_s=reply.retry_after_s
            )
        case _:
            message = "the site's source gave no answer. Ask its administrator."
            raise Refused(reason, message, domain=domain)


def _untrusted() -> AdapterError:
    message = "the answer is not the site's to this question. Report it to the site."
    return Unreadable("untrusted_answer", message, domain="adapter")


def _refused(refusal: Refusal, now: datetime, *, leeway_s: float) -> NoReturn:
    """Why the site did not take a question: whose clock is off is told apart."""
    apart_s = abs((refusal.at - now).total_seconds())
    is_off = refusal.refused == "expired" and apart_s > leeway_s
    code = "clock" if is_off else refusal.refused
    if code in _TEMPORARY:
        message = f"the site did not take the question ({code}). See docs/sites.md."
        raise Unavailable(code, message, domain="adapter")
    message = f"the site refuses the question ({code}). See docs/sites.md."
    raise Refused(code, message, domain="adapter")


def build(path: Path, surroundings: Surroundings) -> SiteAdapter:
    """The adapter a source file of kind `site` asks for. ConfigurationError."""
    settings = read(path, SiteFile)
    own = _own(path, settings, surroundings)
    pinned = pinned_by(path, settings, surroundings)
    profile = settings.profile
    return SiteAdapter(
        Ends(
            gateway=settings.gateway.id,
            site=settings.site.id,
            own=own,
            pinned=pinned,
            leeway_s=settings.leeway_s,
        ),
        _carrier(path, settings, surroundings, pinned=pinned),
        source=settings.site.source or surroundings.source_id,
        profile=Profile(
            adapter=profile.adapter,
            mapping=profile.mapping,
            held=profile.held,
            identifier_systems=profile.identifier_systems,
            key_system=profile.key_system,
            whole_person=profile.whole_person,
            wants_warrant=True,
        ),
        surroundings=surroundings,
    )


def _carrier(
    path: Path,
    settings: SiteFile,
    surroundings: Surroundings,
    *,
    pinned: Callable[[], Keys],
) -> Carrier:
    """Straight to the site's address, or by way of our relay where it has none."""
    if settings.url is None:
        site, gateway = settings.site.id, settings.gateway.id
        try:
            return outbound(
                surroundings.relay,
                member(site, gateway, pinned, leeway_s=settings.leeway_s),
            )
        except ValueError as error:
            raise wrong(path, ("mode",), str(error)) from None
    identity, tls = None, settings.tls
    if tls is not None:
        papers = Papers(
            certificate=tls.certificate, key=tls.key, ca=path.parent / tls.ca
        )
        identity = Identity(papers, surroundings.secret)
    return Direct(
        settings.url, surroundings, identity=identity, loopback=settings.loopback
    )


def _own(path: Path, settings: SiteFile, surroundings: Surroundings) -> Keys:
    text = surroundings.secret(settings.gateway.keys)
    try:
        return own_keys(text)
    except NotKeys as error:
        raise wrong(path, ("gateway", "keys"), str(error)) from None
