"""The plan phase: one decision for each cell, before any source is called.

veto → deny · no grant → deny · the first grant, or a later one that is strictly
wider, is the authority · its view meets every constraint that holds · over the
evidenced relationships, strongest first, any permit permits · any error → deny
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal, NamedTuple, TypeVar

from policies.asked import Asked
from policies.because import Because
from policies.compile import PolicySet, bits
from policies.explain import failed
from policies.obligations import FULL_VIEW, View, able
from policies.refusals import Refusals
from policies.request import Cell, FlagRegistration, Request

__all__ = [
    "Because",
    "Cell",
    "Decision",
    "FlagRegistration",
    "Request",
    "decide",
    "decide_all",
]

_T = TypeVar("_T")


class Weighed(NamedTuple):
    """What permits: a grant, under which evidence, with what view."""

    grant: int
    relationship: str
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What policy said of one cell, always with because.

    Before release, `view` is the widest that flags and labels may still narrow.
    """

    owner: str
    category: str
    effect: Literal["permit", "deny"]
    authority: str | None
    relationship: str | None  # the evidence the permit stands on
    view: View
    because: tuple[Because, ...]
    saved: "Saved | None" = field(default=None, repr=False, compare=False)

    @property
    def reach_days(self) -> int | None:
        """The greatest age of an item that release could let through; None: any.

        What a query may be narrowed to. `view.max_age_days` may be shorter: flags
        and labels can make another grant, which reaches further, the authority.
        """
        return None if self.saved is None else self.saved.reach_days()

    @property
    def reach(self) -> View:
        """The most that release could let be seen, whatever flags and labels say."""
        return self.view if self.saved is None else self.saved.reach()


class Evidence(NamedTuple):
    """The lines that hold under one evidenced relationship."""

    relationship: str
    grants: int
    vetoes: int
    constraints: int


def evidence_of(policy_set: PolicySet, relationship: str, under: int) -> Evidence:
    """What a set holds under one relationship, whose lines are given."""
    return Evidence(
        relationship,
        under & policy_set.grants,
        under & policy_set.vetoes,
        under & policy_set.constraints,
    )


class Plan:
    """A request against one set: what is common to its cells, worked out once."""

    __slots__ = (
        "_refusals",
        "asked",
        "evidence",
        "policy_set",
        "request",
        "supported",
    )

    def __init__(
        self, policy_set: PolicySet, request: Request, *, supported: frozenset[str]
    ) -> None:
        self.policy_set = policy_set
        self.request = request
        self.supported = able(supported)
        self.asked = Asked(policy_set, request)
        self.evidence = tuple(
            evidence_of(policy_set, relationship, under)
            for relationship, under in self.asked.evidence
        )
        self._refusals: Refusals | None = None

    def decide(self, cell: Cell) -> Decision:
        """The decision for one cell; may raise, which `decide_all` turns to deny."""
        mask = self.asked.lines_of(cell)
        held = mask & self.asked.registered(cell)
        found = self.weigh(held)
        if found is None:
            return _deny(cell, self._why_not(cell, held))
        return Decision(
            owner=cell.owner,
            category=cell.category,
            effect="permit",
            authority=self.policy_set.lines[found.grant].authority,
            relationship=found.relationship,
            view=found.view,
            because=self.policy_set.granted(found.grant),
            saved=Saved(self, cell, mask, held),
        )

    def weigh(
        self, mask: int, evidence: tuple[Evidence, ...] | None = None
    ) -> Weighed | None:
        """What permits under any evidenced relationship; None if nothing does."""
        best: Weighed | None = None
        policy_set = self.policy_set
        for relationship, granting, vetoing, constraining in evidence or self.evidence:
            grants = mask & granting
            if not grants or mask & vetoing:
                continue
            grant = policy_set.authority(grants)
            view, demanded = policy_set.view(grant, mask & constraining)
            if not demanded <= self.supported:
                continue
            if best is None or view.more_permissive(best.view):
                best = Weighed(grant, relationship, view)
        return best

    def _why_not(self, cell: Cell, held: int) -> tuple[Because, ...]:
        if self._refusals is None:
            self._refusals = Refusals(self.asked)
        return self._refusals.of(cell, held)


@dataclass(frozen=True, slots=True)
class Saved:
    """What release needs to decide again once flags and labels are known."""

    plan: Plan
    cell: Cell
    mask: int  # before flags and labels
    held: int  # with what was known of them when planned

    def reach_days(self) -> int | None:
        """The greatest age any grant that may become the authority lets through."""
        ages = [view.max_age_days for view in self._views()]
        bounds = [age for age in ages if age is not None]
        return max(bounds) if len(bounds) == len(ages) else None

    def reach(self) -> View:
        """The most that any such grant lets be seen; there is one, as it permits."""
        return reduce(View.join, self._views())

    def _views(self) -> Iterator[View]:
        policy_set = self.plan.policy_set
        for _, granting, vetoing, constraining in self.plan.evidence:
            if self.held & vetoing:
                continue
            constraints = self.held & constraining
            for grant in bits(self.held & granting):
                yield policy_set.view(grant, constraints)[0]


def decide(
    policy_set: PolicySet,
    request: Request,
    cell: Cell,
    *,
    supported: frozenset[str] = frozenset(),
) -> Decision:
    """The decision for one cell. `supported`: obligation axes that can be done.

    Of `notify` that may be a part, as "notify:owner"; `notify` alone is all of it.
    Never raises: an error denies, with because `policy_error`.
    """
    return decide_all(policy_set, request, (cell,), supported=supported)[0]


def decide_all(
    policy_set: PolicySet,
    request: Request,
    cells: Iterable[Cell],
    *,
    supported: frozenset[str] = frozenset(),
) -> tuple[Decision, ...]:
    """One decision for each cell, in their order. Never raises.

    An error at one cell denies all: a set that fails once is not to be believed.
    """
    asked = tuple(cells)

    def decisions() -> tuple[Decision, ...]:
        plan = Plan(policy_set, request, supported=supported)
        return tuple(plan.decide(cell) for cell in asked)

    def denials() -> tuple[Decision, ...]:
        return tuple(_deny(cell, (failed(cell.owner),)) for cell in asked)

    return or_instead(decisions, denials)


def or_instead(attempt: Callable[[], _T], instead: Callable[[], _T]) -> _T:
    """What was attempted, or instead the denial: the edge at which errors deny."""
    try:
        return attempt()
    except Exception:  # noqa: BLE001 - whatever went wrong, the answer must be "deny"
        return instead()


def _deny(cell: Cell, because: tuple[Because, ...]) -> Decision:
    return Decision(
        owner=cell.owner,
        category=cell.category,
        effect="deny",
        authority=None,
        relationship=None,
        view=FULL_VIEW,
        because=because,
    )
