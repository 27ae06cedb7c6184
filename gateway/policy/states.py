"""Versions of documents as values, and the state each is in at an instant.

Only four states are kept: draft, submitted, rejected, withdrawn. All others follow
from who signed, which version stands for whom, and the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, Literal

from policies.canonical import canonical_json, sha256_of
from policies.clauses import Agreement, LocalRule
from policies.documents import as_data
from policies.lines import start_of

Kind = Literal["agreement", "local-rule"]
Kept = Literal["draft", "submitted", "rejected", "withdrawn"]
State = Literal[
    "draft",
    "submitted",
    "approved",
    "scheduled",
    "active",
    "suspended",
    "expired",
    "superseded",
    "withdrawn",
    "rejected",
]
Action = Literal["approve", "suspend", "resume"]

CALDICOTT: Final = "caldicott"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One organisation's part in a submitted version.

    An owner is a provider, or the organisation of a local rule; the others receive.
    `needed` people must sign for it. `is_narrowing`: for its data nothing was
    widened, neither of all policy nor of the earlier text by itself; proved when it
    was complete.
    """

    organisation: str
    is_owner: bool
    needed: int
    is_narrowing: bool = False
    completed_at: datetime | None = None
    suspended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One person's yes, for an organisation, to one exact text."""

    organisation: str
    action: Action
    person: str = field(repr=False)
    capacity: str
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the gate says of a version, with the place in the document."""

    code: str
    severity: Literal["refuse", "warn"]
    path: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a document, and all that was done to it. `state` as kept."""

    id: str
    version: int
    kind: Kind
    organisation: str  # whose draft it is
    state: Kept
    document: Agreement | LocalRule
    authors: frozenset[str] = field(repr=False)
    created_at: datetime
    changed_at: datetime
    parties: tuple[Party, ...] = ()
    signed: tuple[Signed, ...] = ()
    findings: tuple[Finding, ...] = ()

    @cached_property
    def content(self) -> str:
        """The document's canonical JSON."""
        return canonical_json(as_data(self.document))

    @cached_property
    def hash(self) -> str:
        """The hash that signatures are of."""
        return sha256_of(as_data(self.document))

    @property
    def owners(self) -> frozenset[str]:
        """Whose data it is about."""
        if isinstance(self.document, LocalRule):
            return frozenset({self.document.org})
        return self.document.parties.providers

    @property
    def recipients(self) -> frozenset[str]:
        """Who may receive under it; nobody under a local rule."""
        if isinstance(self.document, LocalRule):
            return frozenset()
        return self.document.parties.recipients

    @property
    def involved(self) -> frozenset[str]:
        """Every organisation that may see it."""
        return self.owners | self.recipients | {self.organisation}

    @property
    def begins(self) -> datetime | None:
        """When it may first grant; None: at once."""
        if isinstance(self.document, LocalRule):
            return None
        return start_of(self.document.valid.from_)

    @property
    def ends(self) -> datetime | None:
        """From when on it grants nothing; None: it does not end."""
        if isinstance(self.document, LocalRule):
            return None
        return start_of(self.document.valid.through + timedelta(days=1))

    def party(self, organisation: str) -> Party | None:
        """One organisation's part, None before submission or for a stranger."""
        return next((p for p in self.parties if p.organisation == organisation), None)

    def signatures(self, action: Action, organisation: str) -> tuple[Signed, ...]:
        """An organisation's signatures of the present text, for one action."""
        return tuple(
            each
            for each in self.signed
            if (each.action, each.organisation) == (action, organisation)
            and each.hash == self.hash
        )

    @cached_property
    def signatories(self) -> frozenset[str]:
        """Organisations of which at least one person approved the present text."""
        return frozenset(
            each.organisation
            for each in self.signed
            if each.action == "approve" and each.hash == self.hash
        )

    def has_ended(self, now: datetime) -> bool:
        """Whether its period is over."""
        return self.ends is not None and self.ends <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """That a version stands for one owner, and since when one of the document did.

    `carried` are recipients whose signature of an earlier version counts, as nothing
    was widened.
    """

    version: Version
    since: datetime
    carried: frozenset[str] = frozenset()
    is_narrowed: bool = False  # it followed another, and nothing was widened

    @property
    def bound(self) -> frozenset[str]:
        """Recipients whose signature counts."""
        signed = self.version.signatories | self.carried
        return self.version.recipients & signed

    def is_suspended(self, owner: str) -> bool:
        """Whether its owner put it to rest."""
        party = self.version.party(owner)
        return party is not None and party.suspended_at is not None

    def live_for(self, owner: str, now: datetime) -> frozenset[str]:
        """Recipients it grants an owner's data to now."""
        if self.is_suspended(owner) or self.version.has_ended(now):
            return frozenset()
        return self.bound


def presented(version: Version, stands: Mapping[str, Stand], now: datetime) -> State:
    """The state of a version, as told to people, at an instant.

    `stands` is what stands for each owner of the document, of any of its versions.
    """
    if version.state != "submitted":
        return version.state
    newer = {o for o, s in stands.items() if s.version.version > version.version}
    if version.owners <= newer:
        return "superseded"
    if version.has_ended(now):
        return "expired"
    here = {o: s for o, s in stands.items() if s.version.version == version.version}
    return _standing(version, here, now) if here else _waiting(version, now)


def _standing(version: Version, here: Mapping[str, Stand], now: datetime) -> State:
    if all(stand.is_suspended(owner) for owner, stand in here.items()):
        return "suspended"
    if version.kind == "local-rule":
        return "active"
    if any(stand.live_for(owner, now) for owner, stand in here.items()):
        return "active"
    return _waiting(version, now)


def _waiting(version: Version, now: datetime) -> State:
    complete = [p for p in version.parties if p.is_owner and p.completed_at]
    if len(complete) < len(version.owners):
        return "submitted"
    begins = version.begins
    if begins is not None and begins > now and version.signatories & version.recipients:
        return "scheduled"
    return "approved"


def etag_of(version: Version, state: State) -> str:
    """What `If-Match` is compared with: the text and the state, as one word."""
    return sha256_of({"hash": version.hash, "state": state}).removeprefix("sha256:")
