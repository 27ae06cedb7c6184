"""What a journey tells of its sources: who answered wrongly, and what is to be mended.

Only what was shown counts. What is another organisation's, or rests on it, is never
told to the owner of a source.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from adapters.contract import Identifiers
from gateway.journey.journey import Discrepancy, Journey, JourneyEvent
from gateway.journey.outcome import Answered
from gateway.journey.released import ReleasedSource
from gateway.suspension.suspensions import Suspensions
from gateway.suspension.tickets import Ticket

# Of each source by itself, however many of them are named together.
OF_ONE_SOURCE: Final = frozenset({"identity_mismatch", "negative_stay", "clock_skew"})
# Told so that a reader knows; nothing is to be mended.
NEWS: Final = frozenset({"merge_undone", "number_superseded"})


async def count_strangers(
    suspensions: Suspensions | None,
    opened: Iterable[ReleasedSource],
    *,
    person: Identifiers,
) -> None:
    """Count each source that answered with somebody else's record, by its own word.

    One that must be silent of this person does not count: what becomes of it is seen
    by everybody. But where all it said was of somebody else it is silent of anybody.
    A person counts once against a source, however often they are asked for.
    AuditUnavailable if that is not known to be durable.
    """
    if suspensions is None:
        return
    wrong = {
        each.asked.source.id: each.asked.source for each in opened if _is_wrong(each)
    }
    for source_id, source in wrong.items():
        await suspensions.mismatched(source_id, person, most=source.suspend_after)


def _is_wrong(opened: ReleasedSource) -> bool:
    outcome = opened.outcome
    if not isinstance(outcome, Answered) or not outcome.mismatched:
        return False
    return outcome.contradicted and (outcome.misdirected or not opened.silent)


def note(
    suspensions: Suspensions | None,
    journey: Journey,
    *,
    opened: Sequence[ReleasedSource],
    now: datetime,
) -> None:
    """Keep what is to be mended in one organisation's own data, for that one."""
    if suspensions is None or not journey.discrepancies:
        return
    wrong = {each.asked.source.id for each in opened if _is_wrong(each)}
    found = [
        each
        for each in _tickets(suspensions, journey, now)
        if each.code != "identity_mismatch" or each.source in wrong
    ]
    suspensions.note(found)


def _tickets(
    suspensions: Suspensions, journey: Journey, now: datetime
) -> Iterator[Ticket]:
    owners = {
        each.source: each.organisation.ods for each in journey.completeness.sources
    }
    events = {each.id: each for each in journey.events}
    for finding in journey.discrepancies:
        if not _is_of_one(finding, owners) or _is_unsure(finding, events):
            continue
        for source in finding.sources:
            for event in _of(source, finding, events) or [None]:
                record = event.provenance.record_id if event else None
                yield Ticket(
                    source=source,
                    code=finding.code,
                    category=event.category if event else None,
                    record=suspensions.record_of(source, record) if record else None,
                    journey=journey.journey_id,
                    first_at=now,
                    last_at=now,
                )


def _is_of_one(finding: Discrepancy, owners: dict[str, str]) -> bool:
    """Whether each source's part in it says nothing of another organisation's data."""
    if finding.code in NEWS:
        return False
    return (
        finding.code in OF_ONE_SOURCE
        or len({owners[source] for source in finding.sources}) == 1
    )


def _is_unsure(finding: Discrepancy, events: dict[str, JourneyEvent]) -> bool:
    """Whether it may be two people's: demographics alone tie a part to the rest."""
    grades = {events[each].provenance.link.grade is None for each in finding.events}
    return len(grades) > 1


def _of(
    source: str, finding: Discrepancy, events: dict[str, JourneyEvent]
) -> list[JourneyEvent | None]:
    named = [events[each] for each in finding.events]
    return [each for each in named if each.provenance.source == source]
