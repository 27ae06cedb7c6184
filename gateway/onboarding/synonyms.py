"""What columns and words are usually called: read once from `synonyms.toml`."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

STRONG: Final = 2
WEAK: Final = 1
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_APART: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Synonyms:
    """The lists, made ready."""

    roles: Mapping[str, tuple[tuple[re.Pattern[str], int], ...]]
    absent: frozenset[str]
    days: frozenset[date]
    doubtful_days: frozenset[date]
    statuses: Mapping[str, str]
    kinds: tuple[tuple[str, tuple[str, ...]], ...]
    by_sector: Mapping[str, str]

    def strength(self, name: str, role: str) -> int:
        """How surely a column of this name plays a part: STRONG, WEAK or 0."""
        plain = words(name)
        found = (s for pattern, s in self.roles[role] if pattern.fullmatch(plain))
        return max(found, default=0)

    def kind(self, names: Iterable[str], sector: str) -> tuple[str, tuple[str, ...]]:
        """The kind of event most of these columns suggest, and the words that do.

        Without any such word, what the sector mostly sends.
        """
        plain = [f" {words(each)} " for each in names]
        spoken = [
            (kind, [word for each in plain for word in said if f" {word}" in each])
            for kind, said in self.kinds
        ]
        kind, found = max(spoken, key=lambda each: len(each[1]))
        if not found:
            return self.by_sector[sector], ()
        return kind, tuple(dict.fromkeys(word.strip() for word in found))


def words(name: str) -> str:
    """A column's name in lower case, its words apart by one space."""
    return _APART.sub(" ", _CAMEL.sub(" ", name).lower()).strip()


@cache
def synonyms() -> Synonyms:
    """The lists of this release."""
    text = (files("gateway.onboarding") / "synonyms.toml").read_text("utf-8")
    told = tomllib.loads(text)
    return Synonyms(
        roles={
            role: tuple(
                (re.compile(each), strength)
                for key, strength in (("strong", STRONG), ("weak", WEAK))
                for each in lists.get(key, ())
            )
            for role, lists in told["roles"].items()
        },
        absent=frozenset(told["absent"]["words"]),
        days=frozenset(map(date.fromisoformat, told["absent"]["days"])),
        doubtful_days=frozenset(
            map(date.fromisoformat, told["absent"]["doubtful_days"])
        ),
        statuses=told["statuses"],
        kinds=tuple((each["kind"], tuple(each["words"])) for each in told["kinds"]),
        by_sector=told["by_sector"],
    )
