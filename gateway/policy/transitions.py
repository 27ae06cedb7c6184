"""What may become of a version: each act as a function of what was read, pure.

An act returns the version as it will be; whoever calls writes it with its record.
Acts that compare sets take time: run them beside the event loop.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from adapters import nhs_number
from gateway.access.requester import Requester
from gateway.policy.approvals import (
    Yes,
    approved,
    is_complete,
    parties_of,
    person_of,
    refuse_author,
    signature,
    with_party,
)
from gateway.policy.comparison import Comparison
from gateway.policy.composition import Versions, with_version
from gateway.policy.gate import examine
from gateway.policy.occasion import Occasion
from gateway.policy.standing import stands_of
from gateway.policy.states import Kind, Party, Version
from gateway.problems import FieldError, RequestError
from policies.clauses import Agreement, LocalRule

_SIGNABLE: Final = frozenset(
    {"submitted", "approved", "scheduled", "active", "suspended"}
)

_OTHER_TEXT: Final = "That is the hash of another text. Read it again."


def created(on: Occasion, document: Agreement | LocalRule) -> Version:
    """A new draft: of a new document, or the next version of one.

    RequestError document-invalid where it is not the actor's to draft, conflict while
    an earlier draft of it is open or its id is taken.
    """
    check_ours(on.actor, document)
    kind: Kind = "agreement" if isinstance(document, Agreement) else "local-rule"
    refuse_taken(on, kind, document.id)
    return _next(on, kind, document)


def refuse_taken(on: Occasion, kind: Kind, identity: str) -> None:
    """RequestError conflict where an id is that of a document of others.

    It is theirs once they submitted it; a draft keeps no id from anybody.
    """
    offered = any(
        each.state != "draft" for each in on.snapshot.versions.get(identity, ())
    )
    ours = any(each.state != "draft" for each in _visible(on, kind, identity))
    _require(ours or not offered, "That id is taken. Give the document another.")


def number_of_next(on: Occasion, identity: str) -> int:
    """The number of the next version, whoever may see the earlier ones."""
    versions = on.snapshot.versions.get(identity, ())
    return max((each.version for each in versions), default=0) + 1


def _visible(on: Occasion, kind: Kind, identity: str) -> Sequence[Version]:
    try:
        return on.held(kind, identity)
    except RequestError:
        return ()


def rolled_back(on: Occasion, version: Version, number: int) -> Version:
    """An earlier version's text as a new draft. RequestError not-found, conflict."""
    earlier = on.found(version.kind, version.id, number)
    _require(
        earlier.version < version.version,
        "That is no earlier version. Name one from before.",
    )
    check_ours(on.actor, earlier.document)
    return _next(on, version.kind, earlier.document)


def replaced(on: Occasion, draft: Version, document: Agreement | LocalRule) -> Version:
    """A draft with another text. RequestError conflict, not-permitted, or as above."""
    _own(on, draft)
    _require(draft.state == "draft", "Only a draft may be changed. Make a new version.")
    if document.id != draft.id or type(document) is not type(draft.document):
        raise _invalid("/id", "must stay what it is.")
    check_ours(on.actor, document)
    return _with_writers(on, _written(on, draft, document))


def deleted(on: Occasion, draft: Version) -> Version:
    """A draft that may go. RequestError not-permitted, in-use."""
    _own(on, draft)
    if draft.state != "draft":
        raise RequestError("in-use")
    return draft


def submitted(on: Occasion, draft: Version) -> Version:
    """A draft offered to its parties to sign.

    RequestError conflict, not-permitted; gate-failed with all that forbids it.
    """
    _own(on, draft)
    _require(draft.state == "draft", "Only a draft may be submitted.")
    refuse_taken(on, draft.kind, draft.id)
    # What leaves an organisation out is neither seen nor refused by it, and so keeps
    # nothing of its own from it.
    versions = on.held(draft.kind, draft.id)
    _require_none_open(on, versions)
    newer = [v for v in versions if v.version > draft.version and v.state != "draft"]
    _require(not newer, "A newer version was submitted. Draft it anew upon that one.")
    findings = examine(on, draft)
    return replace(
        draft,
        state="submitted",
        parties=parties_of(on.snapshot.versions, draft, on.now),
        findings=findings,
        changed_at=on.now,
    )


def signed(on: Occasion, version: Version, yes: Yes) -> Version:
    """A version with the actor's signature.

    RequestError not-permitted for authors and strangers; conflict for another text,
    a second signature, or a state in which nothing is to be signed.
    """
    party = _party(on, version)
    refuse_author(version, on.actor)
    _require(
        on.state_of(version) in _SIGNABLE, "There is nothing to sign in its state."
    )
    _require(
        party.completed_at is None, "Your organisation has signed this completely."
    )
    given = signature(version, on.actor, "approve", yes=yes, now=on.now)
    return replace(
        approved(on.snapshot.versions, version, given, now=on.now), changed_at=on.now
    )


def rejected(on: Occasion, version: Version) -> Version:
    """A submitted version that a party will not have; withdrawn, if it was its own.

    RequestError conflict once it grants for somebody, or where without it an earlier
    one would be back: then leave it unsigned.
    """
    _party(on, version)
    message = "It is not waiting to be signed, or stands for a party already."
    _require(on.state_of(version) in {"submitted", "approved"}, message)
    _require(not _holds_back(on, version), message)
    own = on.actor.organisation == version.organisation
    return replace(version, state="withdrawn" if own else "rejected", changed_at=on.now)


def suspended(on: Occasion, version: Version, yes: Yes) -> tuple[Version, ...]:
    """The versions that rest for the actor's organisation from now on.

    All that it has completely signed rest, also those yet to begin. Of an agreement
    one person is enough; of a rule only where that is proved to widen nothing.
    """
    _owner(on, version)
    _require(yes.hash in (None, version.hash), _OTHER_TEXT)
    counting = [
        each
        for each in on.held(version.kind, version.id)
        if _completed(each, on.actor) and not each.has_ended(on.now)
    ]
    awake = [each for each in counting if not _rests(each, on.actor)]
    _require(awake, "Nothing of it is in force for your organisation.")
    after = tuple(_with_rest(on, each, rests=True) for each in awake)
    if version.kind == "agreement":
        return after
    _refuse_authors(on, awake)
    changed: Versions = on.snapshot.versions
    for each in after:
        changed = with_version(changed, each)
    compared = Comparison(on.snapshot.versions, changed, on.now)
    if compared.narrows(on.actor.organisation):
        return after
    seconding = Yes(capacity=yes.capacity)
    return _seconded(on, awake[-1], after, action="suspend", yes=seconding)


def resumed(on: Occasion, version: Version, yes: Yes) -> tuple[Version, ...]:
    """The versions that count again for the actor's organisation, or one step nearer.

    That widens, whatever stands beside: two people, none of them an author.
    """
    _owner(on, version)
    _require(yes.hash in (None, version.hash), _OTHER_TEXT)
    held = on.held(version.kind, version.id)
    resting = [each for each in held if _rests(each, on.actor)]
    _require(resting, "It is not suspended for your organisation.")
    _refuse_authors(on, resting)
    after = tuple(_with_rest(on, each, rests=False) for each in resting)
    seconding = Yes(capacity=yes.capacity)
    return _seconded(on, resting[-1], after, action="resume", yes=seconding)


def _seconded(
    on: Occasion,
    version: Version,
    after: tuple[Version, ...],
    *,
    action: Literal["suspend", "resume"],
    yes: Yes,
) -> tuple[Version, ...]:
    """The change if this is the second yes, one of them a guardian's; else the yes."""
    given = signature(version, on.actor, action, yes=yes, now=on.now)
    waiting = replace(version, signed=(*version.signed, given), changed_at=on.now)
    if is_complete(waiting.signatures(action, on.actor.organisation), 2):
        return after
    return (waiting,)


def _refuse_authors(on: Occasion, versions: Sequence[Version]) -> None:
    """RequestError not-permitted for who wrote any of these that is not superseded."""
    stands = stands_of(on.snapshot.versions[versions[0].id], on.now)
    standing = stands.get(on.actor.organisation)
    for each in versions:
        if standing is None or each.version >= standing.version.version:
            refuse_author(each, on.actor)


def _completed(version: Version, actor: Requester) -> bool:
    party = version.party(actor.organisation)
    return party is not None and party.is_owner and party.completed_at is not None


def _rests(version: Version, actor: Requester) -> bool:
    party = version.party(actor.organisation)
    return party is not None and party.suspended_at is not None


def _with_rest(on: Occasion, version: Version, *, rests: bool) -> Version:
    """The version at rest, or no more, for the actor's organisation."""
    party = version.party(on.actor.organisation)
    assert party is not None  # noqa: S101 - only those that have one are chosen
    moved = replace(party, suspended_at=on.now if rests else None)
    # What was said to an earlier rest or return does not count for the next.
    left = tuple(
        each
        for each in version.signed
        if each.action == "approve" or each.organisation != party.organisation
    )
    return with_party(replace(version, signed=left, changed_at=on.now), moved)


def _next(on: Occasion, kind: Kind, document: Agreement | LocalRule) -> Version:
    """Each organisation has one draft at a time: none keeps another from its own."""
    drafts = [
        each
        for each in on.snapshot.versions.get(document.id, ())
        if each.state == "draft" and each.organisation == on.actor.organisation
    ]
    _require(not drafts, "You have a draft of it already. Change or delete that one.")
    _require_none_open(on, _visible(on, kind, document.id))
    number = number_of_next(on, document.id)
    return _with_writers(on, _drafted(on, document, kind, number=number))


def _with_writers(on: Occasion, draft: Version) -> Version:
    """The draft, whoever wrote the very same text before an author of it too."""
    held = _visible(on, draft.kind, draft.id)
    same = [each.authors for each in held if each.hash == draft.hash]
    return replace(draft, authors=draft.authors.union(*same))


def _require_none_open(on: Occasion, versions: Sequence[Version]) -> None:
    # Of those before the newest nothing is waited for.
    newest = [each for each in versions if each.state == "submitted"][-1:]
    waiting = [
        each
        for each in newest
        if on.state_of(each) == "submitted" and not _holds_back(on, each)
    ]
    message = "A version of it is waiting to be signed. Sign, refuse or withdraw it."
    _require(not waiting, message)


def _holds_back(on: Occasion, version: Version) -> bool:
    """Whether without it an earlier version or a recipient of one would be back.

    That is nothing for one person to bring about; now, or when it begins.
    """
    versions = on.snapshot.versions[version.id]
    at = max(on.now, version.begins or on.now)
    others = [each for each in versions if each.version != version.version]
    without = stands_of(others, at)
    return any(
        owner in without
        and (
            without[owner].version.version < stand.version.version
            or without[owner].bound - stand.bound
        )
        for owner, stand in stands_of(versions, at).items()
    )


def _drafted(
    on: Occasion, document: Agreement | LocalRule, kind: Kind, *, number: int
) -> Version:
    return Version(
        id=document.id,
        version=number,
        kind=kind,
        organisation=on.actor.organisation,
        state="draft",
        document=document,
        authors=frozenset({person_of(on.actor)}),
        created_at=on.now,
        changed_at=on.now,
    )


def _written(on: Occasion, draft: Version, document: Agreement | LocalRule) -> Version:
    """The draft anew: a text is hashed once, when it is first asked for."""
    anew = _drafted(on, document, draft.kind, number=draft.version)
    return replace(
        anew, authors=draft.authors | anew.authors, created_at=draft.created_at
    )


def check_ours(actor: Requester, document: Agreement | LocalRule) -> None:
    """RequestError document-invalid unless the actor's organisation may draft it."""
    if nhs_number.normalise(document.id) is not None:
        raise _invalid("/id", "must not be a number that could be a person's.")
    if isinstance(document, LocalRule):
        if document.org != actor.organisation:
            raise _invalid("/org", "must be your own organisation: a rule is its own.")
        return
    parties = document.parties
    if actor.organisation not in parties.providers | parties.recipients:
        raise _invalid("/parties", "must name your own organisation.")


def _own(on: Occasion, version: Version) -> None:
    if on.actor.organisation != version.organisation:
        message = "It is another organisation's draft."
        raise RequestError("not-permitted", message)


def _party(on: Occasion, version: Version) -> Party:
    _require(version.state == "submitted", "It is not submitted.")
    party = version.party(on.actor.organisation)
    assert party is not None  # noqa: S101 - nobody else sees what is submitted
    return party


def _owner(on: Occasion, version: Version) -> None:
    if not any(
        on.actor.organisation in each.owners
        for each in on.held(version.kind, version.id)
    ):
        message = "Only the organisation that gives the data may do this."
        raise RequestError("not-permitted", message)


def _require(holds: object, message: str) -> None:
    if not holds:
        raise RequestError("conflict", message)


def _invalid(pointer: str, message: str) -> RequestError:
    fault = FieldError(pointer=pointer, code="invalid", message=message)
    return RequestError("document-invalid", message, errors=(fault,))
