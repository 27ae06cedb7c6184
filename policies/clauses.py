"""The values documents are made of. Field names are the documents' own keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from policies.obligations import FULL_VIEW, View


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """The triple a clause states, with its evidence; never stated by the caller."""

    art6: str
    art9: str
    confidentiality: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Why a clause need not honour an opt-out."""

    code: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A grant: every dimension in a finite set, and no wildcard."""

    id: str
    purposes: frozenset[str]
    legal_basis: LegalBasis
    operations: frozenset[str]
    modes: frozenset[str]
    roles: frozenset[str]
    relationships: frozenset[str]
    assurance: frozenset[str]
    categories: frozenset[str]
    why: str
    cleared_labels: frozenset[str] = frozenset()
    honours: frozenset[str] = frozenset()
    obligations: View = FULL_VIEW
    break_glass: Literal["both", "only"] = "both"
    exemption: Exemption | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Organisations that give data and that receive it, by ODS code."""

    providers: frozenset[str]
    recipients: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """London days, both included; at most three years."""

    from_: date
    through: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A signed document that grants; each provider covers only its own data."""

    id: str
    parties: Parties
    dpia: str
    review_by: date
    valid: Period
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a rule tests; None means every value, future ones too."""

    purposes: frozenset[str] | None = None
    operations: frozenset[str] | None = None
    modes: frozenset[str] | None = None
    agreements: frozenset[str] | None = None
    recipients: frozenset[str] | None = None
    roles: frozenset[str] | None = None
    assurance: frozenset[str] | None = None
    relationships: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    same_org: bool | None = None
    labels_any: frozenset[str] | None = None
    flags_any: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A veto or a constraint; `overridable` ones fall when the glass is broken."""

    id: str
    effect: Literal["veto", "constrain"]
    when: When
    overridable: bool
    why: str
    obligations: View = FULL_VIEW


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRule:
    """One organisation's own rules: they narrow what others see of its data."""

    id: str
    org: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One organisation's agreement to one exact document, by its content hash."""

    document: str
    hash: str
    organisation: str
    person: str = field(repr=False)
    capacity: str
    at: datetime  # UTC


Document = Agreement | LocalRule


def parts_of(document: Document) -> tuple[Clause, ...] | tuple[Rule, ...]:
    """The clauses of an agreement, or the rules of a local rule."""
    return document.clauses if isinstance(document, Agreement) else document.rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One version of a document, as it stands in a set.

    `first_active` says, by provider, since when a version of it grants: its place in
    the order of authority. `standing` are the organisations for whose data this
    version counts; None: all whose signature it has, and a rule's own organisation.
    `carried` are recipients whose signature of an earlier version counts, as nothing
    was widened. `suspended` are organisations for whose data it is inert.
    """

    document: Document
    version: int = 1
    first_active: Mapping[str, datetime] = field(default_factory=dict, hash=False)
    standing: frozenset[str] | None = None
    carried: frozenset[str] = frozenset()
    suspended: frozenset[str] = frozenset()
