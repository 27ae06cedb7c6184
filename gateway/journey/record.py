"""What a journey question leaves in the audit trail: metadata, never content."""

from collections.abc import Iterator
from typing import Final

from adapters.contract import Identifier, Identifiers
from gateway.access.acting import actor_of
from gateway.access.requester import Requester
from gateway.audit.keys import Subject
from gateway.audit.records import (
    Basis,
    Decided,
    Denied,
    Intent,
    Outcome,
    Relation,
    SourceOutcome,
)
from gateway.audit.trail import Trail
from gateway.journey.ask import FanOut
from gateway.journey.journey import Journey
from gateway.journey.outcome import Answered
from gateway.journey.question import Question
from gateway.journey.telling import Case
from gateway.policy.plan import SourcePlan
from gateway.problems import RequestError

_REASON: Final = "urn:throughline:reason"


def intent(trail: Trail, case: Case) -> Intent:
    """That these sources are about to be asked, about whom, and why they may be."""
    return Intent(
        journey=case.journey_id,
        actor=actor_of(case.requester),
        purpose=case.question.purpose,
        policy=case.policy_version,
        subjects=subjects(trail, case.question.person),
        decisions=_decisions(case),
        sources=tuple(each.source.id for each in case.plans if each.permitted),
        evidence=case.evidence,
        agreement=case.question.agreement,
        decision=case.decision_id,
        basis=_basis(trail, case),
        break_glass=case.glass,
    )


def denied(trail: Trail, case: Case, code: str) -> Denied:
    """That a question was refused before any source was asked."""
    return Denied(
        journey=case.journey_id,
        actor=actor_of(case.requester),
        code=code,
        purpose=case.question.purpose,
        policy=case.policy_version,
        subjects=subjects(trail, case.question.person),
        decisions=_decisions(case),
        evidence=case.evidence,
        agreement=case.question.agreement,
        decision=case.decision_id,
        basis=_basis(trail, case),
        break_glass=case.glass,
    )


def outcome(
    trail: Trail,
    case: Case,
    told: tuple[Journey, RequestError | None],
    *,
    fan_out: FanOut,
) -> Outcome:
    """What was found and is about to be released, or why nothing is."""
    journey, refusal = told
    as_of = {
        each.source.id: each.outcome.as_of
        for each in fan_out.asked
        if isinstance(each.outcome, Answered)
    }
    asked = {each.source.id: each for each in fan_out.asked}
    learned = fan_out.known.numbers - {case.question.person.nhs_number}
    return Outcome(
        journey=case.journey_id,
        result=refusal.code if refusal else "released",
        level=journey.completeness.level,
        sources=tuple(
            SourceOutcome(
                source=each.source,
                state=each.state,
                reason=each.reason,
                domain=each.fault_domain,
                count=each.events,
                as_of=as_of.get(each.source),
                took_ms=each.took_ms,
                exchanges=asked[each.source].exchanges,
                traced=asked[each.source].traced,
                untraced=asked[each.source].untraced,
            )
            for each in journey.completeness.sources
        ),
        subjects=tuple(trail.subject_of(number) for number in sorted(learned)),
    )


def not_redeemed(
    trail: Trail, requester: Requester, question: Question, *, journey: str
) -> Denied:
    """That a break-glass token was not good for the question it came with."""
    return Denied(
        journey=journey,
        actor=actor_of(requester),
        code="not-permitted",
        purpose=question.purpose,
        subjects=subjects(trail, question.person),
        evidence=("break-glass",),
    )


def subjects(trail: Trail, person: Identifiers) -> tuple[Subject, ...]:
    """A person as the trail names them, by each identifier that was asked by."""
    number = (trail.subject_of(person.nhs_number),) if person.nhs_number else ()
    others = sorted(person.others, key=lambda each: (each.system, each.value))
    return (*number, *(trail.subject_of(each) for each in others))


def _basis(trail: Trail, case: Case) -> Basis:
    request, claim = case.request, case.question.claim
    said = None if claim is None else claim.reason
    return Basis(
        operation=request.operation,
        mode=request.mode,
        assurance=request.assurance,
        relationships=tuple(sorted(request.relationships)),
        at=request.now,
        justified=case.glass is not None or claim is not None,
        # Keyed as a person is, since few words are soon guessed too.
        reason_hmac=trail.subject_of(Identifier(_REASON, said)).hmac if said else None,
        shown=tuple(
            Relation(
                kind=each.kind,
                organisation=each.organisation,
                reference=each.reference,
                as_of=each.as_of,
                expires=each.expires,
            )
            for each in case.shown
        ),
    )


def _decisions(case: Case) -> tuple[Decided, ...]:
    return tuple(told for plan in case.plans for told in decided_of(plan))


def decided_of(plan: SourcePlan) -> Iterator[Decided]:
    """What was decided of one source, told once for the categories it is alike of."""
    alike: dict[tuple[str, str, str | None], list[str]] = {}
    for category, decision in plan.decisions.items():
        said = (decision.effect, decision.because[0].code, decision.authority)
        alike.setdefault(said, []).append(category)
    for (effect, code, authority), categories in alike.items():
        yield Decided(
            source=plan.source.id,
            organisation=plan.source.organisation.ods,
            categories=tuple(sorted(categories)),
            effect=effect,
            code=code,
            authority=authority,
            labels=plan.source.labels,
            flags=tuple(f"{k}={v}" for k, v in sorted(plan.source.flags.items())),
        )
