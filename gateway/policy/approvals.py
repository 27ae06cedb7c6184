"""How many people must sign, who may, and when an organisation has signed.

What is proved to narrow needs one signature of the owner and acts at once. All else
needs two people, one of them as Caldicott Guardian. Whoever wrote it signs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.access.requester import Requester
from gateway.policy.comparison import Comparison, narrows_text
from gateway.policy.composition import Versions, as_if_signed, with_version
from gateway.policy.states import CALDICOTT, Action, Party, Signed, Version
from gateway.problems import RequestError

APPROVER: Final = "approver"
_TWO: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an organisation still owes: so many people, perhaps one of a capacity."""

    organisation: str
    people: int
    capacity: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Yes:
    """What a person says yes to, by its hash, and as what.

    Without a hash it is what If-Match named; without a capacity, what they are.
    """

    hash: str | None = None
    capacity: str | None = None


def person_of(actor: Requester) -> str:
    """A person of staff, as told apart from all others: issuer and subject."""
    return f"{actor.issuer}#{actor.subject}"


def as_signed(documents: Versions, version: Version, now: datetime) -> Comparison:
    """What a version changes, were it signed by all its parties."""
    signed = with_version(documents, as_if_signed(version, now))
    return Comparison(documents, signed, now)


def parties_of(
    documents: Versions, version: Version, now: datetime
) -> tuple[Party, ...]:
    """Who must sign a version that is submitted, and how many people of each."""
    compared = as_signed(documents, version, now)
    return tuple(
        Party(
            organisation=each,
            is_owner=each in version.owners,
            needed=_TWO if each in version.owners and not compared.narrows(each) else 1,
        )
        for each in sorted(version.owners | version.recipients)
    )


def signature(
    version: Version, actor: Requester, action: Action, *, yes: Yes, now: datetime
) -> Signed:
    """The actor's signature of a version.

    RequestError not-permitted for a capacity that is not theirs; conflict for another
    text, or a second signature of one person.
    """
    if yes.hash not in (None, version.hash):
        message = "That is the hash of another text. Read it again, then sign."
        raise RequestError("conflict", message)
    person = person_of(actor)
    given = version.signatures(action, actor.organisation)
    if any(_is_same(each.person, actor) for each in given):
        message = "You have signed this; another person must sign too."
        raise RequestError("conflict", message)
    return Signed(
        organisation=actor.organisation,
        action=action,
        person=person,
        capacity=_capacity(actor, yes.capacity),
        hash=version.hash,
        at=now,
    )


def _capacity(actor: Requester, asked: str | None) -> str:
    if asked is None:
        return CALDICOTT if CALDICOTT in actor.capacities else APPROVER
    if asked != APPROVER and asked not in actor.capacities:
        message = "You do not hold that capacity."
        raise RequestError("not-permitted", message)
    return asked


def refuse_author(version: Version, actor: Requester) -> None:
    """RequestError not-permitted for whoever wrote any of it."""
    if any(_is_same(each, actor) for each in version.authors):
        message = "You wrote this; somebody else of your organisation must sign it."
        raise RequestError("not-permitted", message)


def _is_same(person: str, actor: Requester) -> bool:
    """Whether the actor may be a person: the same subject, whoever issues the token.

    Who has accounts with two issuers is one person still.
    """
    return person.endswith(f"#{actor.subject}")


def _people(given: Sequence[Signed]) -> int:
    """How many people gave these signatures, told apart by their subjects alone."""
    return len({each.person.partition("#")[2] for each in given})


def is_complete(given: Sequence[Signed], needed: int) -> bool:
    """Whether these signatures of one organisation are as many as it takes."""
    if _people(given) < needed:
        return False
    return needed < _TWO or any(each.capacity == CALDICOTT for each in given)


def approved(
    documents: Versions, version: Version, signed: Signed, *, now: datetime
) -> Version:
    """The version with one more signature, complete for that organisation if it is.

    An owner for whom it meanwhile widens needs two people, whatever it was before.
    """
    party = version.party(signed.organisation)
    assert party is not None  # noqa: S101 - only parties are asked to sign
    proved = party.is_owner and as_signed(documents, version, now).narrows(
        party.organisation
    )
    needed = _TWO if party.is_owner and not proved else party.needed
    with_it = replace(version, signed=(*version.signed, signed))
    given = with_it.signatures("approve", party.organisation)
    is_done = is_complete(given, needed)
    return with_party(
        with_it,
        replace(
            party,
            needed=needed,
            is_narrowing=proved
            and is_done
            and narrows_text(
                documents[version.id], version, party.organisation, now=now
            ),
            completed_at=now if is_done else None,
        ),
    )


def with_party(version: Version, party: Party) -> Version:
    """The version with one organisation's part put in its place."""
    others = [p for p in version.parties if p.organisation != party.organisation]
    held = sorted([*others, party], key=lambda each: each.organisation)
    return replace(version, parties=tuple(held))


def wanted_of(version: Version) -> tuple[Wanted, ...]:
    """What each organisation still owes to a submitted version."""
    if version.state != "submitted":
        return ()
    return tuple(
        _wanted(version, party)
        for party in version.parties
        if party.completed_at is None
    )


def _wanted(version: Version, party: Party) -> Wanted:
    given = version.signatures("approve", party.organisation)
    lacks_guardian = party.needed >= _TWO and not any(
        each.capacity == CALDICOTT for each in given
    )
    people = party.needed - _people(given)
    return Wanted(
        organisation=party.organisation,
        people=max(people, 1),
        capacity=CALDICOTT if lacks_guardian else None,
    )
