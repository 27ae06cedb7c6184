"""What sources stated of merges, as far as it bears on this journey. Pure.

No identifier is told: who said so, when, and what it means for what is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from adapters import nhs_number
from adapters.contract import Identifier
from gateway.journey.identity import Known
from gateway.journey.journey import Discrepancy
from gateway.journey.matching.traced import Said
from gateway.journey.released import ReleasedSource
from gateway.journey.shape import dated
from policies.obligations import View

_REPLACED: Final = (
    "This person has had two NHS numbers, by the word of this source: records under "
    "either are shown, and say so."
)
_CONTESTED: Final = (
    "It is said that another number or identifier is this person's too, and sources, "
    "or what they hold of the two, do not agree: nothing under the other is shown."
)


def dating(released: Sequence[ReleasedSource]) -> dict[str, View | None]:
    """Who may be named as having said something of the person, and how it is dated.

    By source id; None: without a time. Whoever must be silent is not among them.
    """
    return {
        each.asked.source.id: each.person_view if each.person is not None else None
        for each in released
        if not each.silent
    }


def of_merges(released: Sequence[ReleasedSource], known: Known) -> list[Discrepancy]:
    """Merges taken back, numbers superseded, and what sources do not agree on."""
    telling, ties = dating(released), known.ties
    own = known.identifiers.every
    taken_back = [e for e in ties.undone if e.pair & own and e.source in telling]
    replaced = [e for e in ties.standing if e.pair <= own and _is_of_numbers(e.pair)]
    replaced = [each for each in replaced if each.source in telling]
    found = [
        *(_told("merge_undone", e, _undone(e), telling=telling) for e in taken_back),
        *(_told("number_superseded", e, _REPLACED, telling=telling) for e in replaced),
    ]
    doubtful = {e.source for e in ties.contested if e.pair & own}
    if doubtful & telling.keys():
        found.append(
            Discrepancy(
                code="merges_disagree",
                sources=sorted(doubtful & telling.keys()),
                events=[],
                at=None,
                meaning=_CONTESTED,
            )
        )
    return [each for place, each in enumerate(found) if each not in found[:place]]


def _undone(said: Said) -> str:
    what = "NHS numbers" if _is_of_numbers(said.pair) else "identifiers"
    return (
        f"This source took back that two {what} are one person's: what is under the "
        "other is not shown now. A journey shown before may have had it."
    )


def _is_of_numbers(pair: frozenset[Identifier]) -> bool:
    return all(each.system == nhs_number.SYSTEM for each in pair)


def _told(
    code: str, said: Said, meaning: str, *, telling: Mapping[str, View | None]
) -> Discrepancy:
    return Discrepancy(
        code=code,
        sources=[said.source],
        events=[],
        at=dated(said.traced.at, telling[said.source]),
        meaning=meaning,
    )
