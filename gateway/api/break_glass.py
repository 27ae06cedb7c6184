"""Breaking the glass, putting it back, and the queue in which it is looked over."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import StrictStr, StringConstraints

from gateway.access.requester import Requester
from gateway.api.asking import json_body, only_parameters, requester_of, service_of
from gateway.api.described import described
from gateway.api.journey_request import check_purpose, parsed, read_number
from gateway.api.paging import CURSOR, LIMIT, size_of
from gateway.api.policy.bodies import Model, read_body
from gateway.api.policy.conditions import request_key
from gateway.audit.records import instant
from gateway.break_glass import review as reviewing
from gateway.break_glass.breaking import Breaking, Broken, Declaration
from gateway.break_glass.overrides import overrides
from gateway.break_glass.reasons import FINDINGS, REASONS
from gateway.journey.inquiry import House
from gateway.journey.journey import Shape, as_json
from gateway.problems import FieldError, RequestError
from policies.request import Request as PolicyRequest

router = APIRouter()

GlassId = Annotated[str, Path(description="The id of a broken glass.")]
_JSON: Final = "application/json"
_ReasonText = Annotated[StrictStr, StringConstraints(min_length=1, max_length=2000)]
_Code = Annotated[StrictStr, StringConstraints(min_length=1, max_length=40)]


class BreakGlassRequest(Model):
    """For whom the glass is broken, what for, and why: a code, and words."""

    nhs_number: Annotated[StrictStr, StringConstraints(max_length=40)]
    purpose: StrictStr
    reason_code: _Code
    reason: _ReasonText


class BreakGlassReview(Model):
    """What looking a broken glass over found."""

    finding: _Code


class BreakGlassOverride(Shape, frozen=True, kw_only=True):
    """What may now be asked of one organisation, and otherwise not."""

    organisation: str
    categories: list[str]


class BrokenGlass(Shape, frozen=True, kw_only=True):
    """Broken glass: `token` goes into `break_glass` of a journey, until `expires_at`.

    For this caller, person and purpose alone. `overrides` rests on the rules and on
    what is known of the caller, not on the person.
    """

    id: str
    token: str
    expires_at: str
    will_notify: list[str]
    overrides: list[BreakGlassOverride]


class BreakGlassCard(Shape, frozen=True, kw_only=True):
    """One broken glass that waits to be looked over.

    `person` is who it was broken for, as the audit trail names them. `reason` is
    null where its key is gone.
    """

    id: str
    who: str
    role: str
    client_id: str
    purpose: str
    person: str
    reason_code: str
    reason: str | None
    declared_at: str
    expires_at: str
    ended_at: str | None
    review_by: str
    overdue: bool


class BreakGlassQueue(Shape, frozen=True, kw_only=True):
    """A page of what waits to be looked over, the oldest first."""

    items: list[BreakGlassCard]
    next: str | None


@router.post(
    "/v1/break-glass",
    **described(
        "breakGlass",
        "Break the glass for one person, with a reason; people are told of it",
        body=BreakGlassRequest,
        answer=BrokenGlass,
        status=201,
        headers=("Idempotency-Key",),
        problems=(401, 403, 409, 415, 503),
    ),
)
async def break_glass(request: Request) -> Response:
    """Asks no source, and answers alike whoever the person is."""
    requester = await requester_of(request)
    requester.require("break-glass:declare")
    only_parameters(request)
    json_body(request)
    house = service_of(request).house
    declared = _declaration(await request.body(), key=request_key(request))
    broken = await _breaking(house).declare(requester, declared)
    told = _told(house, requester, broken)
    return Response(as_json(told), status_code=201, media_type=_JSON)


@router.delete(
    "/v1/break-glass/{glass_id}",
    **described(
        "endBreakGlass",
        "Put your glass back: its token is good for nothing any more",
        answer=None,
        status=204,
        problems=(401, 403, 404, 503),
    ),
)
async def end_break_glass(request: Request, glass_id: GlassId) -> Response:
    """Doing it twice is no harm. It is looked over all the same."""
    requester = await requester_of(request)
    requester.require("break-glass:declare")
    only_parameters(request)
    await _breaking(service_of(request).house).end(glass_id, requester)
    return Response(status_code=204)


@router.get(
    "/v1/break-glass",
    **described(
        "listBreakGlass",
        "Your organisation's broken glass that waits to be looked over",
        answer=BreakGlassQueue,
        problems=(401, 403, 503),
        parameters=(LIMIT, CURSOR),
    ),
)
async def list_break_glass(request: Request) -> Response:
    """Reading it is recorded: people's reasons stand in it."""
    requester = await requester_of(request)
    requester.require("break-glass:review")
    only_parameters(request, "limit", "cursor")
    found = await reviewing.waiting(
        _breaking(service_of(request).house),
        requester,
        size=size_of(request.query_params.get("limit")),
        cursor=request.query_params.get("cursor"),
    )
    cards = [_card(each) for each in found.items]
    queue = BreakGlassQueue(items=cards, next=found.next)
    return Response(as_json(queue), media_type=_JSON)


@router.post(
    "/v1/break-glass/{glass_id}/review",
    **described(
        "reviewBreakGlass",
        "Look a broken glass over: the finding is kept, the reason's words are not",
        body=BreakGlassReview,
        answer=None,
        status=204,
        problems=(401, 403, 404, 409, 415, 503),
    ),
)
async def review_break_glass(request: Request, glass_id: GlassId) -> Response:
    """By anybody of the organisation who may, but not by whoever broke it."""
    requester = await requester_of(request)
    requester.require("break-glass:review")
    only_parameters(request)
    json_body(request)
    finding = read_body(await request.body(), BreakGlassReview).finding
    _known("/finding", finding, FINDINGS)
    breaking = _breaking(service_of(request).house)
    await reviewing.review(breaking, requester, glass_id, finding=finding)
    return Response(status_code=204)


def _breaking(house: House) -> Breaking:
    if house.breaking is None:
        raise RequestError("not-permitted", "No glass is broken at this gateway.")
    return house.breaking


def _declaration(body: bytes, *, key: str) -> Declaration:
    asked = parsed(body, BreakGlassRequest)
    check_purpose(asked.purpose)
    _known("/reason_code", asked.reason_code, REASONS)
    if not asked.reason.strip():
        error = FieldError(pointer="/reason", code="empty")
        raise RequestError("request-invalid", "Say why.", errors=(error,))
    return Declaration(
        nhs_number=read_number(asked.nhs_number, "/nhs_number"),
        purpose=asked.purpose,
        reason_code=asked.reason_code,
        reason=asked.reason,
        key=key,
    )


def _known(pointer: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        error = FieldError(pointer=pointer, code="unknown")
        message = f"Use one of {', '.join(known)}."
        raise RequestError("request-invalid", message, errors=(error,))


def _told(house: House, requester: Requester, broken: Broken) -> BrokenGlass:
    glass = broken.glass
    asked = PolicyRequest(
        operation="journey.read",
        mode="identified",
        purpose=glass.purpose,
        agreement=None,
        recipient=requester.organisation,
        role=requester.role,
        assurance=requester.assurance,
        relationships=frozenset(each.kind for each in requester.relationships),
        break_glass=False,
        now=glass.declared_at,
    )
    opened = overrides(
        house.policy(),
        asked,
        house.sources,
        abilities=house.able(requester.organisation, justified=True),
    )
    return BrokenGlass(
        id=glass.id,
        token=broken.token,
        expires_at=instant(glass.expires_at),
        will_notify=["privacy-officer"],
        overrides=[
            BreakGlassOverride(
                organisation=each.organisation, categories=list(each.categories)
            )
            for each in opened
        ],
    )


def _card(waiting: reviewing.Waiting) -> BreakGlassCard:
    glass = waiting.glass
    return BreakGlassCard(
        id=glass.id,
        who=glass.caller.subject,
        role=glass.caller.role,
        client_id=glass.caller.client_id,
        purpose=glass.purpose,
        person=f"{glass.person.key_id}:{glass.person.hmac}",
        reason_code=glass.reason_code,
        reason=waiting.reason,
        declared_at=instant(glass.declared_at),
        expires_at=instant(glass.expires_at),
        ended_at=instant(glass.ended_at) if glass.ended_at else None,
        review_by=instant(glass.review_by),
        overdue=waiting.is_overdue,
    )
