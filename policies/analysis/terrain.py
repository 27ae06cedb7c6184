"""One owner's lines as boxes, in a space that several sets share.

A point of the space is all that one answer about one item can turn on: the request,
one relationship, the category, a span of time, each flag and each label. Values that
no grant names are left out: there every set denies.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise, product
from typing import Final

from policies import vocabulary
from policies.analysis.apart import could_meet
from policies.analysis.boxes import Box, Space
from policies.compile import PolicySet
from policies.lines import NO, YES, Line
from policies.obligations import View

UNCITED: Final = ""  # the request cites no agreement
ABSENT: Final = "absent"
PRESENT: Final = "present"
UNKNOWN: Final = "unknown"
FLAG: Final = "flag:"
LABEL: Final = "label:"
SPAN: Final = "span"

_NAMED: Final[Mapping[str, Sequence[str] | None]] = {
    "purposes": tuple(vocabulary.PURPOSES),
    "operations": vocabulary.OPERATIONS,
    "modes": vocabulary.MODES,
    "roles": vocabulary.ROLES,
    "assurance": vocabulary.ASSURANCE,
    "relationships": vocabulary.RELATIONSHIPS,
    "categories": vocabulary.CATEGORIES,
    "break_glass": (NO, YES),
    "recipients": None,  # no list closes it: the named ones, sorted
    "agreements": None,
}
_BEYOND: Final = frozenset(vocabulary.PURPOSES) - vocabulary.INDIVIDUAL

Allowed = dict[str, Collection[str]]
Content = tuple[str, tuple[Box, ...], View]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A line as it lies in a space: disjoint boxes, none of them empty."""

    index: int  # in its set's lines
    line: Line
    boxes: tuple[Box, ...]

    @property
    def content(self) -> Content:
        """What tells it from another line, wherever and by whomever it is stated."""
        return self.line.effect, self.boxes, self.line.view


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """One set's lines of one owner; a line that holds nowhere is left out."""

    space: Space
    policy_set: PolicySet
    grants: tuple[Sketch, ...]  # in the order of authority, each a single box
    vetoes: tuple[Sketch, ...]
    constraints: tuple[Sketch, ...]
    impossible: Box  # broken glass for what is no individual care: always denied

    @property
    def denied(self) -> tuple[Box, ...]:
        """The boxes in which nothing is granted, whatever the grants."""
        return (self.impossible, *(box for veto in self.vetoes for box in veto.boxes))


class Survey:
    """The space of one owner under some sets, from an instant on (None: ever)."""

    def __init__(
        self,
        policy_sets: Sequence[PolicySet],
        owner: str,
        *,
        since: datetime | None = None,
        as_signed: bool = False,  # as though every grant were signed by all
        near: Sequence[Line] | None = None,  # only where one of these may hold
    ) -> None:
        self.owner = owner
        self._since = since
        self._as_signed = as_signed
        cuts = sorted({cut for each in policy_sets for cut in each.cuts})
        edges = [None, *cuts, None]
        self.spans = {
            str(number): (begins, until)
            for number, (begins, until) in enumerate(pairwise(edges))
            if since is None or until is None or until > since
        }
        self._held = [
            (
                each,
                [
                    pair
                    for pair in enumerate(each.lines)
                    if self._is_held(pair[1], near)
                ],
            )
            for each in policy_sets
        ]
        own = [line for _, held in self._held for _, line in held]
        grants = [line for line in own if line.effect == "grant"]
        self._named = {
            name: frozenset(value for line in grants for value in line.accepts[name])
            for name in _NAMED
        }
        if vocabulary.NO_RELATIONSHIP in self._named["relationships"]:
            # What needs no relationship is given beside any other, too.
            self._named["relationships"] = frozenset(vocabulary.RELATIONSHIPS)
        cleared = {label for line in grants for label in line.cleared}
        self._labels = [each for each in vocabulary.CLEARABLE if each in cleared]
        self._flags = sorted(
            {flag for line in grants for flag in line.honours | line.requires}.union(
                *(line.flags_any or () for line in own)
            )
        )
        self.space = Space(self._values())

    def terrain(self, policy_set: PolicySet) -> Terrain:
        """The owner's lines of one of the sets."""
        held: dict[str, list[Sketch]] = {"grant": [], "veto": [], "constrain": []}
        own = next(own for each, own in self._held if each is policy_set)
        for index, line in own:
            boxes = self._boxes(line)
            if boxes:
                sketch = Sketch(index=index, line=line, boxes=boxes)
                held[line.effect].append(sketch)
        return Terrain(
            space=self.space,
            policy_set=policy_set,
            grants=tuple(held["grant"]),
            vetoes=tuple(held["veto"]),
            constraints=tuple(held["constrain"]),
            impossible=self.space.box({"break_glass": (YES,), "purposes": _BEYOND}),
        )

    def instant(self, span: str) -> datetime:
        """An instant within a span in which something is in force."""
        begins, _ = self.spans[span]
        known = [at for at in (begins, self._since) if at is not None]
        return max(known)

    def _is_held(self, line: Line, near: Sequence[Line] | None) -> bool:
        return owns(self.owner, line) and (near is None or could_meet(line, near))

    def _values(self) -> dict[str, Collection[str]]:
        values: dict[str, Collection[str]] = {}
        for name, order in _NAMED.items():
            named = self._named[name]
            values[name] = [each for each in order or sorted(named) if each in named]
        values["agreements"] = (UNCITED, *values["agreements"])
        values[SPAN] = tuple(self.spans)
        values |= {FLAG + flag: (ABSENT, PRESENT, UNKNOWN) for flag in self._flags}
        return values | {LABEL + label: (ABSENT, PRESENT) for label in self._labels}

    def _boxes(self, line: Line) -> tuple[Box, ...]:
        tested = self._tested(line)
        is_grant = line.effect == "grant"
        parts = (self._granting(line),) if is_grant else self._holding(line)
        boxes = (self.space.box({**tested, **part}) for part in parts)
        return tuple(box for box in boxes if not self.space.is_empty(box))

    def _tested(self, line: Line) -> Allowed:
        tested: Allowed = {
            name: line.accepts[name] for name in _NAMED if name in line.accepts
        }
        if "agreements" in tested:
            # Who cites none meets every grant, and every rule that tests a citation.
            tested["agreements"] = {UNCITED, *tested["agreements"]}
        tested["recipients"] = self._recipients(line)
        if line.begins is not None and line.ends is not None:
            tested[SPAN] = self._within(line.begins, line.ends)
        return tested

    def _recipients(self, line: Line) -> frozenset[str]:
        named = self._named["recipients"]
        accepted = line.accepts.get("recipients", named)
        if line.effect == "grant":
            is_meant = self._as_signed and not line.is_suspended
            return accepted if is_meant else accepted & line.signed
        same = line.accepts.get("same_org", frozenset({YES, NO}))
        return frozenset(
            each for each in accepted if (YES if each == self.owner else NO) in same
        )

    def _within(self, begins: datetime, ends: datetime) -> frozenset[str]:
        return frozenset(
            number
            for number, (start, until) in self.spans.items()
            if start is not None and until is not None
            if begins <= start and until <= ends
        )

    def _granting(self, line: Line) -> Allowed:
        flags: Allowed = {FLAG + flag: (ABSENT,) for flag in line.honours}
        flags |= {FLAG + flag: (PRESENT,) for flag in line.requires}
        uncleared = (each for each in self._labels if each not in line.cleared)
        return flags | {LABEL + label: (ABSENT,) for label in uncleared}

    def _holding(self, line: Line) -> Iterator[Allowed]:
        """The ways in which a rule's flags and labels hold, never two at once."""
        flags = [FLAG + flag for flag in sorted(line.flags_any or ())]
        # Without labels from its source, an item may be of any label a rule tests.
        listed = {vocabulary.UNLABELLED, *(line.labels_any or ())}
        labels = [LABEL + label for label in self._labels if label in listed]
        for by_flag, by_label in product(
            [{}] if line.flags_any is None else _first_of(flags, (PRESENT, UNKNOWN)),
            [{}] if line.labels_any is None else _first_of(labels, (PRESENT,)),
        ):
            yield {**by_flag, **by_label}


def owns(owner: str, line: Line) -> bool:
    """Whether a line is about an owner's data, as the floors are about everybody's."""
    owners = line.accepts.get("owner")
    return owners is None or owner in owners


def _first_of(names: list[str], holding: tuple[str, ...]) -> list[Allowed]:
    """Each name in turn the first that holds."""
    return [
        {**dict.fromkeys(names[:place], (ABSENT,)), name: holding}
        for place, name in enumerate(names)
    ]
