"""People in the audit trail: a keyed hash, since ten digits are soon guessed."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.errors import ConfigurationError

_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person, to whoever holds the key: which key, and the HMAC in hex."""

    key_id: str
    hmac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKey:
    """The key of one year; kept as long as the records made with it."""

    key_id: str
    key: bytes = field(repr=False)

    def of_number(self, number: str) -> Subject:
        """The subject of an NHS number of ten digits, normalised before."""
        return self._hashed(number)

    def of(self, identifier: Identifier) -> Subject:
        """The subject of any identifier; an NHS number's is `of_number`'s."""
        if identifier.system in nhs_number.SYSTEMS:
            normal = nhs_number.normalise(identifier.value)
            if normal is not None:
                return self.of_number(normal)
        return self._hashed(f"{identifier.system}|{identifier.value}")

    def of_request(self, data: bytes) -> str:
        """The HMAC of what a caller sent, in hex: never one that a person has."""
        return hmac.new(self.key, b"request\x00" + data, hashlib.sha256).hexdigest()

    def _hashed(self, text: str) -> Subject:
        digest = hmac.new(self.key, text.encode("utf-8"), hashlib.sha256).hexdigest()
        return Subject(key_id=self.key_id, hmac=digest)


def create_key(path: Path) -> None:
    """Write 32 new random bytes, in hex, to a file only its owner reads (0600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(_BYTES) + "\n", "utf-8")


def read_key(key_id: str, secret: str) -> SubjectKey:
    """The key from its hex. ConfigurationError, without the key, if it is not one."""
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        message = "is not 32 bytes in hex. Make one: openssl rand -hex 32."
        raise ConfigurationError(message, file="throughline.toml", key="audit.key")
    return SubjectKey(key_id=key_id, key=key)
