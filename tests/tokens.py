"""Tokens made by hand, right and wrong, and the issuers that sign them."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.configuration import ISSUER
from tests.fakes import FakeClock

Key = ECKey | OKPKey | RSAKey


def signing_key(algorithm: str = "ES256", kid: str = "k1") -> Key:
    """The one key of that algorithm and id, however it is asked for."""
    return _made(algorithm, kid)


@cache
def _made(algorithm: str, kid: str) -> Key:
    marks: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", marks, private=True)
        case "ES384":
            return ECKey.generate_key("P-384", marks, private=True)
        case "Ed25519":
            return OKPKey.generate_key("Ed25519", marks, private=True)
        case _:
            return RSAKey.generate_key(2048, marks, private=True)


def published(*keys: Key) -> bytes:
    """A JWKS of their public halves."""
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def claims(clock: FakeClock, **changes: object) -> dict[str, object]:
    """The claims of a right token; a change to `...` takes the claim away."""
    now = int(clock.now().timestamp())
    right: dict[str, object] = {
        "iss": ISSUER,
        "aud": "throughline",
        "sub": "user-1",
        "client_id": "demo-app",
        "iat": now,
        "exp": now + 600,
        "jti": "0123456789abcdef",
        "organisation": "Z9A01",
        "role": "doctor",
        "purposes": ["direct-care"],
        "aal": "aal2",
        "scope": "journey:read",
    } | changes
    return {name: value for name, value in right.items() if value is not ...}


def sign(
    said: dict[str, object] | bytes,
    key: Key | None = None,
    **header: object,
) -> str:
    """A token the library itself would sign."""
    key = key or signing_key()
    fields = {"alg": key.alg, "kid": key.kid, "typ": "JWT"} | header
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    return jws.serialize_compact(fields, payload, key, algorithms=[str(fields["alg"])])


def part(data: object) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forged:
    """A token put together by hand: any header, any payload, any signature."""

    header: object
    payload: object
    key: Key | None = None
    secret: bytes | None = None

    def __str__(self) -> str:
        start = f"{part(self.header)}.{part(self.payload)}"
        return f"{start}.{part(self._signature(start.encode()))}"

    def _signature(self, start: bytes) -> bytes:
        if self.secret is not None:
            return hmac.new(self.secret, start, hashlib.sha256).digest()
        if self.key is None:
            return b""
        model = jws.JWSRegistry.algorithms[str(self.key.alg)]
        signed: bytes = model.sign(start, self.key)
        return signed
