"""Whether a change is proved to widen nothing, whatever comes true of what waits.

What grants nothing today may tomorrow: it has yet to begin, or somebody has yet to
sign it. A change counts as narrowing only if it is one then, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest

from gateway.policy.composition import (
    Composition,
    Versions,
    as_if_signed,
    compose,
    if_all_signed,
    timetable,
)
from gateway.policy.standing import stands_of
from gateway.policy.states import Version
from policies.analysis.narrowing import narrowing
from policies.clauses import Member
from policies.errors import Invalid

_Pair = tuple[Composition, Composition, datetime]


class Comparison:
    """Policy before and after a change, at an instant and at every later turn.

    Takes time: ask it beside the event loop.
    """

    def __init__(self, documents: Versions, changed: Versions, at: datetime) -> None:
        self._before = documents
        self._after = changed
        self._at = at

    def narrows(self, owner: str) -> bool:
        """Whether the change is proved to widen nothing of what is an owner's.

        Proved of things as they are, and again as if all had signed what waits.
        """
        return all(
            _is_proven(was, will, owner=owner, since=since)
            for was, will, since in self._pairs(owner)
        )

    def _pairs(self, owner: str) -> Iterator[_Pair]:
        """All that is to be compared; no line of other owners bears on this one's."""
        before, after = _of(self._before, owner), _of(self._after, owner)
        changed = _changed(before, after)
        yield from self._turns(before, after)
        was = _if_signed(before, self._at, but=changed)
        will = _if_signed(after, self._at, but=changed)
        if (was, will) != (before, after):
            yield from self._turns(was, will)
        if any(
            each.kind == "local-rule" and (each.id, each.version) in changed
            for held in after.values()
            for each in held
        ):
            yield from self._guarded(before, after, owner)

    def _turns(self, before: Versions, after: Versions) -> Iterator[_Pair]:
        turns = {
            begins or self._at
            for documents in (before, after)
            for begins, _ in timetable(documents, self._at)
        }
        for at in sorted(turns):
            yield compose(before, at), compose(after, at), at

    def _guarded(
        self, before: Versions, after: Versions, owner: str
    ) -> Iterator[_Pair]:
        """The rules before and after, over each version that could grant anything.

        One that rests or was superseded could, too: it may come back. Rules stand as
        they do: one that is not signed guards nothing.
        """
        was = compose(_rules(before), self._at)
        will = compose(_rules(after), self._at)
        granting = [
            [each for each in held if _may_grant(each, owner, self._at)]
            for held in after.values()
        ]
        # In a set a document stands for an owner once: its versions come in turn.
        for layer in zip_longest(*granting):
            grants = _all_granting([each for each in layer if each], self._at)
            yield _both(grants, was), _both(grants, will), self._at


def narrows_text(
    versions: Sequence[Version], version: Version, owner: str, *, now: datetime
) -> bool:
    """Whether a version by itself gives no more of an owner's data than the earlier.

    Nothing else counts: what another agreement gives, or a rule forbids, may go. Of
    the earlier ones all are meant that it may come to follow.
    """
    standing = stands_of(versions, now).get(owner)
    lowest = standing.version.version if standing else 0
    earlier = [
        each
        for each in versions
        if lowest <= each.version < version.version and _may_grant(each, owner, now)
    ]
    alone = _all_granting([version], now)
    return all(
        _is_proven(_all_granting([each], now), alone, owner=owner, since=now)
        for each in earlier
    )


def _is_proven(
    was: Composition, will: Composition, *, owner: str, since: datetime
) -> bool:
    if was == will:
        return True
    try:
        before, after = was.compiled(), will.compiled()
    except Invalid:
        return False  # larger than a set may be
    return narrowing(before, after, owner=owner, since=since).is_proven


def _of(documents: Versions, owner: str) -> Versions:
    return {
        identity: held
        for identity, held in documents.items()
        if any(owner in each.owners for each in held)
    }


def _changed(before: Versions, after: Versions) -> frozenset[tuple[str, int]]:
    """The versions that are not what they were, by id and number."""
    return frozenset(
        (each.id, each.version)
        for identity, held in after.items()
        for each in held
        if each not in before.get(identity, ())
    )


def _if_signed(
    documents: Versions, now: datetime, *, but: frozenset[tuple[str, int]]
) -> Versions:
    """The same, all agreements that wait signed by all; not what is changed itself."""
    return {
        identity: [
            each
            if (each.id, each.version) in but
            or (each.kind, each.state) != ("agreement", "submitted")
            else _completed(each, now)
            for each in held
        ]
        for identity, held in documents.items()
    }


def _completed(version: Version, now: datetime) -> Version:
    """The version with all signatures that it lacks; what is done stays as it is."""
    supposed = as_if_signed(version, now).signed
    lacking = [
        each for each in supposed if each.organisation not in version.signatories
    ]
    parties = tuple(
        replace(each, completed_at=each.completed_at or now) for each in version.parties
    )
    return replace(version, parties=parties, signed=(*version.signed, *lacking))


def _may_grant(version: Version, owner: str, now: datetime) -> bool:
    return (
        (version.kind, version.state) == ("agreement", "submitted")
        and owner in version.owners
        and not version.has_ended(now)
    )


def _rules(documents: Versions) -> Versions:
    return {
        identity: [each for each in held if each.kind == "local-rule"]
        for identity, held in documents.items()
    }


def _all_granting(versions: Sequence[Version], now: datetime) -> Composition:
    members = tuple(
        Member(document=each.document, version=each.version) for each in versions
    )
    return if_all_signed(Composition(members=members, signatures=()), now)


def _both(one: Composition, other: Composition) -> Composition:
    return Composition(
        members=(*one.members, *other.members),
        signatures=(*one.signatures, *other.signatures),
    )
