"""What a check found: a finding to each question, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from adapters.rejects import RejectedRows
from gateway.checking.profile import DataProfile

Result = Literal["ok", "note", "wrong", "not-asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one question found: codes, counts and places, never a patient's value.

    `note` does not keep a source from being ready; `wrong` does. Both name where to
    look and what to do.
    """

    question: str
    result: Result
    says: str
    where: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maturity:
    """The level reached, None below 0, and what the next one lacks."""

    level: int | None
    missing: tuple[tuple[str, str], ...]  # what, and what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything found of one source. Times are in milliseconds."""

    source: str
    organisation: str
    sector: str
    file: str
    findings: tuple[Finding, ...]
    adapter: str | None = None
    abilities: tuple[str, ...] = ()  # of the contract's own: Watches, Forgets, Tuples
    mapping: str | None = None
    held: tuple[str, ...] = ()
    identifier_systems: tuple[str, ...] = ()
    as_of: datetime | None = None
    first_ms: int | None = None
    p50_ms: int | None = None
    rejected: tuple[RejectedRows, ...] = ()
    profile: DataProfile | None = None
    maturity: Maturity | None = None

    @property
    def is_ready(self) -> bool:
        """Whether nothing is wrong."""
        return all(each.result != "wrong" for each in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        return {
            "source": self.source,
            "organisation": self.organisation,
            "sector": self.sector,
            "file": self.file,
            "verdict": "ready" if self.is_ready else "not-ready",
            "adapter": self.adapter,
            "abilities": list(self.abilities),
            "mapping": self.mapping,
            "held": list(self.held),
            "identifier_systems": list(self.identifier_systems),
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "first_ms": self.first_ms,
            "p50_ms": self.p50_ms,
            "findings": [_of_finding(each) for each in self.findings],
            "rejected": [_of_rows(each) for each in self.rejected],
            "profile": self.profile.as_json() if self.profile else None,
            "maturity": _of_maturity(self.maturity),
        }


def ok(question: str, says: str) -> Finding:
    """Nothing to mend."""
    return Finding(question=question, result="ok", says=says)


def note(question: str, says: str, *, where: str, remedy: str) -> Finding:
    """Worth mending; the source is ready without."""
    return Finding(
        question=question, result="note", says=says, where=where, remedy=remedy
    )


def wrong(question: str, says: str, *, where: str, remedy: str) -> Finding:
    """To be mended before the source is ready."""
    return Finding(
        question=question, result="wrong", says=says, where=where, remedy=remedy
    )


def not_asked(questions: Sequence[str], why: str) -> list[Finding]:
    """Questions that could not be put, each with the reason."""
    return [Finding(question=each, result="not-asked", says=why) for each in questions]


def _of_finding(finding: Finding) -> dict[str, Any]:
    return {
        "question": finding.question,
        "result": finding.result,
        "says": finding.says,
        "where": finding.where,
        "remedy": finding.remedy,
    }


def _of_rows(rejected: RejectedRows) -> dict[str, Any]:
    return {
        "file": rejected.file,
        "column": rejected.column,
        "reason": rejected.reason,
        "rows": rejected.rows,
        "first_line": rejected.first_line,
    }


def _of_maturity(told: Maturity | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "level": told.level,
        "missing": [{"what": what, "remedy": remedy} for what, remedy in told.missing],
    }
