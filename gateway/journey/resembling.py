"""What looking for people by demographics leaves: its records in the trail. Pure.

A question of its own, as looking for evidence is: whose description was used at which
sources is told, and how many were like it; nothing of the person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.contract import Caveat, Identifier, Matches
from gateway.access.acting import actor_of
from gateway.audit.records import Decided, Intent, Outcome, SourceOutcome
from gateway.audit.trail import Trail
from gateway.journey import record
from gateway.journey.ask import Missed
from gateway.journey.description import Description
from gateway.journey.identity import Link
from gateway.journey.outcome import Failure, NotAsked
from gateway.journey.released import ReleasedSource
from gateway.journey.telling import Case
from gateway.sources import Source
from policies.decide import Decision

_CELL: Final = ("demographics",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A source that knows nobody, and how the person is described to it."""

    opened: ReleasedSource
    adapter: Matches
    decision: Decision  # whether it may say who its people are
    described: Description = field(repr=False)

    @property
    def source(self) -> Source:
        """The source itself."""
        return self.opened.asked.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What looking at one source came to.

    `tied` are its own identifiers of the one who is surely the person, by `link`;
    `possible` counts those who may be and are not shown.
    """

    possible: int = 0
    tied: frozenset[Identifier] = field(default=frozenset(), repr=False)
    link: Link | None = None
    note: str | None = None
    missed: Missed | None = None

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What is to be said of the source's answer for it."""
        found = [Caveat(self.note)] if self.note else []
        if self.possible:
            found.append(Caveat("possible_match", self.possible))
        return tuple(found)


def intent(trail: Trail, case: Case, looking: Sequence[Looked]) -> Intent:
    """That the person is about to be described to these sources, as these told."""
    asked = (_decided(each.source, each.decision) for each in looking)
    shared = (
        _decided(owner, decision)
        for each in looking
        for owner, decision in each.described.decisions
    )
    told_by = {source.id for each in looking for source in each.described.told_by}
    return Intent(
        journey=case.journey_id,
        actor=actor_of(case.requester),
        purpose=case.question.purpose,
        policy=case.policy_version,
        subjects=record.subjects(trail, case.question.person),
        decisions=tuple(dict.fromkeys((*asked, *shared))),
        sources=tuple(sorted(each.source.id for each in looking)),
        evidence=case.evidence,
        described_by=tuple(sorted(told_by)),
    )


def _decided(source: Source, decision: Decision) -> Decided:
    return Decided(
        source=source.id,
        organisation=source.organisation.ods,
        categories=_CELL,
        effect=decision.effect,
        code=decision.because[0].code,
        authority=decision.authority,
        labels=source.labels,
        flags=tuple(f"{k}={v}" for k, v in sorted(source.flags.items())),
    )


def outcome(case: Case, found: Mapping[str, Likeness]) -> Outcome:
    """What became of it: who was tied, and how many more may be the person."""
    is_tied = any(each.link is not None for each in found.values())
    return Outcome(
        journey=case.journey_id,
        result="likeness-tied" if is_tied else "likeness-none",
        level="none",  # of a journey nothing is told yet
        sources=tuple(_source_outcome(name, each) for name, each in found.items()),
    )


def _source_outcome(source: str, found: Likeness) -> SourceOutcome:
    """How a source did; its count is of people, tied or possible."""
    missed = found.missed
    if isinstance(missed, Failure):
        return SourceOutcome(
            source=source,
            state=missed.state,
            reason=missed.reason,
            domain=missed.domain,
        )
    if isinstance(missed, NotAsked):
        return SourceOutcome(source=source, state="not_asked", reason=missed.reason)
    if missed is not None:
        return SourceOutcome(source=source, state="denied")
    return SourceOutcome(
        source=source,
        state="ok",
        reason=found.note,
        count=found.possible + (found.link is not None),
    )
