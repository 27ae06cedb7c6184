"""An organisation's own table of decisions that it expects, held against a set."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.errors import ConfigurationError
from gateway.policy_files import supposed_item
from gateway.policy_files.asking import Asked, Known, keys_of, read_asked
from gateway.policy_files.supposed_item import Supposed, read_supposed
from gateway.policy_files.tables import Place, read_rows
from policies.analysis.atoms import EVERY_DUTY
from policies.clauses import Agreement, Document
from policies.compile import PolicySet
from policies.decide import Decision, decide
from policies.reading import Node

EFFECTS: Final = ("permit", "deny", "withhold", "unknown-person")
_BEFORE_ANSWERS: Final = ("permit", "deny")
CODES: Final = (
    *("granted", "veto", "no_grant", "not_signed", "expired", "flag", "label"),
    *("stale", "unknown", "cited_absent", "obligation_unsupported", "policy_error"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One row: a question, and what is expected of its decision.

    `authority` is a line's, as "DSA-1/c1@1#Z9A01" or in short "DSA-1/c1".
    """

    name: str
    asked: Asked
    effect: str
    code: str | None
    authority: str | None
    place: Place
    supposed: Supposed | None = None  # None: before any source has answered

    @property
    def said(self) -> str:
        """What is expected, in one line."""
        return _joined(self.effect, self.code, self.authority)

    def shown(self, decision: Decision) -> str:
        """The effect of a decision, on the item that is supposed if there is one."""
        if self.supposed is None:
            return decision.effect
        return self.supposed.shown(self.asked, decision)

    def is_met_by(self, decision: Decision) -> bool:
        """Whether a decision has the effect, and a reason of that code and line."""
        return self.shown(decision) == self.effect and any(
            self.code in (None, because.code) and self._names(because.authority)
            for because in decision.because
        )

    def _names(self, authority: str | None) -> bool:
        if self.authority is None:
            return True
        short = (authority or "").partition("@")[0]
        return self.authority in (authority, short)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A row that a set does not meet, and how it decides instead."""

    expected: Expected
    decision: Decision

    @property
    def got(self) -> str:
        """What was decided, in one line, with every reason."""
        reasons = (_joined(each.code, each.authority) for each in self.decision.because)
        return f"{self.effect} ({'; '.join(reasons)})"

    @property
    def effect(self) -> str:
        """What became of it instead."""
        return self.expected.shown(self.decision)


def read_expected(path: Path, known: Known) -> tuple[Expected, ...]:
    """The rows of a table. ConfigurationError for the first thing wrong."""

    def read(node: Node, place: Place) -> Expected:
        return _expected(node, place, known)

    found = read_rows(path, "expected", read)
    names: set[str] = set()
    for each in found:
        if each.name in names:
            raise ConfigurationError(
                "its name is taken by an earlier row. Give each its own.",
                file=each.place.file,
                key="name",
                line=each.place.line,
            )
        names.add(each.name)
    return found


def missed(policy_set: PolicySet, rows: Iterable[Expected]) -> Iterator[Missed]:
    """The rows that a set decides otherwise, every duty taken for one that is done."""
    for each in rows:
        asked = each.asked
        decision = decide(policy_set, asked.request, asked.cell, supported=EVERY_DUTY)
        if not each.is_met_by(decision):
            yield Missed(expected=each, decision=decision)


def strangers(
    rows: Iterable[Expected], documents: Iterable[Document]
) -> Iterator[tuple[Expected, str]]:
    """The rows that ask of a body which no document names, and as what they do.

    Such a question is always refused, so that a misspelt code would go unseen.
    """
    known = frozenset().union(*map(_bodies, documents))
    for each in rows:
        asked = each.asked
        if asked.cell.owner not in known:
            yield each, "owner"
        if asked.request.recipient not in known:
            yield each, "recipient"


def _bodies(document: Document) -> frozenset[str]:
    if isinstance(document, Agreement):
        return document.parties.providers | document.parties.recipients
    tested = (rule.when.recipients or frozenset() for rule in document.rules)
    return frozenset({document.org}).union(*tested)


def _expected(node: Node, place: Place, known: Known) -> Expected:
    got = keys_of(
        node,
        required=("name", "effect"),
        optional=("code", "authority", *supposed_item.COLUMNS),
    )
    effect, supposed = got["effect"].code(EFFECTS), read_supposed(got)
    if effect not in _BEFORE_ANSWERS and supposed is None:
        named = ", ".join(supposed_item.COLUMNS)
        raise got["effect"].invalid(f"is of one item. Say something of it: {named}.")
    return Expected(
        name=got["name"].text(),
        asked=read_asked(got, known),
        effect=effect,
        supposed=supposed,
        code=got["code"].code(CODES) if "code" in got else None,
        authority=got["authority"].text() if "authority" in got else None,
        place=place,
    )


def _joined(*parts: str | None) -> str:
    return " ".join(each for each in parts if each)
