"""The plan phase: one decision for each cell, before any source is called.

veto → deny · no grant → deny · the first grant, or a later one that is strictly
wider, is the authority · its view meets every constraint that holds · over the
evidenced relationships, strongest first, any permit permits · any error → deny
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Final, Literal, NamedTuple, TypeVar

from policies import vocabulary
from policies.compile import PolicySet, bits
from policies.explain import Because, Refusal, failed, granted, unsupported, vetoed
from policies.lines import NO, YES
from policies.obligations import FULL_VIEW, View
from policies.pending import FlagState, flag_mask, label_mask, planned_flags
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

_STALE: Final = "stale:"
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


class Plan:
    """A request against one set: what is common to its cells, worked out once."""

    __slots__ = (
        "_base",
        "_flag_masks",
        "_label_masks",
        "_reasons",
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
        self.supported = supported
        dimensions = policy_set.dimensions
        self._base = reduce(
            and_,
            (dimensions[name].at(value) for name, value in _asserted(request).items()),
            policy_set.valid_at(request.now)
            & policy_set.live.at(request.recipient)
            & dimensions["agreements"].at(request.agreement),
        )
        self.evidence = tuple(
            (relationship, dimensions["relationships"].at(relationship))
            for relationship in vocabulary.RELATIONSHIPS
            if relationship in _evidenced(request)
        )
        self._flag_masks: dict[frozenset[tuple[str, FlagRegistration]], int] = {}
        self._label_masks: dict[str, int] = {}
        self._reasons: dict[int, tuple[Because, ...]] = {}

    def decide(self, cell: Cell) -> Decision:
        """The decision for one cell; may raise, which `decide_all` turns to deny."""
        dimensions = self.policy_set.dimensions
        mask = (
            self._base
            & dimensions["owner"].at(cell.owner)
            & dimensions["categories"].at(cell.category)
            & dimensions["same_org"].at(_same_org(self.request, cell))
        )
        held = mask & self._flags(cell.flags) & self._labels(cell.labels)
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
            because=self._granted(found.grant),
            saved=Saved(self, cell, mask, held),
        )

    def weigh(self, mask: int) -> Weighed | None:
        """What permits under any evidenced relationship; None if nothing does."""
        best: Weighed | None = None
        policy_set = self.policy_set
        for relationship, evidenced in self.evidence:
            under = mask & evidenced
            grants = under & policy_set.grants
            if not grants or under & policy_set.vetoes:
                continue
            grant = self._authority(grants)
            view, axes = policy_set.view(grant, under & policy_set.constraints)
            if not axes <= self.supported:
                continue
            if best is None or view.more_permissive(best.view):
                best = Weighed(grant, relationship, view)
        return best

    def _authority(self, grants: int) -> int:
        wider = self.policy_set.wider
        grant = (grants & -grants).bit_length() - 1
        while later := grants & wider[grant]:
            grant = (later & -later).bit_length() - 1
        return grant

    def _flags(self, registered: Mapping[str, FlagRegistration]) -> int:
        key = frozenset(registered.items())
        mask = self._flag_masks.get(key)
        if mask is None:
            planned = planned_flags(self.policy_set, registered)
            mask = self._flag_masks[key] = flag_mask(self.policy_set, planned)
        return mask

    def _labels(self, registered: str) -> int:
        mask = self._label_masks.get(registered)
        if mask is None:
            # A source that labels leaves its labels pending: none hold yet.
            known = () if registered == "labelled" else (vocabulary.UNLABELLED,)
            mask = self._label_masks[registered] = label_mask(self.policy_set, known)
        return mask

    def _granted(self, grant: int) -> tuple[Because, ...]:
        reason = self._reasons.get(grant)
        if reason is None:
            reason = (granted(self.policy_set.lines[grant]),)
            self._reasons[grant] = reason
        return reason

    def _why_not(self, cell: Cell, held: int) -> tuple[Because, ...]:
        policy_set = self.policy_set
        under = [held & evidenced for _, evidenced in self.evidence]
        nearest = [each for each in under if each & policy_set.grants]
        for each in nearest:
            if not each & policy_set.vetoes:
                authority = self._authority(each & policy_set.grants)
                return (unsupported(policy_set.lines[authority]),)
        vetoes = reduce(or_, nearest or under) & policy_set.vetoes
        if vetoes:
            certain = self._certain(cell)
            return vetoed(policy_set, vetoes, certain=certain, owner=cell.owner)
        return (self._refusal(cell).because(),)

    def _certain(self, cell: Cell) -> int:
        """Lines that hold by what is known, and not for want of knowledge."""
        dimensions = self.policy_set.dimensions
        attributes = {
            **_asserted(self.request),
            "agreements": self.request.agreement,
            "owner": cell.owner,
            "categories": cell.category,
            "same_org": _same_org(self.request, cell),
        }
        labels = () if cell.labels == "labelled" else (vocabulary.UNLABELLED,)
        return reduce(
            and_,
            (dimensions[name].certain(value) for name, value in attributes.items()),
            self.policy_set.flag_rules.untested
            & self.policy_set.label_rules.of(labels),
        )

    def _refusal(self, cell: Cell) -> Refusal:
        policy_set, request = self.policy_set, self.request
        planned = planned_flags(policy_set, cell.flags)
        unknown: dict[str, FlagState] = {
            flag: "unknown" for flag, state in planned.items() if state == "unknown"
        }
        return Refusal(
            policy_set=policy_set,
            owner=cell.owner,
            attributes={
                **_asserted(request),
                "owner": cell.owner,
                "categories": cell.category,
            },
            relationships=_evidenced(request),
            lapsed=frozenset(
                each.removeprefix(_STALE)
                for each in request.relationships
                if each.startswith(_STALE)
            ),
            cited=policy_set.dimensions["agreements"].at(request.agreement),
            signed=policy_set.live.at(request.recipient),
            valid=policy_set.valid_at(request.now),
            over=policy_set.over_at(request.now),
            labels=self._labels(cell.labels),
            flags_known=flag_mask(policy_set, unknown),
        )


@dataclass(frozen=True, slots=True)
class Saved:
    """What release needs to decide again once flags and labels are known."""

    plan: Plan
    cell: Cell
    mask: int  # before flags and labels
    held: int  # with what was known of them when planned

    def reach_days(self) -> int | None:
        """The greatest age any grant that may become the authority lets through."""
        policy_set = self.plan.policy_set
        ages: list[int | None] = []
        for _, evidenced in self.plan.evidence:
            under = self.held & evidenced
            if under & policy_set.vetoes:
                continue
            constraints = under & policy_set.constraints
            ages += (
                policy_set.view(grant, constraints)[0].max_age_days
                for grant in bits(under & policy_set.grants)
            )
        bounds = [age for age in ages if age is not None]
        return max(bounds) if len(bounds) == len(ages) else None


def decide(
    policy_set: PolicySet,
    request: Request,
    cell: Cell,
    *,
    supported: frozenset[str] = frozenset(),
) -> Decision:
    """The decision for one cell. `supported`: obligation axes that can be done.

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


def _asserted(request: Request) -> dict[str, str | None]:
    """The request's own attributes, by dimension; None where unknown."""
    return {
        "operations": request.operation,
        "modes": request.mode,
        "purposes": request.purpose,
        "recipients": request.recipient,
        "roles": request.role,
        "assurance": request.assurance,
        "break_glass": _glass(request),
    }


def _glass(request: Request) -> str | None:
    if request.break_glass is False:
        return NO
    # Broken glass is for individual care alone; with another purpose they contradict.
    is_true = request.break_glass is True
    return YES if is_true and request.purpose in vocabulary.INDIVIDUAL else None


def _evidenced(request: Request) -> frozenset[str]:
    """The evidence to try; "none" is always among it, so evidence never refuses."""
    return request.relationships | {vocabulary.NO_RELATIONSHIP}


def _same_org(request: Request, cell: Cell) -> str | None:
    if not request.recipient or not cell.owner:
        return None
    return YES if request.recipient == cell.owner else NO
