"""One act upon the documents as they were read: by whom, when, and on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.access.requester import Requester
from gateway.policy.approvals import Wanted, wanted_of
from gateway.policy.standing import stands_of
from gateway.policy.states import (
    Finding,
    Kind,
    Signed,
    State,
    Version,
    etag_of,
    presented,
)
from gateway.problems import RequestError
from gateway.settings import Settings
from policies.analysis.replay import Recorded
from policies.clauses import Agreement, LocalRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A version of a document as its administrators see it."""

    kind: Kind
    id: str
    version: int
    organisation: str
    state: State
    content: Agreement | LocalRule
    hash: str
    etag: str
    authors: frozenset[str] = field(repr=False)
    created_at: datetime
    changed_at: datetime
    signatures: tuple[Signed, ...]
    waiting_for: tuple[Wanted, ...]
    live_for: tuple[str, ...]  # owners whose data it grants now
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All documents of one moment, and what every change moves on."""

    revision: int
    sequence: int
    versions: Mapping[str, Sequence[Version]]  # by id, oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the gate knows of the world: who is there, and what was decided lately."""

    general_practices: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    recorded: tuple[Recorded, ...] = ()


def known_of(settings: Settings) -> Known:
    """What a configuration says of who is there."""
    return Known(
        general_practices=frozenset(
            source.organisation
            for source in settings.sources
            if source.sector == "primary-care"
        ),
        organisations=frozenset(each.ods for each in settings.organisations),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Who acts, when, and what they may see of a snapshot."""

    snapshot: Snapshot
    actor: Requester
    now: datetime
    known: Known = Known()

    def held(self, kind: Kind, identity: str) -> Sequence[Version]:
        """The versions that the actor may see, oldest first.

        Those their organisation is a party to, and its own drafts; no other's.
        RequestError not-found where there are none.
        """
        versions = self.snapshot.versions.get(identity, ())
        seen = [each for each in versions if each.kind == kind and self._sees(each)]
        if not seen:
            raise RequestError("not-found")
        return seen

    def _sees(self, version: Version) -> bool:
        ours = self.actor.organisation
        if version.state == "draft":
            return ours == version.organisation
        return ours in version.involved

    def found(self, kind: Kind, identity: str, number: int | None = None) -> Version:
        """One version of a document, by default its newest. RequestError not-found."""
        for version in reversed(self.held(kind, identity)):
            if number in (None, version.version):
                return version
        raise RequestError("not-found")

    def newest(self, kind: Kind) -> list[Version]:
        """The newest version of each document that the actor may see, by id."""
        found = []
        for identity in sorted(self.snapshot.versions):
            try:
                found.append(self.found(kind, identity))
            except RequestError:
                continue  # another's
        return found

    def meant(self, kind: Kind, identity: str, if_match: str | None) -> Version:
        """The version that the actor read, if it is still as they read it.

        RequestError not-found, precondition-required, precondition-failed.
        """
        versions = self.held(kind, identity)
        if if_match is None:
            raise RequestError("precondition-required")
        for version in reversed(versions):
            if if_match == etag_of(version, self.state_of(version)):
                return version
        raise RequestError("precondition-failed")

    def state_of(self, version: Version) -> State:
        """The state of a version now."""
        stands = stands_of(self.snapshot.versions.get(version.id, ()), self.now)
        return presented(version, stands, self.now)

    def stored(self, version: Version) -> Stored:
        """A version of the snapshot as it is shown."""
        return shown(version, self.snapshot.versions[version.id], self.now)


def shown(version: Version, versions: Sequence[Version], now: datetime) -> Stored:
    """A version among all of its document, as it is shown at an instant."""
    stands = stands_of(versions, now)
    state = presented(version, stands, now)
    live = [
        owner
        for owner, stand in stands.items()
        if stand.version.version == version.version
        and (version.kind == "local-rule" or stand.live_for(owner, now))
        and not stand.is_suspended(owner)
    ]
    return Stored(
        kind=version.kind,
        id=version.id,
        version=version.version,
        organisation=version.organisation,
        state=state,
        content=version.document,
        hash=version.hash,
        etag=etag_of(version, state),
        authors=version.authors,
        created_at=version.created_at,
        changed_at=version.changed_at,
        signatures=version.signed,
        waiting_for=wanted_of(version)
        if state not in {"expired", "superseded"}
        else (),
        live_for=tuple(sorted(live)),
        findings=version.findings,
    )
