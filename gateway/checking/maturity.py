"""How far a source has come, 0 to 3, and what it lacks for the next level. Pure.

0 it answers. 1 its answers can be relied on: the right person, the window, where each
record is from, no row lost unsaid. 2 they can be used: fresh as promised, in our codes,
with zones and ids that stay. 3 it is a good neighbour: it narrows at the source, tells
of changes, honours corrections, and its placeholders are listed.
Source: docs/adr/0018-measure-a-source-by-four-levels.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.contract import Watches
from gateway.checking.report import Finding, Maturity
from gateway.sources import Source

_WITH_PERSON: Final = "Check with a synthetic person whom it holds: --nhs-number."


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The findings of a check by question, and the source itself."""

    findings: Mapping[str, tuple[Finding, ...]]
    source: Source | None
    kind: str
    corrects: bool  # whether a later record takes an earlier one's place

    def is_good(self, *questions: str) -> bool:
        """Whether each was asked and nothing was found."""
        return all(
            (found := self.findings.get(q, ())) and all(f.result == "ok" for f in found)
            for q in questions
        )

    def is_told(self, *questions: str) -> bool:
        """Whether nothing is wrong with what was asked, or it needs no asking."""
        return all(
            each.result != "wrong"
            for q in questions
            for each in self.findings.get(q, ())
        )

    def was_asked(self, *questions: str) -> bool:
        """Whether every one of them was put."""
        return all(
            any(each.result != "not-asked" for each in self.findings.get(q, ()))
            for q in questions
        )

    def says(self, *caveats: str) -> bool:
        """Whether answers carry one of these caveats."""
        found = self.findings.get("caveats", ())
        return any(each.says.startswith(f"{c}:") for each in found for c in caveats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing a level takes, how it is seen, and what to do where it is not."""

    level: int
    what: str
    is_met: Callable[[Evidence], bool]
    remedy: str


def _right_person(evidence: Evidence) -> bool:
    if not evidence.is_told("unknown-person", "identifiers"):
        return False
    return evidence.is_good("known-person", "nobody-else")


def _window(evidence: Evidence) -> bool:
    return evidence.is_good("window", "no-category", "limit") and _unless_undated(
        evidence, "window-ends"
    )


def _unless_undated(evidence: Evidence, question: str) -> bool:
    """Good, or not to be asked of a person who has no such record."""
    found = evidence.findings.get(question, ())
    return (
        evidence.is_told(question)
        and bool(found)
        and evidence.was_asked("known-person")
    )


def _unaccounted(evidence: Evidence) -> bool:
    return evidence.is_told("rows", "caveats") and not evidence.says("truncated")


def _fresh(evidence: Evidence) -> bool:
    late = evidence.findings.get("cadence", ())
    return evidence.is_good("as-of", "fresh") and all(f.result != "note" for f in late)


def _translated(evidence: Evidence) -> bool:
    notes = evidence.findings.get("codes-translated", ())
    seen = all(each.result in {"ok", "not-asked"} for each in notes)
    return seen and not evidence.says("untranslated_code", "unmapped")


def _rows_read(evidence: Evidence) -> bool:
    found = [
        *evidence.findings.get("rows-read", ()),
        *evidence.findings.get("times-read", ()),
    ]
    return all(each.result in {"ok", "not-asked"} for each in found)


def _stable(evidence: Evidence) -> bool:
    twice = evidence.findings.get("ids-unique", ())
    if any(each.result == "note" for each in twice):
        return False
    return evidence.is_good("record-ids") and evidence.is_told("asking-again")


def _narrows(evidence: Evidence) -> bool:
    return not evidence.says("filter_ignored", "filter_unconfirmed", "search_by_get")


def _watches(evidence: Evidence) -> bool:
    if evidence.source is None:
        return False
    # A database and a server are asked anew each time: there is nothing to be told of.
    live = evidence.kind in {"sql", "fhir"}
    return live or isinstance(evidence.source.adapter, Watches)


def _placeholders(evidence: Evidence) -> bool:
    found = evidence.findings.get("placeholders", ())
    return all(each.result in {"ok", "not-asked"} for each in found)


CRITERIA: Final = (
    Criterion(
        level=0,
        what="it answers",
        is_met=lambda e: e.is_good("source-file", "reached"),
        remedy="Mend what is wrong with source-file or reached.",
    ),
    Criterion(
        level=1,
        what="it finds the right person, and nobody else",
        is_met=_right_person,
        remedy=_WITH_PERSON,
    ),
    Criterion(
        level=1,
        what="it keeps to window, categories and limit",
        is_met=_window,
        remedy=_WITH_PERSON,
    ),
    Criterion(
        level=1,
        what="each record has an id of its own and a category it is held in",
        is_met=lambda e: e.is_good("record-ids") and e.is_told("held", "held-told"),
        remedy=_WITH_PERSON,
    ),
    Criterion(
        level=1,
        what="no row is lost unsaid",
        is_met=_unaccounted,
        remedy="Mend what is wrong with rows or caveats.",
    ),
    Criterion(
        level=1,
        what="it is known who is restricted",
        is_met=lambda e: e.is_good("flags"),
        remedy="Register flags that the source states, or that it keeps back.",
    ),
    Criterion(
        level=2,
        what="it is as fresh as it promises",
        is_met=_fresh,
        remedy="Mend what is wrong with as-of, fresh or cadence.",
    ),
    Criterion(
        level=2,
        what="kinds and statuses are translated",
        is_met=_translated,
        remedy="Translate what codes-translated and caveats name.",
    ),
    Criterion(
        level=2,
        what="99 of 100 rows and times can be read",
        is_met=_rows_read,
        remedy="Mend what rows-read and times-read name.",
    ),
    Criterion(
        level=2,
        what="times have zones",
        is_met=lambda e: e.is_good("time-zones"),
        remedy=_WITH_PERSON,
    ),
    Criterion(
        level=2,
        what="record ids are each one record's, and stay",
        is_met=_stable,
        remedy="Mend what ids-unique and asking-again name.",
    ),
    Criterion(
        level=3,
        what="it narrows at the source",
        is_met=_narrows,
        remedy="Have the server confirm its filters, and take POST searches.",
    ),
    Criterion(
        level=3,
        what="what changes there is seen when it changes",
        is_met=_watches,
        remedy="Use a kind that watches (Watches), or one that is asked live.",
    ),
    Criterion(
        level=3,
        what="a correction takes the place of what it corrects",
        is_met=lambda e: e.corrects,
        remedy='Map version, say [drops] order, or send whole drops: mode = "replace".',
    ),
    Criterion(
        level=3,
        what="placeholders are listed",
        is_met=_placeholders,
        remedy="Add what placeholders counts to absent of that identifier.",
    ),
)


def maturity(evidence: Evidence) -> Maturity:
    """The highest level of which all is met, as is all below it."""
    reached: int | None = None
    for level in range(4):
        lacking = [
            each
            for each in CRITERIA
            if each.level == level and not each.is_met(evidence)
        ]
        if lacking:
            missing = tuple((each.what, each.remedy) for each in lacking)
            return Maturity(level=reached, missing=missing)
        reached = level
    return Maturity(level=reached, missing=())


def by_question(findings: Sequence[Finding]) -> dict[str, tuple[Finding, ...]]:
    """The findings of each question, in their order."""
    found: dict[str, tuple[Finding, ...]] = {}
    for each in findings:
        found[each.question] = (*found.get(each.question, ()), each)
    return found
