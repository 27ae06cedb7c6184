"""Differences between sets told to one reader: what concerns their organisation."""

from collections.abc import Iterable
from typing import Any, Final

from gateway.api.policy.analysis_shapes import (
    CodesOf,
    DecisionTold,
    PolicyChange,
    PolicyDifference,
    PolicyWitness,
    WitnessFlag,
)
from gateway.api.policy.telling import instant
from gateway.api.policy.texts import view_spelt_out
from gateway.policy.states import Version
from gateway.policy.supposing import Supposition
from policies.analysis.difference import Difference, Region, difference
from policies.analysis.witness import Witness
from policies.decide import Decision
from policies.obligations import View

_MOST_TOLD: Final = 1_000


def compared(supposition: Supposition, organisation: str) -> PolicyDifference:
    """All that a document would change for the data, or the sight, of one body.

    Takes time: run it beside the event loop.
    """
    before, after = supposition.before.compiled(), supposition.after.compiled()
    found = difference(before, after, since=supposition.at)
    version = supposition.version
    concerning = list(_concerning(found, version, organisation))
    return PolicyDifference(
        document=version.id,
        hash=version.hash,
        against=before.version,
        as_of=instant(supposition.at),
        is_complete=found.is_complete and len(concerning) <= _MOST_TOLD,
        changes=[_change(each) for each in concerning[:_MOST_TOLD]],
    )


def decision_told(decision: Decision) -> DecisionTold:
    """A decision with its first reason: the one that settled it."""
    first = decision.because[0]
    is_permit = decision.effect == "permit"
    return DecisionTold(
        effect=decision.effect,
        code=first.code,
        authority=first.authority,
        why=first.why,
        obligations=sorted(decision.view.axes) if is_permit else [],
    )


def _concerning(found: Difference, version: Version, ours: str) -> Iterable[Region]:
    """Of our own data, or of what we are shown of others' under this very document.

    What others agreed among themselves beside it is no business of ours.
    """
    for region in found.regions:
        is_shown = ours in region.values["recipients"]
        is_of_it = region.authority.startswith(f"{version.id}/")
        if region.owner == ours or (is_shown and is_of_it):
            yield region


def _change(region: Region) -> PolicyChange:
    return PolicyChange(
        kind=region.kind,
        sentence=region.sentence,
        owner=region.owner,
        authority=region.authority,
        before=_view(region.before),
        after=_view(region.after),
        concerns=[
            CodesOf(attribute=name, codes=list(codes))
            for name, codes in sorted(region.values.items())
        ],
        witness=_witness(region.witness),
    )


def _view(view: View | None) -> Any:  # noqa: ANN401 - JSON of the component Obligations
    return None if view is None else view_spelt_out(view)


def _witness(witness: Witness) -> PolicyWitness:
    asked, cell = witness.request, witness.cell
    return PolicyWitness(
        operation=asked.operation,
        mode=asked.mode,
        purpose=asked.purpose,
        agreement=asked.agreement,
        recipient=asked.recipient,
        role=asked.role,
        assurance=asked.assurance,
        relationships=sorted(asked.relationships),
        break_glass=asked.break_glass,
        at=instant(asked.now),
        owner=cell.owner,
        category=cell.category,
        is_labelled=cell.labels == "labelled",
        labels=sorted(witness.labels),
        flags=[
            WitnessFlag(flag=flag, says=says)
            for flag, says in sorted(witness.flags.items())
        ],
    )
