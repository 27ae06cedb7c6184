"""What another set would change: every region, with a witness and a sentence.

Only boxes of lines that differ can answer differently; these are split into pieces of
one outcome before and one after, and pieces of a kind are merged again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from policies.analysis.apart import misplaced, touched
from policies.analysis.boxes import MOST_BOXES, Box, Budget, TooManyBoxes
from policies.analysis.outcomes import Outcome, Outcomes, lifted
from policies.analysis.terrain import Survey, Terrain, owns
from policies.analysis.witness import Witness, witness_in
from policies.analysis.wording import extent_of, sentence
from policies.compile import PolicySet
from policies.lines import NO
from policies.obligations import View

Kind = Literal["newly_allowed", "relaxed", "newly_refused", "tightened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Requests that one owner's data would answer otherwise, all in one way.

    `values` holds the codes of each dimension, of flags and labels only those that
    matter, and `periods` as "2031-04-01/2033-03-31". `before` and `after` are the
    views; None: refused. A region is stated of one relationship at a time.
    """

    kind: Kind
    owner: str
    authority: str  # the grant that decides, before for what is newly refused
    before: View | None
    after: View | None
    values: Mapping[str, tuple[str, ...]]
    witness: Witness
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All regions in which two sets differ; not all if it is not complete."""

    newly_allowed: tuple[Region, ...] = ()
    relaxed: tuple[Region, ...] = ()
    newly_refused: tuple[Region, ...] = ()
    tightened: tuple[Region, ...] = ()
    is_complete: bool = True  # False: the sets differ in too many small ways

    @property
    def regions(self) -> tuple[Region, ...]:
        """All of them, what widens first."""
        return (
            *self.newly_allowed,
            *self.relaxed,
            *self.newly_refused,
            *self.tightened,
        )


_Key = tuple[Kind, str, View | None, View | None]


def difference(
    before: PolicySet,
    after: PolicySet,
    *,
    since: datetime | None = None,
    most_boxes: int = MOST_BOXES,
) -> Difference:
    """Every request, from an instant on (None: ever), that two sets answer otherwise.

    Each owner by itself, each relationship by itself: evidence of several permits
    what one of them would. Exact, unless it takes more boxes than the most.
    """
    budget = Budget(most_boxes)
    found: list[Region] = []
    is_complete = True
    try:
        changed = touched(before, after)
        for owner in sorted(owners_of(before, after)):
            near = [line for line in changed if owns(owner, line)]
            survey = Survey((before, after), owner, since=since, near=near)
            found += _regions(survey, (before, after), budget)
    except TooManyBoxes:
        is_complete = False

    # What needs no broken glass concerns most people, and comes first.
    found.sort(key=lambda region: NO not in region.values["break_glass"])

    def of(kind: Kind) -> tuple[Region, ...]:
        return tuple(region for region in found if region.kind == kind)

    return Difference(
        newly_allowed=of("newly_allowed"),
        relaxed=of("relaxed"),
        newly_refused=of("newly_refused"),
        tightened=of("tightened"),
        is_complete=is_complete,
    )


def owners_of(*policy_sets: PolicySet) -> frozenset[str]:
    """Whose data any grant of these sets is about."""
    return frozenset(
        owner
        for each in policy_sets
        for line in each.lines
        if line.effect == "grant"
        for owner in line.accepts["owner"]
    )


def differing(before: Terrain, after: Terrain) -> list[Box]:
    """The boxes outside which two sets have the same lines in the same order."""
    boxes: list[Box] = []
    for one, other in (
        (before.grants, after.grants),
        (before.vetoes, after.vetoes),
        (before.constraints, after.constraints),
    ):
        apart = misplaced(
            (each.content for each in one), (each.content for each in other)
        )
        for each in (*one, *other):
            if each.content in apart:
                boxes += each.boxes
    bare = (lifted(before.space, box) for box in boxes)
    return list(dict.fromkeys((*boxes, *(box for box in bare if box))))


def _regions(
    survey: Survey, sets: tuple[PolicySet, PolicySet], budget: Budget
) -> Iterator[Region]:
    terrains = survey.terrain(sets[0]), survey.terrain(sets[1])
    was, will_be = (Outcomes(terrain, budget) for terrain in terrains)
    grouped: defaultdict[_Key, list[Box]] = defaultdict(list)
    done: list[Box] = []
    for changed in differing(*terrains):
        for fresh in survey.space.outside_all(changed, done, budget):
            for piece, before in was.over(fresh):
                for part, after in will_be.over(piece):
                    for key in _keys(before, after):
                        grouped[key].append(part)
        done.append(changed)
    for key in sorted(grouped, key=lambda key: key[:2]):
        for box in survey.space.merged(grouped[key]):
            yield _region(survey, key, box)


def _keys(before: Outcome, after: Outcome) -> Iterator[_Key]:
    if before is None:
        if after is not None:
            yield "newly_allowed", after.authority.authority, None, after.view
    elif after is None:
        yield "newly_refused", before.authority.authority, before.view, None
    else:
        named = after.authority.authority
        if not before.view.at_least_as_permissive(after.view):
            yield "relaxed", named, before.view, after.view
        if not after.view.at_least_as_permissive(before.view):
            yield "tightened", named, before.view, after.view


def _region(survey: Survey, key: _Key, box: Box) -> Region:
    kind, authority, before, after = key
    values = extent_of(survey, box)
    return Region(
        kind=kind,
        owner=survey.owner,
        authority=authority,
        before=before,
        after=after,
        values=values,
        witness=witness_in(survey, box),
        sentence=sentence(kind, survey.owner, values, views=(before, after)),
    )
