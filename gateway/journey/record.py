"""What a journey question leaves in the audit trail: metadata, never content."""

from gateway.audit.keys import Subject
from gateway.audit.records import Actor, Decided, Denied, Intent, Outcome, SourceOutcome
from gateway.audit.trail import Trail
from gateway.journey.ask import FanOut
from gateway.journey.journey import Journey
from gateway.journey.outcome import Answered
from gateway.journey.telling import Case
from gateway.problems import RequestError


def intent(trail: Trail, case: Case) -> Intent:
    """That these sources are about to be asked, about whom, and why they may be."""
    return Intent(
        journey=case.journey_id,
        actor=_actor(case),
        purpose=case.question.purpose,
        policy=case.policy_version,
        subjects=_subjects(trail, case),
        decisions=_decisions(case),
        sources=tuple(each.source.id for each in case.plans if each.permitted),
        evidence=case.evidence,
        agreement=case.question.agreement,
    )


def denied(trail: Trail, case: Case, code: str) -> Denied:
    """That a question was refused before any source was asked."""
    return Denied(
        journey=case.journey_id,
        actor=_actor(case),
        code=code,
        purpose=case.question.purpose,
        policy=case.policy_version,
        subjects=_subjects(trail, case),
        decisions=_decisions(case),
        evidence=case.evidence,
        agreement=case.question.agreement,
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
    learned = fan_out.known.nhs_number
    known_before = case.question.person.nhs_number
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
            )
            for each in journey.completeness.sources
        ),
        subjects=(trail.subject_of(learned),) if learned and not known_before else (),
    )


def _actor(case: Case) -> Actor:
    who = case.requester
    return Actor(
        issuer=who.issuer,
        subject=who.subject,
        client_id=who.client_id,
        organisation=who.organisation,
        role=who.role,
    )


def _subjects(trail: Trail, case: Case) -> tuple[Subject, ...]:
    person = case.question.person
    number = (trail.subject_of(person.nhs_number),) if person.nhs_number else ()
    others = sorted(person.others, key=lambda each: (each.system, each.value))
    return (*number, *(trail.subject_of(each) for each in others))


def _decisions(case: Case) -> tuple[Decided, ...]:
    return tuple(
        Decided(
            organisation=each.source.organisation.ods,
            category=category,
            effect=decision.effect,
            code=decision.because[0].code,
            authority=decision.authority,
        )
        for each in case.plans
        for category, decision in each.decisions.items()
    )
