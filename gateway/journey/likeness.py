"""The last resort: whom no identifier leads to, looked for by demographics.

Where that is switched on, at sources that know nobody by the identifiers, or have
nothing, and with what may be told there. Decided, made durable, asked, released and
judged; one sure likeness is asked of by its own identifiers, any other is only counted.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from adapters import nhs_number
from adapters.contract import Candidate, Caveat, Identifier, Matches, Person
from gateway.alarms import raise_alarm
from gateway.audit.trail import Trail
from gateway.journey import identity, resembling
from gateway.journey.ask import (
    SECOND_ROUND_S,
    FanOut,
    Means,
    Missed,
    ask_tied,
    match_all,
)
from gateway.journey.completeness import standing
from gateway.journey.description import (
    Why,
    contradict,
    described_to,
    seen,
    tellers,
)
from gateway.journey.matching.match import Match, Thresholds, choose, match
from gateway.journey.outcome import Answered, Asked, Failure
from gateway.journey.released import ReleasedSource
from gateway.journey.resembling import Likeness, Looked
from gateway.journey.seal import sealed_person
from gateway.journey.telling import Case
from gateway.linking import Linkage
from gateway.sources import Source
from policies.compile import PolicySet
from policies.release import release

_NOBODY: Final = frozenset({"unknown_person", "ok_empty"})
# To ask whom a source holds, and then for what happened to one of them.
_LEAST_S: Final = 2 * SECOND_ROUND_S
# However well demographics agree, they are never as sure as a number.
_SUREST: Final = 0.9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeker:
    """What looking for likenesses may use."""

    policy: PolicySet
    trail: Trail
    linkage: Linkage
    means: Means


async def seek(
    seeker: Seeker, case: Case, fan_out: FanOut, *, opened: Sequence[ReleasedSource]
) -> FanOut:
    """The fan-out, with what demographics alone led to, and what they left open.

    No answer ever loses an event by it. AuditUnavailable where the asking, or what
    came of it, is not recorded.
    """
    if seeker.linkage.demographics == "off":
        return fan_out
    looking: list[Looked] = []
    notes: dict[str, tuple[Caveat, ...]] = {}
    for each in _told(seeker, case, fan_out.known, opened=opened):
        if isinstance(each, Looked):
            looking.append(each)
        else:
            source_id, why = each
            notes[source_id] = (Caveat(why),)
    if looking and seeker.means.left() < _LEAST_S:
        late = {each.source.id: (Caveat("likeness_failed"),) for each in looking}
        return _noted(fan_out, notes | late)
    if looking:
        fan_out = await _sought(seeker, case, fan_out, looking=looking)
    return _noted(fan_out, notes)


def _told(
    seeker: Seeker,
    case: Case,
    known: identity.Known,
    *,
    opened: Sequence[ReleasedSource],
) -> Iterator[Looked | tuple[str, Why]]:
    """Sources that seem to have nothing: to be looked at, or by their ids why not.

    One that must be silent seems so too, and is looked at alike: what came of it, or
    did not, would else tell it from those that know nobody.
    """
    who = tellers(opened, known)
    is_disputed = contradict(who)  # once: it is the same at every source
    for each in opened:
        source, decided = each.asked.source, each.plan.demographics
        adapter = source.adapter
        if not isinstance(adapter, Matches) or not who or not each.plan.permitted:
            continue
        if decided is None or decided.effect != "permit":
            continue
        if standing(each, case.request.now).state not in _NOBODY:
            continue
        if is_disputed:
            yield source.id, "likeness_disputed"
            continue
        how = described_to(
            source, who, known, policy=seeker.policy, request=case.request
        )
        if isinstance(how, str):
            yield source.id, how
        elif how is not None:
            yield Looked(opened=each, adapter=adapter, decision=decided, described=how)


async def _sought(
    seeker: Seeker, case: Case, fan_out: FanOut, *, looking: Sequence[Looked]
) -> FanOut:
    """Intent, asking, outcome; and then, of who is sure, what happened to them."""
    await seeker.trail.append(resembling.intent(seeker.trail, case, looking))
    said = await _matched(seeker, looking)
    found = {}
    for each, one in zip(looking, said, strict=True):
        source_id = each.source.id
        found[source_id] = _judged(seeker, case, fan_out.known, looked=each, said=one)
        await asyncio.sleep(0)  # all at once would hold up the other journeys
    await seeker.trail.append(resembling.outcome(case, found))
    tied = {
        source_id: replace(fan_out.known, tied=each.tied, tie=each.link)
        for source_id, each in found.items()
        if each.link is not None
    }
    after = await ask_tied(fan_out, tied, seeker.means) if tied else fan_out
    _alarm(fan_out, after)
    let_go = {
        now.source.id: (Caveat("likeness_failed"),)
        for was, now in zip(fan_out.asked, after.asked, strict=True)
        if now is was and now.source.id in tied
    }
    notes = {
        name: (*each.caveats, *let_go.get(name, ())) for name, each in found.items()
    }
    return _noted(after, notes)


async def _matched(
    seeker: Seeker, looking: Sequence[Looked]
) -> Sequence[tuple[Candidate, ...] | Missed]:
    """Whom the sources hold; with time left to ask for what happened to them."""
    means = seeker.means
    sooner = replace(means, deadline=means.deadline - SECOND_ROUND_S)
    described = [(e.source, e.adapter, e.described.person) for e in looking]
    said = await match_all(described, sooner, limit=seeker.linkage.candidates)
    for each, one in zip(looking, said, strict=True):
        if isinstance(one, Failure) and one.reason == "adapter_defect":
            raise_alarm(one.reason, source=each.source.id)
    return said


def _alarm(before: FanOut, after: FanOut) -> None:
    """Tell people of a source that answered with a stranger once it was tied."""
    for was, now in zip(before.asked, after.asked, strict=True):
        said = now.outcome
        if now is not was and isinstance(said, Answered) and said.mismatched:
            raise_alarm(
                "identity_mismatch", source=now.source.id, count=said.mismatched
            )


def _judged(
    seeker: Seeker,
    case: Case,
    known: identity.Known,
    *,
    looked: Looked,
    said: tuple[Candidate, ...] | Missed,
) -> Likeness:
    """What one source's candidates come to."""
    if not isinstance(said, tuple):
        return Likeness(note="likeness_failed", missed=said)
    if len(said) > seeker.linkage.candidates:
        return Likeness(note="too_many_alike")
    shown = (_shown(looked, each, case) for each in said)
    people = [
        person
        for person in shown
        if person is not None and not person.identifiers & known.identifiers.every
    ]
    bounds = Thresholds(linked=seeker.linkage.linked, possible=seeker.linkage.possible)
    described = looked.described.person
    chosen = choose([match(described, each, thresholds=bounds) for each in people])
    if chosen.linked is None or chosen.how is None or _is_to_be_silent(looked):
        return Likeness(possible=chosen.possible)
    tied = _local(looked.source, people[chosen.linked])
    if not tied or seeker.linkage.demographics == "possible-only":
        return Likeness(possible=chosen.possible + 1)
    return Likeness(possible=chosen.possible, tied=tied, link=_link(chosen.how))


def _is_to_be_silent(looked: Looked) -> bool:
    """Whether it knows the person, and none may see that it does."""
    said = looked.opened.outcome
    return looked.opened.silent and isinstance(said, Answered) and said.known


def _shown(looked: Looked, candidate: Candidate, case: Case) -> Person | None:
    """A candidate as the source's own decision lets them be seen; None if it does not.

    As of every record, their flags decide it: who must not be seen is not counted.
    """
    opened = release(
        sealed_person(looked.source, candidate),
        {"demographics": looked.decision},
        case.request.now,
    )
    return next((seen(each.person, view) for each, view in opened.items), None)


def _local(source: Source, person: Person) -> frozenset[Identifier]:
    """What a source knows its own person by: its key, where it has one."""
    own = frozenset(
        each
        for each in person.identifiers
        if each.system in source.identifier_systems - {nhs_number.SYSTEM}
    )
    key = source.adapter.profile.key_system
    return frozenset(each for each in own if each.system == key) or own


def _link(how: Match) -> identity.Link:
    return identity.Link(
        identity.BY_DEMOGRAPHICS,
        min(round(how.score, 4), _SUREST),
        how.grade,
        how.agreed,
    )


def _noted(fan_out: FanOut, notes: Mapping[str, tuple[Caveat, ...]]) -> FanOut:
    """The fan-out, with caveats added to the answers of sources by their ids."""
    if not any(notes.values()):
        return fan_out
    asked = tuple(_with(each, notes.get(each.source.id, ())) for each in fan_out.asked)
    return replace(fan_out, asked=asked)


def _with(asked: Asked, added: tuple[Caveat, ...]) -> Asked:
    said = asked.outcome
    if not added or not isinstance(said, Answered):
        return asked
    return replace(asked, outcome=replace(said, caveats=(*said.caveats, *added)))
