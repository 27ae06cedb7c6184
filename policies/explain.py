"""Why: the sentences of a decision, and the first obstacle a refusal met.

What is said rests on the request, the documents, and how a source is registered,
never on a person's flags or labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from policies.compile import PolicySet, bits
from policies.lines import Line

_SENTENCES: Final = {
    "no_grant": "No agreement covers this",
    "not_yet": "The agreement is not yet in force",
    "not_signed": "Not signed, in its present text, by every organisation it needs",
    "expired": "The agreement has ended",
    "label": "The source does not label its records, and the agreement needs that",
    "flag": "The source leaves out the people this agreement is about",
    "stale": "The evidence of the relationship has lapsed",
    "unknown": "Something the rules must know is not known",
    "cited_absent": "The agreement that was cited does not cover this",
    "obligation_unsupported": "An obligation of the agreement cannot be met here",
    "policy_error": "The rules could not be read; nothing is released",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """One reason: a stable code, the line it comes from, and words for people."""

    code: str
    authority: str | None
    why: str
    organisation: str | None


def granted(line: Line) -> Because:
    """The reason of a permit: the clause's own words."""
    return Because(
        code="granted",
        authority=line.authority,
        why=line.why,
        organisation=line.organisation,
    )


def failed(organisation: str | None = None) -> Because:
    """The reason when deciding itself went wrong."""
    return _because("policy_error", organisation)


def unsupported(line: Line) -> Because:
    """The reason when a duty of the authority cannot be done."""
    return _because("obligation_unsupported", line.organisation, line.authority)


def vetoed(
    policy_set: PolicySet, vetoes: int, *, certain: int, owner: str
) -> tuple[Because, ...]:
    """Every veto that held; `unknown` where it held only for want of knowledge."""
    return tuple(
        _veto(policy_set.lines[index], owner, is_certain=bool(certain >> index & 1))
        for index in bits(vetoes)
    )


def _veto(line: Line, owner: str, *, is_certain: bool) -> Because:
    if not is_certain:
        return _because("unknown", owner, line.authority)
    return Because(
        code="veto", authority=line.authority, why=line.why, organisation=owner
    )


def _because(
    code: str, organisation: str | None, authority: str | None = None
) -> Because:
    return Because(
        code="no_grant" if code == "not_yet" else code,
        authority=authority,
        why=_SENTENCES[code],
        organisation=organisation,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request and cell that no grant fits, as masks, to find the first obstacle."""

    policy_set: PolicySet
    owner: str
    attributes: Mapping[str, str | None]  # dimension → value, but for what follows
    relationships: frozenset[str]
    lapsed: frozenset[str]  # relationships whose evidence is stale
    cited: int
    signed: int
    valid: int
    over: int  # grants whose period has ended
    labels: int
    flags_known: int  # grants that no unknown flag stands against

    def because(self) -> Because:
        """The first obstacle, in one fixed order, on the way to the nearest grants."""
        candidates = self._fitting(self.relationships)
        if not candidates:
            return _because(self._mismatch(), self.owner)
        for code, mask in self._obstacles():
            left = candidates & mask
            if not left:
                return self._named(code, candidates)
            candidates = left
        code = "flag" if candidates & self.flags_known else "unknown"
        return self._named(code, candidates)

    def _obstacles(self) -> tuple[tuple[str, int], ...]:
        return (
            ("cited_absent", self.cited),
            ("not_signed", self.signed),
            ("expired", self.valid),
            ("label", self.labels),
        )

    def _named(self, code: str, candidates: int) -> Because:
        if code == "cited_absent":
            return _because(code, self.owner)
        if code == "expired" and not candidates & self.over:
            code = "not_yet"
        first = self.policy_set.lines[next(iter(bits(candidates)))]
        return _because(code, self.owner, first.authority)

    def _mismatch(self) -> str:
        if self.lapsed and self._fitting(self.lapsed):
            return "stale"
        dimensions = self.policy_set.dimensions
        known = {
            name: value
            for name, value in self.attributes.items()
            if dimensions[name].knows(value)
        }
        is_known = len(known) == len(self.attributes)
        if not is_known and self._fitting(self.relationships, known):
            return "unknown"
        return "no_grant"

    def _fitting(
        self,
        relationships: frozenset[str],
        attributes: Mapping[str, str | None] | None = None,
    ) -> int:
        """Grants for these attributes, signed, in force and citable or not."""
        dimensions = self.policy_set.dimensions
        evidenced = map(dimensions["relationships"].at, relationships)
        fitting = self.policy_set.grants & reduce(or_, evidenced)
        tested = self.attributes if attributes is None else attributes
        for name, value in tested.items():
            fitting &= dimensions[name].at(value)
        return fitting
