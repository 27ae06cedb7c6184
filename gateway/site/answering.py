"""The path of a question at a site, top to bottom.

Verify, decide by the organisation's own rules, make the intent durable, ask, release,
sign, make the outcome durable, and only then answer. A site can only remove: what it
is granted from outside bounds all it tells.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from adapters.contract import Answer, Query
from adapters.errors import AdapterError, Unavailable
from adapters.long_work import LongWork
from adapters.site import sealing
from adapters.site.answers import Reply, SaidAnswer, said, spelt_reply
from adapters.site.keys import Keys
from adapters.site.wire import (
    ANSWER_TYPE,
    LONGEST_WAIT_S,
    Domain,
    Refusal,
    RefusalCode,
    State,
)
from adapters.warrant import Exchange
from gateway.alarms import raise_alarm
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import AuditRecord, SourceOutcome
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.journey.calling import Lanes
from gateway.journey.seal import sound
from gateway.site import record
from gateway.site.case import Case
from gateway.site.deciding import OwnPolicy, Ungranted
from gateway.site.narrowing import Leaving, Undecided
from gateway.site.verifying import Taken, Untaken, Verifier
from gateway.sources import Source
from policies.release import oldest_day

# What a site leaves of the time it is given for its answer to travel and be opened.
_RESERVE: Final = 0.1
_MANY: Final = 500  # events of one answer: told beside the event loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What a site signs its answers as and with, and for whom it seals them."""

    site: str
    gateway: str
    own: Keys = field(repr=False)
    pinned: Keys = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a site has to answer questions with; one per process."""

    sources: Mapping[str, Source]
    verifier: Verifier
    policy: OwnPolicy
    trail: Trail
    clock: Clock
    lanes: Lanes
    source_s: float
    room: asyncio.Semaphore
    ends: Ends
    hiding: bytes = field(repr=False)  # keys what stands for hidden record ids
    long_work: LongWork = field(default_factory=LongWork)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What became of asking: an answer that may leave, or why there is none."""

    state: State
    reason: str | None = None
    domain: Domain | None = None
    retry_after_s: int | None = None
    answer: Answer | None = field(default=None, repr=False)


async def reply(desk: Desk, posted: bytes) -> bytes | Refusal:
    """The sealed answer to a question, or why it is not taken: never an Untaken."""
    try:
        return await answer(desk, posted)
    except Untaken as untaken:
        return _refusal(desk, untaken.code)


async def unread(desk: Desk, code: RefusalCode) -> Refusal:
    """Record that something was not even read, and say so."""
    await _untaken(desk, Untaken(code), None)
    return _refusal(desk, code)


async def answer(desk: Desk, posted: bytes) -> bytes:
    """The sealed answer to a question.

    Untaken where it is not to be believed, cannot be read, or cannot be recorded:
    then no source was asked, or nothing is told of what it said.
    """
    if desk.room.locked():
        full = Untaken("busy")
        await _untaken(desk, full, posted)
        raise full
    async with desk.room:
        began = desk.clock.monotonic()
        case = await _case(desk, posted)
        query = _query(case)
        if query is None:
            return await _veto(desk, case)
        await _append(desk, record.intent(desk.trail, case), case)
        until = began + case.taken.claims.deadline_ms / 1000
        told = await _asked(desk, case.source, query, until=until)
        told = await _released(desk, case, told)
        return await _sent(desk, case, told)


async def _case(desk: Desk, posted: bytes) -> Case:
    """The question, the source it names and what was decided; recorded if untaken."""
    try:
        taken = desk.verifier.take(posted)
        source = _named(desk, taken)
        try:
            now = desk.clock.now()
            decided = desk.policy.decide(taken.claims, source, now=now)
        except Ungranted:
            raise Untaken("malformed", taken.jti) from None
        return Case(taken=taken, source=source, decided=decided)
    except Untaken as untaken:
        await _untaken(desk, untaken, posted)
        raise


async def _untaken(desk: Desk, untaken: Untaken, posted: bytes | None) -> None:
    """Tell people and the trail; that it is refused rests on neither."""
    raise_alarm("question_not_taken", source=untaken.code)
    digest = None if posted is None else hashlib.sha256(posted).hexdigest()
    await _recorded(desk, record.not_taken(untaken, digest))


def _refusal(desk: Desk, code: RefusalCode) -> Refusal:
    """Why a question is not taken, and what our clock says: theirs may be off."""
    return Refusal(refused=code, at=desk.clock.now())


def _named(desk: Desk, taken: Taken) -> Source:
    source = desk.sources.get(taken.body.source)
    if source is None:
        raise Untaken("unknown_source", taken.jti)
    return source


async def _append(desk: Desk, entry: AuditRecord, case: Case) -> None:
    if not await _recorded(desk, entry):
        raise Untaken("audit", case.taken.jti)


async def _recorded(desk: Desk, entry: AuditRecord) -> bool:
    try:
        await desk.trail.append(entry)
    except (AuditUnavailable, ValueError):
        # ValueError: a text of the question that no trail may hold.
        raise_alarm("audit_refused", source="site")
        return False
    return True


def _query(case: Case) -> Query | None:
    """What may be asked of the source; None if that is nothing."""
    asked, decided = case.taken.query, case.decided
    categories = asked.categories & decided.permitted
    if not decided.permitted or (asked.categories and not categories):
        return None  # a question of no category would still tell who is known here
    ages = [decided.decisions[category].reach_days for category in categories]
    known = [age for age in ages if age is not None]
    since = asked.since
    if ages and len(known) == len(ages):
        # Nothing older could be released, so nothing older is asked for.
        oldest = oldest_day(decided.request.now, max(known))
        since = oldest if since is None else max(since, oldest)
    return replace(asked, categories=categories, since=since)


async def _asked(desk: Desk, source: Source, query: Query, *, until: float) -> _Told:
    """What the source said, whatever it does, in time for the answer to travel."""
    left_s = until - desk.clock.monotonic()
    bound_s = min(desk.source_s, left_s * (1 - _RESERVE))
    try:
        async with asyncio.timeout(max(0.0, bound_s)), desk.lanes.of(source):
            said_here = sound(await source.adapter.ask(query))
    except TimeoutError:
        return _Told(state="timeout", reason="deadline", domain="source")
    except AdapterError as error:
        return _Told(
            state="unavailable" if isinstance(error, Unavailable) else "error",
            reason=error.reason,
            domain=error.domain,
            retry_after_s=error.retry_after_s,
        )
    except Exception:  # noqa: BLE001 - an adapter's own defect is a failure of its source, as at the gateway
        raise_alarm("adapter_defect", source=source.id)
        return _Told(state="error", reason="adapter_defect", domain="adapter")
    return _Told(state="answered", answer=said_here)


async def _released(desk: Desk, case: Case, told: _Told) -> _Told:
    """What of it may leave."""
    if told.answer is None:
        return told
    leaving = Leaving(
        source=case.source,
        decided=case.decided,
        person=case.taken.query.person,
        key=hmac.digest(desk.hiding, case.taken.claims.journey.encode(), "sha256"),
    )
    answered = told.answer
    try:
        if len(answered.events) > _MANY:
            kept = await desk.long_work.do(lambda: leaving.narrowed(answered))
        else:
            kept = leaving.narrowed(answered)
    except Undecided:
        raise_alarm("policy_error", source=case.source.id)
        return _Told(state="denied", reason="policy", domain="policy")
    return replace(told, answer=kept)


async def _veto(desk: Desk, case: Case) -> bytes:
    """That the organisation's own rules let nothing of it be known."""
    token, sealed = await _signed(
        desk, case.taken, _Told(state="denied", domain="policy")
    )
    entry = record.denied(desk.trail, case, sealing.digest(token))
    await _append(desk, entry, case)
    return sealed


async def _sent(desk: Desk, case: Case, told: _Told) -> bytes:
    """The answer, once it is recorded that it leaves."""
    try:
        token, sealed = await _signed(desk, case.taken, told)
    except UnicodeError:
        # A text that UTF-8 cannot hold, which no answer may: as at the gateway.
        told = _Told(state="error", reason="unreadable", domain="source")
        token, sealed = await _signed(desk, case.taken, told)
    entry = record.outcome(
        case,
        SourceOutcome(
            source=case.source.id,
            state=told.state,
            reason=told.reason,
            domain=told.domain,
            count=len(told.answer.events) if told.answer else None,
            as_of=told.answer.as_of if told.answer else None,
            exchanges=(
                Exchange(question=case.taken.jti, answer=sealing.digest(token)),
            ),
        ),
    )
    await _append(desk, entry, case)
    return sealed


async def _signed(desk: Desk, taken: Taken, told: _Told) -> tuple[str, bytes]:
    """The signed answer, whose digest is recorded, and the same sealed."""
    is_long = told.answer is not None and len(told.answer.events) > _MANY
    now = desk.clock.now()

    def made() -> tuple[str, bytes]:
        reply = _reply(desk.ends, taken.jti, told, now=now)
        token = sealing.signed(spelt_reply(reply), desk.ends.own.signs, ANSWER_TYPE)
        sealed = sealing.sealed(token.encode("ascii"), desk.ends.pinned.seals)
        return token, sealed.encode("ascii")

    return await desk.long_work.do(made) if is_long else made()


def _reply(ends: Ends, jti: str, told: _Told, *, now: datetime) -> Reply:
    found: SaidAnswer | None = None if told.answer is None else said(told.answer)
    return Reply(
        iss=ends.site,
        aud=ends.gateway,
        jti=jti,
        iat=int(now.timestamp()),
        state=told.state,
        reason=told.reason,
        domain=told.domain,
        retry_after_s=_bounded(told.retry_after_s),
        answer=found,
    )


def _bounded(retry_after_s: int | None) -> int | None:
    return None if retry_after_s is None else max(0, min(retry_after_s, LONGEST_WAIT_S))
