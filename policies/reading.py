"""Strict reading of a document: every error names its place and what would be right.

What comes in is JSON, or YAML whose scalars are all strings: `true` and `"true"`,
365 and `"365"` read alike; nothing else is converted, and nothing is guessed.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Final

from policies.errors import Invalid

_TEXT_LIMIT: Final = 500
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_MOST: Final = 999_999_999
_YEARS: Final = (1948, 2999)  # since the health service began
_TRUTHS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document, and where it stands."""

    value: object
    where: str
    path: str = ""
    pointer: str = ""

    def invalid(self, message: str, *, code: str = "invalid") -> Invalid:
        """The error for this place."""
        return self._invalid(self.path, message, code=code)

    def _invalid(self, path: str, message: str, *, code: str) -> Invalid:
        place = f"{self.where}: {path}" if path else self.where
        return Invalid(place, message, pointer=self.pointer, code=code)

    def fields(
        self, *, required: Collection[str], optional: Collection[str] = ()
    ) -> dict[str, "Node"]:
        """The values of a mapping that has these keys and no others."""
        allowed = (*required, *optional)
        for key in self._mapping():
            if key not in allowed:
                raise self._invalid(
                    self._path_of(str(key)),
                    f"unknown key.{_nearest(key, allowed)} {_listed(allowed)}",
                    code="unknown",
                )
        for key in required:
            self.field(key)
        return {key: self._child(key, held) for key, held in self._mapping().items()}

    def field(self, key: str) -> "Node":
        """The value of one key that must be there."""
        held = self._mapping()
        if key not in held:
            raise self._child(key).invalid("missing. Add it.", code="missing")
        return self._child(key, held[key])

    def entries(self) -> list["Node"]:
        """The values of a list, which may be empty."""
        if not isinstance(self.value, list | tuple):
            raise self.invalid("must be a list.")
        return [
            Node(held, self.where, f"{self.path}[{index}]", f"{self.pointer}/{index}")
            for index, held in enumerate(self.value)
        ]

    def string(self) -> str:
        """Text as given, in Unicode's composed form."""
        if not isinstance(self.value, str):
            raise self.invalid("must be text. Quote it if it looks like a number.")
        return unicodedata.normalize("NFC", self.value)

    def text(self) -> str:
        """A sentence for people: not empty, at most 500 characters, printable."""
        text = " ".join(self.string().split())
        if not text or len(text) > _TEXT_LIMIT or not text.isprintable():
            raise self.invalid(f"must be 1 to {_TEXT_LIMIT} printable characters.")
        return text

    def matching(self, pattern: re.Pattern[str], meaning: str) -> str:
        """Text of the pattern's form."""
        text = self.string()
        if not pattern.fullmatch(text):
            raise self.invalid(f"must be {meaning}.")
        return text

    def names(self, pattern: re.Pattern[str], meaning: str) -> frozenset[str]:
        """At least one text of the pattern's form."""
        entries = self._some()
        return frozenset(entry.matching(pattern, meaning) for entry in entries)

    def code(self, allowed: Collection[str]) -> str:
        """One of a closed list of codes."""
        text = self.string()
        if text not in allowed:
            raise self.invalid(
                f"unknown code.{_nearest(text, allowed)} {_listed(allowed)}",
                code="unknown",
            )
        return text

    def codes(self, allowed: Collection[str]) -> frozenset[str]:
        """At least one of a closed list of codes."""
        return frozenset(entry.code(allowed) for entry in self._some())

    def codes_or_none(self, allowed: Collection[str]) -> frozenset[str]:
        """Any number of a closed list of codes."""
        return frozenset(entry.code(allowed) for entry in self.entries())

    def truth(self) -> bool:
        """True or false; nothing that merely looks like it."""
        if isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, str) and self.value in _TRUTHS:
            return _TRUTHS[self.value]
        raise self.invalid("must be true or false.")

    def whole(self, *, least: int) -> int:
        """A whole number, not below `least`."""
        value = self.value
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not isinstance(value, int) or not is_whole or not least <= value <= _MOST:
            raise self.invalid(f"must be a whole number, {least} to {_MOST}.")
        return value

    def day(self) -> date:
        """A calendar day, YYYY-MM-DD."""
        text = self.matching(_DAY, "a day written YYYY-MM-DD")
        try:
            read = date.fromisoformat(text)
        except ValueError:
            raise self.invalid("must be a day of the calendar.") from None
        if not _YEARS[0] <= read.year <= _YEARS[1]:
            raise self.invalid(f"must lie in the years {_YEARS[0]} to {_YEARS[1]}.")
        return read

    def instant(self) -> datetime:
        """A date and time with its offset; comes back in UTC."""
        try:
            read = datetime.fromisoformat(self.string())
        except ValueError:
            raise self.invalid("must be a time such as 2031-03-01T09:00:00Z.") from None
        if read.tzinfo is None:
            raise self.invalid("must state its offset: end it with Z or +01:00.")
        if not _YEARS[0] <= read.year <= _YEARS[1]:
            raise self.invalid(f"must lie in the years {_YEARS[0]} to {_YEARS[1]}.")
        return read.astimezone(UTC)

    def _mapping(self) -> Mapping[str, object]:
        if not isinstance(self.value, Mapping):
            raise self.invalid("must be a mapping of keys to values.")
        return self.value

    def _some(self) -> list["Node"]:
        entries = self.entries()
        if not entries:
            raise self.invalid("must list at least one value: there is no wildcard.")
        return entries

    def _child(self, key: str, value: object = None) -> "Node":
        return Node(value, self.where, self._path_of(key), f"{self.pointer}/{key}")

    def _path_of(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _nearest(given: object, allowed: Collection[str]) -> str:
    found = get_close_matches(str(given), allowed, 1)
    return f' Did you mean "{found[0]}"?' if found else ""


def _listed(allowed: Collection[str]) -> str:
    return f"Allowed: {', '.join(allowed)}."
