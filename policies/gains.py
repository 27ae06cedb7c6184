"""What more evidence could show: which relationships are worth looking for. Pure.

Asking for evidence asks a source of a person. It is worth that only where more of
some cell could be seen under it, whatever flags and labels turn out to be.
"""

from collections.abc import Iterable
from typing import Final

from policies import vocabulary
from policies.asked import Asked
from policies.compile import PolicySet
from policies.decide import or_instead
from policies.request import Cell, Request

_PLACE: Final = {each: n for n, each in enumerate(vocabulary.RELATIONSHIPS)}


def gains(
    policy_set: PolicySet,
    request: Request,
    cells: Iterable[Cell],
    *,
    supposed: Iterable[str],
) -> frozenset[str]:
    """Those of the `supposed` relationships by which more of a cell could be seen.

    Under the rest the same is seen in the same view, at plan and at release.
    Never raises: where deciding fails, nothing is worth asking for.
    """
    asked_of, tried = tuple(cells), frozenset(supposed)

    def found() -> frozenset[str]:
        asked = Asked(policy_set, request)
        held = {asked.lines_of(cell) for cell in asked_of}
        return frozenset(
            each
            for each in tried - asked.relationships
            if any(_could_widen(asked, mask, each) for mask in held)
        )

    return or_instead(found, frozenset)


def _could_widen(asked: Asked, mask: int, relationship: str) -> bool:
    """Whether lines that hold under it add to those of the evidence at hand."""
    policy_set = asked.policy_set
    under = mask & policy_set.dimensions["relationships"].at(relationship)
    if not under & policy_set.grants:
        return False
    # The strongest that permits is decided by first, and others only widen it.
    for each, at_hand in asked.evidence:
        if mask & at_hand & policy_set.grants:
            ours, theirs = (mask & at_hand, each), (under, relationship)
            return not _covers(policy_set, ours, theirs)
    return True


def _covers(
    policy_set: PolicySet, at_hand: tuple[int, str], sought: tuple[int, str]
) -> bool:
    """Whether the evidence at hand permits all that the other would, as widely."""
    (ours, our_kind), (theirs, their_kind) = at_hand, sought
    restricting = policy_set.vetoes | policy_set.constraints
    if ours & restricting & ~theirs:
        return False  # it is held to more
    grants = policy_set.grants
    if ours & grants == theirs & grants:
        return True
    # The stronger evidence decides unless the other's view is strictly wider. With
    # fewer grants that cannot be, but where constraints make two views comparable.
    is_stronger = _PLACE[our_kind] < _PLACE[their_kind]
    is_part = not theirs & grants & ~ours
    return is_stronger and is_part and not ours & policy_set.constraints
