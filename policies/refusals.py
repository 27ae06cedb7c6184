"""Why not: the vetoes that held, or the first obstacle on the way to a grant.

What is common to the cells of one request is worked out once, at the first refusal.
"""

from functools import reduce
from operator import and_, or_

from policies import explain
from policies.asked import Asked, known_labels, same_organisation
from policies.because import Because
from policies.compile import bits
from policies.pending import FlagState, flag_mask, planned_flags
from policies.request import Cell


class Refusals:
    """The reasons of every cell that a request is refused."""

    __slots__ = (
        "_asked",
        "_fitting",
        "_is_known",
        "_lapsed",
        "_of_known",
        "_owners",
        "_reasons",
    )

    def __init__(self, asked: Asked) -> None:
        policy_set = asked.policy_set
        dimensions = policy_set.dimensions
        granting = policy_set.grants & asked.evidenced
        known = [
            dimensions[name].at(value)
            for name, value in asked.attributes.items()
            if dimensions[name].knows(value)
        ]
        self._asked = asked
        self._fitting = granting & asked.fitting
        self._lapsed = policy_set.grants & asked.lapsed & asked.fitting
        self._is_known = len(known) == len(asked.attributes)
        self._of_known = 0 if self._is_known else reduce(and_, known, granting)
        self._owners: dict[str, int] = {}
        self._reasons: dict[tuple[str, str], tuple[Because, ...]] = {}

    def of(self, cell: Cell, held: int) -> tuple[Because, ...]:
        """The reasons of one cell; `held` are the lines that hold for it."""
        asked = self._asked
        policy_set = asked.policy_set
        vetoes = held & policy_set.vetoes & asked.evidenced
        if not vetoes and not held & policy_set.grants & asked.evidenced:
            return self._obstacle(cell)
        under = [held & evidence for _, evidence in asked.evidence]
        nearest = [each for each in under if each & policy_set.grants]
        for each in nearest:
            if not each & vetoes:
                authority = policy_set.authority(each & policy_set.grants)
                return (explain.unsupported(policy_set.lines[authority]),)
        vetoes &= reduce(or_, nearest or under)
        certain = self._certain(cell)
        return explain.vetoed(policy_set, vetoes, certain=certain, owner=cell.owner)

    def _certain(self, cell: Cell) -> int:
        """Lines that hold by what is known, and not for want of knowledge."""
        asked = self._asked
        policy_set, request = asked.policy_set, asked.request
        attributes = {
            **asked.attributes,
            "agreements": request.agreement,
            "owner": cell.owner,
            "categories": cell.category,
            "same_org": same_organisation(request, cell),
        }
        return reduce(
            and_,
            (
                policy_set.dimensions[name].certain(value)
                for name, value in attributes.items()
            ),
            policy_set.flag_rules.untested
            & policy_set.label_rules.of(known_labels(cell)),
        )

    def _obstacle(self, cell: Cell) -> tuple[Because, ...]:
        """The first obstacle, in one fixed order, on the way to the nearest grants."""
        candidates = self._near(cell)
        if not candidates:
            return self._said(self._mismatch(cell), cell.owner)
        for code, mask in self._obstacles(cell):
            left = candidates & mask
            if not left:
                return self._named(code, candidates, cell)
            candidates = left
        code = "flag" if candidates & self._flags_known(cell) else "unknown"
        return self._named(code, candidates, cell)

    def _near(self, cell: Cell) -> int:
        """Grants for the request and the cell, signed, in force and citable or not."""
        dimensions = self._asked.policy_set.dimensions
        owned = self._owners.get(cell.owner)
        if owned is None:
            owned = self._fitting & dimensions["owner"].at(cell.owner)
            self._owners[cell.owner] = owned
        return owned & dimensions["categories"].at(cell.category)

    def _obstacles(self, cell: Cell) -> tuple[tuple[str, int], ...]:
        asked = self._asked
        return (
            ("cited_absent", asked.cited),
            ("not_signed", asked.signed),
            ("expired", asked.valid),
            ("label", asked.labelled(cell)),
        )

    def _flags_known(self, cell: Cell) -> int:
        """Grants that no unknown flag stands against."""
        policy_set = self._asked.policy_set
        unknown: dict[str, FlagState] = {
            flag: "unknown"
            for flag, state in planned_flags(policy_set, cell.flags).items()
            if state == "unknown"
        }
        return flag_mask(policy_set, unknown)

    def _named(self, code: str, candidates: int, cell: Cell) -> tuple[Because, ...]:
        if code == "cited_absent":
            return self._said(code, cell.owner)
        asked = self._asked
        ended = asked.policy_set.over_at(asked.request.now)
        if code == "expired" and not candidates & ended:
            code = "not_yet"
        first = asked.policy_set.lines[next(iter(bits(candidates)))]
        if code == "not_signed" and first.is_suspended:
            code = "suspended"
        return (explain.because(code, cell.owner, first.authority),)

    def _said(self, code: str, owner: str) -> tuple[Because, ...]:
        found = self._reasons.get((code, owner))
        if found is None:
            found = self._reasons[code, owner] = (explain.because(code, owner),)
        return found

    def _mismatch(self, cell: Cell) -> str:
        dimensions = self._asked.policy_set.dimensions
        owner, category = dimensions["owner"], dimensions["categories"]
        if self._lapsed & owner.at(cell.owner) & category.at(cell.category):
            return "stale"
        knows_owner = owner.knows(cell.owner)
        knows_category = category.knows(cell.category)
        if self._is_known and knows_owner and knows_category:
            return "no_grant"
        fitting = self._fitting if self._is_known else self._of_known
        if knows_owner:
            fitting &= owner.at(cell.owner)
        if knows_category:
            fitting &= category.at(cell.category)
        return "unknown" if fitting else "no_grant"
