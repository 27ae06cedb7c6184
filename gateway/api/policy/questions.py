"""Bodies that ask what a document would do: about drafts, and about nobody."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from gateway.api.policy.bodies import Model, ShortText, parsed
from gateway.problems import FieldError, RequestError
from policies.clauses import Agreement, LocalRule

Codes = Annotated[list[ShortText], Field(max_length=50)]


class StoredDocument(Model):
    """A document that is kept here, by default its newest version."""

    kind: Literal["agreement", "local-rule"]
    id: ShortText
    version: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None


class PolicyDraft(Model):
    """The document in question: exactly one of these."""

    agreement: dict[str, Any] | None = None
    local_rule: dict[str, Any] | None = None
    stored: StoredDocument | None = None


class WhatIfQuestion(Model):
    """A question about nobody: who asks, what for, and whose data of which kind.

    Without `at` it is asked now.
    """

    owner: ShortText
    category: ShortText
    purpose: ShortText
    recipient: ShortText
    role: ShortText
    relationships: Codes
    operation: ShortText | None = None
    mode: ShortText | None = None
    assurance: ShortText | None = None
    agreement: ShortText | None = None
    break_glass: StrictBool | None = None
    at: StrictStr | None = None


class PolicyWhatIf(PolicyDraft):
    """A document, and the questions it is to be tried on."""

    questions: Annotated[list[WhatIfQuestion], Field(min_length=1, max_length=200)]


class PolicyReplay(PolicyDraft):
    """A document, and how many of the last recorded decisions it is to be tried on."""

    last: Annotated[StrictInt, Field(ge=1, le=2_000)] | None = None


def written(draft: PolicyDraft) -> Agreement | LocalRule | None:
    """The document that a body holds; None where it names a stored one.

    RequestError request-invalid unless exactly one is given, document-invalid if it
    is not one.
    """
    given = {
        "agreement": draft.agreement,
        "local_rule": draft.local_rule,
        "stored": draft.stored,
    }
    if sum(each is not None for each in given.values()) != 1:
        raise RequestError(
            "request-invalid",
            "Give one of agreement, local_rule and stored.",
            errors=tuple(FieldError(pointer=f"/{n}", code="one-of") for n in given),
        )
    if draft.agreement is not None:
        return parsed(draft.agreement, "agreement", pointer="/agreement")
    if draft.local_rule is not None:
        return parsed(draft.local_rule, "local-rule", pointer="/local_rule")
    return None
