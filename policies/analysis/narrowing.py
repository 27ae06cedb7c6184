"""Whether a change only narrows, for one owner: a proof, or else it counts as widening.

Measured against all that a caller could get by citing any agreement and by showing any
of the evidence. For each grant g that could newly decide, all that it permits must lie
in what old grants h permitted when their agreement was cited, where

    A(h) ⊆ A(g)   h demands nothing that g does not
    N1            h decided there: nothing earlier of its agreement stood in its way
    N2            no old veto held, but such as hold still
    N3            no old constraint demanded an atom g lacks, but such as hold still
                  or as another constraint now demands
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from policies.analysis.apart import touched
from policies.analysis.atoms import atoms
from policies.analysis.boxes import MOST_BOXES, Box, Budget, TooManyBoxes
from policies.analysis.difference import differing
from policies.analysis.terrain import Sketch, Survey, Terrain, owns
from policies.compile import PolicySet
from policies.obligations import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Whether a change is proven to narrow; `boxes` is what the proof took."""

    is_proven: bool
    boxes: int
    unproven: str | None = None  # the first grant that may give more than before


def narrowing(
    before: PolicySet,
    after: PolicySet,
    *,
    owner: str,
    since: datetime | None = None,
    most_boxes: int = MOST_BOXES,
) -> Narrowing:
    """Whether nobody could see more of an owner's data than before, ever or since.

    Sound: what is proven narrows. What takes more boxes than the most is not proven.
    """
    budget = Budget(most_boxes)
    near = [line for line in touched(before, after) if owns(owner, line)]
    survey = Survey((before, after), owner, since=since, near=near)
    proof = _Proof(survey.terrain(before), survey.terrain(after), budget)
    try:
        unproven = proof.unproven()
    except TooManyBoxes:
        return Narrowing(is_proven=False, boxes=budget.spent)
    return Narrowing(is_proven=unproven is None, boxes=budget.spent, unproven=unproven)


class _Proof:
    def __init__(self, before: Terrain, after: Terrain, budget: Budget) -> None:
        self._space = before.space
        self._budget = budget
        self._before = before
        self._after = after
        self._changed = [
            self._space.freed(box, "agreements") for box in differing(before, after)
        ]
        self._known = {grant.content for grant in before.grants}

    def unproven(self) -> str | None:
        """The authority of the first grant that may give more; None: there is none."""
        for grant in self._after.grants:
            cited = _agreement_of(grant)
            left = self._permitted(grant, cited)
            for old in self._before.grants:
                if not left:
                    break
                if old.line.view.at_least_as_permissive(grant.line.view):
                    left = self._beyond(left, old, _Given(grant.line.view, cited))
            if left:
                return grant.line.authority
        return None

    def _permitted(self, grant: Sketch, cited: str) -> list[Box]:
        """Where a grant, its agreement cited, could give other than before."""
        space, box = self._space, grant.boxes[0]
        whole = space.anywhere(box, "agreements", cited)
        parts = [whole]
        if grant.content in self._known:
            # Where every line is as it was, so is every answer.
            parts = [whole & changed for changed in self._changed]
        denied = [
            space.anywhere(each, "agreements", cited) for each in self._after.denied
        ]
        return [
            piece
            for part in parts
            for piece in space.outside_all(part, denied, self._budget)
        ]

    def _beyond(self, boxes: list[Box], old: Sketch, given: "_Given") -> list[Box]:
        """What of these boxes an old grant did not permit, with at most that view."""
        space, cited = self._space, _agreement_of(old)
        granted = space.anywhere(old.boxes[0], "agreements", cited)
        left: list[Box] = []
        obstacles: list[Box] | None = None
        for box in boxes:
            left += space.outside(box, granted, self._budget)
            inside = box & granted
            if space.is_empty(inside):
                continue
            if obstacles is None:
                obstacles = list(self._obstacles(old, cited, given))
            for each in obstacles:
                if not space.is_empty(inside & each):
                    self._budget.spend()
                    left.append(inside & each)
        return left

    def _obstacles(self, old: Sketch, cited: str, given: "_Given") -> Iterator[Box]:
        """Where an old grant, cited, did not decide, or showed less than is given."""
        space = self._space
        for other in self._before.grants:
            is_rival = other.index < old.index and _agreement_of(other) == cited
            if is_rival and not _comparable(other, old):
                yield space.anywhere(other.boxes[0], "agreements", cited)
        for veto in self._before.denied:
            yield space.anywhere(veto, "agreements", cited)
        for constraint in self._before.constraints:
            for _, atom in atoms(constraint.line.view):
                if not atom.at_least_as_permissive(given.view):
                    yield from self._undemanded(constraint, atom, (cited, given.cited))

    def _undemanded(
        self, constraint: Sketch, atom: View, citations: tuple[str, str]
    ) -> Iterator[Box]:
        """Where an old constraint demanded an atom that no new constraint demands."""
        space = self._space
        was_cited, is_cited = citations
        demanding = [
            space.anywhere(box, "agreements", is_cited)
            for each in self._after.constraints
            if atom.at_least_as_permissive(each.line.view)
            for box in each.boxes
        ]
        for box in constraint.boxes:
            held = space.anywhere(box, "agreements", was_cited)
            yield from space.outside_all(held, demanding, self._budget)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a grant of the new set gives at least, and the agreement to cite for it."""

    view: View
    cited: str


def _agreement_of(grant: Sketch) -> str:
    (agreement,) = grant.line.accepts["agreements"]
    return agreement


def _comparable(one: Sketch, other: Sketch) -> bool:
    first, second = one.line.view, other.line.view
    return first.at_least_as_permissive(second) or second.at_least_as_permissive(first)
