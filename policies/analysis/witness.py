"""A witness: one request about one item, at which two sets answer differently."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from policies import vocabulary
from policies.analysis.atoms import EVERY_DUTY
from policies.analysis.boxes import Box
from policies.analysis.terrain import (
    ABSENT,
    FLAG,
    LABEL,
    SPAN,
    UNCITED,
    UNKNOWN,
    Survey,
)
from policies.asked import known_labels
from policies.compile import PolicySet
from policies.decide import Plan
from policies.lines import NO, YES
from policies.obligations import View
from policies.pending import FlagState, flag_mask, label_mask
from policies.request import Cell, FlagRegistration, Request

# Where several values do, the plainest is shown.
_PLAINEST: Final = {
    "break_glass": NO,
    "agreements": UNCITED,
    "relationships": vocabulary.NO_RELATIONSHIP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A request, a cell, and what the source says of the person and of the item."""

    request: Request
    cell: Cell
    flags: Mapping[str, FlagState]  # present, absent or unknown
    labels: frozenset[str]  # of the item, as its source would give them

    def answered(self, policy_set: PolicySet) -> View | None:
        """How a set shows the item, its row filters yet to be applied; None: not."""
        plan = Plan(policy_set, self.request, supported=EVERY_DUTY)
        states: dict[str, FlagState] = {
            flag: self.flags.get(flag, UNKNOWN) for flag in policy_set.flags
        }
        labels = {*self.labels, *known_labels(self.cell)}
        found = plan.weigh(
            plan.asked.lines_of(self.cell)
            & flag_mask(policy_set, states)
            & label_mask(policy_set, labels)
        )
        return None if found is None else found.view


def witness_in(survey: Survey, box: Box) -> Witness:
    """The plainest point of a box that is not empty."""
    values = survey.space.values(box)
    point = {
        name: _PLAINEST[name] if _PLAINEST.get(name) in held else held[0]
        for name, held in values.items()
    }
    flags = _stripped(point, FLAG)
    labels = {
        name for name, state in _stripped(point, LABEL).items() if state != ABSENT
    }
    is_labelled = vocabulary.UNLABELLED not in labels
    return Witness(
        request=_request(survey, point),
        cell=Cell(
            owner=survey.owner,
            category=point["categories"],
            labels="labelled" if is_labelled else "unlabelled",
            flags={
                **dict.fromkeys(vocabulary.FLAGS, "prefiltered"),
                **{flag: _registered(state) for flag, state in flags.items()},
            },
        ),
        flags=cast("dict[str, FlagState]", flags),
        labels=frozenset(labels - {vocabulary.UNLABELLED}),
    )


def _request(survey: Survey, point: Mapping[str, str]) -> Request:
    relationship = point["relationships"]
    is_bare = relationship == vocabulary.NO_RELATIONSHIP
    return Request(
        operation=point["operations"],
        mode=point["modes"],
        purpose=point["purposes"],
        agreement=point["agreements"] or None,
        recipient=point["recipients"],
        role=point["roles"],
        assurance=point["assurance"],
        relationships=frozenset(() if is_bare else {relationship}),
        break_glass=point["break_glass"] == YES,
        now=survey.instant(point[SPAN]),
    )


def _stripped(point: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in point.items()
        if name.startswith(prefix)
    }


def _registered(state: str) -> FlagRegistration:
    return "none" if state == UNKNOWN else "states"
