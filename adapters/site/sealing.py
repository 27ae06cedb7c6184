"""Signing and sealing: what is read before a signature is verified picks a key alone.

A header holds the names it must and no other (`crit`, `b64`, `jku`, `zip` and their
like are refused), each once, and its algorithm is that of the key it names.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jws import JWSRegistry

from adapters.site.keys import NamedKey

_ENCRYPTION: Final = "A256GCM"
_HEADER_CHARACTERS: Final = 1024
_SIGNED: Final = frozenset({"alg", "kid", "typ"})
_SEALED: Final = frozenset({"alg", "enc", "kid", "epk"})
_EPHEMERAL: Final = (
    frozenset({"kty", "crv", "x", "y"}),
    frozenset({"kty", "crv", "x"}),
)
_LARGEST: Final = 64 * 1024 * 1024


class _Signing(JWSRegistry):
    max_payload_length = _LARGEST


class _Sealing(JWERegistry):
    max_ciphertext_length = _LARGEST


class NotAuthentic(Exception):
    """What was received was not made by whom it should be, as it should be.

    `code`: malformed, unknown_key or forged; for what was sealed, altered.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def signed(payload: bytes, key: NamedKey, typ: str) -> str:
    """The payload as a compact JWS."""
    header = {"alg": key.algorithm, "kid": key.kid, "typ": typ}
    registry = _Signing(algorithms=[key.algorithm])
    return jws.serialize_compact(header, payload, key.key, registry=registry)


def verified(token: str | bytes, keys: Mapping[str, NamedKey], typ: str) -> bytes:
    """The payload of a JWS that one of the keys signed, else NotAuthentic."""
    header = _header(token, parts=3)
    if set(header) != _SIGNED or header["typ"] != typ:
        raise NotAuthentic("malformed")
    key = _of(keys, header)
    try:
        registry = _Signing(algorithms=[key.algorithm])
        return jws.deserialize_compact(token, key.key, registry=registry).payload
    except (JoseError, ValueError):
        raise NotAuthentic("forged") from None


def payload_unverified(token: str) -> bytes:
    """The payload of a JWS that we made ourselves: nothing shows here who signed it.

    ValueError for what is no JWS.
    """
    _, payload, _ = token.split(".")
    return _decoded(payload)


def sealed(plain: bytes, key: NamedKey) -> str:
    """The bytes encrypted to a public key, as a compact JWE."""
    header = {"alg": key.algorithm, "enc": _ENCRYPTION, "kid": key.kid}
    registry = _Sealing(algorithms=[key.algorithm, _ENCRYPTION])
    return jwe.encrypt_compact(header, plain, key.key, registry=registry)


def opened(token: str | bytes, keys: Mapping[str, NamedKey]) -> bytes:
    """What was encrypted to one of the keys, else NotAuthentic."""
    header = _header(token, parts=5)
    ephemeral = header.get("epk")
    if (
        set(header) != _SEALED
        or header["enc"] != _ENCRYPTION
        or not isinstance(ephemeral, dict)
        or set(ephemeral) not in _EPHEMERAL
    ):
        raise NotAuthentic("malformed")
    key = _of(keys, header)
    try:
        registry = _Sealing(algorithms=[key.algorithm, _ENCRYPTION])
        plain = jwe.decrypt_compact(token, key.key, registry=registry).plaintext
    except (JoseError, ValueError, TypeError, KeyError):
        raise NotAuthentic("altered") from None
    if plain is None:
        raise NotAuthentic("altered")
    return plain


def digest(token: str | bytes) -> str:
    """The SHA-256, in hex, by which both ends know what was said."""
    data = token.encode("ascii") if isinstance(token, str) else token
    return hashlib.sha256(data).hexdigest()


def _of(keys: Mapping[str, NamedKey], header: Mapping[str, Any]) -> NamedKey:
    kid = header["kid"]
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise NotAuthentic("unknown_key")
    if header["alg"] != key.algorithm:
        raise NotAuthentic("forged")
    return key


def _header(token: str | bytes, *, parts: int) -> dict[str, Any]:
    """The header's names and values, if they are spelt as they should be."""
    try:
        text = token if isinstance(token, str) else token.decode("ascii")
        encoded = text.split(".", 1)[0]
        if text.count(".") != parts - 1 or len(encoded) > _HEADER_CHARACTERS:
            raise NotAuthentic("malformed")
        plain = _decoded(encoded)
        header = json.loads(plain)
        # Spelt again it is the same: no name came twice, and nothing stood between.
        if isinstance(header, dict) and _spelt(header) == plain.decode("ascii"):
            return header
    except (ValueError, RecursionError, binascii.Error):
        pass
    raise NotAuthentic("malformed")


def _decoded(encoded: str) -> bytes:
    padded = encoded + "=" * (-len(encoded) % 4)
    return base64.b64decode(padded, b"-_", True)  # noqa: FBT003 - the library's own: only the alphabet's characters


def _spelt(header: dict[str, Any]) -> str:
    return json.dumps(header, separators=(",", ":"))
