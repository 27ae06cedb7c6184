"""Sites that open no port: they fetch their questions here, and bring their answers."""

import asyncio
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Request, Response
from starlette.requests import ClientDisconnect

from adapters.relay import Brought
from adapters.site.ticket import Handed, answer_path, poll_path
from adapters.site.wire import Posted, spelt
from gateway.api.asking import json_body, only_parameters, service_of
from gateway.api.described import described
from gateway.problems import RequestError
from gateway.relay.queue import Full, Poll, Question
from gateway.relay.relay import SiteRelay
from gateway.relay.tickets import Shown

router = APIRouter()

SiteId = Annotated[str, Path(description="The site's own id.")]
QuestionId = Annotated[str, Path(description="A question's id, as it was handed out.")]
_JSON: Final = "application/json"
_BROUGHT: Final = ("application/jose", _JSON)
_AGAIN_S: Final = 1
_SEALED: Final = {"type": "string", "description": "The sealed answer, a compact JWE"}
_REFUSAL: Final = {"type": "object", "description": "Why the question is not taken"}


def _bringing() -> dict[str, Any]:
    told = described(
        "bringAnswer",
        "Bring a site's answer to a question that it fetched; once, in its time",
        answer=None,
        status=204,
        problems=(401, 404, 415, 503),
    )
    content = {"application/jose": {"schema": _SEALED}, _JSON: {"schema": _REFUSAL}}
    told["openapi_extra"]["requestBody"] = {"required": True, "content": content}
    return told


@router.post(
    "/v1/relay/{site}/poll",
    **described(
        "pollRelay",
        "Fetch a question for a site that opens no port; wait until there is one",
        answer=Handed,
        problems=(401, 415, 503),
    ),
)
async def poll_relay(request: Request, site: SiteId) -> Response:
    """Whoever it is that asks in vain, the refusal is the same."""
    shown = ticket_of(request, site, poll_path(site))
    only_parameters(request)
    json_body(request)
    relay = service_of(request).relay
    relay.tickets.hold(shown, await request.body())
    try:
        poll = relay.queue.open(site, partial(relay.tickets.is_good, shown))
    except Full:
        raise RequestError("overloaded", retry_after_s=_AGAIN_S) from None
    try:
        question = await _given(request, relay, poll)
    finally:
        relay.queue.shut(poll)
    _hold_still(relay, shown, question)
    return Response(spelt(_handed(question)), media_type=_JSON)


@router.post("/v1/relay/{site}/answers/{jti}", **_bringing())
async def bring_answer(request: Request, site: SiteId, jti: QuestionId) -> Response:
    """For a question not of this site, or not awaited any more, there is no place."""
    shown = ticket_of(request, site, answer_path(site, jti))
    only_parameters(request)
    media_type = request.headers.get("content-type", "")
    if media_type not in _BROUGHT:
        raise RequestError("http-415")
    relay = service_of(request).relay
    if relay.replicas is None and not relay.queue.awaits(site, jti):
        raise RequestError("not-found")
    try:
        with relay.room.of(site):
            body = await _body(request, relay)
            relay.tickets.hold(shown, body)
            relay.tickets.hold_still(shown)
            brought = Brought(media_type=media_type, body=body)
            if not await relay.bring(site, jti, brought):
                raise RequestError("not-found")
    except Full:
        raise RequestError("overloaded", retry_after_s=_AGAIN_S) from None
    return Response(status_code=204)


@router.post("/v1/relay/{site}/replicas/{jti}", include_in_schema=False)
async def hand_over(request: Request, site: SiteId, jti: QuestionId) -> Response:
    """What another gateway of the same store comes to fetch, of that site."""
    replicas = service_of(request).relay.replicas
    handed = replicas and replicas.handed(
        request.headers.get("authorization", ""), site, jti
    )
    if not handed:
        raise RequestError("not-found")
    return Response(handed.body, media_type=handed.media_type)


def ticket_of(request: Request, site: str, path: str) -> Shown:
    """The ticket that is shown for a path. RequestError token-invalid for none."""
    shown = request.headers.get("authorization", "")
    return service_of(request).relay.tickets.take(site, path, shown)


def _hold_still(relay: SiteRelay, shown: Shown, question: Question | None) -> None:
    """Its key may have been revoked while it waited: then it is handed nothing."""
    try:
        relay.tickets.hold_still(shown)
    except RequestError:
        if question is not None:
            relay.queue.give_back(question)
        raise


async def _given(request: Request, relay: SiteRelay, poll: Poll) -> Question | None:
    """What a poll is given while whoever polls is still there."""
    gone = asyncio.create_task(_hang_up(request))
    given = asyncio.create_task(relay.next_question(poll))
    try:
        await asyncio.wait([gone, given], return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            return given.result()
    finally:
        gone.cancel()
        given.cancel()
    if poll.given.done() and not poll.given.cancelled():
        relay.queue.give_back(poll.given.result())
    return None


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _handed(question: Question | None) -> Handed:
    if question is None:
        return Handed(jti=None, posted=None)
    posted = msgspec.json.decode(question.posted, type=Posted)
    return Handed(jti=question.jti, posted=posted)


async def _body(request: Request, relay: SiteRelay) -> bytes:
    """The whole body, bounded in bytes and time."""
    body = bytearray()
    try:
        async with asyncio.timeout(relay.bounds.answer_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > relay.bounds.answer_bytes:
                    raise RequestError("http-413")
    except TimeoutError:
        raise RequestError("http-408") from None
    except ClientDisconnect:
        raise RequestError("request-invalid") from None
    return bytes(body)
