"""Whether a draft may be submitted: all that forbids it, all that gives pause."""

from dataclasses import replace
from typing import Final

from gateway.policy.occasion import Occasion
from gateway.policy.oracle import Opinion, consult
from gateway.policy.states import Finding, Version
from gateway.policy.supposing import Supposition, supposed
from gateway.problems import FieldError, RequestError
from policies.analysis.findings import Lint
from policies.analysis.gate import Tried, gate
from policies.analysis.lawfulness import Circumstances
from policies.analysis.replay import Replayed, replay
from policies.clauses import Member
from policies.errors import Invalid
from policies.exports.probes import probes

_PROBES: Final = 60  # some hundred calls of Cedar
_NOT_RUN: Final = Finding(
    code="oracle_not_run",
    severity="warn",
    path="",
    message='oracle: not run. Install the extra "verify" where policy is published.',
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
            replayed=_replayed(on, supposition), disagreements=opinion.sentences
        ),
    )
    said = [_finding(each) for each in (*report.refusals, *report.warnings)]
    return (*said, _NOT_RUN) if opinion.outcome == "not run" else tuple(said)


def _replayed(on: Occasion, supposition: Supposition) -> Replayed | None:
    """What becomes of recorded decisions; of a set that is too large nothing."""
    try:
        before = supposition.before.compiled()
        return replay(on.known.recorded, before, supposition.after.compiled())
    except Invalid:
        return None


def _opinion(on: Occasion, supposition: Supposition) -> Opinion:
    """What Cedar says of the set as it would be, where the draft has a say in it.

    Of other owners' lines it needs none: no line bears on another's data.
    """
    version, after = supposition.version, supposition.after
    ours = [_for_owners(each, version) for each in after.members]
    bearing = replace(after, members=tuple(each for each in ours if each is not None))
    drafted = replace(
        after,
        members=tuple(each for each in bearing.members if _is_of(each, version)),
    )
    try:
        asked = probes(drafted.compiled(), on.now, most=_PROBES)
        return consult(bearing.compiled(), asked)
    except Invalid:
        return Opinion(outcome="agrees")


def _is_of(member: Member, version: Version) -> bool:
    return member.document.id == version.id


def _for_owners(member: Member, version: Version) -> Member | None:
    """A member as far as it stands for owners that a version is about."""
    standing = (member.standing or frozenset()) & version.owners
    if not standing and not _is_of(member, version):
        return None
    return replace(member, standing=standing)


def _finding(lint: Lint) -> Finding:
    return Finding(
        code=lint.code,
        severity=lint.severity,
        path=lint.pointer,
        message=lint.message,
    )
