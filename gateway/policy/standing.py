"""Which version of a document stands for whom, at an instant.

For each owner the newest version that it has completely signed and that has begun,
unless that would leave out a recipient who must first sign: until then the earlier
one stands. What was proved to narrow waits for nobody.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.policy.states import Party, Stand, Version
from policies.clauses import Member

# So long after its end a version is still named as the reason of a refusal.
_REMEMBERED: Final = timedelta(days=366)


def stands_of(versions: Sequence[Version], now: datetime) -> dict[str, Stand]:
    """What stands for each owner that has signed one of these versions.

    A version carries signatures of recipients only as far as each owner for whom it
    narrowed may; it stands for no other owner while they are only carried.
    """
    owners = sorted({owner for version in versions for owner in version.owners})
    barred: frozenset[tuple[str, int]] = frozenset()
    while True:
        found = {o: _stand(versions, o, now=now, barred=barred) for o in owners}
        stands = _agreed({owner: each for owner, each in found.items() if each})
        unheard = frozenset(_unheard(stands))
        if not unheard:
            return stands
        barred |= unheard


def _stand(
    versions: Iterable[Version],
    owner: str,
    *,
    now: datetime,
    barred: frozenset[tuple[str, int]],
) -> Stand | None:
    """What stands for one owner, were there no other."""
    current: Stand | None = None
    for since, version, party in sorted(
        _begun(versions, owner, now), key=lambda each: (each[0], each[1].version)
    ):
        if (owner, version.version) in barred:
            continue
        if current is None:
            current = Stand(version=version, since=since)
        elif version.version > current.version.version:
            current = _followed(current, version, party, now=now)
    return current


def _begun(
    versions: Iterable[Version], owner: str, now: datetime
) -> list[tuple[datetime, Version, Party]]:
    """The versions that an owner has completely signed, each since when it counts.

    What is signed counts whatever our clock says of when: only a beginning is waited
    for, so that a clock that is behind loses nobody's veto.
    """
    found = []
    for version in versions:
        party = version.party(owner)
        if version.state != "submitted" or party is None or not party.is_owner:
            continue
        if party.completed_at is not None:
            begins = version.begins or party.completed_at
            if version.begins is None or begins <= now:
                found.append((max(party.completed_at, begins), version, party))
    return found


def _followed(
    current: Stand, version: Version, party: Party, *, now: datetime
) -> Stand:
    """The newer version's stand if it may follow, else the current one."""
    live = current.live_for(party.organisation, now) & version.recipients
    owed = live - version.signatories
    if owed and not party.is_narrowing:
        return current
    is_narrowed = party.is_narrowing
    return Stand(
        version=version, since=current.since, carried=owed, is_narrowed=is_narrowed
    )


def _agreed(stands: dict[str, Stand]) -> dict[str, Stand]:
    """The same, each version carrying only whom every owner that narrowed carries.

    To narrow may take a recipient away until it signs; never give it another's data.
    """
    carried: defaultdict[int, list[frozenset[str]]] = defaultdict(list)
    for stand in stands.values():
        if stand.is_narrowed:
            carried[stand.version.version].append(stand.carried)
    by_all = {
        version: frozenset.intersection(*each) for version, each in carried.items()
    }
    return {
        owner: replace(stand, carried=by_all[stand.version.version])
        if stand.is_narrowed
        else stand
        for owner, stand in stands.items()
    }


def _unheard(stands: dict[str, Stand]) -> list[tuple[str, int]]:
    """Owners whose data would go to somebody carried for another owner alone."""
    carrying = {stand.version.version for stand in stands.values() if stand.carried}
    return [
        (owner, stand.version.version)
        for owner, stand in stands.items()
        if stand.version.version in carrying and not stand.is_narrowed
    ]


def members_of(versions: Sequence[Version], now: datetime) -> list[Member]:
    """The versions of one document as they stand in the set of an instant.

    The newest that is submitted is among them though nobody's: a refusal can then
    say that it is not signed.
    """
    stands = {
        owner: stand
        for owner, stand in stands_of(versions, now).items()
        if not stand.version.has_ended(now - _REMEMBERED)
    }
    by_version: defaultdict[int, dict[str, Stand]] = defaultdict(dict)
    for owner, stand in stands.items():
        by_version[stand.version.version][owner] = stand
    members = [_member(held) for _, held in sorted(by_version.items())]
    submitted = [
        each
        for each in versions
        if each.state == "submitted" and not each.has_ended(now - _REMEMBERED)
    ]
    newest = max(submitted, key=lambda each: each.version, default=None)
    if newest is not None and newest.version not in by_version:
        members.append(
            Member(
                document=newest.document, version=newest.version, standing=frozenset()
            )
        )
    return members


def _member(held: dict[str, Stand]) -> Member:
    # Where any carries a recipient all do: the others wait.
    any_stand = next(iter(held.values()))
    return Member(
        document=any_stand.version.document,
        version=any_stand.version.version,
        first_active={owner: stand.since for owner, stand in held.items()},
        standing=frozenset(held),
        carried=any_stand.carried,
        suspended=frozenset(o for o, stand in held.items() if stand.is_suspended(o)),
    )


def turns_of(versions: Sequence[Version], now: datetime) -> set[datetime]:
    """The instants after now at which something else may stand, for the time alone.

    A version begins; or one ends, for which a later one that goes on has to wait.
    """
    submitted = [each for each in versions if each.state == "submitted"]
    turns = {each.begins for each in submitted}
    turns |= {
        each.ends
        for each in submitted
        for later in submitted
        if later.version > each.version and _outlasts(later, each)
    }
    return {at for at in turns if at is not None and at > now}


def _outlasts(later: Version, earlier: Version) -> bool:
    if later.ends is None or earlier.ends is None:
        return False
    return later.ends > earlier.ends
