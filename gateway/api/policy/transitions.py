"""The life of a document: submitted, signed or refused, put to rest, put back."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from gateway.access.requester import Requester
from gateway.access.sign_in import require_person, require_recent_sign_in
from gateway.api.asking import json_body, only_parameters, service_of
from gateway.api.described import described
from gateway.api.policy.administration import (
    admin_of,
    administrator,
    kind_of,
)
from gateway.api.policy.bodies import Approval, Rollback, read_body, read_nothing
from gateway.api.policy.conditions import request_key, state_meant
from gateway.api.policy.shapes import AgreementVersion, LocalRuleVersion
from gateway.api.policy.telling import made, told
from gateway.policy.approvals import Yes
from gateway.policy.lifecycle import Earlier

router = APIRouter()

DocumentId = Annotated[str, Path(description="A document's id.")]

_PROBLEMS: Final = (401, 403, 404, 409, 412, 428, 503)
_MOVED: Final[dict[str, Any]] = {
    "headers": ("If-Match",),
    "problems": _PROBLEMS,
    "sent": ("ETag",),
}
_SUBMITTED: Final[dict[str, Any]] = {**_MOVED, "problems": (*_PROBLEMS, 422)}
_APPROVED: Final[dict[str, Any]] = {
    **_MOVED,
    "body": Approval,
    "problems": (*_PROBLEMS, 415),
}
_ROLLED_BACK: Final[dict[str, Any]] = {
    "status": 201,
    "body": Rollback,
    "headers": ("If-Match", "Idempotency-Key"),
    "problems": (*_PROBLEMS, 415),
    "sent": ("ETag", "Location"),
}
_AGREEMENT: Final[dict[str, Any]] = {"answer": AgreementVersion}
_RULE: Final[dict[str, Any]] = {"answer": LocalRuleVersion}


@router.post(
    "/v1/admin/policy/agreements/{document_id}/submit",
    **described(
        "submitAgreement", "Put a draft to its parties", **_AGREEMENT, **_SUBMITTED
    ),
)
@router.post(
    "/v1/admin/policy/local-rules/{document_id}/submit",
    **described(
        "submitLocalRule", "Put a draft to those who sign", **_RULE, **_SUBMITTED
    ),
)
async def submit(request: Request, document_id: DocumentId) -> Response:
    """Checked by the gate first; what it refuses stays a draft."""
    actor, state = await _moving(request, "policy:write")
    read_nothing(await request.body())
    stored = await admin_of(request).submit(
        kind_of(request), document_id, actor=actor, if_match=state
    )
    return told(stored, actor=actor)


@router.post(
    "/v1/admin/policy/agreements/{document_id}/approve",
    **described(
        "approveAgreement",
        "Sign the text for your organisation",
        **_AGREEMENT,
        **_APPROVED,
    ),
)
@router.post(
    "/v1/admin/policy/local-rules/{document_id}/approve",
    **described(
        "approveLocalRule", "Sign the text for your organisation", **_RULE, **_APPROVED
    ),
)
async def approve(request: Request, document_id: DocumentId) -> Response:
    """Who wrote any of it may not; the hash says which text the person has read."""
    actor, state = await _moving(request, "policy:approve")
    require_recent_sign_in(actor, now=service_of(request).clock.now())
    yes = await _yes(request)
    stored = await admin_of(request).approve(
        kind_of(request),
        document_id,
        actor=actor,
        if_match=state,
        yes=yes,
    )
    return told(stored, actor=actor)


@router.post(
    "/v1/admin/policy/agreements/{document_id}/reject",
    **described("rejectAgreement", "Refuse to sign it", **_AGREEMENT, **_MOVED),
)
@router.post(
    "/v1/admin/policy/local-rules/{document_id}/reject",
    **described("rejectLocalRule", "Refuse to sign them", **_RULE, **_MOVED),
)
async def reject(request: Request, document_id: DocumentId) -> Response:
    """One organisation's no ends this version for all."""
    actor, state = await _moving(request, "policy:approve")
    require_person(actor)
    read_nothing(await request.body())
    stored = await admin_of(request).reject(
        kind_of(request), document_id, actor=actor, if_match=state
    )
    return told(stored, actor=actor)


@router.post(
    "/v1/admin/policy/agreements/{document_id}/suspend",
    **described(
        "suspendAgreement",
        "Put your own part of it to rest, at once",
        **_AGREEMENT,
        **_APPROVED,
    ),
)
@router.post(
    "/v1/admin/policy/local-rules/{document_id}/suspend",
    **described("suspendLocalRule", "Put your rules to rest", **_RULE, **_APPROVED),
)
async def suspend(request: Request, document_id: DocumentId) -> Response:
    """A provider needs nobody else to stop the use of its own data.

    To stop a rule of its own may widen what others see: that takes two people, who
    signed in lately.
    """
    actor, state = await _moving(request, "policy:approve")
    require_person(actor)
    if kind_of(request) == "local-rule":
        require_recent_sign_in(actor, now=service_of(request).clock.now())
    yes = await _yes(request)
    stored = await admin_of(request).suspend(
        kind_of(request),
        document_id,
        actor=actor,
        if_match=state,
        yes=yes,
    )
    return told(stored, actor=actor)


@router.post(
    "/v1/admin/policy/agreements/{document_id}/resume",
    **described(
        "resumeAgreement", "Put your own part of it back", **_AGREEMENT, **_APPROVED
    ),
)
@router.post(
    "/v1/admin/policy/local-rules/{document_id}/resume",
    **described("resumeLocalRule", "Put your rules back", **_RULE, **_APPROVED),
)
async def resume(request: Request, document_id: DocumentId) -> Response:
    """It widens what others see, and takes the signatures of a widening."""
    actor, state = await _moving(request, "policy:approve")
    require_recent_sign_in(actor, now=service_of(request).clock.now())
    yes = await _yes(request)
    stored = await admin_of(request).resume(
        kind_of(request),
        document_id,
        actor=actor,
        if_match=state,
        yes=yes,
    )
    return told(stored, actor=actor)


@router.post(
    "/v1/admin/policy/agreements/{document_id}/rollback",
    **described(
        "rollbackAgreement",
        "Draft an earlier version's text as the next",
        **_AGREEMENT,
        **_ROLLED_BACK,
    ),
)
@router.post(
    "/v1/admin/policy/local-rules/{document_id}/rollback",
    **described(
        "rollbackLocalRule",
        "Draft an earlier version's text as the next",
        **_RULE,
        **_ROLLED_BACK,
    ),
)
async def rollback(request: Request, document_id: DocumentId) -> Response:
    """It must be signed like any other draft; nothing comes back by itself."""
    actor, state = await _moving(request, "policy:write")
    json_body(request)
    key = request_key(request)
    wanted = read_body(await request.body(), Rollback)
    stored = await admin_of(request).rollback(
        kind_of(request),
        document_id,
        actor=actor,
        if_match=state,
        to=Earlier(version=wanted.version, key=key),
    )
    return made(stored, actor=actor)


async def _moving(request: Request, scope: str) -> tuple[Requester, str]:
    """Who moves it, and which state they have seen."""
    actor = await administrator(request, scope)
    only_parameters(request)
    return actor, state_meant(request)


async def _yes(request: Request) -> Yes:
    """What the person says yes to, and as what."""
    json_body(request)
    read = read_body(await request.body(), Approval)
    return Yes(hash=read.hash, capacity=read.capacity)
