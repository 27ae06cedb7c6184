"""A second set decides too, and where it would decide otherwise is logged, by count.

Nobody's answer changes by it. What is logged names sources and sets, never a person.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from gateway.policy.plan import Abilities, SourcePlan, decide_cells
from policies.compile import PolicySet
from policies.decide import Decision, Request

_EVENT: Final = "policy_shadow_flip"

Shadow = Callable[[], PolicySet | None]


def log_flips(
    shadow: PolicySet | None,
    request: Request,
    plans: Sequence[SourcePlan],
    *,
    abilities: Abilities,
) -> Counter[tuple[str, str]]:
    """How many cells of each source would fare otherwise, and how; each is logged."""
    if shadow is None:
        return Counter()
    decided = [
        (plan, category, decision)
        for plan in plans
        for category, decision in sorted(plan.decisions.items())
    ]
    cells = [(plan.source, category) for plan, category, _ in decided]
    others = decide_cells(shadow, request, cells, abilities=abilities)
    flips = Counter(
        (plan.source.id, flip)
        for (plan, _, decision), other in zip(decided, others, strict=True)
        if (flip := _flip(decision, other)) is not None
    )
    for (source, flip), count in sorted(flips.items()):
        structlog.get_logger().info(
            _EVENT, source=source, code=flip, reason=shadow.version, count=count
        )
    return flips


def _flip(decision: Decision, other: Decision) -> str | None:
    if decision.effect != other.effect:
        return "newly-allowed" if other.effect == "permit" else "newly-refused"
    if decision.effect == "permit" and decision.view != other.view:
        return "other-view"
    return None
