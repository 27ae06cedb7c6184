"""Recorded decisions once more, under two sets; and a draft on requests of one's own.

Only what was known before any source was asked is recorded, so the plan is replayed.
Where both plans permit alike, items of some label, or of a person with some flag, may
still fare otherwise: such cells are label-dependent or flag-dependent.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal, NamedTuple

from policies import vocabulary
from policies.analysis.apart import lines_apart
from policies.analysis.atoms import EVERY_DUTY
from policies.compile import PolicySet
from policies.decide import Decision, Plan, decide_all
from policies.obligations import View
from policies.pending import FlagState, flag_mask, label_mask, planned_flags
from policies.request import Cell, Request

Effect = Literal["permit", "deny"]
Change = Literal[
    "newly_allowed",
    "newly_refused",
    "relaxed",
    "tightened",
    "label_dependent",
    "flag_dependent",
]
_FLIPS: Final = frozenset({"newly_allowed", "newly_refused"})
_STATED: Final[tuple[FlagState, ...]] = ("present", "absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One decided request, as the audit trail holds it: without a person.

    `effects` are those decided then, one a cell. Records that share one tuple of
    cells, the very object, are replayed faster.
    """

    id: str
    request: Request
    cells: tuple[Cell, ...]
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A recorded decision that the second set would make otherwise, cell by cell."""

    id: str
    request: Request
    cells: tuple[tuple[Cell, Change], ...]

    @property
    def is_flipped(self) -> bool:
        """Whether some cell is newly allowed or refused."""
        return any(change in _FLIPS for _, change in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of all that was replayed, in its order.

    `flips` counts flipped decisions by (recipient, purpose, role). `drifted` were
    decided otherwise than the first set decides now; `needless` broke the glass where
    the first set permits as much without.
    """

    total: int
    changed: tuple[Changed, ...]
    flips: Counter[tuple[str, str, str]]
    drifted: tuple[str, ...]
    needless: tuple[str, ...]

    @property
    def share_flipped(self) -> float:
        """Of all that was replayed, from 0 to 1."""
        return self.flips.total() / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One cell of a request, under two sets."""

    cell: Cell
    before: Decision
    after: Decision


def replay(
    recorded: Iterable[Recorded],
    before: PolicySet,
    after: PolicySet,
    *,
    supported: frozenset[str] = EVERY_DUTY,
) -> Replayed:
    """What two sets make of recorded decisions, each at its own instant."""
    replaying = _Replaying(before, after, supported)
    held = tuple(recorded)  # kept, so that tuples of cells can be told by identity
    changed: list[Changed] = []
    flips: Counter[tuple[str, str, str]] = Counter()
    drifted: list[str] = []
    needless: list[str] = []
    for each in held:
        verdict = replaying.verdict(each)
        if verdict.effects != each.effects:
            drifted.append(each.id)
        if verdict.is_needless:
            needless.append(each.id)
        if verdict.changes:
            found = Changed(id=each.id, request=each.request, cells=verdict.changes)
            changed.append(found)
            if found.is_flipped:
                asked = each.request
                flips[asked.recipient, asked.purpose, asked.role] += 1
    return Replayed(
        total=len(held),
        changed=tuple(changed),
        flips=flips,
        drifted=tuple(drifted),
        needless=tuple(needless),
    )


def what_if(
    asked: Iterable[tuple[Request, Sequence[Cell]]],
    before: PolicySet,
    after: PolicySet,
    *,
    supported: frozenset[str] = EVERY_DUTY,
) -> tuple[tuple[Considered, ...], ...]:
    """What two sets make of requests of one's own, with all their reasons."""
    return tuple(
        tuple(
            Considered(cell=cell, before=was, after=will_be)
            for cell, was, will_be in zip(
                cells,
                decide_all(before, request, cells, supported=supported),
                decide_all(after, request, cells, supported=supported),
                strict=True,
            )
        )
        for request, cells in asked
    )


class _Verdict(NamedTuple):
    effects: tuple[Effect, ...]  # of the first set
    changes: tuple[tuple[Cell, Change], ...]
    is_needless: bool


class _Replaying:
    """Two sets, and what they made of each kind of decision met so far."""

    def __init__(
        self, before: PolicySet, after: PolicySet, supported: frozenset[str]
    ) -> None:
        self._before = before
        self._after = after
        self._supported = supported
        self._gone, self._new = lines_apart(before, after)
        self._known: dict[object, _Verdict] = {}
        self._numbers: dict[object, int] = {}

    def verdict(self, recorded: Recorded) -> _Verdict:
        """What both sets make of one; worked out once for all that are of a kind."""
        asked = recorded.request
        key = (
            self._number(recorded.cells),
            bisect_right(self._before.cuts, asked.now),
            bisect_right(self._after.cuts, asked.now),
            asked.operation,
            asked.mode,
            asked.purpose,
            asked.agreement,
            asked.recipient,
            asked.role,
            asked.assurance,
            asked.relationships,
            asked.break_glass,
        )
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._decide(asked, recorded.cells)
        return found

    def _number(self, cells: tuple[Cell, ...]) -> int:
        """One number for all equal tuples of cells; by identity, where it is known."""
        number = self._numbers.get(id(cells))
        if number is None:
            content = tuple(
                (cell.owner, cell.category, cell.labels, frozenset(cell.flags.items()))
                for cell in cells
            )
            number = self._numbers.setdefault(content, len(self._numbers))
            self._numbers[id(cells)] = number
        return number

    def _decide(self, request: Request, cells: tuple[Cell, ...]) -> _Verdict:
        was = Plan(self._before, request, supported=self._supported)
        will_be = Plan(self._after, request, supported=self._supported)
        views = [_planned(was, cell) for cell in cells]
        changes = [
            (cell, self._change(view, (was, will_be), cell))
            for cell, view in zip(cells, views, strict=True)
        ]
        return _Verdict(
            effects=tuple("deny" if view is None else "permit" for view in views),
            changes=tuple((cell, change) for cell, change in changes if change),
            is_needless=request.break_glass and self._is_needless(was, cells, views),
        )

    def _change(
        self, before: View | None, plans: tuple[Plan, Plan], cell: Cell
    ) -> Change | None:
        was, will_be = plans
        is_touched = was.asked.lines_of(cell) & self._gone
        if not is_touched and not will_be.asked.lines_of(cell) & self._new:
            return None
        after = _planned(will_be, cell)
        if before is None or after is None:
            if before is after:
                return None
            return "newly_allowed" if before is None else "newly_refused"
        if before != after:
            is_narrower = before.at_least_as_permissive(after)
            return "tightened" if is_narrower else "relaxed"
        if _by_label(was, cell) != _by_label(will_be, cell):
            return "label_dependent"
        flags = sorted(self._before.flags | self._after.flags)
        is_alike = _by_flag(was, cell, flags) == _by_flag(will_be, cell, flags)
        return None if is_alike else "flag_dependent"

    def _is_needless(
        self, broken: Plan, cells: tuple[Cell, ...], views: list[View | None]
    ) -> bool:
        asked = replace(broken.request, break_glass=False)
        whole = Plan(self._before, asked, supported=self._supported)
        return all(
            view is None or _planned(whole, cell) is not None
            for cell, view in zip(cells, views, strict=True)
        )


def _planned(plan: Plan, cell: Cell) -> View | None:
    return _view(plan, plan.asked.lines_of(cell) & plan.asked.registered(cell))


def _view(plan: Plan, mask: int) -> View | None:
    found = plan.weigh(mask)
    return None if found is None else found.view


def _by_label(plan: Plan, cell: Cell) -> list[View | None]:
    """How items of one label fare; none, if the source does not label."""
    if cell.labels != "labelled":
        return []
    planned = planned_flags(plan.policy_set, cell.flags)
    fitting = plan.asked.lines_of(cell) & flag_mask(plan.policy_set, planned)
    return [
        _view(plan, fitting & label_mask(plan.policy_set, (label,)))
        for label in vocabulary.LABELS
    ]


def _by_flag(plan: Plan, cell: Cell, flags: Iterable[str]) -> list[View | None]:
    """How items of a person fare whose source states one flag, all else as planned."""
    planned = planned_flags(plan.policy_set, cell.flags)
    fitting = plan.asked.lines_of(cell) & plan.asked.labelled(cell)
    views: list[View | None] = []
    for flag, state in product(flags, _STATED):
        if cell.flags.get(flag) == "states":
            states = {**planned, flag: state}
            views.append(_view(plan, fitting & flag_mask(plan.policy_set, states)))
    return views
