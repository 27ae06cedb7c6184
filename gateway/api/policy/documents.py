"""Agreements and local rules: drafted, read, changed, and let go while drafts."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from gateway.api.asking import json_body, only_parameters
from gateway.api.described import described
from gateway.api.paging import CURSOR, LIMIT, size_of
from gateway.api.policy.administration import (
    admin_of,
    administrator,
    kind_of,
    number_of,
)
from gateway.api.policy.bodies import read_document
from gateway.api.policy.conditions import request_key, state_meant
from gateway.api.policy.shapes import AgreementVersion, DocumentList, LocalRuleVersion
from gateway.api.policy.telling import listed, made, told

router = APIRouter()

DocumentId = Annotated[str, Path(description="A document's id.")]
Number = Annotated[str, Path(description="A version's number.")]

_LISTED: Final[dict[str, Any]] = {
    "answer": DocumentList,
    "problems": (401, 403, 409, 503),
    "parameters": (LIMIT, CURSOR),
}
_VERSIONS: Final[dict[str, Any]] = {
    "answer": DocumentList,
    "problems": (401, 403, 404, 409, 503),
}
_READ: Final[dict[str, Any]] = {
    "problems": (401, 403, 404, 409, 503),
    "sent": ("ETag",),
}
_MADE: Final[dict[str, Any]] = {
    "status": 201,
    "headers": ("Idempotency-Key",),
    "problems": (401, 403, 409, 415, 422, 503),
    "sent": ("ETag", "Location"),
}
_REPLACED: Final[dict[str, Any]] = {
    "headers": ("If-Match",),
    "problems": (401, 403, 404, 409, 412, 415, 422, 428, 503),
    "sent": ("ETag",),
}
_DELETED: Final[dict[str, Any]] = {
    "answer": None,
    "status": 204,
    "headers": ("If-Match",),
    "problems": (401, 403, 404, 409, 412, 428, 503),
}
_AGREEMENT: Final[dict[str, Any]] = {"answer": AgreementVersion}
_RULE: Final[dict[str, Any]] = {"answer": LocalRuleVersion}
_AGREEMENT_SENT: Final[dict[str, Any]] = {**_AGREEMENT, "body": "AgreementDraft"}
_RULE_SENT: Final[dict[str, Any]] = {**_RULE, "body": "LocalRuleDraft"}


@router.get(
    "/v1/admin/policy/agreements",
    **described("listAgreements", "The agreements you are a party to", **_LISTED),
)
@router.get(
    "/v1/admin/policy/local-rules",
    **described("listLocalRules", "Your organisation's local rules", **_LISTED),
)
async def list_documents(request: Request) -> Response:
    """The newest version of each, by id."""
    actor = await administrator(request, "policy:read")
    only_parameters(request, "limit", "cursor")
    page = await admin_of(request).listed(
        kind_of(request),
        actor=actor,
        cursor=request.query_params.get("cursor"),
        limit=size_of(request.query_params.get("limit")),
    )
    return listed(page.items, page.next)


@router.post(
    "/v1/admin/policy/agreements",
    **described(
        "createAgreement",
        "Draft an agreement, or a new version of one",
        **_AGREEMENT_SENT,
        **_MADE,
    ),
)
@router.post(
    "/v1/admin/policy/local-rules",
    **described(
        "createLocalRule",
        "Draft local rules, or a new version of them",
        **_RULE_SENT,
        **_MADE,
    ),
)
async def create(request: Request) -> Response:
    """A draft binds nobody. An id that is known makes the next version of it."""
    actor = await administrator(request, "policy:write")
    only_parameters(request)
    json_body(request)
    key = request_key(request)
    document = read_document(await request.body(), kind_of(request))
    stored = await admin_of(request).create(
        kind_of(request), document, actor=actor, key=key
    )
    return made(stored, actor=actor)


@router.get(
    "/v1/admin/policy/agreements/{document_id}",
    **described("getAgreement", "An agreement's newest version", **_AGREEMENT, **_READ),
)
@router.get(
    "/v1/admin/policy/local-rules/{document_id}",
    **described("getLocalRule", "Local rules' newest version", **_RULE, **_READ),
)
async def read(request: Request, document_id: DocumentId) -> Response:
    """Its text, its state, who signed it and who has yet to."""
    actor = await administrator(request, "policy:read")
    only_parameters(request)
    stored = await admin_of(request).read(kind_of(request), document_id, actor=actor)
    return told(stored, actor=actor)


@router.put(
    "/v1/admin/policy/agreements/{document_id}",
    **described("replaceAgreement", "Change a draft", **_AGREEMENT_SENT, **_REPLACED),
)
@router.put(
    "/v1/admin/policy/local-rules/{document_id}",
    **described("replaceLocalRule", "Change a draft", **_RULE_SENT, **_REPLACED),
)
async def replace(request: Request, document_id: DocumentId) -> Response:
    """A draft alone can be changed; of what was submitted, draft a new version."""
    actor = await administrator(request, "policy:write")
    only_parameters(request)
    json_body(request)
    state = state_meant(request)
    document = read_document(await request.body(), kind_of(request))
    stored = await admin_of(request).replace(
        kind_of(request), document_id, document, actor=actor, if_match=state
    )
    return told(stored, actor=actor)


@router.delete(
    "/v1/admin/policy/agreements/{document_id}",
    **described("deleteAgreement", "Let go of a draft", **_DELETED),
)
@router.delete(
    "/v1/admin/policy/local-rules/{document_id}",
    **described("deleteLocalRule", "Let go of a draft", **_DELETED),
)
async def delete(request: Request, document_id: DocumentId) -> Response:
    """What was submitted is kept for good."""
    actor = await administrator(request, "policy:write")
    only_parameters(request)
    state = state_meant(request)
    await admin_of(request).delete(
        kind_of(request), document_id, actor=actor, if_match=state
    )
    return Response(status_code=204)


@router.get(
    "/v1/admin/policy/agreements/{document_id}/versions",
    **described("listAgreementVersions", "Every version, newest first", **_VERSIONS),
)
@router.get(
    "/v1/admin/policy/local-rules/{document_id}/versions",
    **described("listLocalRuleVersions", "Every version, newest first", **_VERSIONS),
)
async def versions(request: Request, document_id: DocumentId) -> Response:
    """None is ever removed once it was submitted."""
    actor = await administrator(request, "policy:read")
    only_parameters(request)
    found = await admin_of(request).versions(kind_of(request), document_id, actor=actor)
    return listed(found, None)


@router.get(
    "/v1/admin/policy/agreements/{document_id}/versions/{number}",
    **described("getAgreementVersion", "One version", **_AGREEMENT, **_READ),
)
@router.get(
    "/v1/admin/policy/local-rules/{document_id}/versions/{number}",
    **described("getLocalRuleVersion", "One version", **_RULE, **_READ),
)
async def read_version(
    request: Request, document_id: DocumentId, number: Number
) -> Response:
    """Its text, its state, who signed it and who has yet to."""
    actor = await administrator(request, "policy:read")
    only_parameters(request)
    stored = await admin_of(request).read(
        kind_of(request), document_id, actor=actor, version=number_of(number)
    )
    return told(stored, actor=actor)
