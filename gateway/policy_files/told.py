"""Differences, decisions and replays in words and as JSON; about no person."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from gateway.policy_files.asking import Asked
from policies.analysis.atoms import phrased
from policies.analysis.difference import Difference, Region
from policies.analysis.narrowing import Narrowing
from policies.analysis.replay import Changed, Considered, Replayed
from policies.analysis.witness import Witness
from policies.decide import Decision
from policies.near_misses import NearMiss
from policies.obligations import AXES, FULL_VIEW, View
from policies.request import Cell, Request

_GROUPS: Final = (
    ("newly_allowed", "Newly allowed"),
    ("relaxed", "Relaxed"),
    ("newly_refused", "Newly refused"),
    ("tightened", "Tightened"),
)
# What a question need not say.
_USUAL: Final = {
    "operation": "journey.read",
    "mode": "identified",
    "labels": "labelled",
}
_INCOMPLETE: Final = (
    "The sets differ in more small ways than could be told: what is told is not all."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two sets compared, and for each owner of data whether the second narrows."""

    difference: Difference
    narrowings: Mapping[str, Narrowing]

    @property
    def is_alike(self) -> bool:
        """Whether every request is answered alike."""
        return self.difference.is_complete and not self.difference.regions

    def as_json(self) -> dict[str, Any]:
        """The comparison as `--json` prints it."""
        return {
            "is_complete": self.difference.is_complete,
            "owners": {
                owner: {"is_narrowing": each.is_proven, "unproven": each.unproven}
                for owner, each in sorted(self.narrowings.items())
            },
            "changes": [_region(each) for each in self.difference.regions],
        }

    def lines(self) -> Iterator[str]:
        """The comparison in words: what widens first."""
        if self.is_alike:
            yield "Every request is answered alike."
        for kind, title in _GROUPS:
            regions = getattr(self.difference, kind)
            if regions:
                yield f"{title} ({len(regions)}):"
            for region in regions:
                yield f"- {region.sentence}"
                yield f"  under {region.authority}; for example: {_example(region)}"
        if not self.difference.is_complete:
            yield _INCOMPLETE
        for owner, narrowing in sorted(self.narrowings.items()):
            yield f"{owner}: {_verdict(narrowing)}"


def instant(at: datetime) -> str:
    """An instant in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _verdict(narrowing: Narrowing) -> str:
    if narrowing.is_proven:
        return "a proven narrowing: one signature of it is enough."
    why = f" ({narrowing.unproven} may give more)" if narrowing.unproven else ""
    return f"not proven to narrow{why}: two people of it sign, one as caldicott."


def _region(region: Region) -> dict[str, Any]:
    return {
        "kind": region.kind,
        "sentence": region.sentence,
        "owner": region.owner,
        "authority": region.authority,
        "before": None if region.before is None else _view(region.before),
        "after": None if region.after is None else _view(region.after),
        "concerns": {name: list(codes) for name, codes in region.values.items()},
        "witness": _witness(region.witness),
    }


def _example(region: Region) -> str:
    """The witness as `explain --request` takes it, and what else is supposed."""
    witness = region.witness
    said = _asked(witness.request, witness.cell)
    said["flags"] = [each for each in said["flags"] if each.endswith("=none")]
    pairs = [
        f"{name}={_spelt(held)}"
        for name, held in said.items()
        if held and held != _USUAL.get(name)
    ]
    supposed = [
        f"{flag} {state}"
        for flag, state in sorted(witness.flags.items())
        if state != "absent"
    ]
    supposed += [f"labelled {label}" for label in sorted(witness.labels)]
    return " ".join(pairs) + (f" ({', '.join(supposed)})" if supposed else "")


def _spelt(held: object) -> str:
    if isinstance(held, bool):
        return "yes"
    if isinstance(held, list):
        return ",".join(held)
    return str(held)


def _asked(request: Request, cell: Cell) -> dict[str, Any]:
    """A question by the keys it is read by."""
    return {
        "owner": cell.owner,
        "category": cell.category,
        "purpose": request.purpose,
        "recipient": request.recipient,
        "role": request.role,
        "relationship": sorted(request.relationships) or ["none"],
        "assurance": request.assurance or "unknown",
        "operation": request.operation,
        "mode": request.mode,
        "agreement": request.agreement,
        "break_glass": request.break_glass,
        "at": instant(request.now),
        "labels": cell.labels,
        "flags": [f"{flag}={how}" for flag, how in sorted(cell.flags.items())],
    }


def _witness(witness: Witness) -> dict[str, Any]:
    asked = _asked(witness.request, witness.cell)
    return asked | {
        "item_labels": sorted(witness.labels),
        "person_flags": dict(sorted(witness.flags.items())),
    }


def _view(view: View) -> dict[str, Any]:
    """What a view demands, by axis; what it does not is left out."""
    found = {
        axis: getattr(view, axis)
        for axis in AXES
        if getattr(view, axis) != getattr(FULL_VIEW, axis)
    }
    if "mask_fields" in found:
        found["mask_fields"] = dict(sorted(view.mask_fields))
    return {
        axis: sorted(held) if isinstance(held, frozenset) else held
        for axis, held in found.items()
    }


def decision_as_json(
    asked: Asked, decision: Decision, near: Iterable[NearMiss] = ()
) -> dict[str, Any]:
    """A question and its decision, as `--json` prints them."""
    return {
        "asked": _asked(asked.request, asked.cell),
        **_decided(decision),
        "near_misses": [
            {
                "attribute": each.attribute,
                "needed": list(each.needed),
                "under": each.under,
                "why": each.why,
            }
            for each in near
        ],
    }


def _decided(decision: Decision) -> dict[str, Any]:
    return {
        "effect": decision.effect,
        "authority": decision.authority,
        "relationship": decision.relationship,
        "obligations": _view(decision.view),
        "because": [
            {"code": each.code, "authority": each.authority, "why": each.why}
            for each in decision.because
        ],
    }


def as_to_a_caller(decision: Decision) -> Decision:
    """A decision with the one reason that a caller is told."""
    return replace(decision, because=decision.because[:1])


def explanation_lines(decision: Decision, near: Iterable[NearMiss]) -> Iterator[str]:
    """A decision and why, in words."""
    yield decision.effect
    for because in decision.because:
        under = f" ({because.authority})" if because.authority else ""
        yield f"because {because.code}: {because.why}{under}"
    if decision.effect == "permit":
        yield f"shown: {phrased(decision.view)}"
    for miss in near:
        needed = " or ".join(each or "none cited" for each in miss.needed)
        yield (
            f"it would be permitted if {miss.attribute} were {needed}: "
            f"{miss.why} ({miss.under})"
        )


def considered_as_json(name: str, asked: Asked, found: Considered) -> dict[str, Any]:
    """A question under two sets, as `--json` prints it."""
    return {
        "name": name,
        "asked": _asked(asked.request, asked.cell),
        "before": _decided(found.before),
        "after": _decided(found.after),
        "is_changed": is_changed(found),
    }


def is_changed(found: Considered) -> bool:
    """Whether a caller would see more or less than before."""
    before, after = found.before, found.after
    return (before.effect, before.view) != (after.effect, after.view)


def considered_line(name: str, found: Considered) -> str:
    """A question under two sets, in one line."""
    before, after = _shortly(found.before), _shortly(found.after)
    return f"{name}: {before} -> {after}" if is_changed(found) else f"{name}: {after}"


def _shortly(decision: Decision) -> str:
    first = decision.because[0]
    under = f" {first.authority}" if first.authority else ""
    shown = f", {phrased(decision.view)}" if decision.effect == "permit" else ""
    return f"{decision.effect} ({first.code}{under}{shown})"


def replayed_as_json(found: Replayed) -> dict[str, Any]:
    """A replay as `--json` prints it."""
    return {
        "replayed": found.total,
        "changed": [_changed(each) for each in found.changed],
        "flips": [
            {"recipient": who, "purpose": why, "role": role, "decisions": count}
            for (who, why, role), count in sorted(found.flips.items())
        ],
        "drifted": list(found.drifted),
        "needless": list(found.needless),
    }


def _changed(changed: Changed) -> dict[str, Any]:
    asked = changed.request
    return {
        "decision": changed.id,
        "recipient": asked.recipient,
        "purpose": asked.purpose,
        "role": asked.role,
        "at": instant(asked.now),
        "cells": [
            {"owner": cell.owner, "category": cell.category, "change": change}
            for cell, change in changed.cells
        ],
    }


def replayed_lines(found: Replayed) -> Iterator[str]:
    """A replay in words: how many of each, then each that would change."""
    yield (
        f"{found.total} decisions replayed: {len(found.changed)} would change, "
        f"{found.flips.total()} of them flipped; {len(found.drifted)} have drifted, "
        f"{len(found.needless)} broke the glass needlessly"
    )
    for (recipient, purpose, role), count in sorted(found.flips.items()):
        yield f"flipped {count}: {role} of {recipient} for {purpose}"
    yield from (f"{each.id}: {_cells(each)}" for each in found.changed)


def _cells(changed: Changed) -> str:
    """What would change, owner by owner: "newly refused: medications of Z9A01"."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for cell, change in changed.cells:
        grouped.setdefault((change, cell.owner), []).append(cell.category)
    told = (
        f"{change.replace('_', ' ')}: {', '.join(categories)} of {owner}"
        for (change, owner), categories in grouped.items()
    )
    return "; ".join(told)
