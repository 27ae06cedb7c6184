"""The closed lists of what adapters speak: sectors, kinds, categories, statuses.

The lists are data (`vocabulary.json`); code never repeats them.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final


def _load() -> dict[str, Any]:
    text = files("adapters").joinpath("vocabulary.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


_DATA: Final = _load()

VERSION: Final[str] = _DATA["version"]
KINDS: Final[dict[str, str]] = _DATA["kinds"]
SECTORS: Final = frozenset(str(sector["code"]) for sector in _DATA["sectors"])
CATEGORIES: Final = frozenset[str](_DATA["categories"])
STATUSES: Final = frozenset[str](_DATA["statuses"])
LASTING: Final = frozenset[str](_DATA["lasting"])  # kinds that go on until they end
CAVEATS: Final[dict[str, str]] = _DATA["caveats"]
# Caveats with which an answer is a part, and those that no person can change.
INCOMPLETE: Final = frozenset[str](_DATA["incomplete"])
OF_SOURCE: Final = frozenset[str](_DATA["of_source"])

_SECTOR_CATEGORY: Final[dict[str, str | None]] = {
    sector["code"]: sector["category"] for sector in _DATA["sectors"]
}
ABOVE_SECTOR: Final = frozenset[str](_DATA["above_sector"])


@cache
def category_of(kind: str, sector: str) -> str:
    """The one category of an event: its sector's, but never over medications.

    KeyError for a kind or sector outside the lists.
    Source: spec of categories; hiding lithium behind "mental health" harms.
    """
    own = KINDS[kind]
    return own if own in ABOVE_SECTOR else _SECTOR_CATEGORY[sector] or own


@cache
def categories_of(kinds: frozenset[str], sector: str) -> frozenset[str]:
    """What a source of this sector holds if it can tell of these kinds."""
    return frozenset(category_of(kind, sector) for kind in kinds)
