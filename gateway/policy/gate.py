"""Whether a draft may be submitted: all that forbids it, all that gives pause."""

from dataclasses import replace
from typing import Final

from gateway.policy.composition import about
from gateway.policy.occasion import Occasion
from gateway.policy.oracle import Opinion, consult
from gateway.policy.states import Finding, Version
from gateway.policy.supposing import Supposition, supposed
from gateway.policy.telling import Telling
from gateway.problems import FieldError, RequestError
from policies.analysis.findings import Lint
from policies.analysis.gate import Tried, gate
from policies.analysis.lawfulness import Circumstances
from policies.analysis.replay import Replayed, replay
from policies.errors import Invalid
from policies.exports.probes import probes

_PROBES: Final = 60  # some hundred calls of Cedar
_MOST_OWNERS: Final = 3  # whose lines Cedar is asked of; all owners' are made alike
_MOST_LINES: Final = 2_000  # some seconds of Cedar
_NOT_RUN: Final = "oracle_not_run"
_NOT_INSTALLED: Final = (
    'oracle: not run. Install the extra "verify" where policy is published.'
)
_TOO_LARGE: Final = (
    f"oracle: not run. It is asked of at most {_MOST_LINES} clauses and rules."
)


def examine(on: Occasion, draft: Version) -> tuple[Finding, ...]:
    """What gives pause. RequestError gate-failed with all that forbids it."""
    findings = findings_of(on, draft)
    refusals = [each for each in findings if each.severity == "refuse"]
    if not refusals:
        return findings
    faults = tuple(
        FieldError(pointer=each.path, code=each.code, message=each.message)
        for each in refusals
    )
    raise RequestError("gate-failed", refusals[0].message, errors=faults)


def findings_of(on: Occasion, version: Version) -> tuple[Finding, ...]:
    """All that the gate says of a version, were it signed by all its parties.

    Takes time: run it beside the event loop.
    """
    supposition = supposed(on.snapshot.versions, version, on.now)
    opinion = _opinion(on, supposition)
    report = gate(
        supposition.after.members,
        supposition.after.signatures,
        draft=version.id,
        circumstances=Circumstances(
            now=on.now,
            general_practices=on.known.general_practices,
            organisations=on.known.organisations,
        ),
        tried=Tried(
            replayed=_replayed(on, supposition),
            disagreements=() if opinion.outcome == "not run" else opinion.sentences,
        ),
    )
    telling = Telling.of(on, version)
    said = [
        _finding(each, telling.told(each.message))
        for each in (*report.refusals, *report.warnings)
    ]
    if opinion.outcome == "not run":
        why = opinion.problem or _NOT_INSTALLED
        said.append(Finding(code=_NOT_RUN, severity="warn", path="", message=why))
    return tuple(said)


def _replayed(on: Occasion, supposition: Supposition) -> Replayed | None:
    """What becomes of recorded decisions; of a set that is too large nothing."""
    try:
        before = supposition.before.compiled()
        return replay(on.known.recorded, before, supposition.after.compiled())
    except Invalid:
        return None


def _opinion(on: Occasion, supposition: Supposition) -> Opinion:
    """What Cedar says of the set as it would be, where the draft has a say in it.

    Of other owners' lines it needs none: no line bears on another's data. It is asked
    of a few owners, and of no more lines than it can answer for in time.
    """
    version = supposition.version
    owners = frozenset(sorted(version.owners)[:_MOST_OWNERS])
    after = about(supposition.after, owners)
    bearing = replace(
        after,
        members=tuple(
            each
            for each in after.members
            if each.standing or each.document.id == version.id
        ),
    )
    drafted = replace(
        bearing,
        members=tuple(
            each for each in bearing.members if each.document.id == version.id
        ),
    )
    try:
        policy_set = bearing.compiled()
        if len(policy_set.lines) > _MOST_LINES:
            return Opinion(outcome="not run", problem=_TOO_LARGE)
        return consult(policy_set, probes(drafted.compiled(), on.now, most=_PROBES))
    except Invalid:
        return Opinion(outcome="agrees")


def _finding(lint: Lint, message: str) -> Finding:
    return Finding(
        code=lint.code, severity=lint.severity, path=lint.pointer, message=message
    )
