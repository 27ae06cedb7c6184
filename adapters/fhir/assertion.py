"""Who we are, signed: the assertion that private_key_jwt shows at a token endpoint."""

from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec
from authlib.oauth2 import rfc7523  # type: ignore[import-untyped]  # it has no types
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from adapters.errors import Refused
from adapters.fhir.settings import Algorithm, OAuth2Settings

# Servers take five minutes at most, by clocks that differ from ours a little.
_LASTS_S: Final = 240
# Some believe nobody whose assertion is of the future by their clock.
_BACKDATED_S: Final = 10
_RSA_BITS: Final = 2048

PrivateKey: TypeAlias = ECKey | OKPKey | RSAKey

# What a key must be for an algorithm: its type and, for curves, which.
_FITS: Final[dict[Algorithm, tuple[type[PrivateKey], str | None]]] = {
    "RS384": (RSAKey, None),
    "RS512": (RSAKey, None),
    "PS256": (RSAKey, None),
    "ES256": (ECKey, "P-256"),
    "ES384": (ECKey, "P-384"),
    "Ed25519": (OKPKey, "Ed25519"),
}


def assertion(settings: OAuth2Settings, key_text: str, now: datetime) -> str:
    """A JWT of RFC 7523 for the settings' server: iss, sub, aud, iat, exp, a new jti.

    `key_text` is a private key as PEM, or as a JWK, whose own kid stands where the
    settings name none. Refused `credentials` if it is no key that fits `algorithm`.
    """
    algorithm = settings.algorithm
    if algorithm is None:  # the settings do not allow it
        raise _unfit("names no algorithm")
    key = _key(algorithm, key_text)
    if settings.kid and key.kid and settings.kid != key.kid:
        raise _unfit("has another kid than the settings name")
    kid = settings.kid or key.kid
    try:
        signed: str = rfc7523.private_key_jwt_sign(
            key,
            client_id=settings.client_id,
            token_endpoint=settings.audience or settings.token_url,
            alg=algorithm,
            header={"typ": "JWT"} | ({"kid": kid} if kid else {}),
            issued_at=int(now.timestamp()) - _BACKDATED_S,
            expires_at=int(now.timestamp()) + _LASTS_S,
        )
    except JoseError:
        raise _unfit("may not be used to sign") from None
    return signed


def _key(algorithm: Algorithm, key_text: str) -> PrivateKey:
    kind, curve = _FITS[algorithm]
    try:
        key = kind.import_key(_as_given(key_text))
    except (JoseError, ValueError, TypeError, KeyError):
        # KeyError: a JWK of a curve of another type. TypeError: it is encrypted.
        raise _unfit("is no open PEM or JWK, or of another type") from None
    if not key.is_private:
        raise _unfit("is not a private key")
    if isinstance(key, RSAKey):
        is_fit = key.raw_value.key_size >= _RSA_BITS
    else:
        is_fit = key.curve_name == curve
    if not is_fit:
        raise _unfit("is too short, or of another curve")
    return key


def _as_given(key_text: str) -> str | dict[str, Any]:
    """A JWK as the object it is; PEM as the text it is."""
    if not key_text.lstrip().startswith("{"):
        return key_text
    jwk: dict[str, Any] = msgspec.json.decode(key_text, type=dict[str, Any])
    return jwk


def _unfit(what: str) -> Refused:
    message = f"the key that auth.key refers to {what}. See auth.algorithm and kid."
    return Refused("credentials", message, domain="adapter")
