"""The gate: all that forbids to publish a draft, and all that should give pause."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from policies.analysis.findings import (
    Lint,
    as_member,
    of_document,
    path_of,
    places_of,
)
from policies.analysis.lawfulness import Circumstances, unlawful
from policies.analysis.lints import lints
from policies.analysis.replay import Replayed
from policies.clauses import Agreement, Document, Member, Signature
from policies.errors import Invalid

__all__ = ["Circumstances", "GateReport", "Tried", "gate", "unreadable"]

_TOLERATED: Final = 0.01  # the share of replayed decisions that may flip unremarked
_WANTING: Final = {
    "/dpia": "no_dpia",
    "/review_by": "no_review_date",
    "/valid": "no_end_date",
    "/valid/through": "no_end_date",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What was tried with a draft before it came to the gate."""

    replayed: Replayed | None = None
    disagreements: tuple[str, ...] = ()  # what the oracle decides otherwise, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """What the gate found of one draft."""

    refusals: tuple[Lint, ...]
    warnings: tuple[Lint, ...]

    @property
    def is_open(self) -> bool:
        """Whether the draft may be published."""
        return not self.refusals


_NOTHING: Final = Tried()


def gate(
    members: Iterable[Document | Member],
    signatures: Iterable[Signature] = (),
    *,
    draft: str,
    circumstances: Circumstances,
    tried: Tried = _NOTHING,
) -> GateReport:
    """What is to be said of a draft: the newest version of its id among the members.

    `members` are the set as it would be; all its agreements count as signed. KeyError
    if the draft is not among them.
    """
    held = [as_member(each) for each in members]
    versions = {each.version: each for each in held if each.document.id == draft}
    if not versions:
        raise KeyError(draft)
    member = versions[max(versions)]
    found = list(_said(member, circumstances))
    found += _linted(member, (held, tuple(signatures)), circumstances)
    found += _tried(member, tried)
    return GateReport(
        refusals=tuple(each for each in found if each.severity == "refuse"),
        warnings=tuple(each for each in found if each.severity == "warn"),
    )


def unreadable(error: Invalid, *, document: str) -> Lint:
    """The gate's word on a draft that is no document at all, with its code."""
    pointer = error.pointer
    code = _WANTING.get(pointer, "schema") if error.code == "missing" else "schema"
    if error.code == "missing" and pointer.endswith("/legal_basis/art9"):
        code = "no_art9"
    return Lint(
        code=code,
        severity="refuse",
        document=document,
        version=1,
        path=path_of(pointer),
        message=error.message,
    )


def _said(member: Member, circumstances: Circumstances) -> Iterator[Lint]:
    document = member.document
    if isinstance(document, Agreement) and not document.dpia.strip():
        message = "names no impact assessment. Give its reference."
        yield of_document(member, "refuse", "no_dpia", message=message, path="dpia")
    for place in places_of([member]):
        yield from unlawful(place, circumstances)


def _linted(
    member: Member,
    among: tuple[list[Member], tuple[Signature, ...]],
    circumstances: Circumstances,
) -> Iterator[Lint]:
    try:
        found = lints(
            *among, now=circumstances.now, organisations=circumstances.organisations
        )
    except Invalid as error:
        code = "too_many_clauses" if error.place == "the set" else "schema"
        yield of_document(member, "refuse", code, message=error.message)
        return
    drafted = (member.document.id, member.version)
    yield from (each for each in found if (each.document, each.version) == drafted)


def _tried(member: Member, tried: Tried) -> Iterator[Lint]:
    for each in tried.disagreements:
        message = f"the oracle decides otherwise: {each} Report it; do not publish."
        yield of_document(member, "refuse", "oracle_disagreement", message=message)
    replayed = tried.replayed
    if replayed is not None and replayed.share_flipped > _TOLERATED:
        flipped = f"{replayed.flips.total()} of {replayed.total} recorded decisions"
        message = (
            f"{flipped} would be decided otherwise. See which, before it is signed."
        )
        yield of_document(member, "warn", "replay_flips", message=message)
