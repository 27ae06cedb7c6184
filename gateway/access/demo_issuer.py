"""An issuer for development alone: its keys lie in a folder, its tokens are free.

Production refuses to start with it, and refuses its tokens besides.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adapters.errors import ConfigurationError
from gateway.access.requester import Relationship
from gateway.clock import Clock
from gateway.settings import ClientSettings, IssuerSettings, Settings

PRIVATE_KEY: Final = "demo-private.json"
PUBLIC_KEYS: Final = "demo-jwks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a development token should say."""

    client_id: str
    organisation: str
    role: str
    purposes: Sequence[str] = ()  # none: the client's
    relationships: Sequence[Relationship] = ()
    subject: str = "demo-user"
    assurance: str = "aal2"
    lifetime_s: int = 3600
    capacities: Sequence[str] = ()
    signed_in_s_ago: int = 0


def create_keys(folder: Path) -> None:
    """A new key pair in `folder`: demo-private.json (0600) and demo-jwks.json."""
    folder.mkdir(parents=True, exist_ok=True)
    kid = f"demo-{secrets.token_hex(4)}"
    key = ECKey.generate_key(
        "P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True
    )
    private = folder / PRIVATE_KEY
    private.unlink(missing_ok=True)
    private.touch(mode=0o600)
    private.write_text(json.dumps(key.as_dict(private=True)), "utf-8")
    public = {"keys": [key.as_dict(private=False)]}
    (folder / PUBLIC_KEYS).write_text(json.dumps(public), "utf-8")


def mint(settings: Settings, clock: Clock, wanted: Wanted) -> str:
    """A signed token of the demo issuer, for one of its registered clients.

    ConfigurationError in production, without a signing key, or for another client.
    """
    issuer = _issuer(settings)
    client = _client(settings, issuer, wanted)
    now = int(clock.now().timestamp())
    claims: dict[str, Any] = {
        "iss": issuer.issuer,
        "aud": issuer.audience,
        "sub": wanted.subject,
        "client_id": client.client_id,
        "iat": now,
        "exp": now + wanted.lifetime_s,
        "jti": secrets.token_hex(16),
        "organisation": wanted.organisation,
        "role": wanted.role,
        "purposes": sorted(wanted.purposes or client.purposes),
        "aal": wanted.assurance,
        "scope": " ".join(sorted(client.scopes)),
        "auth_time": now - wanted.signed_in_s_ago,
    }
    if wanted.capacities:
        claims["capacities"] = list(wanted.capacities)
    if wanted.relationships:
        claims["relationship"] = [
            {"kind": each.kind, "organisation": each.organisation}
            for each in wanted.relationships
        ]
    key = _signing_key(settings, issuer)
    header = {"alg": "ES256", "kid": key.kid, "typ": "JWT"}
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=["ES256"])


def _issuer(settings: Settings) -> IssuerSettings:
    if settings.environment == "production":
        raise _refusal("the demo issuer is refused in production.")
    found = (each for each in settings.issuers if each.demo and each.signing_key)
    issuer = next(found, None)
    if issuer is None:
        raise _refusal("no [[issuers]] has demo = true and a signing_key. Add them.")
    return issuer


def _client(
    settings: Settings, issuer: IssuerSettings, wanted: Wanted
) -> ClientSettings:
    for client in settings.clients:
        if (client.issuer, client.client_id) == (issuer.issuer, wanted.client_id):
            return client
    raise _refusal("no [[clients]] of the demo issuer has that client_id. Add it.")


def _signing_key(settings: Settings, issuer: IssuerSettings) -> ECKey:
    try:
        document = json.loads(settings.secret(issuer.signing_key or ""))
        return ECKey.import_key(document)
    except (JoseError, ValueError, TypeError, KeyError):
        message = "the signing_key is not a private P-256 JWK. Make new keys."
        raise _refusal(message) from None


def _refusal(message: str) -> ConfigurationError:
    return ConfigurationError(message, file="throughline.toml", key="issuers")
