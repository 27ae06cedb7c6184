"""What looking for evidence leaves in the audit trail: a question of its own. Pure.

It has no id of a decision: nothing of it is told, so there is nothing to explain.
"""

from collections.abc import Sequence

from gateway.access.acting import actor_of
from gateway.audit.records import Intent, Outcome, SourceOutcome
from gateway.audit.trail import Trail
from gateway.journey import record
from gateway.journey.ask import FanOut
from gateway.journey.outcome import Answered, Asked, Denied, Failure, NotAsked
from gateway.journey.telling import Case
from gateway.policy.plan import SourcePlan


def intent(
    trail: Trail, case: Case, plans: Sequence[SourcePlan], *, kinds: tuple[str, ...]
) -> Intent:
    """That own sources are about to be asked for what shows one of these kinds."""
    # Two relationships may be decided alike; what is told alike is told once.
    decisions = dict.fromkeys(
        told for planned in plans for told in record.decided_of(planned)
    )
    return Intent(
        journey=case.journey_id,
        actor=actor_of(case.requester),
        purpose=case.question.purpose,
        policy=case.policy_version,
        subjects=record.subjects(trail, case.question.person),
        decisions=tuple(decisions),
        sources=tuple(sorted({each.source.id for each in plans if each.permitted})),
        evidence=case.evidence,
        sought=kinds,
    )


def outcome(case: Case, fan_out: FanOut, *, found: bool) -> Outcome:
    """What became of asking them, and whether any of it is evidence."""
    return Outcome(
        journey=case.journey_id,
        result="evidence-found" if found else "evidence-none",
        level="none",  # of a journey nothing is told yet
        sources=tuple(map(_source_outcome, fan_out.asked)),
    )


def _source_outcome(asked: Asked) -> SourceOutcome:
    """How a source did. How many records it has is not told: nothing is released."""
    name, took, outcome = asked.source.id, asked.took_ms, asked.outcome
    if isinstance(outcome, Answered):
        as_of = outcome.as_of
        return SourceOutcome(
            source=name,
            state="ok",
            as_of=as_of,
            took_ms=took,
            traced=asked.traced,
            untraced=asked.untraced,
        )
    if isinstance(outcome, Failure):
        return SourceOutcome(
            source=name,
            state=outcome.state,
            reason=outcome.reason,
            domain=outcome.domain,
            took_ms=took,
        )
    if isinstance(outcome, NotAsked):
        return SourceOutcome(source=name, state="not_asked", reason=outcome.reason)
    _: Denied = outcome  # there is no fifth
    return SourceOutcome(source=name, state="denied", took_ms=took)
