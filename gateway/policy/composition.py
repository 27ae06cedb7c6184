"""What a set is made of: members and signatures, and what would be if all signed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.policy.standing import members_of, turns_of
from gateway.policy.states import Party, Signed, Version
from policies.canonical import sha256_of
from policies.clauses import Agreement, LocalRule, Member, Signature
from policies.compile import PolicySet, compile_set
from policies.documents import as_data, content_hash

_Part = tuple[tuple[Member, ...], tuple[Signature, ...]]
Versions = Mapping[str, Sequence[Version]]  # of every document, oldest first

_NOBODY: Final = "as-if-signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The members of a set and the signatures they have."""

    members: tuple[Member, ...]
    signatures: tuple[Signature, ...]

    def compiled(self) -> PolicySet:
        """The set itself. Invalid if it is larger than one may be."""
        return compile_set(self.members, self.signatures)

    @property
    def digest(self) -> str:
        """The hash of all that the set depends on but engine and vocabulary."""
        members = [
            {"hash": content_hash(each.document), **standing_as_data(each)}
            for each in self.members
        ]
        signatures = [as_data(each) for each in self.signatures]
        return sha256_of({"members": members, "signatures": signatures})


def standing_as_data(member: Member) -> dict[str, object]:
    """A member as plain data, but for its document."""
    return {
        "id": member.document.id,
        "version": member.version,
        "standing": sorted(member.standing or ()),
        "carried": sorted(member.carried),
        "suspended": sorted(member.suspended),
        "first_active": {
            organisation: at.isoformat()
            for organisation, at in sorted(member.first_active.items())
        },
    }


def compose(documents: Versions, now: datetime) -> Composition:
    """What stands at an instant, of all documents, in one order."""
    return _joined({each: _part(held, now) for each, held in documents.items()})


def timetable(
    documents: Versions, now: datetime
) -> list[tuple[datetime | None, Composition]]:
    """What stands now (None), and whatever will for the time alone, from when on."""
    parts = {each: _part(held, now) for each, held in documents.items()}
    found: list[tuple[datetime | None, Composition]] = [(None, _joined(parts))]
    turns: defaultdict[datetime, list[str]] = defaultdict(list)
    for each, held in documents.items():
        for at in turns_of(held, now):
            turns[at].append(each)
    for at, turning in sorted(turns.items()):
        turned = {each: _part(documents[each], at) for each in turning}
        if any(parts[each] != part for each, part in turned.items()):
            parts |= turned
            found.append((at, _joined(parts)))
    return found


def about(composition: Composition, owners: frozenset[str]) -> Composition:
    """A composition cut down to what it says of these owners' data, and as before."""
    members: list[Member] = []
    hashes: dict[str, str] = {}  # a signature fits one text: it goes with the cut one
    for member in composition.members:
        cut = _about(member, owners)
        if cut is not None:
            members.append(cut)
            hashes[content_hash(member.document)] = content_hash(cut.document)
    signatures = tuple(
        replace(each, hash=hashes[each.hash])
        for each in composition.signatures
        if each.hash in hashes
    )
    return Composition(members=tuple(members), signatures=signatures)


def _about(member: Member, owners: frozenset[str]) -> Member | None:
    document = member.document
    standing = None if member.standing is None else member.standing & owners
    if isinstance(document, LocalRule):
        is_about = document.org in owners
        return replace(member, standing=standing) if is_about else None
    parties = document.parties
    left = parties.providers & owners
    if not left:
        return None
    cut = replace(document, parties=replace(parties, providers=left))
    return replace(member, document=cut, standing=standing)


def _part(versions: Sequence[Version], now: datetime) -> _Part:
    """What one document adds to the set of an instant."""
    members = members_of(versions, now)
    by_number = {each.version: each for each in versions}
    signatures = [
        signature
        for member in members
        for signature in _signatures(by_number[member.version])
    ]
    return tuple(members), tuple(signatures)


def _joined(parts: Mapping[str, _Part]) -> Composition:
    ordered = [parts[each] for each in sorted(parts)]
    signatures = {
        sha256_of(as_data(each)): each for _, given in ordered for each in given
    }
    return Composition(
        members=tuple(member for members, _ in ordered for member in members),
        signatures=tuple(each for _, each in sorted(signatures.items())),
    )


def with_version(documents: Versions, version: Version) -> dict[str, Sequence[Version]]:
    """The same documents, one version of one added or put in its place."""
    others = [
        each
        for each in documents.get(version.id, ())
        if each.version != version.version
    ]
    held = sorted([*others, version], key=lambda each: each.version)
    return {**documents, version.id: held}


def as_if_signed(version: Version, now: datetime) -> Version:
    """The version as it would be, had every party signed it already."""
    organisations = sorted(version.owners | version.recipients)
    return replace(
        version,
        state="submitted",
        parties=tuple(
            Party(
                organisation=each,
                is_owner=each in version.owners,
                needed=1,
                completed_at=now,
            )
            for each in organisations
        ),
        signed=tuple(
            Signed(
                organisation=each,
                action="approve",
                person=_NOBODY,
                capacity=_NOBODY,
                hash=version.hash,
                at=now,
            )
            for each in organisations
        ),
    )


def if_all_signed(composition: Composition, now: datetime) -> Composition:
    """The same documents, the newest version of each signed by all its parties.

    What rests goes on resting where no newer version waits.
    """
    newest = {each.document.id: each for each in composition.members}
    members = tuple(_all_standing(each) for each in newest.values())
    given = {(each.hash, each.organisation) for each in composition.signatures}
    lacking = [
        Signature(
            document=each.document.id,
            hash=content_hash(each.document),
            organisation=organisation,
            person=_NOBODY,
            capacity=_NOBODY,
            at=now,
        )
        for each in members
        if isinstance(each.document, Agreement)
        for organisation in sorted(_parties(each.document) - each.carried)
        if (content_hash(each.document), organisation) not in given
    ]
    return Composition(members=members, signatures=(*composition.signatures, *lacking))


def _parties(agreement: Agreement) -> frozenset[str]:
    return agreement.parties.providers | agreement.parties.recipients


def _all_standing(member: Member) -> Member:
    document = member.document
    owners = (
        document.parties.providers
        if isinstance(document, Agreement)
        else frozenset({document.org})
    )
    return replace(member, standing=owners)


def _signatures(version: Version) -> Iterable[Signature]:
    return (
        Signature(
            document=version.id,
            hash=each.hash,
            organisation=each.organisation,
            person=each.person,
            capacity=each.capacity,
            at=each.at,
        )
        for each in version.signed
        if each.action == "approve" and each.hash == version.hash
    )
