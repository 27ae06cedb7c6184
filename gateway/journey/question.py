"""What a clinician's app asks: one person, one purpose, a window, and conditions."""

from dataclasses import dataclass, field
from datetime import date

from adapters.contract import Identifiers


@dataclass(frozen=True, slots=True, kw_only=True)
class Require:
    """Sources that must have answered, by their id, organisation or sector."""

    sources: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    sectors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A relationship the caller claims for itself, with its reason."""

    kind: str
    reason: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One journey question, parsed. `until` is exclusive; None means no bound."""

    person: Identifiers
    purpose: str
    since: date | None
    until: date | None
    categories: frozenset[str]
    require: Require
    min_sources: int
    strict: bool  # nothing but a complete journey will do
    limit: int  # events
    deadline_s: float
    agreement: str | None
    claim: Claim | None
    break_glass: str | None = field(default=None, repr=False)  # the token
