"""What happens to a site's keys, each in one transaction with its audit record."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy.engine import Connection

from adapters.site.fingerprint import fingerprint, is_same
from adapters.site.keys import Keys, NamedKey
from gateway.access.acting import actor_of
from gateway.access.requester import Requester
from gateway.audit.records import Change
from gateway.enrolment import key_sets
from gateway.enrolment.key_sets import KeySet
from gateway.problems import FieldError, RequestError

LAPSES: Final = timedelta(days=7)  # registered keys that nobody confirms
LASTS: Final = timedelta(days=730)  # confirmed keys, if nothing else is said
LONGEST: Final = timedelta(days=1096)
OVERLAP: Final = timedelta(days=90)  # the longest that old keys stay good beside new
MISTYPED: Final = 5  # then the keys are withdrawn
_MOST: Final = 500  # key sets of one organisation, with those of old
_BELIEVED: Final = 4  # key sets of one site at once
_PUBLIC: Final = ("kty", "crv", "x", "y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What is typed by hand, and how long keys are good; None: as long as usual.

    `old_until` must be said where there are older keys, and only there.
    """

    fingerprint: str = field(repr=False)
    until: datetime | None = None
    old_until: datetime | None = None


def registered(
    connection: Connection,
    now: datetime,
    *,
    requester: Requester,
    site: str,
    keys: Keys,
) -> tuple[KeySet, Change]:
    """New keys, in the place of those that wait to be confirmed."""
    owner = requester.organisation
    of_site = key_sets.held(connection, owner, site)
    waiting = [each for each in of_site if each.state == "registered"]
    replaced = {each.id for each in waiting}
    others = [
        each
        for each in key_sets.of_organisation(connection, owner)
        if each.id not in replaced
    ]
    if len(others) >= _MOST:
        raise RequestError("conflict", "Too many keys were enrolled already.")
    if any(_ids(keys) & _ids(each.read) for each in others):
        message = "A key of these was enrolled before. Make new keys at the site."
        raise RequestError("conflict", message)
    for each in waiting:
        key_sets.remove(connection, each)
    # Of two that are registered at once, the second finds its place taken.
    places = [each.place for each in of_site if each.id not in replaced]
    made = KeySet(
        id=f"sks_{secrets.token_hex(16)}",
        organisation=owner,
        site=site,
        place=1 + max(places, default=0),
        keys=_document(keys),
        state="registered",
        registered_at=now,
        until=now + LAPSES,
    )
    key_sets.add(connection, made)
    return made, _change(requester, made, "register")


def confirmed(
    connection: Connection,
    now: datetime,
    *,
    requester: Requester,
    site: str,
    said: Confirmation,
) -> tuple[KeySet | None, Change]:
    """The waiting keys, believed from now on; None if their fingerprint is another."""
    of_site = _of_site(connection, requester, site)
    waiting = next((one for one in of_site if one.state == "registered"), None)
    if waiting is None or waiting.until <= now:
        raise RequestError("conflict", "No keys of this site wait to be confirmed.")
    older = [one for one in of_site if one.standing(now) == "confirmed"]
    if len(older) >= _BELIEVED:
        raise RequestError("conflict", "Too many keys are good. Revoke some first.")
    until = _until(said, older, now=now)
    if not is_same(said.fingerprint, fingerprint(site, waiting.read)):
        return None, _mistyped(connection, requester, waiting)
    believed = replace(waiting, state="confirmed", confirmed_at=now, until=until)
    key_sets.keep(connection, believed)
    for one in older:
        if said.old_until is not None and said.old_until < one.until:
            key_sets.keep(connection, replace(one, until=said.old_until))
    return believed, _change(requester, believed, "confirm")


def revoked(
    connection: Connection,
    now: datetime,
    *,
    requester: Requester,
    site: str,
    chosen: str | None,
) -> tuple[None, Change]:
    """Nothing is believed of these keys, or of all the site's, ever again."""
    of_site = _of_site(connection, requester, site)
    meant = [one for one in of_site if chosen is None or one.id == chosen]
    if not meant:
        raise RequestError("not-found")
    still = [one for one in meant if one.state != "revoked"]
    if not still:
        raise RequestError("conflict", "That is revoked already.")
    for one in still:
        key_sets.keep(connection, replace(one, state="revoked", revoked_at=now))
    latest = replace(still[0], state="revoked")
    return None, _change(requester, latest, "revoke")


def _of_site(
    connection: Connection, requester: Requester, site: str
) -> Sequence[KeySet]:
    found = key_sets.held(connection, requester.organisation, site)
    if not found:
        raise RequestError("not-found")
    return found


def _until(said: Confirmation, older: Sequence[KeySet], *, now: datetime) -> datetime:
    """When the new keys run out. RequestError request-invalid for what cannot be."""
    until = said.until or now + LASTS
    if not now < until <= now + LONGEST:
        raise _wrong("until", f"is later than now, by {LONGEST.days} days at most")
    if (said.old_until is not None) != bool(older):
        raise _wrong("old_until", "is said where there are older keys, and only there")
    if said.old_until is not None and said.old_until > now + OVERLAP:
        raise _wrong("old_until", f"is at most {OVERLAP.days} days from now")
    return until


def _wrong(name: str, message: str) -> RequestError:
    fault = FieldError(pointer=f"/{name}", code="invalid", message=message)
    return RequestError("request-invalid", errors=(fault,))


def _mistyped(connection: Connection, requester: Requester, waiting: KeySet) -> Change:
    counted = replace(waiting, mistyped=waiting.mistyped + 1)
    if counted.mistyped >= MISTYPED:
        key_sets.remove(connection, counted)
        return _change(requester, counted, "withdraw")
    key_sets.keep(connection, counted)
    return _change(requester, counted, "mistype")


def _change(requester: Requester, of: KeySet, action: str) -> Change:
    return Change(
        actor=actor_of(requester),
        action=action,
        object="site",
        document=of.site,
        version=of.place,
        hash=f"sha256:{sha256(of.keys.encode('ascii')).hexdigest()}",
        state=None if action == "withdraw" else of.state,
    )


def _ids(keys: Keys) -> frozenset[str]:
    return frozenset({*keys.signing, *keys.sealing})


def _document(keys: Keys) -> str:
    """The public document, of nothing but what a public key is made of."""
    return json.dumps(
        {
            "keys": [
                _public(each, use=use)
                for use, known in (("sig", keys.signing), ("enc", keys.sealing))
                for each in known.values()
            ]
        },
        sort_keys=True,
    )


def _public(named: NamedKey, *, use: str) -> dict[str, object]:
    made = named.key.as_dict(private=False)
    plain: dict[str, object] = {name: made[name] for name in _PUBLIC if name in made}
    return plain | {"kid": named.kid, "use": use}
