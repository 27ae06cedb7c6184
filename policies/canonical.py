"""One spelling of a value, so that equal documents have equal hashes."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping

Plain = str | int | bool | list["Plain"] | dict[str, "Plain"] | None


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces, NFC text, and no floats (TypeError)."""
    return json.dumps(
        _normal(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def sha256_of(value: object) -> str:
    """The hash "sha256:…", in hexadecimal, of the value's canonical JSON."""
    digest = hashlib.sha256(canonical_json(value).encode()).hexdigest()
    return f"sha256:{digest}"


def _normal(value: object) -> Plain:
    match value:
        case None | bool() | int():
            return value
        case str():
            return unicodedata.normalize("NFC", value)
        case Mapping():
            return {str(_normal(key)): _normal(held) for key, held in value.items()}
        case list() | tuple():
            return [_normal(held) for held in value]
        case _:
            raise TypeError(f"no canonical JSON for {type(value).__name__}")
