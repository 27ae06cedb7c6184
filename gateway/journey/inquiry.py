"""The path of a journey question, top to bottom.

See what the asker's own sources show of a relationship, where that could matter;
decide, make the intent durable, ask, release, weave, make the outcome durable, and
only then answer. Nothing is asked without the first record; nothing is shown
without the second. Who must be told of it is put down with them.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from adapters.contract import Query
from gateway.access.budget import PeopleBudget
from gateway.access.requester import Requester
from gateway.alarms import raise_alarm
from gateway.audit.trail import Trail
from gateway.break_glass.breaking import Breaking, refuse
from gateway.break_glass.glass import Glass
from gateway.clock import Clock
from gateway.journey import (
    duties,
    evidence,
    likeness,
    record,
    strictness,
    ticketing,
)
from gateway.journey.ask import Errand, FanOut, Lanes, Means, ask_all
from gateway.journey.completeness import retry_after
from gateway.journey.journey import Journey
from gateway.journey.outcome import Answered, Asked, Denied, Failure, NotAsked
from gateway.journey.question import Question
from gateway.journey.released import ReleasedSource, open_answers
from gateway.journey.sightings import Sightings
from gateway.journey.telling import Case, tell
from gateway.journey.warrants import warrant
from gateway.linking import Linkage
from gateway.notices.channels import Channels
from gateway.notices.outbox import letters
from gateway.notices.recorded import append
from gateway.policy.plan import ALWAYS, Abilities, SourcePlan, plan
from gateway.policy.shadow import log_flips
from gateway.problems import FieldError, RequestError
from gateway.settings import Evidence, Limits
from gateway.sources import Source
from gateway.suspension.suspensions import Suspensions
from policies.compile import PolicySet
from policies.decide import Decision, Request

_USUAL_CLAIMS: Final = 5
_USUAL_LOOKUPS: Final = 30
# A journey of more events is told beside the event loop: it would hold it too long.
_LONG: Final = 2_500


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a gateway has to answer questions with; one per process."""

    sources: tuple[Source, ...]
    names: Mapping[str, str]  # of registered organisations, by ODS code
    policy: Callable[[], PolicySet]
    trail: Trail
    clock: Clock
    lanes: Lanes
    limits: Limits
    sightings: Sightings = field(default_factory=Sightings)
    channels: Channels = field(default_factory=Channels)
    wake: Callable[[], None] = lambda: None  # whoever delivers notices
    breaking: Breaking | None = None  # None: no glass is broken here
    claims: PeopleBudget = field(default_factory=partial(PeopleBudget, _USUAL_CLAIMS))
    lookups: PeopleBudget = field(default_factory=partial(PeopleBudget, _USUAL_LOOKUPS))
    suspensions: Suspensions | None = None  # None: wrong answers are not counted here
    evidence: Evidence = field(default_factory=Evidence)
    linkage: Linkage = field(default_factory=Linkage)
    # What would be in force were all signed; None: nothing waits to be.
    shadow: Callable[[], PolicySet | None] = lambda: None
    # One long journey at a time: more threads would not be faster, and hold the loop.
    telling: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, 1))

    def able(self, recipient: str, *, justified: bool) -> Abilities:
        """What can be done with each owner's data for a recipient (ODS codes)."""
        reason = frozenset({"justify"} if justified else ())
        return lambda owner: ALWAYS | reason | self.channels.duties(recipient, owner)


async def inquire(house: House, requester: Requester, question: Question) -> Journey:
    """The journey that this caller may see.

    RequestError: not-permitted where nothing may be asked (no source is called) or
    a break-glass token is not good, request-invalid where a requirement can never be
    met or a reason is wanted, people-budget-spent, required-sources-unmet,
    no-source-answered, or audit-unavailable; none of them ever shows an event.
    """
    glass = await _redeemed(house, requester, question)
    policy = house.policy()  # once: all that follows is decided by this one set
    begun = _begun(house, policy, (requester, question), glass=glass)
    found = await _sought(house, begun, policy)
    case = _decided(house, begun, policy, found=found)
    await _refuse_or_intend(house, case, policy, found=found)
    fan_out = await _ask(house, case, found)
    fan_out, opened = await _likened(house, case, policy, fan_out=fan_out)
    await _count_strangers(house, case, (*found.opened, *opened))
    journey, refusal = await _told(house, case, fan_out, opened=opened)
    await append(
        house.trail,
        record.outcome(house.trail, case, (journey, refusal), fan_out=fan_out),
        duties.of_outcome(case, opened) if refusal is None else (),
        clock=house.clock,
        wake=house.wake,
    )
    if refusal is not None:
        raise refusal
    now = case.request.now
    ticketing.note(house.suspensions, journey, opened=opened, now=now)
    return journey


async def _redeemed(
    house: House, requester: Requester, question: Question
) -> Glass | None:
    """The glass of the question's token; None where it has none."""
    if question.break_glass is None:
        return None
    try:
        if house.breaking is None:
            return refuse()
        return await house.breaking.redeem(
            question.break_glass,
            requester,
            person=question.person,
            purpose=question.purpose,
        )
    except RequestError as refusal:
        if refusal.code == "not-permitted":
            said = record.not_redeemed(
                house.trail, requester, question, journey=_journey_id()
            )
            await house.trail.append(said)
        raise


def _begun(
    house: House,
    policy: PolicySet,
    asked: tuple[Requester, Question],
    *,
    glass: Glass | None,
) -> Case:
    """The case as it came, with what evidence was brought; nothing is decided yet."""
    requester, question = asked
    return Case(
        journey_id=_journey_id(),
        decision_id=letters("dec_"),
        salt=secrets.token_hex(16),
        deadline=house.clock.monotonic() + question.deadline_s,
        requester=requester,
        question=question,
        request=_request(house, requester, question, breaks_glass=glass is not None),
        policy_version=policy.version,
        plans=(),
        evidence=_evidence(requester, question),
        glass=glass.id if glass else None,
    )


async def _sought(house: House, begun: Case, policy: PolicySet) -> evidence.Found:
    """What the asker's own sources show, but for those that are suspended."""
    request = begun.request
    justified = _is_justified(request, begun.question)
    seeker = evidence.Seeker(
        sources=house.sources,
        may_be_asked=lambda source: not _is_suspended(house, source),
        policy=policy,
        abilities=house.able(request.recipient, justified=justified),
        trail=house.trail,
        clock=house.clock,
        lanes=house.lanes,
        limits=house.limits,
        windows=house.evidence,
        lookups=house.lookups,
        note=partial(_note, house),
        wake=house.wake,
    )
    return await evidence.seek(seeker, begun)


def _decided(
    house: House, begun: Case, policy: PolicySet, *, found: evidence.Found
) -> Case:
    """The case with the evidence that was found, and what policy says of each cell."""
    question = begun.question
    kinds = frozenset(each.kind for each in found.shown)
    request = replace(begun.request, relationships=begun.request.relationships | kinds)
    plans = _plans(house, policy, question, request=request)
    able = house.able(request.recipient, justified=_is_justified(request, question))
    log_flips(house.shadow(), request, plans, abilities=able)
    for each in plans:
        if any(decision.because[0].code == "policy_error" for decision in _all(each)):
            raise_alarm("policy_error", source=each.source.id)
    shown = tuple(f"{each.kind}@{each.organisation}" for each in found.shown)
    return replace(
        begun,
        request=request,
        plans=plans,
        evidence=(*begun.evidence, *shown),
        shown=found.shown,
    )


def _journey_id() -> str:
    return f"jny_{secrets.token_urlsafe(12)}"


def _request(
    house: House, requester: Requester, question: Question, *, breaks_glass: bool
) -> Request:
    return Request(
        operation="journey.read",
        mode="identified",
        purpose=question.purpose,
        agreement=question.agreement,
        recipient=requester.organisation,
        role=requester.role,
        assurance=requester.assurance,
        relationships=_relationships(requester, question),
        break_glass=breaks_glass,
        now=house.clock.now(),
    )


def _plans(
    house: House,
    policy: PolicySet,
    question: Question,
    *,
    request: Request,
    justified: bool | None = None,
) -> tuple[SourcePlan, ...]:
    """What each source may be asked, with the duties that can be done here.

    `justified` None: as it is, a reason given for a claim or a broken glass or not.
    """
    if justified is None:
        justified = _is_justified(request, question)
    return plan(
        policy,
        request,
        house.sources,
        categories=question.categories,
        abilities=house.able(request.recipient, justified=justified),
    )


def _all(planned: SourcePlan) -> list[Decision]:
    told = [planned.demographics] if planned.demographics else []
    return [*planned.decisions.values(), *told]


def _relationships(requester: Requester, question: Question) -> frozenset[str]:
    asserted = frozenset(each.kind for each in requester.relationships)
    return asserted | _claimed(question)


def _claimed(question: Question) -> frozenset[str]:
    """What is taken on the caller's word; any other kind needs evidence."""
    claim = question.claim
    named = {claim.kind} if claim is not None else set()
    return frozenset(named & {duties.SELF_CLAIMED})


def _evidence(requester: Requester, question: Question) -> tuple[str, ...]:
    asserted = [f"{each.kind}@{each.organisation}" for each in requester.relationships]
    return (*asserted, *_claimed(question))


async def _refuse_or_intend(
    house: House, case: Case, policy: PolicySet, *, found: evidence.Found
) -> None:
    """The first record: a refusal, or the intent without which nothing is asked."""
    refusal = _refusal(house, case, policy, found=found)
    if refusal is not None:
        await _count_strangers(house, case, found.opened)
        await house.trail.append(record.denied(house.trail, case, refusal.code))
        raise refusal.about_decision(case.decision_id)
    await append(
        house.trail,
        record.intent(house.trail, case),
        duties.of_intent(case),
        clock=house.clock,
        wake=house.wake,
    )


async def _count_strangers(
    house: House, case: Case, opened: Sequence[ReleasedSource]
) -> None:
    person = case.question.person
    await ticketing.count_strangers(house.suspensions, opened, person=person)


def _refusal(
    house: House, case: Case, policy: PolicySet, *, found: evidence.Found
) -> RequestError | None:
    """Why nothing may be asked, if so: by the request and the rules, of no person."""
    unseen = strictness.invisible(case.question.require, case.plans)
    if unseen:
        return RequestError("request-invalid", errors=unseen)
    wait_s = _over_budget(house, case)
    if wait_s is not None:
        return _spent(case, wait_s)
    if _wants_reason(house, case, policy):
        field_error = FieldError(pointer="/relationship/reason", code="missing")
        message = "An agreement wants a reason: say in relationship why you ask."
        return RequestError("request-invalid", message, errors=(field_error,))
    in_question = [each for each in case.plans if each.decisions]
    if in_question and not any(each.permitted for each in in_question):
        if found.wait_s is not None:
            return _spent(case, found.wait_s, "Too many were looked for in vain.")
        return RequestError("not-permitted", _why_not(in_question))
    return None


def _spent(case: Case, wait_s: int, why: str | None = None) -> RequestError:
    raise_alarm("people_budget_spent", source=case.request.recipient)
    return RequestError("people-budget-spent", why, retry_after_s=wait_s)


def _over_budget(house: House, case: Case) -> int | None:
    """Seconds to wait, for a caller who has claimed too many people this hour.

    Whoever stands in an evidenced relationship needs no claim, and a broken glass is
    never refused for being one of many: others are told of it.
    """
    if not _claimed(case.question) or case.glass is not None:
        return None
    rests = {p.relationship for each in case.plans for p in duties.permits(each)}
    if rests - {duties.SELF_CLAIMED}:
        return None
    person = record.subjects(house.trail, case.question.person)[0]
    return house.claims.spend(case.requester, person, now=case.request.now)


def _wants_reason(house: House, case: Case, policy: PolicySet) -> bool:
    """Whether a cell is refused for want of a reason, and for that alone."""
    wanting = {
        (each.source.id, category)
        for each in case.plans
        for category, decision in each.decisions.items()
        if decision.because[0].code == "obligation_unsupported"
    }
    if not wanting:
        return False
    given = _plans(house, policy, case.question, request=case.request, justified=True)
    return any(
        (each.source.id, category) in wanting
        for each in given
        for category in each.permitted
    )


def _is_justified(request: Request, question: Question) -> bool:
    """Whether a reason was given, for a claim or a broken glass."""
    return request.break_glass or question.claim is not None


def _why_not(plans: Sequence[SourcePlan]) -> str:
    """The reasons of a refusal, each once: all rest on the request and documents."""
    reasons = sorted(
        {
            because.why
            for each in plans
            for decision in each.decisions.values()
            for because in decision.because
        }
    )
    return f"{'; '.join(reasons)}."


def _means(house: House, case: Case) -> Means:
    return Means(
        clock=house.clock,
        lanes=house.lanes,
        deadline=case.deadline,
        source_s=house.limits.source_s,
    )


async def _likened(
    house: House, case: Case, policy: PolicySet, *, fan_out: FanOut
) -> tuple[FanOut, tuple[ReleasedSource, ...]]:
    """What was answered, opened; with what demographics alone lead to, if they may."""
    opened = _opened(case, fan_out)
    seeker = likeness.Seeker(
        policy=policy,
        trail=house.trail,
        linkage=house.linkage,
        means=_means(house, case),
    )
    likened = await likeness.seek(seeker, case, fan_out, opened=opened)
    if likened is fan_out:
        return fan_out, opened
    return likened, _opened(case, likened)


async def _ask(house: House, case: Case, found: evidence.Found) -> FanOut:
    errands = [_errand(house, each, case) for each in case.plans]
    fan_out = await ask_all(
        errands,
        case.question.person,
        _means(house, case),
        before=found.fan_out,
    )
    for asked in fan_out.asked:
        # Once for a question, however often a source was asked for it.
        if asked.source.id in found.alarming:
            house.sightings.note(asked)
        else:
            _note(house, asked)
    return fan_out


def _note(house: House, asked: Asked) -> None:
    house.sightings.note(asked)
    _alarm(asked)


def _is_suspended(house: House, source: Source) -> bool:
    found = house.suspensions
    return found is not None and found.is_suspended(source.id)


def _alarm(asked: Asked) -> None:
    """Tell people what no caller can mend: a stranger's record, a broken adapter."""
    match asked.outcome:
        case Answered(mismatched=count) if count:
            raise_alarm("identity_mismatch", source=asked.source.id, count=count)
        case Failure(reason="adapter_defect" | "untrusted_answer" as code):
            raise_alarm(code, source=asked.source.id)
        case _ if asked.untraced == "adapter_defect":
            raise_alarm(asked.untraced, source=asked.source.id)
        case _:
            pass


def _errand(house: House, planned: SourcePlan, case: Case) -> Errand:
    question = case.question
    if not planned.decisions:
        return Errand(source=planned.source, query=NotAsked(reason="outside_question"))
    if not planned.permitted:
        return Errand(source=planned.source, query=Denied())
    if _is_suspended(house, planned.source):
        return Errand(source=planned.source, query=NotAsked(reason="suspended"))
    left_s = min(house.limits.source_s, case.deadline - house.clock.monotonic())
    query = Query(
        person=question.person,
        since=planned.since(question.since, case.request),
        until=question.until,
        categories=planned.permitted,
        limit=question.limit,
        warrant=warrant(case, planned, now=house.clock.now(), left_s=left_s),
    )
    return Errand(source=planned.source, query=query)


def _opened(case: Case, fan_out: FanOut) -> tuple[ReleasedSource, ...]:
    plans = {each.source.id: each for each in case.plans}
    opened = open_answers(fan_out.asked, plans, case.request.now)
    for each in opened:
        if each.failed:
            raise_alarm("policy_error", source=each.asked.source.id)
    return opened


async def _told(
    house: House, case: Case, fan_out: FanOut, *, opened: tuple[ReleasedSource, ...]
) -> tuple[Journey, RequestError | None]:
    """The journey, and why it may not be given where a condition is not met."""
    telling = partial(tell, case, opened, fan_out.known, names=house.names)
    if sum(len(source.entries) for source in opened) > _LONG:
        async with house.telling:
            journey = await asyncio.to_thread(telling)
    else:
        journey = telling()
    found = journey.completeness
    unmet = strictness.unmet(case.question, opened, found)
    if found.level == "none":
        refusal = RequestError(
            "no-source-answered",
            retry_after_s=retry_after(opened, case.request.now),
        )
        return journey, refusal.with_completeness(found, unmet)
    if unmet:
        refusal = RequestError("required-sources-unmet")
        return journey, refusal.with_completeness(found, unmet)
    return journey, None
