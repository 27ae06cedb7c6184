"""Recorded decisions replayed for one reader: their own questions, and own cells."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from gateway.api.policy.analysis_shapes import (
    CellFlip,
    ChangedDecision,
    FlippedDecisions,
    PolicyReplayReport,
)
from gateway.api.policy.telling import instant
from gateway.policy.supposing import Supposition
from policies.analysis.replay import Changed, Recorded, Replayed, replay
from policies.request import Cell

Cells = tuple[Cell, ...]

_SHOWN: Final = 200
USUAL: Final = 1_000


def replayed(
    supposition: Supposition, recorded: Iterable[Recorded], *, ours: str, last: int
) -> PolicyReplayReport:
    """The newest decisions that concern an organisation, under both sets.

    Takes time: run it beside the event loop.
    """
    before, after = supposition.before.compiled(), supposition.after.compiled()
    concerned = tuple(islice(_concerning(recorded, ours), last))
    found = replay(concerned, before, after)
    version = supposition.version
    return PolicyReplayReport(
        document=version.id,
        hash=version.hash,
        against=before.version,
        replayed=found.total,
        changed=len(found.changed),
        drifted=len(found.drifted),
        needless=len(found.needless),
        flips=list(_flips(found)),
        decisions=[_changed(each) for each in found.changed[:_SHOWN]],
    )


def _concerning(recorded: Iterable[Recorded], ours: str) -> Iterator[Recorded]:
    """All of what we asked ourselves; of what others asked, the cells of our data."""
    known: dict[int, tuple[Cells, list[int], Cells]] = {}
    for each in recorded:
        if each.request.recipient == ours:
            yield each
            continue
        # By identity, as many share their cells; kept, so that no other has it.
        if id(each.cells) not in known:
            own = [n for n, cell in enumerate(each.cells) if cell.owner == ours]
            cells = tuple(each.cells[n] for n in own)
            known[id(each.cells)] = each.cells, own, cells
        _, own, cells = known[id(each.cells)]
        if own:
            effects = tuple(each.effects[n] for n in own)
            yield replace(each, cells=cells, effects=effects)


def _flips(found: Replayed) -> Iterator[FlippedDecisions]:
    for (recipient, purpose, role), decisions in sorted(found.flips.items()):
        yield FlippedDecisions(
            recipient=recipient, purpose=purpose, role=role, decisions=decisions
        )


def _changed(changed: Changed) -> ChangedDecision:
    asked = changed.request
    return ChangedDecision(
        decision_id=changed.id,
        recipient=asked.recipient,
        purpose=asked.purpose,
        role=asked.role,
        at=instant(asked.now),
        cells=[
            CellFlip(owner=cell.owner, category=cell.category, change=change)
            for cell, change in changed.cells
        ],
    )
