"""Discrepancies: what sources do not agree on, said beside the events."""

from collections.abc import Sequence
from itertools import pairwise

from adapters import nhs_number
from gateway.journey.findings_of_events import Shown, findings
from gateway.journey.findings_of_merges import of_merges
from gateway.journey.identity import Known
from gateway.journey.journey import Discrepancy
from gateway.journey.outcome import Answered
from gateway.journey.released import ReleasedSource
from gateway.journey.shape import coarsened, shows


def discrepancies(
    released: Sequence[ReleasedSource], known: Known, events: Sequence[Shown]
) -> list[Discrepancy]:
    """What a reader must know before trusting the journey, in a steady order.

    `events` are those shown, in the journey's order.
    """
    return [
        *_of_people(released, known),
        *of_merges(released, known),
        *findings(events),
    ]


def _of_people(released: Sequence[ReleasedSource], known: Known) -> list[Discrepancy]:
    found = []
    strangers = [
        each.asked.source.id
        for each in released
        if isinstance(each.outcome, Answered)
        and each.outcome.mismatched
        and not each.silent
    ]
    if strangers:
        found.append(
            Discrepancy(
                code="identity_mismatch",
                sources=strangers,
                events=[],
                at=None,
                meaning="Answered with records about somebody else; they are withheld.",
            )
        )
    if known.disputed:
        found.append(_disputed(released, known))
    births = _births(released)
    if _differ({text for text, _ in births}):
        found.append(
            Discrepancy(
                code="birth_dates_differ",
                sources=sorted(source for _, source in births),
                events=[],
                at=None,
                meaning="Sources hold different dates of birth for this person.",
            )
        )
    return found


def _births(released: Sequence[ReleasedSource]) -> list[tuple[str, str]]:
    """The dates of birth that may be seen, as they may be, and who tells them."""
    born = [
        (coarsened(each.person.birth_date, each.person_view), each.asked.source.id)
        for each in released
        if each.person and shows(each.person_view, "person.birth_date")
    ]
    return [(moment.text, source) for moment, source in born if moment is not None]


def _differ(births: set[str]) -> bool:
    """Whether two texts contradict each other: neither begins with the other."""
    texts = sorted(births)
    return any(not later.startswith(earlier) for earlier, later in pairwise(texts))


def _disputed(released: Sequence[ReleasedSource], known: Known) -> Discrepancy:
    sources = [
        each.asked.source.id
        for each in released
        if isinstance(each.outcome, Answered) and each.outcome.known and not each.silent
    ]
    whose = "NHS numbers" if nhs_number.SYSTEM in known.disputed else "identifiers"
    if known.split:
        return Discrepancy(
            code="identifiers_disagree",
            sources=sources,
            events=[],
            at=None,
            meaning="The identifier asked by reaches more than one person; nothing "
            "found by it is shown.",
        )
    return Discrepancy(
        code="identifiers_disagree",
        sources=sources,
        events=[],
        at=None,
        meaning=f"The {whose} that sources hold for this person do not agree; they "
        "were not used to link records.",
    )
