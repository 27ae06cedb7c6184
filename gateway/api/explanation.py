"""An explanation as callers see it; the OpenAPI document is made from these shapes."""

from collections.abc import Sequence
from typing import Literal

from gateway.access.evidence import would_permit
from gateway.audit.records import Relation, instant
from gateway.decisions.entries import Entry
from gateway.decisions.explained import Explained
from gateway.journey.completeness import timestamp
from gateway.journey.journey import RelationshipShown, Shape
from policies.canonical import sha256_of
from policies.request import Request


class DecisionReason(Shape, frozen=True, kw_only=True):
    """One reason: a stable code, the line it comes from, and its words."""

    code: str
    authority: str | None
    why: str


class NearMiss(Shape, frozen=True, kw_only=True):
    """One attribute that, being any of `needed` instead, would have permitted.

    `means` says of a relationship what, at your own organisation, would show it.
    """

    attribute: str
    needed: list[str]
    under: str
    why: str
    means: str | None


class CellExplained(Shape, frozen=True, kw_only=True):
    """What was decided of one category at one source, and why.

    `in_full` where the data are your own organisation's and you may read its policy:
    then every rule and every near miss is there.
    """

    source: str
    organisation: str
    category: str
    effect: Literal["permit", "deny"]
    authority: str | None
    because: list[DecisionReason]
    obligations: list[str]
    near_misses: list[NearMiss]
    in_full: bool


class Explanation(Shape, frozen=True, kw_only=True):
    """A decision: on what it rested, and each of its cells.

    `evidence` is what was found at the asking organisation's own sources, among the
    `relationships`. `caller` is told to the privacy officer of the organisation they
    asked for. `refused` is the problem's code where nothing was asked. `request_hash`
    is of all that the decision rested on beside the documents; `at`, the time it was
    made for.
    """

    decision_id: str | None
    journey_id: str | None
    caller: str | None
    at: str
    purpose: str
    operation: str
    mode: str
    policy: str
    organisation: str
    role: str
    assurance: str | None
    relationships: list[str]
    evidence: list[RelationshipShown]
    agreement: str | None
    break_glass: bool
    refused: str | None
    request_hash: str
    cells: list[CellExplained]


def explanation_of(
    asked: Request,
    found: Sequence[Explained],
    *,
    policy: str,
    about: Entry | None = None,
    names_caller: bool = False,
) -> Explanation:
    """The cells of a request under one set; `about` the past decision, if it is one."""
    return Explanation(
        decision_id=about.decision if about else None,
        journey_id=about.journey if about else None,
        caller=about.actor.subject if about and names_caller else None,
        at=instant(asked.now),
        purpose=asked.purpose,
        operation=asked.operation,
        mode=asked.mode,
        policy=policy,
        organisation=asked.recipient,
        role=asked.role,
        assurance=asked.assurance,
        relationships=sorted(asked.relationships),
        evidence=[_evidence(each) for each in about.basis.shown] if about else [],
        agreement=asked.agreement,
        break_glass=asked.break_glass,
        refused=about.code if about else None,
        request_hash=_hash(asked),
        cells=[_told(each) for each in found],
    )


def _evidence(shown: Relation) -> RelationshipShown:
    return RelationshipShown(
        kind=shown.kind,
        organisation=shown.organisation,
        reference=shown.reference,
        as_of=timestamp(shown.as_of),
        expires=timestamp(shown.expires),
    )


def _hash(asked: Request) -> str:
    return sha256_of(
        {
            "operation": asked.operation,
            "mode": asked.mode,
            "purpose": asked.purpose,
            "agreement": asked.agreement,
            "recipient": asked.recipient,
            "role": asked.role,
            "assurance": asked.assurance,
            "relationships": sorted(asked.relationships),
            "break_glass": asked.break_glass,
            "now": instant(asked.now),
        }
    )


def _told(cell: Explained) -> CellExplained:
    return CellExplained(
        source=cell.source,
        organisation=cell.owner,
        category=cell.category,
        effect="permit" if cell.effect == "permit" else "deny",
        authority=cell.authority,
        because=[
            DecisionReason(code=each.code, authority=each.authority, why=each.why)
            for each in cell.because
        ],
        obligations=list(cell.obligations),
        near_misses=[
            NearMiss(
                attribute=each.attribute,
                needed=list(each.needed),
                under=each.under,
                why=each.why,
                means=would_permit(each.needed)
                if each.attribute == "relationship"
                else None,
            )
            for each in cell.near_misses
        ],
        in_full=cell.in_full,
    )
