"""A bearer token, verified in one order, each step before the next is trusted.

One header, its size, three strict parts, a header of `alg`, `kid` and `typ` alone,
a listed algorithm, a key of that issuer fit for it, the signature, and only then
the claims. What is said before the signature picks a configuration and no more.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from starlette.datastructures import Headers

from gateway import safe_json
from gateway.access import jwks
from gateway.access.claims import Claims, invalid, read_claims
from gateway.access.requester import (
    ORGANISATION_HEADER,
    Requester,
    check_registration,
    organisation_of,
    settle,
)
from gateway.clock import Clock
from gateway.problems import RequestError
from gateway.settings import ClientSettings, IssuerSettings, Settings

_SCHEME: Final = re.compile(r"bearer +(\S+)", re.IGNORECASE | re.ASCII)
_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
_DEPTH: Final = 8
_READY: Final = 256


class Authenticator:
    """Turns the headers of a request into a Requester, or refuses."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._auth = settings.auth
        self._clock = clock
        self._development = settings.environment == "development"
        self._issuers = {each.issuer: each for each in settings.issuers}
        self._clients = {
            (each.issuer, each.client_id): each for each in settings.clients
        }
        # By the published key itself, which is kept so that its id stays its own.
        self._ready: dict[
            tuple[int, str], tuple[Mapping[str, Any], jwks.PublicKey | None]
        ] = {}
        self._client = jwks.client_for_keys(settings.limits)
        self._rings = {
            each.issuer: jwks.open_ring(
                each,
                self._client,
                auth=settings.auth,
                limits=settings.limits,
                clock=clock,
            )
            for each in settings.issuers
        }

    async def authenticate(self, headers: Headers) -> Requester:
        """Who is asking.

        RequestError token-missing, token-invalid, not-permitted (the client is not
        registered for this organisation or role), organisation-mismatch,
        duplicate-header or issuer-unavailable.
        """
        token = self._token_of(headers)
        issuer, claims = await self._verify(token)
        client = self._clients.get((issuer.issuer, claims.client_id))
        if client is None:
            raise RequestError("not-permitted")
        asked = _only(headers, ORGANISATION_HEADER)
        organisation = organisation_of(claims.organisations, asked)
        check_registration(client, organisation=organisation, role=claims.role)
        return _requester(issuer, client, claims, organisation=organisation)

    async def aclose(self) -> None:
        for ring in self._rings.values():
            await ring.aclose()
        await self._client.aclose()

    def _token_of(self, headers: Headers) -> str:
        header = _only(headers, "Authorization")
        if header is None:
            raise RequestError("token-missing")
        if len(header) > self._auth.token_bytes + len("Bearer "):
            raise invalid()
        found = _SCHEME.fullmatch(header)
        if found is None:
            raise RequestError("token-missing")
        return found[1]

    async def _verify(self, token: str) -> tuple[IssuerSettings, Claims]:
        parts = token.split(".")
        if len(parts) != 3 or len(token) > self._auth.token_bytes:
            raise invalid()
        header, unverified, _ = (_decoded(part) for part in parts)
        fields = _header_of(header)
        issuer = self._issuer_of(unverified)
        if fields["alg"] not in issuer.algorithms or not _typ_fits(fields, issuer):
            raise invalid()
        key = await self._key(issuer, kid=fields["kid"], algorithm=fields["alg"])
        payload = _verified(token, key, algorithm=fields["alg"])
        now = self._clock.now().timestamp()
        claims = _object(payload)
        return issuer, read_claims(claims, issuer, auth=self._auth, now=now)

    def _issuer_of(self, unverified: bytes) -> IssuerSettings:
        name = _object(unverified).get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None or (issuer.demo and not self._development):
            raise invalid()
        return issuer

    async def _key(
        self, issuer: IssuerSettings, *, kid: str, algorithm: str
    ) -> jwks.PublicKey:
        if jwks.KID.fullmatch(kid) is None or kid in self._auth.revoked_kids:
            raise invalid()
        published = await self._rings[issuer.issuer].find(kid)
        if not published:
            raise invalid()
        return self._fitting(published, algorithm)

    def _fitting(self, published: Mapping[str, Any], algorithm: str) -> jwks.PublicKey:
        """The key ready for use: made ready once, as long as it is published."""
        known, key = self._ready.get((id(published), algorithm), (None, None))
        if known is not published:
            key = jwks.fitting(published, algorithm)
            if len(self._ready) >= _READY:
                self._ready.clear()  # most of them were withdrawn long ago
            self._ready[id(published), algorithm] = published, key
        if not key:
            raise invalid()
        return key


def _only(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise RequestError("duplicate-header")
    return values[0] if values else None


def _decoded(part: str) -> bytes:
    """Strict base64url: its own alphabet, no padding, no loose bits at the end."""
    if _PART.fullmatch(part) is None or len(part) % 4 == 1:
        raise invalid()
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode():
        raise invalid()
    return data


def _object(data: bytes) -> dict[str, Any]:
    try:
        return safe_json.read_object(data, depth=_DEPTH)
    except safe_json.UnsafeJson:
        raise invalid() from None


def _header_of(data: bytes) -> dict[str, str]:
    fields = _object(data)
    if not {"alg", "kid"} <= set(fields) <= {"alg", "kid", "typ"}:
        raise invalid()
    if not all(isinstance(value, str) for value in fields.values()):
        raise invalid()
    return fields


def _typ_fits(fields: Mapping[str, str], issuer: IssuerSettings) -> bool:
    # Media types compare without case (RFC 7515, section 4.1.9).
    known = {typ.casefold() for typ in issuer.typ}
    return "typ" not in fields or fields["typ"].casefold() in known


def _verified(token: str, key: jwks.PublicKey, *, algorithm: str) -> bytes:
    try:
        found = jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError):
        raise invalid() from None
    return found.payload


def _requester(
    issuer: IssuerSettings,
    client: ClientSettings,
    claims: Claims,
    *,
    organisation: str,
) -> Requester:
    return Requester(
        issuer=issuer.issuer,
        subject=claims.subject,
        client_id=claims.client_id,
        kind=issuer.class_,
        organisation=organisation,
        role=claims.role,
        assurance=claims.assurance,
        purposes=settle(requested=claims.purposes, registered=client.purposes),
        scopes=settle(requested=claims.scopes, registered=client.scopes),
        relationships=claims.relationships,
        capacities=claims.capacities & client.capacities,
        signed_in_at=claims.signed_in_at,
        token_id=claims.token_id,
    )
