"""Keys of a gateway or a site: its own, private ones, and the other's pinned ones.

Both are documents of JWKs (RFC 7517), each key with `kid` and `use`: "sig" keys are
ES256 or Ed25519, "enc" keys P-256 or X25519. The first of each use is the one in
use; those after it are still good, so that keys are renewed with overlap.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

Key = ECKey | OKPKey
Use = Literal["sig", "enc"]

_KEYS: Final = 20
_DOCUMENT_CHARACTERS: Final = 64 * 1024
_CURVES: Final[dict[tuple[Use, str, str], str]] = {
    ("sig", "EC", "P-256"): "ES256",
    ("sig", "OKP", "Ed25519"): "Ed25519",
    ("enc", "EC", "P-256"): "ECDH-ES+A256KW",
    ("enc", "OKP", "X25519"): "ECDH-ES+A256KW",
}


class NotKeys(ValueError):
    """The document is not one of keys that we take; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey:
    """A key, its id, and the one algorithm it is used with."""

    kid: str
    algorithm: str
    key: Key = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of one end, by id; private or public alike."""

    signing: Mapping[str, NamedKey]
    sealing: Mapping[str, NamedKey]

    @property
    def signs(self) -> NamedKey:
        """The key that signs, or that the other end signs with by now."""
        return next(iter(self.signing.values()))

    @property
    def seals(self) -> NamedKey:
        """The key to encrypt to."""
        return next(iter(self.sealing.values()))


def own_keys(text: str) -> Keys:
    """Private keys, to sign and to open with. NotKeys if one is missing or public."""
    return _read(text, private=True)


def pinned_keys(text: str) -> Keys:
    """The other end's public keys. NotKeys if one is private: it would be lost."""
    return _read(text, private=False)


def made_keys() -> tuple[str, str]:
    """New keys of one end: the private document, and the public one to hand over."""
    made: list[tuple[Key, Use]] = [
        (OKPKey.generate_key("Ed25519"), "sig"),
        (ECKey.generate_key("P-256"), "enc"),
    ]
    named = [{"kid": key.thumbprint(), "use": use} for key, use in made]
    private, public = (
        [
            {**key.as_dict(private=is_private), **names}
            for (key, _), names in zip(made, named, strict=True)
        ]
        for is_private in (True, False)
    )
    return json.dumps({"keys": private}, indent=1), json.dumps(
        {"keys": public}, indent=1
    )


def _read(text: str, *, private: bool) -> Keys:
    found: dict[Use, dict[str, NamedKey]] = {"sig": {}, "enc": {}}
    for entry in _entries(text):
        use, named = _named(entry, private=private)
        if any(named.kid in keys for keys in found.values()):
            raise NotKeys("two keys have one kid. Give each its own.")
        found[use][named.kid] = named
    if not found["sig"] or not found["enc"]:
        raise NotKeys('needs a key of use "sig" and one of use "enc". Add it.')
    return Keys(signing=found["sig"], sealing=found["enc"])


def _entries(text: str) -> list[Any]:
    try:
        # Cut short, a document that is too long is none.
        document = json.loads(text[:_DOCUMENT_CHARACTERS], object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        raise NotKeys("is not a document of JWKs. Make new keys.") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > _KEYS:
        raise NotKeys(f"must list its keys under keys, at most {_KEYS}.")
    return entries


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _named(entry: object, *, private: bool) -> tuple[Use, NamedKey]:
    if not isinstance(entry, dict):
        raise NotKeys("holds something that is no key. Make new keys.")
    if ("d" in entry) != private:
        raise NotKeys(
            "holds a public key. Take the private document."
            if private
            else "holds a private key. Take the public document, and make new keys."
        )
    use, kid = entry.get("use"), entry.get("kid")
    kind = (use, entry.get("kty"), entry.get("crv"))
    algorithm = next((_CURVES[known] for known in _CURVES if known == kind), None)
    if algorithm is None or not _is_kid(kid):
        raise NotKeys("holds a key without a kid, or of a use or curve we do not take.")
    try:
        plain = {name: entry[name] for name in entry if name not in {"use", "alg"}}
        key: Key = (
            ECKey.import_key(plain) if kind[1] == "EC" else OKPKey.import_key(plain)
        )
    except (JoseError, ValueError, TypeError, KeyError):
        raise NotKeys("holds a key that cannot be read. Make new keys.") from None
    return ("sig" if use == "sig" else "enc"), NamedKey(
        kid=str(kid), algorithm=algorithm, key=key
    )


def _is_kid(kid: object) -> bool:
    return (
        isinstance(kid, str)
        and 0 < len(kid) <= 128
        and kid.isascii()
        and all(each.isalnum() or each in "._~=-" for each in kid)
    )
