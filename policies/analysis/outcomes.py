"""A set's answers over a whole box: pieces of it, each with one outcome throughout.

The combining rule once more, on boxes instead of points. Evidence of one relationship
is looked at at a time; "none" always stands beside it, as it does in every request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from policies import vocabulary
from policies.analysis.boxes import Box, Budget, Space
from policies.analysis.terrain import Sketch, Terrain
from policies.lines import Line
from policies.obligations import FULL_VIEW, View


class Permit(NamedTuple):
    """What permits throughout a piece: the authority, and the view."""

    authority: Line
    view: View


Outcome = Permit | None  # None: denied
Piece = tuple[Box, Outcome]
Placed = tuple[Sketch, Box]


@dataclass(frozen=True, slots=True)
class Ground:
    """Grants, denials and constraints under one relationship, as boxes."""

    space: Space
    budget: Budget
    grants: tuple[Placed, ...]  # in the order of authority
    whole: tuple[Placed, ...]  # those of them that demand nothing
    partial: tuple[Placed, ...]
    denied: tuple[Box, ...]
    constraints: tuple[tuple[View, Box], ...]
    wider: tuple[int, ...]

    def split(self, box: Box) -> Iterator[Piece]:
        """Disjoint pieces that make up the box, each with its outcome."""
        left = [box]
        for veto in self.denied:
            yield from ((each & veto, None) for each in self._meeting(left, veto))
            left = self._less(left, veto)
        # Where a grant demands nothing, the rule always moves on to the first such.
        for sketch, granted in (*self.whole, *self.partial):
            for each in self._meeting(left, granted):
                yield from self._climb(each & granted, sketch)
            left = self._less(left, granted)
            if not left:
                return
        yield from ((each, None) for each in left)

    def _climb(self, box: Box, sketch: Sketch) -> Iterator[Piece]:
        """Pieces of a box where a grant stands, up to the authority of each."""
        left, wider = [box], self.wider[sketch.index]
        for later, granted in self.grants:
            if not wider >> later.index & 1:
                continue
            for each in self._meeting(left, granted):
                yield from self._climb(each & granted, later)
            left = self._less(left, granted)
            if not left:
                return
        for each in left:
            yield from self._constrained(each, Permit(sketch.line, sketch.line.view))

    def _constrained(self, box: Box, permit: Permit) -> Iterator[Piece]:
        pieces = [(box, permit.view)]
        for demanded, holding in self.constraints:
            kept: list[tuple[Box, View]] = []
            for each, view in pieces:
                met = view.meet(demanded)
                if met == view or self.space.is_empty(each & holding):
                    kept.append((each, view))
                    continue
                kept.append((each & holding, met))
                outside = self.space.outside(each, holding, self.budget)
                kept += ((piece, view) for piece in outside)
            pieces = kept
        for each, view in pieces:
            yield each, Permit(permit.authority, view)

    def _meeting(self, boxes: Iterable[Box], other: Box) -> Iterator[Box]:
        return (each for each in boxes if not self.space.is_empty(each & other))

    def _less(self, boxes: Iterable[Box], other: Box) -> list[Box]:
        return [
            piece
            for each in boxes
            for piece in self.space.outside(each, other, self.budget)
        ]


class Outcomes:
    """What one set answers, over any box of its terrain."""

    def __init__(self, terrain: Terrain, budget: Budget) -> None:
        self._space = terrain.space
        self._evidenced = evidenced_ground(terrain, budget)
        self._bare = _ground(terrain, budget, is_bare=True)

    def over(self, box: Box) -> Iterator[Piece]:
        """Disjoint pieces that make up the box, each with its outcome."""
        for piece, found in self._evidenced.split(box):
            if not self._bare.grants:
                yield piece, found
                continue
            for part, beside in self._bare.split(piece):
                yield part, _better(found, beside)


def lifted(space: Space, box: Box) -> Box:
    """Where a line holds without a relationship, it stands beside every other."""
    return space.anywhere(box, "relationships", vocabulary.NO_RELATIONSHIP)


def evidenced_ground(terrain: Terrain, budget: Budget) -> Ground:
    """What one relationship permits, without what stands beside it."""
    return _ground(terrain, budget, is_bare=False)


def _ground(terrain: Terrain, budget: Budget, *, is_bare: bool) -> Ground:
    space = terrain.space

    def placed(box: Box) -> Box:
        return lifted(space, box) if is_bare else box

    grants = tuple(
        (each, box) for each in terrain.grants if (box := placed(each.boxes[0]))
    )
    constraints = (
        (each.line.view, placed(box))
        for each in terrain.constraints
        for box in each.boxes
    )
    return Ground(
        space=space,
        budget=budget,
        grants=grants,
        whole=tuple(pair for pair in grants if pair[0].line.view == FULL_VIEW),
        partial=tuple(pair for pair in grants if pair[0].line.view != FULL_VIEW),
        denied=tuple(box for box in map(placed, terrain.denied) if box),
        constraints=tuple(pair for pair in constraints if pair[1]),
        wider=terrain.policy_set.wider,
    )


def _better(found: Outcome, beside: Outcome) -> Outcome:
    """The stronger evidence's outcome, unless the other is strictly wider."""
    if found is None or beside is None:
        return found or beside
    return beside if beside.view.more_permissive(found.view) else found
