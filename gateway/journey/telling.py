"""The journey told: released entries woven, shaped, and stood behind completeness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from adapters import nhs_number
from adapters.contract import Caveat
from gateway.access.evidence import Evidenced
from gateway.access.requester import Requester
from gateway.journey import weave
from gateway.journey.completeness import account, has_answered, timestamp
from gateway.journey.findings import discrepancies
from gateway.journey.findings_of_events import Shown
from gateway.journey.findings_of_merges import dating
from gateway.journey.identity import Known
from gateway.journey.journey import (
    Because,
    Completeness,
    Journey,
    JourneyDecision,
    JourneyPerson,
    RelationshipShown,
    Window,
)
from gateway.journey.outcome import Answered, Entry
from gateway.journey.question import Question
from gateway.journey.released import ReleasedSource
from gateway.journey.shape import Shaper, Teller, event_id, shape_person, shows
from gateway.policy.plan import SourcePlan
from policies.decide import Request
from policies.obligations import View
from policies.vocabulary import RELATIONSHIPS

# Constant, so that it tells nothing about this person (client API, enumeration).
POLICY_NOTE = "Some records may be withheld by law or by choice."


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, decided: who asks what, under which rules, until when."""

    journey_id: str
    decision_id: str
    salt: str = field(repr=False)  # of this answer's ids, where record ids are hidden
    deadline: float
    requester: Requester
    question: Question
    request: Request
    policy_version: str
    plans: tuple[SourcePlan, ...]
    evidence: tuple[str, ...]
    glass: str | None = None  # the id of the broken glass it is asked under
    shown: tuple[Evidenced, ...] = ()  # relationships found at the asker's own sources


def tell(
    case: Case,
    opened: Sequence[ReleasedSource],
    known: Known,
    *,
    names: Mapping[str, str],
) -> Journey:
    """The journey of what was released; `names` of organisations by ODS code."""
    kept = _within(opened, case.question.limit)
    window = Window(
        since=case.question.since.isoformat() if case.question.since else None,
        until=case.question.until.isoformat() if case.question.until else None,
    )
    completeness = account(kept, window, now=case.request.now, note=POLICY_NOTE)
    events = _events(case, kept, names)
    return Journey(
        journey_id=case.journey_id,
        purpose=case.question.purpose,
        window=window,
        person=_person(case, kept, known, completeness=completeness),
        completeness=completeness,
        events=[each.event for each in events],
        discrepancies=discrepancies(kept, known, events),
        decision=_decision(case, kept),
        receipt=None,
    )


def _within(opened: Sequence[ReleasedSource], limit: int) -> tuple[ReleasedSource, ...]:
    """At most `limit` events in all, the earliest; a source that lost some says so."""
    if sum(len(source.entries) for source in opened) <= limit:
        return tuple(opened)
    everything = (entry for source in opened for entry, _ in source.entries)
    kept = set(map(id, weave.order(everything)[:limit]))
    return tuple(_cut(source, kept) for source in opened)


def _cut(source: ReleasedSource, kept: set[int]) -> ReleasedSource:
    entries = tuple(each for each in source.entries if id(each[0]) in kept)
    outcome = source.outcome
    if len(entries) == len(source.entries) or not isinstance(outcome, Answered):
        return source
    said = [caveat for caveat in outcome.caveats if caveat.code != "truncated"]
    shorter = replace(outcome, caveats=(*said, Caveat("truncated")))
    return replace(
        source, entries=entries, asked=replace(source.asked, outcome=shorter)
    )


def _events(
    case: Case, opened: Sequence[ReleasedSource], names: Mapping[str, str]
) -> list[Shown]:
    shapers: dict[int, Shaper] = {}  # by the id of the entry that each is to tell
    views: dict[int, tuple[View, datetime]] = {}
    stating = dating(opened)
    for source in opened:
        outcome = source.outcome
        if isinstance(outcome, Answered):
            teller = Teller(
                source=source.asked.source,
                retrieved_at=timestamp(outcome.retrieved_at),
                as_of=outcome.as_of,
                names=names,
                telling=stating,
            )
            for entry, view in source.entries:
                shapers[id(entry)] = teller.under(view)
                views[id(entry)] = view, outcome.as_of
    ordered = weave.order(entry for source in opened for entry, _ in source.entries)
    telling = [shapers[id(entry)] for entry in ordered]
    ids = _ids(ordered, telling, case.salt)
    twins = weave.pairs(ordered)
    return [
        Shown(
            shaper.event(
                entry,
                key=ids[index],
                same_as=tuple(sorted(ids[twin] for twin in twins[index]))
                if index in twins
                else (),
            ),
            entry.event,
            *views[id(entry)],
        )
        for index, (entry, shaper) in enumerate(zip(ordered, telling, strict=True))
    ]


def _ids(ordered: Sequence[Entry], telling: Sequence[Shaper], salt: str) -> list[str]:
    """An id for each entry; a source that gives one record id twice gets two."""
    ids = []
    times: dict[str, int] = {}
    for entry, shaper in zip(ordered, telling, strict=True):
        found = event_id(entry, salt if shaper.hides_record else "")
        before = times.get(found, 0)
        times[found] = before + 1
        ids.append(f"{found}_{before + 1}" if before else found)
    return ids


def _person(
    case: Case,
    opened: Sequence[ReleasedSource],
    known: Known,
    *,
    completeness: Completeness,
) -> JourneyPerson:
    agreed = sum(
        isinstance(source.outcome, Answered)
        and source.outcome.known
        and not source.outcome.by_demographics
        and not source.silent
        and (has_answered(report.state, report.reason) or report.state == "stale")
        for source, report in zip(opened, completeness.sources, strict=True)
    )
    told = [source for source in opened if source.person is not None]
    named = next((s for s in told if s.person and s.person.name), None)
    shown = named or next(iter(told), None)
    number = case.question.person.nhs_number or _vouched(told, known)
    if shown is None:
        return shape_person(
            None, View(), case.question.person.nhs_number, agreed_by=agreed
        )
    return shape_person(shown.person, shown.person_view, number, agreed_by=agreed)


def _vouched(told: Sequence[ReleasedSource], known: Known) -> str | None:
    """The NHS number learned, if a source that may say so says it."""
    said = {
        each.value
        for source in told
        if source.person is not None and shows(source.person_view, "person.nhs_number")
        for each in source.person.identifiers
        if each.system == nhs_number.SYSTEM
    }
    return known.nhs_number if known.nhs_number in said else None


def _decision(case: Case, opened: Sequence[ReleasedSource]) -> JourneyDecision:
    views = _views(case, opened)
    bounds = [view.retain_seconds for view in views]
    because: dict[tuple[str, str, str], Because] = {}
    for planned in case.plans:
        owner = planned.source.organisation.ods
        for category, decision in planned.decisions.items():
            first = decision.because[0]
            because[owner, category, decision.effect] = Because(
                organisation=owner,
                category=category,
                effect=decision.effect,
                code=first.code,
                authority=decision.authority or first.authority,
                why=first.why,
            )
    return JourneyDecision(
        decision_id=case.decision_id,
        policy=case.policy_version,
        evidence=", ".join(case.evidence) or None,
        relationships=_relationships(case),
        obligations=sorted({axis for view in views for axis in view.axes}),
        retain_seconds=min((each for each in bounds if each is not None), default=None),
        because=[because[key] for key in sorted(because)],
    )


def _relationships(case: Case) -> list[RelationshipShown]:
    """What the decision rests on, strongest first, each with who says so."""
    found = [
        RelationshipShown(
            kind=each.kind,
            organisation=each.organisation,
            reference=each.reference,
            as_of=timestamp(each.as_of),
            expires=timestamp(each.expires),
        )
        for each in case.shown
    ]
    told = [
        _asserted(each.kind, each.organisation) for each in case.requester.relationships
    ]
    named = {each.kind for each in (*found, *told)}
    claimed = [_asserted(each) for each in case.request.relationships - named]
    strength = {kind: place for place, kind in enumerate(RELATIONSHIPS)}
    return sorted(
        (*found, *told, *claimed),
        key=lambda each: (strength.get(each.kind, len(strength)), each.kind),
    )


def _asserted(kind: str, organisation: str | None = None) -> RelationshipShown:
    return RelationshipShown(
        kind=kind, organisation=organisation, reference=None, as_of=None, expires=None
    )


def _views(case: Case, opened: Sequence[ReleasedSource]) -> set[View]:
    """Every view the answer stands under: as planned, and as labels made it."""
    decisions = (each for plan in case.plans for each in plan.decisions.values())
    views = {each.view for each in decisions if each.effect == "permit"}
    for source in opened:
        # Items of one source share few views; to hash each view once is enough.
        views |= set({id(view): view for _, view in source.entries}.values())
        if source.person is not None:
            views.add(source.person_view)
    return views
