"""What analyses of policy tell; the OpenAPI document is made from these."""

from typing import Any, Literal

from gateway.api.policy.shapes import PolicyFinding
from gateway.journey.journey import Shape

ChangeKind = Literal["newly_allowed", "relaxed", "newly_refused", "tightened"]


class PolicyCheckReport(Shape, frozen=True, kw_only=True):
    """What the gate says of a document as it stands: nothing is kept of it."""

    document: str
    hash: str
    is_publishable: bool
    findings: list[PolicyFinding]


class CodesOf(Shape, frozen=True, kw_only=True):
    """The codes of one attribute that a change is about."""

    attribute: str
    codes: list[str]


class WitnessFlag(Shape, frozen=True, kw_only=True):
    """What the source says of a flag: present, absent or unknown."""

    flag: str
    says: str


class PolicyWitness(Shape, frozen=True, kw_only=True):
    """One request that is answered otherwise; about no person."""

    operation: str
    mode: str
    purpose: str
    agreement: str | None
    recipient: str
    role: str
    assurance: str | None
    relationships: list[str]
    break_glass: bool
    at: str
    owner: str
    category: str
    is_labelled: bool
    labels: list[str]
    flags: list[WitnessFlag]


class PolicyChange(Shape, frozen=True, kw_only=True):
    """Requests that would be answered otherwise, all in one way.

    `before` and `after` say how data is shown; null: it is refused.
    """

    kind: ChangeKind
    sentence: str
    owner: str
    authority: str
    before: Any
    after: Any
    concerns: list[CodesOf]
    witness: PolicyWitness


class PolicyDifference(Shape, frozen=True, kw_only=True):
    """Every change that a document would make, were it signed by all its parties.

    Told are those of your organisation's data, and of what it may see. Without
    `is_complete` the sets differ in too many small ways to tell them all.
    """

    document: str
    hash: str
    against: str
    as_of: str
    is_complete: bool
    changes: list[PolicyChange]


class DecisionTold(Shape, frozen=True, kw_only=True):
    """What policy says of one question, and the first reason it gives."""

    effect: Literal["permit", "deny"]
    code: str
    authority: str | None
    why: str
    obligations: list[str]


class WhatIfAnswer(Shape, frozen=True, kw_only=True):
    """One question, decided as policy stands and as it would."""

    owner: str
    category: str
    source: str | None
    before: DecisionTold
    after: DecisionTold
    is_changed: bool


class FlippedDecisions(Shape, frozen=True, kw_only=True):
    """How many recorded decisions would turn over, of one kind of question."""

    recipient: str
    purpose: str
    role: str
    decisions: int


class CellFlip(Shape, frozen=True, kw_only=True):
    """One cell that would be decided otherwise, and how."""

    owner: str
    category: str
    change: str


class ChangedDecision(Shape, frozen=True, kw_only=True):
    """A recorded decision that would come out otherwise; about nobody by name."""

    decision_id: str
    recipient: str
    purpose: str
    role: str
    at: str
    cells: list[CellFlip]


class PolicyReplayReport(Shape, frozen=True, kw_only=True):
    """What a document would have made of decisions that were recorded.

    Told are those your organisation asked for, and its own cells of others'. `drifted`
    counts decisions that came out otherwise then than they would today, `needless`
    those that broke the glass where none had to be. `decisions` are the newest of
    those that would change.
    """

    document: str
    hash: str
    against: str
    replayed: int
    changed: int
    drifted: int
    needless: int
    flips: list[FlippedDecisions]
    decisions: list[ChangedDecision]


class WhatIfAnswers(Shape, frozen=True, kw_only=True):
    """The answers to all questions, in their order, source by source."""

    document: str
    hash: str
    against: str
    items: list[WhatIfAnswer]
