"""POST /v1/journeys: one person's journey, woven."""

import re
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.access.requester import Requester
from gateway.api.asking import json_body, only_parameters, requester_of, service_of
from gateway.api.described import described
from gateway.api.journey_request import JourneyRequest, read_question
from gateway.journey.inquiry import inquire
from gateway.journey.journey import Journey, written
from gateway.journey.question import Question
from gateway.problems import RequestError, problem_response, request_id_of
from gateway.service import Service

router = APIRouter()

# Names of preferences compare without case (RFC 7240).
_STRICT: Final = re.compile(
    r"(?:^|[,;\s])handling\s*=\s*\"?strict\"?(?:$|[,;\s])", re.IGNORECASE
)

# A journey of more events is written beside the event loop: it would hold it too long.
_LONG: Final = 2_500


@router.post(
    "/v1/journeys",
    **described(
        "askJourney",
        "Ask every organisation that may hold a part, and weave one journey",
        body=JourneyRequest,
        answer=Journey,
        problems=(401, 403, 415, 424, 429, 503),
        headers=("Prefer",),
    ),
)
async def ask_journey(request: Request) -> Response:
    """Completeness stands before the events: read what is missing first."""
    requester = await requester_of(request)
    requester.require("journey:read")
    only_parameters(request)
    json_body(request)
    service = service_of(request)
    strict = _STRICT.search(request.headers.get("prefer", "")) is not None
    question = read_question(
        await request.body(), strict=strict, limits=service.settings.limits
    )
    if not requester.purpose_allowed(question.purpose):
        raise RequestError("not-permitted", "This purpose is not registered for you.")
    response = await _answered(request, requester, question)
    if strict:
        response.headers["Preference-Applied"] = "handling=strict"
    return response


async def _answered(
    request: Request, requester: Requester, question: Question
) -> Response:
    service = service_of(request)
    admission = service.admission if question.break_glass is None else service.urgent
    try:
        async with admission.slot(requester.client_id):
            journey = await inquire(service.house, requester, question)
            body = await _body(service, journey)
    except RequestError as refusal:
        return problem_response(refusal, request_id_of(request))
    return Response(body, media_type="application/json")


async def _body(service: Service, journey: Journey) -> bytes:
    if len(journey.events) <= _LONG:
        return written(journey)
    return await service.long_work.do(partial(written, journey))
