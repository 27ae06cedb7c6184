"""What is to be mended in a source, for its own organisation; and letting it back."""

import base64
import binascii
import re
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, StrictStr, StringConstraints

from gateway.access.requester import Requester
from gateway.api.asking import json_body, only_parameters, requester_of, service_of
from gateway.api.described import described
from gateway.api.paging import CURSOR, LIMIT, size_of
from gateway.api.policy.bodies import Model, read_body
from gateway.api.policy.conditions import entity_tag, state_meant
from gateway.audit.records import instant
from gateway.journey.journey import Shape, as_json
from gateway.problems import FieldError, RequestError
from gateway.suspension.suspensions import Page
from gateway.suspension.tickets import Place, Ticket

router = APIRouter()

SourceId = Annotated[str, Path(description="A source's id.")]
_JSON: Final = "application/json"
_SCOPE: Final = "source:write"
_MOST_RECORDS: Final = 1_000
_PLACE: Final = re.compile(r"([0-9T:.Z-]{20,32})\|(fnd_[0-9a-f]{30})")


class FindingsSearch(Model):
    """Ids of records of the source, as it gives them out itself."""

    record_ids: Annotated[
        tuple[
            Annotated[StrictStr, StringConstraints(min_length=1, max_length=400)], ...
        ],
        Field(min_length=1, max_length=_MOST_RECORDS),
    ]


class SourceFinding(Shape, frozen=True, kw_only=True):
    """Something to be mended, in one record or in the source's answers.

    `record` is a keyed hash of the record's id, null where the finding is of an
    answer or the id was not shown; `journey_id` is the last in which it was found.
    """

    id: str
    code: str
    category: str | None
    record: str | None
    count: int
    first_seen: str
    last_seen: str
    journey_id: str


class SourceFindings(Shape, frozen=True, kw_only=True):
    """How a source stands, and a page of what was found in it, the latest first."""

    source: str
    suspended_at: str | None
    items: list[SourceFinding]
    next: str | None


@router.get(
    "/v1/sources/{source_id}/findings",
    **described(
        "listSourceFindings",
        "What is to be mended in your own source; nothing of anybody's care",
        answer=SourceFindings,
        problems=(401, 403, 404, 503),
        parameters=(LIMIT, CURSOR),
        sent=("ETag",),
    ),
)
async def list_source_findings(request: Request, source_id: SourceId) -> Response:
    """The ETag names how the source stands: give it back to clear it."""
    await _administrator(request, source_id)
    only_parameters(request, "limit", "cursor")
    size = size_of(request.query_params.get("limit"))
    cursor = request.query_params.get("cursor")
    page = await service_of(request).suspensions.page(
        source_id, after=None if cursor is None else _place(cursor), most=size + 1
    )
    return _told(source_id, page, size=size)


@router.post(
    "/v1/sources/{source_id}/findings/search",
    **described(
        "searchSourceFindings",
        "Which of these records of your own source something was found in",
        body=FindingsSearch,
        answer=SourceFindings,
        problems=(401, 403, 404, 415, 503),
        sent=("ETag",),
    ),
)
async def search_source_findings(request: Request, source_id: SourceId) -> Response:
    """The ids are hashed and compared, and kept nowhere."""
    await _administrator(request, source_id)
    only_parameters(request)
    json_body(request)
    sought = read_body(await request.body(), FindingsSearch).record_ids
    page = await service_of(request).suspensions.in_records(source_id, sought)
    return _told(source_id, page, size=len(page.tickets))


@router.post(
    "/v1/sources/{source_id}/clear",
    **described(
        "clearSource",
        "Let your own source be asked again after it was suspended",
        answer=None,
        status=204,
        headers=("If-Match",),
        problems=(401, 403, 404, 409, 412, 428, 503),
    ),
)
async def clear_source(request: Request, source_id: SourceId) -> Response:
    """It counts in every gateway of the store within five seconds; it is recorded."""
    requester = await _administrator(request, source_id)
    only_parameters(request)
    await service_of(request).suspensions.clear(
        source_id, requester, state=state_meant(request)
    )
    return Response(status_code=204)


async def _administrator(request: Request, source_id: str) -> Requester:
    """Who is asking, for whom the source is their own; for others there is none."""
    requester = await requester_of(request)
    requester.require(_SCOPE)
    for source in service_of(request).house.sources:
        if source.id == source_id:
            if source.organisation.ods == requester.organisation:
                return requester
            break
    raise RequestError("not-found")


def _told(source_id: str, page: Page, *, size: int) -> Response:
    since = page.standing.suspended_at
    shown = page.tickets[:size]
    findings = SourceFindings(
        source=source_id,
        suspended_at=instant(since) if since else None,
        items=[_finding(each) for each in shown],
        next=_cursor(shown[-1]) if len(page.tickets) > size else None,
    )
    headers = {"ETag": entity_tag(page.standing.state)}
    return Response(as_json(findings), media_type=_JSON, headers=headers)


def _finding(ticket: Ticket) -> SourceFinding:
    return SourceFinding(
        id=ticket.id,
        code=ticket.code,
        category=ticket.category,
        record=ticket.record,
        count=ticket.seen,
        first_seen=instant(ticket.first_at),
        last_seen=instant(ticket.last_at),
        journey_id=ticket.journey,
    )


def _cursor(ticket: Ticket) -> str:
    place = f"{instant(ticket.last_at)}|{ticket.id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: str) -> Place:
    try:
        place = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        found = _PLACE.fullmatch(place.decode("ascii"))
    except (binascii.Error, ValueError):
        found = None
    if found is None:
        error = FieldError(pointer="/cursor", code="invalid")
        message = "cursor is not one of ours."
        raise RequestError("request-invalid", message, errors=(error,))
    return Place(at=found[1], id=found[2])
