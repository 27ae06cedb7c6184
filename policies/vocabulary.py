"""The closed lists policy speaks in: purposes, roles, labels, relationships, flags.

The lists are data (`vocabulary.json`, versioned and hashed); code never repeats them,
and a code once given is never given another meaning.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import Any, Final

from policies.canonical import sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Why data is wanted. `class_`: individual, beyond or administrative."""

    code: str
    hl7: str  # HL7 v3-ActReason; granted exactly, never by its is-a hierarchy
    class_: str


def _load() -> dict[str, Any]:
    text = files("policies").joinpath("vocabulary.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


_DATA: Final = _load()

VERSION: Final[str] = _DATA["version"]
HASH: Final = sha256_of(_DATA)

PURPOSES: Final[Mapping[str, Purpose]] = {
    entry["code"]: Purpose(code=entry["code"], hl7=entry["hl7"], class_=entry["class"])
    for entry in _DATA["purposes"]
}
INDIVIDUAL: Final = frozenset(
    purpose.code for purpose in PURPOSES.values() if purpose.class_ == "individual"
)
OPERATIONS: Final[tuple[str, ...]] = tuple(_DATA["operations"])
MODES: Final[tuple[str, ...]] = tuple(_DATA["modes"])
ASSURANCE: Final[tuple[str, ...]] = tuple(_DATA["assurance"])
ROLES: Final[tuple[str, ...]] = tuple(_DATA["roles"])
CATEGORIES: Final[tuple[str, ...]] = tuple(_DATA["categories"])
RELATIONSHIPS: Final[tuple[str, ...]] = tuple(_DATA["relationships"])  # strongest first
NO_RELATIONSHIP: Final = RELATIONSHIPS[-1]

LABELS: Final[tuple[str, ...]] = tuple(_DATA["labels"])
UNLABELLED: Final[str] = _DATA["unlabelled"]  # the source does not label; clearable
UNRECOGNISED: Final[str] = _DATA["unrecognised"]  # never cleared
CLEARABLE: Final = (*LABELS, UNLABELLED)
UNRESTRICTIVE: Final = frozenset[str](_DATA["unrestrictive"])
SECTOR_LABELS: Final[Mapping[str, str]] = _DATA["sector_labels"]

FLAGS: Final[tuple[str, ...]] = tuple(_DATA["flags"])
CONSENT: Final = re.compile(r"consent:[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

ART6: Final[tuple[str, ...]] = tuple(_DATA["legal_basis"]["art6"])
ART9: Final[tuple[str, ...]] = tuple(_DATA["legal_basis"]["art9"])
CONFIDENTIALITY: Final[tuple[str, ...]] = tuple(_DATA["legal_basis"]["confidentiality"])
EXEMPTIONS: Final[tuple[str, ...]] = tuple(_DATA["exemptions"])

FIELDS: Final[tuple[str, ...]] = tuple(_DATA["fields"])
IDENTITY_FIELDS: Final = frozenset[str](_DATA["identity_fields"])
MASK_LEVELS: Final[tuple[str, ...]] = tuple(_DATA["mask_levels"])
DATE_GRAINS: Final[tuple[str, ...]] = tuple(_DATA["date_grains"])
NOTIFIED: Final[tuple[str, ...]] = tuple(_DATA["notified"])

_STALE_AFTER: Final = {
    flag: timedelta(hours=hours) for flag, hours in _DATA["stale_after_hours"].items()
}


def stale_after(flag: str) -> timedelta:
    """How long a stated flag counts as known; KeyError for no known flag."""
    return _STALE_AFTER["consent" if CONSENT.fullmatch(flag) else flag]


def label_of(raw: str) -> str | None:
    """What a source's own label counts as; None: it restricts nothing.

    A label that is not understood is `unrecognised`, which nothing clears.
    """
    if raw in UNRESTRICTIVE:
        return None
    return raw if raw in LABELS else UNRECOGNISED
