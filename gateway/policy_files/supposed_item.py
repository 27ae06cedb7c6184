"""One item of one person, supposed: what the source says of both, and what is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from gateway.policy_files.asking import Asked, words_of
from policies import vocabulary
from policies.decide import Decision
from policies.reading import Node
from policies.release import Sealed, release

COLUMNS: Final = ("person_flags", "item_labels", "item_age_days")

_STATES: Final = ("present", "absent", "unknown")
_UNDATED: Final = "undated"
_LABELS: Final = (*vocabulary.LABELS, vocabulary.UNRECOGNISED)

Shown = Literal["permit", "deny", "withhold", "unknown-person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What release must know of one thing that a source returned."""

    category: str
    labels: frozenset[str]
    earliest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """What is said of the person and of the item; flags not said are absent."""

    flags: Mapping[str, str] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()
    age_days: int | None = 0  # None: it has no date

    def shown(self, asked: Asked, decision: Decision) -> Shown:
        """What becomes of the item, once its source has answered."""
        if decision.effect == "deny":
            return "deny"
        now = asked.request.now
        item = Item(
            category=asked.cell.category,
            labels=self.labels,
            earliest=None if self.age_days is None else now - self._age,
        )
        said = dict.fromkeys(asked.cell.flags, "absent") | dict(self.flags)
        stated = {
            flag: (state == "present", now)
            for flag, state in said.items()
            if state != "unknown"
        }
        found = release(Sealed([item], stated), {item.category: decision}, now)
        if found.items:
            return "permit"
        return "unknown-person" if found.silent else "withhold"

    @property
    def _age(self) -> timedelta:
        return timedelta(days=self.age_days or 0)


def read_supposed(got: Mapping[str, Node]) -> Supposed | None:
    """What a row supposes of an item and its person; None if it says nothing.

    Invalid, with the place and what would be right.
    """
    if not got.keys() & set(COLUMNS):
        return None
    labels = words_of(got["item_labels"]) if "item_labels" in got else []
    flags = words_of(got["person_flags"]) if "person_flags" in got else []
    age = got.get("item_age_days")
    return Supposed(
        flags=dict(map(_flag, flags)),
        labels=frozenset(each.code(_LABELS) for each in labels),
        age_days=0 if age is None else _age(age),
    )


def _flag(node: Node) -> tuple[str, str]:
    flag, _, state = node.string().partition("=")
    is_flag = flag in vocabulary.FLAGS or vocabulary.CONSENT.fullmatch(flag)
    if not is_flag or state not in _STATES:
        allowed = ", ".join((*vocabulary.FLAGS, "consent:AGREEMENT"))
        raise node.invalid(
            f"must be flags and what is said of them ({', '.join(_STATES)}), such as "
            f'"ndo=present". Flags: {allowed}.',
            code="unknown",
        )
    return flag, state


def _age(node: Node) -> int | None:
    if node.string() == _UNDATED:
        return None
    days = node.whole(least=0)
    if days > 50_000:
        raise node.invalid(f'must be 0 to 50000 days, or "{_UNDATED}".')
    return days
