"""The path of a journey question, top to bottom.

Decide, make the intent durable, ask, release, weave, make the outcome durable, and
only then answer. Nothing is asked without the first record; nothing is shown
without the second.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from adapters.contract import Query
from gateway.access.requester import Requester
from gateway.alarms import raise_alarm
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.journey import record, strictness
from gateway.journey.ask import Errand, FanOut, Lanes, Means, ask_all
from gateway.journey.completeness import retry_after
from gateway.journey.journey import Journey
from gateway.journey.outcome import Answered, Asked, Denied, Failure, NotAsked
from gateway.journey.question import Question
from gateway.journey.released import ReleasedSource, open_answers
from gateway.journey.sightings import Sightings
from gateway.journey.telling import Case, tell
from gateway.policy.plan import SourcePlan, plan
from gateway.problems import RequestError
from gateway.settings import Limits
from gateway.sources import Source
from policies.compile import PolicySet
from policies.decide import Decision, Request

_SELF_CLAIMED: Final = "self-claimed"
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
    # One long journey at a time: more threads would not be faster, and hold the loop.
    telling: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, 1))


async def inquire(house: House, requester: Requester, question: Question) -> Journey:
    """The journey that this caller may see.

    RequestError: not-permitted where nothing may be asked (no source is called),
    request-invalid where a requirement can never be met, required-sources-unmet,
    no-source-answered, or audit-unavailable; the last four never show an event.
    """
    case = _decided(house, requester, question)
    await _refuse_or_intend(house, case)
    fan_out = await _ask(house, case)
    journey, refusal = await _told(house, case, fan_out)
    await house.trail.append(
        record.outcome(house.trail, case, (journey, refusal), fan_out=fan_out)
    )
    if refusal is not None:
        raise refusal
    return journey


def _decided(house: House, requester: Requester, question: Question) -> Case:
    policy, now = house.policy(), house.clock.now()
    request = Request(
        operation="journey.read",
        mode="identified",
        purpose=question.purpose,
        agreement=question.agreement,
        recipient=requester.organisation,
        role=requester.role,
        assurance=requester.assurance,
        relationships=_relationships(requester, question),
        break_glass=False,
        now=now,
    )
    plans = plan(policy, request, house.sources, categories=question.categories)
    for each in plans:
        if any(decision.because[0].code == "policy_error" for decision in _all(each)):
            raise_alarm("policy_error", source=each.source.id)
    return Case(
        journey_id=f"jny_{secrets.token_urlsafe(12)}",
        decision_id=f"dec_{secrets.token_urlsafe(12)}",
        salt=secrets.token_hex(16),
        deadline=house.clock.monotonic() + question.deadline_s,
        requester=requester,
        question=question,
        request=request,
        policy_version=policy.version,
        plans=plans,
        evidence=_evidence(requester, question),
    )


def _all(planned: SourcePlan) -> list[Decision]:
    told = [planned.demographics] if planned.demographics else []
    return [*planned.decisions.values(), *told]


def _relationships(requester: Requester, question: Question) -> frozenset[str]:
    asserted = frozenset(each.kind for each in requester.relationships)
    return asserted | ({_SELF_CLAIMED} if question.claim else frozenset())


def _evidence(requester: Requester, question: Question) -> tuple[str, ...]:
    asserted = [f"{each.kind}@{each.organisation}" for each in requester.relationships]
    return (*asserted, *([_SELF_CLAIMED] if question.claim else []))


async def _refuse_or_intend(house: House, case: Case) -> None:
    """The first record: a refusal, or the intent without which nothing is asked."""
    unseen = strictness.invisible(case.question.require, case.plans)
    if unseen:
        await house.trail.append(record.denied(house.trail, case, "request-invalid"))
        raise RequestError("request-invalid", errors=unseen)
    in_question = [each for each in case.plans if each.decisions]
    if in_question and not any(each.permitted for each in in_question):
        await house.trail.append(record.denied(house.trail, case, "not-permitted"))
        raise RequestError("not-permitted", _why_not(in_question))
    await house.trail.append(record.intent(house.trail, case))


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


async def _ask(house: House, case: Case) -> FanOut:
    errands = [_errand(each, case) for each in case.plans]
    means = Means(
        clock=house.clock,
        lanes=house.lanes,
        deadline=case.deadline,
        source_s=house.limits.source_s,
    )
    fan_out = await ask_all(errands, case.question.person, means)
    for asked in fan_out.asked:
        house.sightings.note(asked)
        _alarm(asked)
    return fan_out


def _alarm(asked: Asked) -> None:
    """Tell people what no caller can mend: a stranger's record, a broken adapter."""
    match asked.outcome:
        case Answered(mismatched=count) if count:
            raise_alarm("identity_mismatch", source=asked.source.id, count=count)
        case Failure(reason="adapter_defect"):
            raise_alarm("adapter_defect", source=asked.source.id)
        case _:
            pass


def _errand(planned: SourcePlan, case: Case) -> Errand:
    question = case.question
    if not planned.decisions:
        return Errand(source=planned.source, query=NotAsked(reason="outside_question"))
    if not planned.permitted:
        return Errand(source=planned.source, query=Denied())
    query = Query(
        person=question.person,
        since=planned.since(question.since, case.request),
        until=question.until,
        categories=planned.permitted,
        limit=question.limit,
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
    house: House, case: Case, fan_out: FanOut
) -> tuple[Journey, RequestError | None]:
    """The journey, and why it may not be given where a condition is not met."""
    opened = _opened(case, fan_out)
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
