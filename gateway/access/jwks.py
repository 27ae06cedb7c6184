"""An issuer's public keys: fetched once for all who wait, kept while fresh.

A key that the issuer withdrew dies when the copy is no longer fresh. An outage of
the issuer is bridged with the copy until it is stale, and is then our 503, never a
caller's 401.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway import safe_json
from gateway.clock import Clock
from gateway.problems import RequestError
from gateway.settings import Auth, IssuerSettings, Limits

Fetch = Callable[[], Awaitable[bytes]]
PublicKey = ECKey | OKPKey | RSAKey

_BYTES: Final = 256 * 1024
_KEYS: Final = 50
_RSA_BITS: Final = 2048
KID: Final = re.compile(r"[\w.~=-]{1,128}", re.ASCII)
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

# What a key must be for an algorithm: its type and, for curves, which.
_FITS: Final[dict[str, tuple[str, str | None]]] = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "PS256": ("RSA", None),
    "RS256": ("RSA", None),
    "Ed25519": ("OKP", "Ed25519"),
}
_TYPES: Final[dict[str, type[PublicKey]]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}


class Unfetched(Exception):
    """The issuer's keys could not be had, or are not keys we take."""


class KeyRing:
    """The keys of one issuer, by key id."""

    def __init__(self, fetch: Fetch, auth: Auth, clock: Clock) -> None:
        self._fetch = fetch
        self._auth = auth
        self._clock = clock
        self._keys: Mapping[str, Mapping[str, Any]] | None = None
        self._fetched = 0.0  # monotonic seconds, as the next
        self._tried: float | None = None
        self._flight: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> Mapping[str, Any] | None:
        """The key as the issuer publishes it, None if it publishes no such key.

        RequestError issuer-unavailable if that cannot be known.
        """
        keys = self._while(self._auth.jwks_fresh_s)
        if keys is None or kid not in keys:
            await self._refetch()
            keys = self._while(self._auth.jwks_stale_s)
        if keys is None:
            raise RequestError(
                "issuer-unavailable", retry_after_s=int(self._auth.jwks_refetch_s) or 1
            )
        return keys.get(kid)

    def _while(self, age_s: float) -> Mapping[str, Mapping[str, Any]] | None:
        if self._clock.monotonic() - self._fetched >= age_s:
            return None
        return self._keys

    async def _refetch(self) -> None:
        """Fetch unless it was tried just now; all who ask meanwhile wait for one."""
        now = self._clock.monotonic()
        if self._flight is None:
            if self._tried is not None and (
                now - self._tried < self._auth.jwks_refetch_s
            ):
                return
            self._tried = now
            self._flight = asyncio.create_task(self._fly())
        # Shielded: a caller who leaves must not take the fetch from the others.
        await asyncio.shield(self._flight)

    async def _fly(self) -> None:
        try:
            keys = read_keys(await self._fetch())
        except Unfetched:
            return
        else:
            self._keys, self._fetched = keys, self._clock.monotonic()
        finally:
            self._flight = None

    async def aclose(self) -> None:
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])


def read_keys(data: bytes) -> dict[str, Mapping[str, Any]]:
    """Key id -> key. Unfetched if the document is not one we take.

    A document that shows a private or a symmetric key is refused whole: whoever
    published it has lost that key, and perhaps others.
    """
    try:
        keys = safe_json.read_object(data).get("keys")
    except safe_json.UnsafeJson:
        raise Unfetched from None
    if not isinstance(keys, list) or len(keys) > _KEYS:
        raise Unfetched
    found: dict[str, Mapping[str, Any]] = {}
    for key in keys:
        if not isinstance(key, dict) or key.get("kty") == "oct" or _PRIVATE & set(key):
            raise Unfetched
        kid = key.get("kid")
        if not isinstance(kid, str) or KID.fullmatch(kid) is None:
            continue  # nothing can name it, so nothing can be verified with it
        if kid in found:
            raise Unfetched
        found[kid] = key
    return found


def fitting(key: Mapping[str, Any], algorithm: str) -> PublicKey | None:
    """The key ready to verify with that algorithm; None if it is not meant for it."""
    kind, curve = _FITS[algorithm]
    operations = key.get("key_ops")
    unfit = (
        key.get("kty") != kind
        or (curve is not None and key.get("crv") != curve)
        or key.get("alg", algorithm) != algorithm
        or key.get("use", "sig") != "sig"
        or (operations is not None and operations != ["verify"])
    )
    return None if unfit else _imported(key, _TYPES[kind])


def _imported(key: Mapping[str, Any], kind: type[PublicKey]) -> PublicKey | None:
    if kind is RSAKey and not _long_enough(key):
        return None
    try:
        return kind.import_key(dict(key))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _long_enough(key: Mapping[str, Any]) -> bool:
    # base64url: four characters are three bytes. Measured before the key is
    # imported, since the library only warns of a short one.
    modulus = key.get("n")
    return isinstance(modulus, str) and len(modulus) * 6 // 8 * 8 >= _RSA_BITS


def from_file(path: Path) -> Fetch:
    """Keys of a file beside the configuration, read again when no longer fresh."""

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(_BYTES + 1)

    async def fetch() -> bytes:
        try:
            return _bounded(await asyncio.to_thread(read))
        except OSError:
            raise Unfetched from None

    return fetch


def from_uri(uri: str, client: httpx.AsyncClient, source_s: float) -> Fetch:
    """Keys over HTTP: bounded in time and bytes, no redirect, nothing compressed."""

    async def fetch() -> bytes:
        try:
            async with asyncio.timeout(source_s):
                return await _download(uri, client)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
            raise Unfetched from None

    return fetch


async def _download(uri: str, client: httpx.AsyncClient) -> bytes:
    asked = client.stream("GET", uri, headers={"Accept-Encoding": "identity"})
    async with asked as response:
        encoding = response.headers.get("Content-Encoding", "identity")
        if response.status_code != 200 or encoding != "identity":
            raise Unfetched
        data = bytearray()
        async for chunk in response.aiter_raw():
            data += chunk
            if len(data) > _BYTES:
                break
        return _bounded(data)


def _bounded(data: bytes | bytearray) -> bytes:
    if len(data) > _BYTES:
        raise Unfetched
    return bytes(data)


def client_for_keys(limits: Limits) -> httpx.AsyncClient:
    """The client that fetches keys: no proxy of the environment, no redirects."""
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(limits.source_s, connect=limits.connect_s),
    )


def open_ring(
    issuer: IssuerSettings,
    client: httpx.AsyncClient,
    *,
    auth: Auth,
    limits: Limits,
    clock: Clock,
) -> KeyRing:
    """The ring of a configured issuer; it names either a file or an address."""
    if issuer.jwks is not None:
        return KeyRing(from_file(issuer.jwks), auth, clock)
    return KeyRing(
        from_uri(issuer.jwks_uri or "", client, limits.source_s), auth, clock
    )
