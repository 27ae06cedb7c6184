"""POST /v1/journeys: one person's journey, woven."""

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.access.requester import Requester
from gateway.api.asking import json_body, only_parameters, requester_of, service_of
from gateway.api.described import described
from gateway.api.journey_request import JourneyRequest, read_question
from gateway.journey.inquiry import inquire
from gateway.journey.journey import Journey, as_json
from gateway.journey.question import Question
from gateway.problems import RequestError, problem_response, request_id_of

router = APIRouter()

# Names of preferences compare without case (RFC 7240).
_STRICT: Final = re.compile(
    r"(?:^|[,;\s])handling\s*=\s*\"?strict\"?(?:$|[,;\s])", re.IGNORECASE
)


@router.post(
    "/v1/journeys",
    **described(
        "askJourney",
        "Ask every organisation that may hold a part, and weave one journey",
        body=JourneyRequest,
        answer=Journey,
        problems=(401, 403, 415, 424, 503),
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
    try:
        journey = await inquire(service_of(request).house, requester, question)
    except RequestError as refusal:
        return problem_response(refusal, request_id_of(request))
    return Response(as_json(journey), media_type="application/json")
