"""The key of break-glass: it seals tokens, and the reasons that people write.

Kept outside the store and its copies, as the audit key is.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from adapters.errors import ConfigurationError
from gateway.settings import Settings

_BYTES = 32
_HEADER = {"alg": "dir", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassKey:
    """32 secret bytes, and what is made with them."""

    key: bytes = field(repr=False)

    def token_of(self, glass: str) -> str:
        """The token of a broken glass: its id, and a proof that we gave it."""
        return f"{glass}.{self._proof(glass)}"

    def glass_of(self, token: str) -> str | None:
        """The id that a token of ours names; None for any other text."""
        glass, _, proof = token.partition(".")
        if not glass.isascii() or not proof.isascii():
            return None
        return glass if hmac.compare_digest(proof, self._proof(glass)) else None

    def hmac_of(self, what: str, text: str) -> str:
        """A keyed hash of a text in hex; `what` keeps the hashes of uses apart."""
        said = f"{what}|{text}".encode()
        return hmac.new(self._derived(what), said, hashlib.sha256).hexdigest()

    def sealed(self, glass: str, reason: str) -> str:
        """A reason, encrypted, to be read with its own glass alone."""
        content = json.dumps([glass, reason]).encode()
        return jwe.encrypt_compact(_HEADER, content, self._cipher())

    def opened(self, glass: str, sealed: str) -> str | None:
        """The reason; None if it was sealed with another key, or for another glass."""
        try:
            found = jwe.decrypt_compact(sealed, self._cipher())
        except (JoseError, ValueError):
            return None
        owner, reason = json.loads(found.plaintext or b"[null, null]")
        return str(reason) if owner == glass else None

    def _cipher(self) -> OctKey:
        return OctKey.import_key(self._derived("reason"))

    def _proof(self, glass: str) -> str:
        digest = hmac.new(self._derived("token"), glass.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()

    def _derived(self, use: str) -> bytes:
        # A key for each use, so that what one makes says nothing of another.
        return hmac.new(
            self.key, f"break-glass {use}".encode(), hashlib.sha256
        ).digest()


def read_glass_key(settings: Settings) -> GlassKey | None:
    """The key of a configuration; None where there is none, and no glass to break.

    ConfigurationError, without the key, if it is not 32 bytes in hex.
    """
    if settings.break_glass is None:
        return None
    try:
        key = bytes.fromhex(settings.secret(settings.break_glass.key))
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        message = "is not 32 bytes in hex. Make one: openssl rand -hex 32."
        raise ConfigurationError(
            message, file="throughline.toml", key="break_glass.key"
        )
    return GlassKey(key=key)
