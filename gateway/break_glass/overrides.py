"""What broken glass would open, before it is broken: of no person, asking no source."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.vocabulary import CATEGORIES
from gateway.policy.plan import Abilities, plan
from gateway.sources import Source
from policies.compile import PolicySet
from policies.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The categories of one organisation that may then be asked, and else not."""

    organisation: str
    categories: tuple[str, ...]


def overrides(
    policy: PolicySet,
    request: Request,
    sources: Sequence[Source],
    *,
    abilities: Abilities,
) -> tuple[Override, ...]:
    """What a request may ask under broken glass alone, by organisation."""
    whole = _permitted(policy, request, sources, abilities=abilities)
    broken = replace(request, break_glass=True)
    opened = _permitted(policy, broken, sources, abilities=abilities) - whole
    return tuple(
        Override(
            organisation=owner,
            categories=tuple(sorted(c for each, c in opened if each == owner)),
        )
        for owner in sorted({owner for owner, _ in opened})
    )


def _permitted(
    policy: PolicySet,
    request: Request,
    sources: Sequence[Source],
    *,
    abilities: Abilities,
) -> set[tuple[str, str]]:
    plans = plan(policy, request, sources, categories=CATEGORIES, abilities=abilities)
    return {
        (each.source.organisation.ods, category)
        for each in plans
        for category in each.permitted
    }
