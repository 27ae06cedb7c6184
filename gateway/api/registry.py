"""GET /v1/sources and /v1/purposes: whom one may ask, for what, and how fresh."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from gateway.access.requester import Requester
from gateway.api.asking import only_parameters, requester_of, service_of
from gateway.api.described import described
from gateway.api.paging import CURSOR, LIMIT, size_of
from gateway.journey.inquiry import House
from gateway.journey.journey import OrganisationName, Shape, as_json
from gateway.policy.permissions import Permission, permissions
from gateway.problems import RequestError
from gateway.sources import Source
from policies.vocabulary import PURPOSES

router = APIRouter()


class YouMay(Shape, frozen=True, kw_only=True):
    """What this caller may ask, given one of these relationships."""

    purpose: str
    categories: list[str]
    relationships: list[str]


class SourceCard(Shape, frozen=True, kw_only=True):
    """One source: whose it is, what it can tell of, and what this caller may ask."""

    id: str
    organisation: OrganisationName
    sector: str
    held: list[str]
    identifier_systems: list[str]
    you_may: list[YouMay]
    fresh_s: int
    as_of: str | None
    state: str | None
    adapter: str
    labels: str
    contact: str | None


class SourceList(Shape, frozen=True, kw_only=True):
    """A page of sources."""

    items: list[SourceCard]
    next: str | None


class PurposeCard(Shape, frozen=True, kw_only=True):
    """A purpose a question may have; `yours` if this caller may give it."""

    code: str
    hl7: str
    purpose_class: str
    yours: bool


class PurposeList(Shape, frozen=True, kw_only=True):
    """Every purpose; exactly one goes with each question."""

    items: list[PurposeCard]
    next: str | None


@router.get(
    "/v1/sources",
    **described(
        "listSources",
        "The sources, and what you may ask each",
        answer=SourceList,
        problems=(401, 403, 503),
        parameters=(LIMIT, CURSOR),
    ),
)
async def list_sources(request: Request) -> Response:
    """Asks no source: it tells what is registered and what was last seen."""
    requester = await requester_of(request)
    only_parameters(request, "limit", "cursor")
    house = service_of(request).house
    page, following = _page(
        house.sources,
        request.query_params.get("limit"),
        request.query_params.get("cursor"),
    )
    cards = [_card(house, source, requester) for source in page]
    listed = SourceList(items=cards, next=following)
    return Response(as_json(listed), media_type="application/json")


@router.get(
    "/v1/sources/{source_id}",
    **described(
        "getSource",
        "One source, and what you may ask it",
        answer=SourceCard,
        problems=(401, 403, 404, 503),
    ),
)
async def get_source(
    request: Request, source_id: Annotated[str, Path(description="A source's id.")]
) -> Response:
    """Asks no source: it tells what is registered and what was last seen."""
    requester = await requester_of(request)
    only_parameters(request)
    house = service_of(request).house
    for source in house.sources:
        if source.id == source_id:
            card = _card(house, source, requester)
            return Response(as_json(card), media_type="application/json")
    raise RequestError("not-found")


@router.get(
    "/v1/purposes",
    **described(
        "listPurposes",
        "The purposes a question may have",
        answer=PurposeList,
        problems=(401, 403, 503),
    ),
)
async def list_purposes(request: Request) -> Response:
    """Codes, their HL7 v3 ActReason and class, and which are yours."""
    requester = await requester_of(request)
    only_parameters(request)
    cards = [
        PurposeCard(
            code=each.code,
            hl7=each.hl7,
            purpose_class=each.class_,
            yours=requester.purpose_allowed(each.code),
        )
        for each in PURPOSES.values()
    ]
    listed = PurposeList(items=cards, next=None)
    return Response(as_json(listed), media_type="application/json")


def _card(house: House, source: Source, requester: Requester) -> SourceCard:
    permitted = permissions(
        house.policy(),
        requester,
        source,
        now=house.clock.now(),
        abilities=house.able(requester.organisation, justified=True),
    )
    seen = house.sightings.of(source)
    return SourceCard(
        id=source.id,
        organisation=OrganisationName(
            ods=source.organisation.ods, name=source.organisation.name
        ),
        sector=source.sector,
        held=sorted(source.held),
        identifier_systems=sorted(source.identifier_systems),
        you_may=[_you_may(each) for each in permitted],
        fresh_s=source.fresh_s,
        as_of=seen.as_of if seen else None,
        state=seen.state if seen else None,
        adapter=source.adapter.profile.adapter,
        labels=source.labels,
        contact=source.contact,
    )


def _you_may(permitted: Permission) -> YouMay:
    return YouMay(
        purpose=permitted.purpose,
        categories=list(permitted.categories),
        relationships=list(permitted.relationships),
    )


def _page(
    sources: Sequence[Source], limit: str | None, cursor: str | None
) -> tuple[Sequence[Source], str | None]:
    """A page after the source a cursor names, and the cursor of the next."""
    size = size_of(limit)
    after = _after(cursor)
    rest = [source for source in sources if source.id > after]
    page = rest[:size]
    more = len(rest) > len(page)
    following = (
        base64.urlsafe_b64encode(page[-1].id.encode()).decode() if more else None
    )
    return page, following


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise RequestError("request-invalid", "cursor is not one of ours.") from None
