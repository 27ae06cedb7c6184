"""Evidence of a relationship, looked for at the asker's own organisation's sources.

A question before the question, and held to the same rules: decided, made durable,
asked, released. What is found is a relationship with its dates, and no content; what
fails is no evidence. Nobody else's source is asked, as that would disclose.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from adapters.contract import Identifier, Query
from gateway.access import evidence
from gateway.access.budget import PeopleBudget
from gateway.access.evidence import Evidenced
from gateway.audit.keys import Subject
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.journey import duties, identity, record, seeking
from gateway.journey.ask import Errand, FanOut, Lanes, Means, ask_all
from gateway.journey.grain import as_seen
from gateway.journey.outcome import Answered, Asked, Entry, Failure
from gateway.journey.released import ReleasedSource, open_answers
from gateway.journey.telling import Case
from gateway.notices.recorded import append
from gateway.policy.plan import Abilities, SourcePlan, cell_of, plan
from gateway.settings import Evidence, Limits
from gateway.sources import Source
from policies.compile import PolicySet
from policies.gains import gains
from policies.obligations import FULL_VIEW, View

_RECORD: Final = "urn:throughline:record"
_MOST: Final = 5_000  # events of one answer
_REFERENCE: Final = 32  # of the hex digits of a keyed hash
# They ask for themselves, or for one person: what an organisation has to do with
# everybody it knows is none of theirs.
_NOT_OF_AN_ORGANISATION: Final = frozenset({"patient", "proxy"})
# Whoever else the record may be about, it is not by these.
_SURE: Final = frozenset(
    {
        identity.BY_NHS_NUMBER,
        identity.BY_IDENTIFIER,
        identity.BY_LEARNED,
        identity.BY_SOURCE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeker:
    """What looking for evidence may use."""

    sources: Sequence[Source]
    may_be_asked: Callable[[Source], bool]  # now, of those that policy permits
    policy: PolicySet
    abilities: Abilities
    trail: Trail
    clock: Clock
    lanes: Lanes
    limits: Limits
    windows: Evidence
    lookups: PeopleBudget  # of people looked for in vain
    note: Callable[[Asked], None]  # is told what became of each source
    wake: Callable[[], None]  # whoever delivers notices


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The relationships that were shown; and the answers, for use again.

    `wait_s` where nothing was looked for, so many having been looked for in vain:
    seconds until it may be.
    """

    shown: tuple[Evidenced, ...] = ()
    fan_out: FanOut | None = field(default=None, repr=False)
    opened: tuple[ReleasedSource, ...] = field(default=(), repr=False)
    wait_s: int | None = None

    @property
    def alarming(self) -> frozenset[str]:
        """The ids of sources that answered with somebody else, or failed of a defect.

        People were told of those already.
        """
        asked = self.fan_out.asked if self.fan_out is not None else ()
        return frozenset(each.source.id for each in asked if _is_alarming(each))


def _is_alarming(asked: Asked) -> bool:
    match asked.outcome:
        case Answered(mismatched=count):
            return count > 0
        case Failure(reason=reason):
            return reason == "adapter_defect"
        case _:
            return False


# For each relationship worth looking for, what each own source may then be asked.
_Plans = Mapping[str, Mapping[str, SourcePlan]]


async def seek(seeker: Seeker, case: Case) -> Found:
    """What the sources of the asker's own organisation show of the case's person.

    Nothing is asked where it could change no decision, or where none of them may be
    asked. AuditUnavailable where the question, or what came of it, is not recorded.
    """
    own = [
        each
        for each in seeker.sources
        if _is_own(each, case) and seeker.may_be_asked(each)
        if case.request.role not in _NOT_OF_AN_ORGANISATION
    ]
    plans = _plans(seeker, case, own) if own else {}
    queries = {
        source.id: query
        for source in own
        if (query := _query(seeker, case, source, plans=plans)) is not None
    }
    if not queries:
        return Found()
    wait_s = _over_budget(seeker, case)
    if wait_s is not None:
        return Found(wait_s=wait_s)
    return await _found(seeker, case, own, plans=plans, queries=queries)


async def _found(
    seeker: Seeker,
    case: Case,
    own: Sequence[Source],
    *,
    plans: _Plans,
    queries: Mapping[str, Query],
) -> Found:
    """Whoever is to be told of a question is told of this one too."""
    told = [by_id[each] for by_id in plans.values() for each in queries]
    supposed = replace(case, plans=tuple(told))
    await append(
        seeker.trail,
        seeking.intent(seeker.trail, case, told, kinds=tuple(sorted(plans))),
        duties.of_intent(supposed),
        clock=seeker.clock,
        wake=seeker.wake,
    )
    fan_out = await _ask(seeker, case, own, queries=queries)
    opened = {
        kind: open_answers(fan_out.asked, plans[kind], case.request.now)
        for kind in evidence.KINDS
        if kind in plans
    }
    shown = _shown(seeker, case, opened)
    released = [each for sources in opened.values() for each in sources]
    await append(
        seeker.trail,
        seeking.outcome(case, fan_out, found=bool(shown)),
        duties.of_outcome(supposed, released),
        clock=seeker.clock,
        wake=seeker.wake,
    )
    if shown or not any(isinstance(e.outcome, Answered) for e in fan_out.asked):
        seeker.lookups.forgive(case.requester, _person(seeker, case))
    return Found(shown=shown, fan_out=fan_out, opened=_quietest(opened))


def _over_budget(seeker: Seeker, case: Case) -> int | None:
    """Seconds to wait, for a caller who walks through numbers to see whose are known.

    Spent before it is known whether in vain: many at once would all come through.
    """
    if case.glass is not None:
        return None
    person = _person(seeker, case)
    return seeker.lookups.spend(case.requester, person, now=case.request.now)


def _person(seeker: Seeker, case: Case) -> Subject:
    return record.subjects(seeker.trail, case.question.person)[0]


async def _ask(
    seeker: Seeker,
    case: Case,
    own: Sequence[Source],
    *,
    queries: Mapping[str, Query],
) -> FanOut:
    errands = [
        Errand(source=each, query=queries[each.id])
        for each in own
        if each.id in queries
    ]
    fan_out = await ask_all(errands, case.question.person, _means(seeker, case))
    for each in fan_out.asked:
        seeker.note(each)
    return fan_out


def _quietest(
    opened: Mapping[str, tuple[ReleasedSource, ...]],
) -> tuple[ReleasedSource, ...]:
    """Of each source what was released, silent if it is under any relationship."""
    by_source: dict[str, ReleasedSource] = {}
    for each in (source for sources in opened.values() for source in sources):
        before = by_source.get(each.asked.source.id)
        if before is None or each.silent:
            by_source[each.asked.source.id] = each
    return tuple(by_source.values())


def _is_own(source: Source, case: Case) -> bool:
    # A site must be told on what relationship a question rests: here there is none.
    is_site = source.adapter.profile.wants_warrant
    return source.organisation.ods == case.request.recipient and not is_site


def _plans(seeker: Seeker, case: Case, own: Sequence[Source]) -> _Plans:
    """What policy says of the own sources, supposing each relationship worth having."""
    cells = [
        cell_of(source, category)
        for source in seeker.sources
        for category in (source.held | {"demographics"}) & case.question.categories
    ]
    worth = gains(
        seeker.policy, case.request, cells, supposed=seeker.windows.relationships
    )
    return {kind: _supposing(seeker, case, own, kind=kind) for kind in worth}


def _supposing(
    seeker: Seeker, case: Case, own: Sequence[Source], *, kind: str
) -> Mapping[str, SourcePlan]:
    """What a record shows of a relationship counts if it may be seen under that."""
    request = replace(
        case.request,
        relationships=case.request.relationships | {kind},
        # What was cited is the authority for others' data, and glass broken is too.
        agreement=None,
        break_glass=False,
    )
    planned = (
        plan(
            seeker.policy,
            request,
            (source,),
            categories=evidence.categories(kind, source.sector),
            abilities=seeker.abilities,
        )[0]
        for source in own
    )
    return {each.source.id: each for each in planned}


def _query(
    seeker: Seeker, case: Case, source: Source, *, plans: _Plans
) -> Query | None:
    """The one question to a source for all that it may show; None if it may nothing."""
    permitted = {
        kind: by_id[source.id]
        for kind, by_id in plans.items()
        if by_id[source.id].permitted
    }
    if not permitted:
        return None
    return Query(
        person=case.question.person,
        since=_since(seeker, case, source, permitted=permitted),
        until=None,
        categories=frozenset[str]().union(*(p.permitted for p in permitted.values())),
        limit=_MOST,
    )


def _since(
    seeker: Seeker, case: Case, source: Source, *, permitted: Mapping[str, SourcePlan]
) -> date | None:
    """The earliest day that any of the relationships needs and is let see."""
    days = []
    for kind, planned in permitted.items():
        reach = evidence.since(
            (kind,), source.sector, now=case.request.now, windows=seeker.windows
        )
        days.append(planned.since(reach, case.request))
    known = [day for day in days if day is not None]
    return min(known) if len(known) == len(days) else None


def _means(seeker: Seeker, case: Case) -> Means:
    """A share of the time that is left, so that the rest can still be asked."""
    now = seeker.clock.monotonic()
    return Means(
        clock=seeker.clock,
        lanes=seeker.lanes,
        deadline=now + max(0.0, case.deadline - now) * seeker.windows.share,
        source_s=seeker.limits.source_s,
    )


def _shown(
    seeker: Seeker, case: Case, opened: Mapping[str, tuple[ReleasedSource, ...]]
) -> tuple[Evidenced, ...]:
    """The relationships shown, strongest first; of each, what lasts longest."""
    found = []
    for kind, sources in opened.items():
        candidates = [
            each
            for source in sources
            for each in _of_source(seeker, case, source, kind=kind)
        ]
        found += sorted(candidates, key=_lasting)[-1:]
    return tuple(found)


def _lasting(shown: Evidenced) -> tuple[object, ...]:
    return shown.expires, shown.as_of, shown.reference


def _of_source(
    seeker: Seeker, case: Case, opened: ReleasedSource, *, kind: str
) -> list[Evidenced]:
    """What the released records of one source show of one relationship."""
    outcome = opened.outcome
    if not isinstance(outcome, Answered):
        return []
    source = opened.asked.source
    known = evidence.Known(
        organisation=source.organisation.ods,
        sector=source.sector,
        as_of=outcome.as_of,
        now=case.request.now,
    )
    shown = []
    for entry, view in opened.entries:
        expires = _until(kind, entry, view, known=known, windows=seeker.windows)
        if expires is not None and entry.link in _SURE:
            shown.append(
                Evidenced(
                    kind=kind,
                    organisation=known.organisation,
                    reference=_reference(seeker.trail, entry),
                    as_of=min(known.as_of, known.now),
                    expires=expires,
                )
            )
    return shown


def _until(
    kind: str,
    entry: Entry,
    view: View,
    *,
    known: evidence.Known,
    windows: Evidence,
) -> datetime | None:
    """Until when a record shows it, both as it is and as it may be seen.

    Told by its true times, `expires` would tell those.
    """
    until = evidence.until(kind, entry.event, known, windows=windows)
    if until is None or view == FULL_VIEW:
        return until
    seen = evidence.until(kind, as_seen(entry.event, view), known, windows=windows)
    return seen if seen is not None and seen <= until else None


def _reference(trail: Trail, entry: Entry) -> str:
    """Leads to the record for whoever holds the key and the source, and nobody else."""
    named = f"{entry.source.id}|{entry.event.kind}|{entry.event.record_id}"
    keyed = trail.subject_of(Identifier(_RECORD, named)).hmac
    return f"{entry.source.id}#{keyed[:_REFERENCE]}"
