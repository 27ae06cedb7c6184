"""A token's claims: each checked for its shape and its time, none assumed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from adapters import nhs_number
from gateway.access.requester import Relationship
from gateway.problems import RequestError
from gateway.settings import Auth, IssuerSettings

_TEXT: Final = re.compile(r"[\x21-\x7e]{1,255}")
_ESSENTIAL_TEXTS: Final = ("sub", "client_id", "jti", "role")
_ASSURANCE: Final = frozenset({"aal1", "aal2", "aal3"})
_LATEST: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says, in our words."""

    subject: str = field(repr=False)
    client_id: str
    token_id: str = field(repr=False)
    organisations: tuple[str, ...]
    role: str
    assurance: str | None
    purposes: frozenset[str] | None  # None: the token names none
    scopes: frozenset[str] | None
    relationships: tuple[Relationship, ...]
    capacities: frozenset[str]  # what the person may sign as; none is assumed
    signed_in_at: datetime | None  # None: the issuer does not say


def invalid() -> RequestError:
    """One answer for everything wrong with a token, so that it teaches nothing."""
    return RequestError("token-invalid")


def read_claims(
    claims: Mapping[str, Any], issuer: IssuerSettings, *, auth: Auth, now: float
) -> Claims:
    """Claims of a token whose signature was verified; `now` in seconds of Unix time.

    RequestError token-invalid for anything absent, misshapen, late or early, for
    the wrong class of caller, and for a token bound to a certificate, which this
    gateway cannot see.
    """
    _check_parties(claims, issuer)
    _check_times(claims, auth, now)
    texts = {name: _text(claims.get(name)) for name in _ESSENTIAL_TEXTS}
    _check_class(texts, issuer)
    # Who asked is recorded as it stands, and an NHS number may never be.
    if nhs_number.normalise(texts["sub"]) is not None:
        raise invalid()
    if "cnf" in claims:
        raise invalid()
    return Claims(
        subject=texts["sub"],
        client_id=texts["client_id"],
        token_id=texts["jti"],
        organisations=_organisations(claims.get("organisation")),
        role=texts["role"],
        assurance=_assurance(claims.get("aal")),
        purposes=_texts(claims["purposes"]) if "purposes" in claims else None,
        scopes=_scopes(claims["scope"]) if "scope" in claims else None,
        relationships=_relationships(claims) if issuer.demo else (),
        capacities=_texts(claims["capacities"])
        if "capacities" in claims
        else frozenset(),
        signed_in_at=_sign_in(claims, latest=now + auth.leeway_s),
    )


def _check_parties(claims: Mapping[str, Any], issuer: IssuerSettings) -> None:
    audience = claims.get("aud")
    # A list of several would be a token that another service may replay here.
    alone = [issuer.audience]
    if claims.get("iss") != issuer.issuer or audience not in (issuer.audience, alone):
        raise invalid()


def _check_times(claims: Mapping[str, Any], auth: Auth, now: float) -> None:
    expires, issued = _instant(claims.get("exp")), _instant(claims.get("iat"))
    starts = _instant(claims["nbf"]) if "nbf" in claims else issued
    early = max(issued, starts) > now + auth.leeway_s
    late = expires <= now - auth.leeway_s
    span = expires - issued
    if early or late or not 0 < span <= auth.lifetime_s:
        raise invalid()


def _check_class(texts: Mapping[str, str], issuer: IssuerSettings) -> None:
    # A client acting for itself is its own subject (RFC 9068, section 5).
    for_itself = texts["sub"] == texts["client_id"]
    if for_itself != (issuer.class_ == "system"):
        raise invalid()


def _instant(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid()
    if not 0 <= value < _LATEST:
        raise invalid()
    return float(value)


def _sign_in(claims: Mapping[str, Any], *, latest: float) -> datetime | None:
    if "auth_time" not in claims:
        return None
    at = _instant(claims["auth_time"])
    if at > latest:
        raise invalid()
    return datetime.fromtimestamp(at, UTC)


def _text(value: object) -> str:
    if not isinstance(value, str) or _TEXT.fullmatch(value) is None:
        raise invalid()
    return value


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise invalid()
    return frozenset(_text(item) for item in value)


def _scopes(value: object) -> frozenset[str]:
    if not isinstance(value, str):
        raise invalid()
    return frozenset(value.split())


def _organisations(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(_text(item) for item in listed))


def _assurance(value: object) -> str | None:
    # What we do not know is unknown, which policy never takes for enough.
    return value if isinstance(value, str) and value in _ASSURANCE else None


def _relationships(claims: Mapping[str, Any]) -> tuple[Relationship, ...]:
    if "relationship" not in claims:
        return ()
    listed = claims["relationship"]
    listed = listed if isinstance(listed, list) else [listed]
    return tuple(_relationship(item) for item in listed)


def _relationship(item: object) -> Relationship:
    if not isinstance(item, dict) or set(item) != {"kind", "organisation"}:
        raise invalid()
    return Relationship(
        kind=_text(item["kind"]), organisation=_text(item["organisation"])
    )
