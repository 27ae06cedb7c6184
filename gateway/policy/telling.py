"""What is said of a draft, naming no document that a reader of it may not see."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.policy.occasion import Occasion
from gateway.policy.states import Version

_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
# A clause or rule as a finding names it: "DSA-1/c1@2", for one provider "...#Z9A01".
_NAMED: Final = re.compile(rf"({_PART})/{_PART}@[0-9]+(?:#[A-Za-z0-9]{{2,12}})?")
_AGREEMENTS: Final = "other agreements"
_RULES: Final = "a rule of the owner"
_REPEATED: Final = re.compile(rf"\b({_AGREEMENTS}|{_RULES})(?:(?:, | )\1)+\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Findings of one draft, told so that each of their readers may read them.

    They are kept with the draft: its parties read them, and so does who asked.
    """

    anonymous: Callable[[str], str | None]  # of a document's id: None may be named

    @classmethod
    def of(cls, on: Occasion, version: Version) -> "Telling":
        """How to tell all parties of a version, and the actor, about it."""
        readers = version.involved | {on.actor.organisation}
        return cls(anonymous=partial(_anonymous, on, version, readers=readers))

    def told(self, message: str) -> str:
        """The message, others' documents without their names."""
        return _REPEATED.sub(r"\1", _NAMED.sub(self._name, message))

    def _name(self, found: re.Match[str]) -> str:
        return self.anonymous(found[1]) or found[0]


def _anonymous(
    on: Occasion, version: Version, identity: str, *, readers: frozenset[str]
) -> str | None:
    if identity == version.id:
        return None
    held = on.snapshot.versions.get(identity, ())
    if held and all(readers <= each.involved for each in held):
        return None
    is_rule = bool(held) and held[0].kind == "local-rule"
    return _RULES if is_rule else _AGREEMENTS
