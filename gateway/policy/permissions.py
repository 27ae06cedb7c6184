"""What a caller may ask of a source, for each purpose and relationship: no person."""

from dataclasses import dataclass
from datetime import datetime

from gateway.access.requester import Requester
from gateway.policy.plan import SUPPORTED, Abilities, decide_cells
from gateway.sources import Source
from policies.compile import PolicySet
from policies.decide import Request
from policies.vocabulary import RELATIONSHIPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """For this purpose, with any of these relationships, these categories."""

    purpose: str
    categories: tuple[str, ...]
    relationships: tuple[str, ...]


def permissions(
    policy: PolicySet,
    requester: Requester,
    source: Source,
    *,
    now: datetime,
    abilities: Abilities = lambda _: SUPPORTED,
) -> tuple[Permission, ...]:
    """What could be asked, if the relationship were evidenced.

    Relationships that open the same categories share an entry.
    """
    found = []
    for purpose in sorted(requester.purposes):
        opened: dict[tuple[str, ...], list[str]] = {}
        for relationship in RELATIONSHIPS:
            request = _request(requester, purpose, relationship, now=now)
            categories = tuple(_permitted(policy, request, source, abilities=abilities))
            if categories:
                opened.setdefault(categories, []).append(relationship)
        found += [
            Permission(purpose=purpose, categories=categories, relationships=tuple(how))
            for categories, how in opened.items()
        ]
    return tuple(found)


def _permitted(
    policy: PolicySet, request: Request, source: Source, *, abilities: Abilities
) -> list[str]:
    categories = sorted(source.held)
    cells = [(source, each) for each in categories]
    decisions = decide_cells(policy, request, cells, abilities=abilities)
    both = zip(categories, decisions, strict=True)
    return [category for category, decision in both if decision.effect == "permit"]


def _request(
    requester: Requester, purpose: str, relationship: str, *, now: datetime
) -> Request:
    return Request(
        operation="journey.read",
        mode="identified",
        purpose=purpose,
        agreement=None,
        recipient=requester.organisation,
        role=requester.role,
        assurance=requester.assurance,
        relationships=frozenset({relationship}),
        break_glass=False,
        now=now,
    )
