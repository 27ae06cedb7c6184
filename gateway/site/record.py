"""What a site leaves in its own trail, in the same shapes as the gateway's.

The actor is the gateway, for an organisation and a role: who the user is stays with
the gateway, whose trail the question's id leads to.
"""

from adapters.warrant import Exchange
from gateway.audit.records import (
    Actor,
    Basis,
    Decided,
    Denied,
    Intent,
    NotTaken,
    Outcome,
    SourceOutcome,
)
from gateway.audit.trail import Trail
from gateway.journey.record import subjects
from gateway.site.case import Case
from gateway.site.deciding import Decided as DecidedHere
from gateway.site.verifying import Taken, Untaken


def not_taken(untaken: Untaken, digest: str | None) -> NotTaken:
    """That a question was refused before it was read as one."""
    return NotTaken(code=untaken.code, digest=digest, question=untaken.question)


def intent(trail: Trail, case: Case) -> Intent:
    """That a source is about to be asked, and why it may be."""
    claims, decided = case.taken.claims, case.decided
    return Intent(
        journey=claims.journey,
        actor=_actor(case.taken),
        purpose=claims.decision.purpose,
        policy=decided.policy,
        subjects=subjects(trail, case.taken.query.person),
        decisions=_decisions(case),
        sources=(case.source.id,),
        evidence=_evidence(case.taken),
        agreement=claims.decision.agreement,
        decision=claims.decision.id,
        basis=_basis(decided),
        exchange=Exchange(question=case.taken.jti),
    )


def denied(trail: Trail, case: Case, digest: str) -> Denied:
    """That the organisation's own rules refused, and what was answered so."""
    claims, decided = case.taken.claims, case.decided
    return Denied(
        journey=claims.journey,
        actor=_actor(case.taken),
        code="not-permitted",
        purpose=claims.decision.purpose,
        policy=decided.policy,
        subjects=subjects(trail, case.taken.query.person),
        decisions=_decisions(case),
        evidence=_evidence(case.taken),
        agreement=claims.decision.agreement,
        decision=claims.decision.id,
        basis=_basis(decided),
        exchange=Exchange(question=case.taken.jti, answer=digest),
    )


def outcome(case: Case, told: SourceOutcome) -> Outcome:
    """What is about to leave."""
    is_whole = told.state == "answered"
    return Outcome(
        journey=case.taken.claims.journey,
        result="released" if is_whole else "no-source-answered",
        level="partial" if is_whole else "none",
        sources=(told,),
    )


def _actor(taken: Taken) -> Actor:
    decision = taken.claims.decision
    return Actor(
        issuer=taken.claims.iss,
        subject=taken.claims.iss,
        client_id=taken.claims.iss,
        organisation=decision.organisation,
        role=decision.role,
    )


def _evidence(taken: Taken) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(each.relationship for each in taken.claims.decision.granted)
    )


def _basis(decided: DecidedHere) -> Basis:
    request = decided.request
    return Basis(
        operation=request.operation,
        mode=request.mode,
        assurance=request.assurance,
        relationships=tuple(sorted(request.relationships)),
        at=request.now,
    )


def _decisions(case: Case) -> tuple[Decided, ...]:
    """What was decided, told once for the categories it is alike of."""
    source, decided = case.source, case.decided
    alike: dict[tuple[str, str, str | None], list[str]] = {}
    for category, decision in decided.decisions.items():
        said = (
            decision.effect,
            decision.because[0].code,
            decision.because[0].authority,
        )
        alike.setdefault(said, []).append(category)
    return tuple(
        Decided(
            source=source.id,
            organisation=source.organisation.ods,
            categories=tuple(sorted(categories)),
            effect=effect,
            code=code,
            authority=authority,
            labels=source.labels,
            flags=tuple(f"{k}={v}" for k, v in sorted(source.flags.items())),
        )
        for (effect, code, authority), categories in alike.items()
    )
