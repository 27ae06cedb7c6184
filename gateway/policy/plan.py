"""One decision per cell (source, category), before any source is called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.sources import Source
from policies.compile import PolicySet
from policies.decide import Cell, Decision, Request, decide_all
from policies.release import oldest_day

# What this gateway can do to an answer, or for a caller. A view that asks for more
# is denied: an obligation nobody carries out is a promise broken.
SUPPORTED: Final = frozenset(
    {
        "hide_fields",
        "mask_fields",
        "date_grain",
        "max_age_days",
        "no_onward",
        "retain_seconds",
        "justify",
    }
)


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
) -> tuple[SourcePlan, ...]:
    """A decision for every cell that the question touches, in the sources' order."""
    wanted = [
        (source, category)
        for source in sources
        for category in sorted((source.held | {"demographics"}) & categories)
    ]
    decisions = decide_cells(policy, request, wanted)
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
    policy: PolicySet, request: Request, cells: Iterable[tuple[Source, str]]
) -> tuple[Decision, ...]:
    """What policy says of cells, as their sources register labels and flags."""
    return decide_all(
        policy,
        request,
        [
            Cell(
                owner=source.organisation.ods,
                category=category,
                labels="labelled" if source.labels == "labelled" else "unlabelled",
                flags=source.flags,
            )
            for source, category in cells
        ],
        supported=SUPPORTED,
    )
