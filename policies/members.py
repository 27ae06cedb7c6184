"""Documents as they stand in a set: which version, for whom, and who signed it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from policies.clauses import Agreement, Document, LocalRule, Member, Signature
from policies.documents import content_hash
from policies.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMember:
    """A member, the hash of its text, and when each organisation first signed it."""

    member: Member
    hash: str
    signed: Mapping[str, datetime]

    @property
    def document(self) -> Document:
        """The agreement or local rule itself."""
        return self.member.document

    @property
    def standing(self) -> frozenset[str]:
        """The organisations for whose data this version counts, suspended or not."""
        if isinstance(self.document, LocalRule):
            owners = frozenset({self.document.org})
        else:
            owners = self.document.parties.providers & self.signed.keys()
        meant = self.member.standing
        return owners if meant is None else owners & meant


def signed_members(
    documents: Iterable[Document | Member], signatures: Iterable[Signature]
) -> tuple[SignedMember, ...]:
    """The members by id and version, each with the signatures that fit its text.

    A document alone is its own first version. Invalid if two have one id and version
    or are of two kinds, or if two versions stand for one organisation.
    """
    first_signed: defaultdict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)
    for signature in signatures:
        held = first_signed[signature.document, signature.hash]
        earlier = held.get(signature.organisation, signature.at)
        held[signature.organisation] = min(signature.at, earlier)
    members = []
    for each in sorted(map(_member, documents), key=_place):
        found = content_hash(each.document)
        signed = first_signed.get((each.document.id, found), {})
        members.append(SignedMember(member=each, hash=found, signed=signed))
    _check(members)
    return tuple(members)


def _member(given: Document | Member) -> Member:
    return given if isinstance(given, Member) else Member(document=given)


def _place(member: Member) -> tuple[str, int]:
    return member.document.id, member.version


def _check(members: Iterable[SignedMember]) -> None:
    versions: defaultdict[str, list[SignedMember]] = defaultdict(list)
    for each in members:
        versions[each.document.id].append(each)
    for identity, held in versions.items():
        kinds = {isinstance(each.document, Agreement) for each in held}
        if len({each.member.version for each in held}) < len(held) or len(kinds) > 1:
            message = "another document has this id. Give each its own."
            raise Invalid(identity, message)
        standing = [organisation for each in held for organisation in each.standing]
        if len(set(standing)) < len(standing):
            message = (
                "two versions stand for one organisation. Let the newer one stand."
            )
            raise Invalid(identity, message)
