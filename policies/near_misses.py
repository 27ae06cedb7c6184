"""Near misses: the one thing that, were it otherwise, would have permitted.

Of each attribute in turn, the lines that fit all the others are known at once, as an
AND of what stands before it and what stands after it. Each value of the attribute is
then decided like any other request, so that what is shown here really permits.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import and_
from typing import Final, Literal

from policies import vocabulary
from policies.asked import glass, same_organisation
from policies.compile import PolicySet
from policies.decide import Decision, Plan, decide, evidence_of, or_instead
from policies.lines import NO, YES
from policies.pending import flag_mask, planned_flags
from policies.request import Cell, FlagRegistration, Request

# What a caller may learn of, nearest first. Not the purpose, which would teach false
# declaration; not flags, labels or who else may see more.
SAFE: Final = ("relationship", "role", "assurance", "mode", "break_glass")
ATTRIBUTES: Final = (
    *SAFE,
    "operation",
    "purpose",
    "agreement",
    "recipient",
    "category",
    "labels",
    "flags",
)
_MOST: Final = 3
_SAFE: Final = frozenset(SAFE)
_EVERYTHING: Final = frozenset(ATTRIBUTES)
# A change of purpose can make sense of a broken glass or end it, so the two of them
# stand side by side.
_ORDER: Final = (
    "rest",
    "operation",
    "mode",
    "purpose",
    "break_glass",
    "recipient",
    "role",
    "assurance",
    "agreement",
    "category",
    "labels",
    "flags",
)
_FORWARDS: Final = (*_ORDER, "end")
_BACKWARDS: Final = (*reversed(_ORDER), "start")
_EVERY: Final = -1  # as a mask, every bit there can be
_LABELLINGS: Final[tuple[Literal["labelled", "unlabelled"], ...]] = (
    "labelled",
    "unlabelled",
)
_REGISTRATIONS: Final[tuple[FlagRegistration, ...]] = ("states", "prefiltered", "none")
_CLOSED: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "operation": ("operations", vocabulary.OPERATIONS),
    "mode": ("modes", vocabulary.MODES),
    "role": ("roles", vocabulary.ROLES),
    "assurance": ("assurance", vocabulary.ASSURANCE),
    "category": ("categories", vocabulary.CATEGORIES),
}
_ASSERTED: Final = {  # what the request itself says, and the dimension it is tested on
    "operation": "operations",
    "mode": "modes",
    "purpose": "purposes",
    "break_glass": "break_glass",
    "role": "roles",
    "assurance": "assurance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """One attribute; the values any of which alone permits, and under which line.

    For `flags` a value is how the source would register one, as "ndo:states"; for
    `agreement` the empty value is to cite none; for `break_glass` it is yes or no.
    """

    attribute: str
    needed: tuple[str, ...]
    under: str
    why: str


def near_misses(
    policy_set: PolicySet,
    request: Request,
    cell: Cell,
    *,
    supported: frozenset[str],
    attributes: Iterable[str] = ATTRIBUTES,
) -> tuple[NearMiss, ...]:
    """Every single change of one of the attributes that would have permitted.

    By attribute in the order of `ATTRIBUTES`, then by authority; empty for a cell
    that is permitted. Never raises: where deciding fails, there is none.
    """

    def found() -> tuple[NearMiss, ...]:
        plan = Plan(policy_set, request, supported=supported)
        return _misses(plan, cell, frozenset(attributes))

    return or_instead(found, tuple)


def caller_safe(
    policy_set: PolicySet,
    request: Request,
    cell: Cell,
    *,
    supported: frozenset[str],
) -> tuple[NearMiss, ...]:
    """The nearest three that a caller may be told; none speaks of a person."""
    found = near_misses(policy_set, request, cell, supported=supported, attributes=SAFE)
    return found[:_MOST]


def decide_and_explain(
    policy_set: PolicySet,
    request: Request,
    cell: Cell,
    *,
    supported: frozenset[str],
    in_full: bool = False,
) -> tuple[Decision, tuple[NearMiss, ...]]:
    """The decision on a cell and its near misses: caller-safe ones, or `in_full` all.

    The same as deciding and asking for near misses apart, at less cost.
    """

    def found() -> tuple[Decision, tuple[NearMiss, ...]]:
        plan = Plan(policy_set, request, supported=supported)
        decision = plan.decide(cell)
        if decision.effect == "permit":
            return decision, ()
        near = _misses(plan, cell, _EVERYTHING if in_full else _SAFE)
        return decision, near if in_full else near[:_MOST]

    return or_instead(
        found, lambda: (decide(policy_set, request, cell, supported=supported), ())
    )


def _misses(plan: Plan, cell: Cell, attributes: frozenset[str]) -> tuple[NearMiss, ...]:
    near = _Near(plan, cell)
    if near.is_permitted():
        return ()
    return tuple(
        miss
        for attribute in ATTRIBUTES
        if attribute in attributes
        for miss in near.misses(attribute)
    )


class _Near:
    """One refused cell: for each attribute, the lines that fit all the others."""

    def __init__(self, plan: Plan, cell: Cell) -> None:
        self._plan = plan
        self._cell = cell
        self._dimensions = plan.policy_set.dimensions
        now = self._now()
        fitting = [now[name] for name in _ORDER]
        before = accumulate(fitting, and_, initial=_EVERY)
        after = accumulate(reversed(fitting), and_, initial=_EVERY)
        self._before = dict(zip(_FORWARDS, before, strict=True))
        self._after = dict(zip(_BACKWARDS, after, strict=True))

    def is_permitted(self) -> bool:
        """Whether the cell is permitted as it is asked for."""
        return self._plan.weigh(self._before["end"]) is not None

    def misses(self, attribute: str) -> Iterator[NearMiss]:
        """The changes of one attribute that permit, by their authority."""
        values: defaultdict[int, list[str]] = defaultdict(list)
        for value, grant in self._permitting(attribute):
            values[grant].append(value)
        lines = self._plan.policy_set.lines
        for grant in sorted(values):
            line = lines[grant]
            yield NearMiss(
                attribute=attribute,
                needed=tuple(values[grant]),
                under=line.authority,
                why=line.why,
            )

    def _permitting(self, attribute: str) -> Iterator[tuple[str, int]]:
        """The values that permit, each with the grant that would decide."""
        if attribute == "relationship":
            yield from self._evidence()
            return
        others = self._others(attribute)
        grants = others & self._plan.asked.evidenced & self._plan.policy_set.grants
        if not grants:
            return
        for value, mask in self._values(attribute):
            # Most values fit no grant, which is sooner seen than weighed.
            found = self._plan.weigh(others & mask) if grants & mask else None
            if found is not None:
                yield value, found.grant

    def _evidence(self) -> Iterator[tuple[str, int]]:
        policy_set = self._plan.policy_set
        held = self._before["end"]
        grants = held & policy_set.grants
        tried = self._plan.asked.relationships
        masks = self._dimensions["relationships"].masks
        for relationship in vocabulary.RELATIONSHIPS if grants else ():
            if relationship not in tried and grants & masks[relationship]:
                under = evidence_of(policy_set, relationship, masks[relationship])
                found = self._plan.weigh(held, (under,))
                if found is not None:
                    yield relationship, found.grant

    def _others(self, attribute: str) -> int:
        last = "break_glass" if attribute == "purpose" else attribute
        return self._before[attribute] & self._after[last]

    def _now(self) -> dict[str, int]:
        """For each thing that decides, the lines that fit it as it stands."""
        asked, cell, dimensions = self._plan.asked, self._cell, self._dimensions
        fitting = {
            attribute: asked.fits[dimension]
            for attribute, dimension in _ASSERTED.items()
        }
        return fitting | {
            "rest": asked.valid & dimensions["owner"].at(cell.owner),
            "recipient": self._received_by(asked.request),
            "agreement": asked.cited,
            "category": dimensions["categories"].at(cell.category),
            "labels": asked.labelled(cell),
            "flags": self._registered(cell.flags),
        }

    def _values(self, attribute: str) -> Iterator[tuple[str, int]]:
        """Every value the attribute could have, with the lines that fit it."""
        if attribute in _CLOSED:
            dimension, codes = _CLOSED[attribute]
            masks = self._dimensions[dimension].masks
            return ((code, masks[code]) for code in codes)
        others = {
            "purpose": self._purposes,
            "break_glass": self._glasses,
            "recipient": self._bodies,
            "agreement": self._agreements,
            "labels": self._labellings,
            "flags": self._registrations,
        }
        return others[attribute]()

    def _purposes(self) -> Iterator[tuple[str, int]]:
        request = self._plan.request
        fitting = self._dimensions["purposes"].at
        at = self._dimensions["break_glass"].at
        for purpose in vocabulary.PURPOSES:
            other = replace(request, purpose=purpose)
            yield purpose, fitting(purpose) & at(glass(other))

    def _glasses(self) -> Iterator[tuple[str, int]]:
        at = self._dimensions["break_glass"].at
        for value, is_broken in ((YES, True), (NO, False)):
            other = replace(self._plan.request, break_glass=is_broken)
            yield value, at(glass(other))

    def _bodies(self) -> Iterator[tuple[str, int]]:
        named = self._dimensions["recipients"].masks
        for body in sorted(filter(None, named)):
            yield body, self._received_by(replace(self._plan.request, recipient=body))

    def _agreements(self) -> Iterator[tuple[str, int]]:
        cited = self._dimensions["agreements"]
        for agreement in ("", *sorted(filter(None, cited.masks))):
            yield agreement, cited.at(agreement)

    def _labellings(self) -> Iterator[tuple[str, int]]:
        for labelling in _LABELLINGS:
            other = replace(self._cell, labels=labelling)
            yield labelling, self._plan.asked.labelled(other)

    def _received_by(self, request: Request) -> int:
        """The lines that fit a recipient, signed for it, as its own data or not."""
        whose = same_organisation(request, self._cell)
        return (
            self._dimensions["recipients"].at(request.recipient)
            & self._plan.policy_set.live.at(request.recipient)
            & self._dimensions["same_org"].at(whose)
        )

    def _registrations(self) -> Iterator[tuple[str, int]]:
        for flag in sorted(self._plan.policy_set.flags):
            for how in _REGISTRATIONS:
                if self._cell.flags.get(flag, "none") != how:
                    other = {**self._cell.flags, flag: how}
                    yield f"{flag}:{how}", self._registered(other)

    def _registered(self, flags: Mapping[str, FlagRegistration]) -> int:
        policy_set = self._plan.policy_set
        return flag_mask(policy_set, planned_flags(policy_set, flags))
