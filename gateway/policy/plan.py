"""One decision per cell (source, category), before any source is called."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, TypeAlias

from gateway.sources import Source
from policies.compile import PolicySet
from policies.decide import Cell, Decision, Request, decide_all
from policies.release import oldest_day

# What this gateway can do to an answer, or for a caller. A view that asks for more
# is denied: an obligation nobody carries out is a promise broken.
ALWAYS: Final = frozenset(
    {
        "hide_fields",
        "mask_fields",
        "date_grain",
        "max_age_days",
        "row_filters",
        "no_onward",
        "retain_seconds",
    }
)
# A reason is asked for where it is wanted; people are told where they can be.
SUPPORTED: Final = ALWAYS | {"justify"}

# What can be done with the data of an owner (ODS code), in one request.
Abilities: TypeAlias = Callable[[str], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """What one source may be asked, and what was decided of each of its cells."""

    source: Source
    decisions: Mapping[str, Decision]  # by category, of those in question
    demographics: Decision | None  # whether it may say who the person is

    @property
    def permitted(self) -> frozenset[str]:
        """The categories it may be asked for."""
        return frozenset(
            c for c, decision in self.decisions.items() if decision.effect == "permit"
        )

    @property
    def denied(self) -> frozenset[str]:
        """The categories in question that it may not be asked for."""
        return frozenset(self.decisions) - self.permitted

    def since(self, asked: date | None, request: Request) -> date | None:
        """The start of the window, moved up where nothing older could be released."""
        ages = [self.decisions[category].reach_days for category in self.permitted]
        known = [age for age in ages if age is not None]
        if not ages or len(known) < len(ages):
            return asked
        oldest = oldest_day(request.now, max(known))
        return oldest if asked is None else max(asked, oldest)


def plan(
    policy: PolicySet,
    request: Request,
    sources: Sequence[Source],
    *,
    categories: frozenset[str],
    abilities: Abilities = lambda _: SUPPORTED,
) -> tuple[SourcePlan, ...]:
    """A decision for every cell that the question touches, in the sources' order."""
    wanted = [
        (source, category)
        for source in sources
        for category in sorted((source.held | {"demographics"}) & categories)
    ]
    decisions = decide_cells(policy, request, wanted, abilities=abilities)
    by_source: dict[str, dict[str, Decision]] = {source.id: {} for source in sources}
    for (source, category), decision in zip(wanted, decisions, strict=True):
        by_source[source.id][category] = decision
    return tuple(_planned(source, by_source[source.id]) for source in sources)


def _planned(source: Source, decisions: Mapping[str, Decision]) -> SourcePlan:
    return SourcePlan(
        source=source,
        decisions={c: each for c, each in decisions.items() if c in source.held},
        demographics=decisions.get("demographics"),
    )


def decide_cells(
    policy: PolicySet,
    request: Request,
    cells: Iterable[tuple[Source, str]],
    *,
    abilities: Abilities = lambda _: SUPPORTED,
) -> tuple[Decision, ...]:
    """What policy says of cells, as their sources register labels and flags."""
    asked = [cell_of(source, category) for source, category in cells]
    able = {owner: abilities(owner) for owner in {each.owner for each in asked}}
    decided: dict[int, Decision] = {}
    for supported in set(able.values()):
        places = [n for n, each in enumerate(asked) if able[each.owner] == supported]
        among = [asked[n] for n in places]
        found = decide_all(policy, request, among, supported=supported)
        decided |= zip(places, found, strict=True)
    return _all_or_none([decided[n] for n in range(len(asked))])


def cell_of(source: Source, category: str) -> Cell:
    """One category of a source, as it is registered."""
    return Cell(
        owner=source.organisation.ods,
        category=category,
        labels="labelled" if source.labels == "labelled" else "unlabelled",
        flags=source.flags,
    )


def _all_or_none(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """A set that fails at one owner's cell is not to be believed at another's."""
    failed = next((d for d in decisions if d.because[0].code == "policy_error"), None)
    if failed is None:
        return tuple(decisions)
    return tuple(
        replace(failed, owner=each.owner, category=each.category) for each in decisions
    )
