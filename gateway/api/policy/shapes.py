"""Policy as its administrators see it; the OpenAPI document is made from these."""

from typing import Any, Literal

from gateway.journey.journey import Shape

DocumentState = Literal[
    "draft",
    "submitted",
    "approved",
    "scheduled",
    "active",
    "suspended",
    "expired",
    "superseded",
    "withdrawn",
    "rejected",
]
Severity = Literal["refuse", "warn"]


class DocumentSignature(Shape, frozen=True, kw_only=True):
    """One person's yes for an organisation. `person` only to that organisation."""

    organisation: str
    action: str
    capacity: str
    person: str | None
    at: str


class SignatureWanted(Shape, frozen=True, kw_only=True):
    """What an organisation still owes: so many people, perhaps one of a capacity."""

    organisation: str
    people: int
    capacity: str | None


class PolicyFinding(Shape, frozen=True, kw_only=True):
    """What the gate says of a document; `refuse` keeps it from being published."""

    code: str
    severity: Severity
    pointer: str
    message: str


class DocumentCard(Shape, frozen=True, kw_only=True):
    """One version of a document, without its text."""

    kind: str
    id: str
    version: int
    organisation: str
    state: DocumentState
    hash: str
    etag: str
    changed_at: str


class AgreementVersion(Shape, frozen=True, kw_only=True):
    """One version of an agreement, its text, and who signed or has yet to sign it.

    `hash` is what a signature is for; `etag` goes into If-Match. `live_for` are the
    organisations whose data it covers now; `waiting_for`, who must sign before it does.
    """

    kind: str
    id: str
    version: int
    organisation: str
    state: DocumentState
    hash: str
    etag: str
    created_at: str
    changed_at: str
    content: Any
    signatures: list[DocumentSignature]
    waiting_for: list[SignatureWanted]
    live_for: list[str]
    findings: list[PolicyFinding]


class LocalRuleVersion(AgreementVersion, frozen=True, kw_only=True):
    """One version of an organisation's local rules, and who signed them.

    `hash` is what a signature is for; `etag` goes into If-Match.
    """


class DocumentList(Shape, frozen=True, kw_only=True):
    """A page of documents, or of one document's versions, the newest first."""

    items: list[DocumentCard]
    next: str | None
