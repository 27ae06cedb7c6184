"""The journey told: released entries woven, shaped, and stood behind completeness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapters import nhs_number
from adapters.contract import Caveat
from gateway.access.requester import Requester
from gateway.journey import weave
from gateway.journey.completeness import account, has_answered, timestamp
from gateway.journey.findings import discrepancies
from gateway.journey.identity import Known
from gateway.journey.journey import (
    Because,
    Completeness,
    Journey,
    JourneyDecision,
    JourneyEvent,
    JourneyPerson,
    Window,
)
from gateway.journey.outcome import Answered, Entry
from gateway.journey.question import Question
from gateway.journey.released import ReleasedSource
from gateway.journey.shape import (
    Teller,
    event_id,
    shape_event,
    shape_person,
    shows,
)
from gateway.policy.plan import SourcePlan
from policies.decide import Request
from policies.obligations import View

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
    return Journey(
        journey_id=case.journey_id,
        purpose=case.question.purpose,
        window=window,
        person=_person(case, kept, known, completeness=completeness),
        completeness=completeness,
        events=_events(case, kept, names),
        discrepancies=discrepancies(kept, known),
        decision=_decision(case),
        receipt=None,
    )


def _within(opened: Sequence[ReleasedSource], limit: int) -> tuple[ReleasedSource, ...]:
    """At most `limit` events in all, the earliest; a source that lost some says so."""
    everything = [entry for source in opened for entry, _ in source.entries]
    if len(everything) <= limit:
        return tuple(opened)
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
) -> list[JourneyEvent]:
    views: dict[int, View] = {}
    tellers: dict[str, Teller] = {}
    for source in opened:
        outcome = source.outcome
        if isinstance(outcome, Answered):
            tellers[source.asked.source.id] = Teller(
                source=source.asked.source,
                retrieved_at=timestamp(outcome.retrieved_at),
                as_of=outcome.as_of,
                names=names,
            )
        views |= {id(entry): view for entry, view in source.entries}
    ordered = weave.order(entry for source in opened for entry, _ in source.entries)
    ids = _ids(ordered, views, case.salt)
    twins = weave.pairs(ordered)
    return [
        shape_event(
            entry,
            views[id(entry)],
            tellers[entry.source.id],
            key=ids[index],
            same_as=sorted(ids[twin] for twin in twins.get(index, ())),
        )
        for index, entry in enumerate(ordered)
    ]


def _ids(ordered: Sequence[Entry], views: Mapping[int, View], salt: str) -> list[str]:
    """An id for each entry; a source that gives one record id twice gets two."""
    ids = []
    times: dict[str, int] = {}
    for entry in ordered:
        found = event_id(entry, salt if _hides_record(views[id(entry)]) else "")
        times[found] = times.get(found, 0) + 1
        ids.append(found if times[found] == 1 else f"{found}_{times[found]}")
    return ids


def _hides_record(view: View) -> bool:
    return bool(view.hide_fields or view.mask_fields) and (
        "event.record_id" in view.hide_fields | dict(view.mask_fields).keys()
    )


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


def _decision(case: Case) -> JourneyDecision:
    obligations: set[str] = set()
    because: dict[tuple[str, str, str], Because] = {}
    for planned in case.plans:
        owner = planned.source.organisation.ods
        for category, decision in planned.decisions.items():
            first = decision.because[0]
            obligations |= decision.view.axes
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
        obligations=sorted(obligations),
        because=[because[key] for key in sorted(because)],
    )
