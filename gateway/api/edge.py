"""The outermost layer: how much is read, which ids travel, and what never leaks.

Pure ASGI, so that a caller who hangs up is seen by the handler. A body is read
here, whole and bounded, before the app runs; nothing larger ever reaches it.
"""

import asyncio
import re
import uuid
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.address import refuse_identifier
from gateway.problems import RequestError, problem_response
from gateway.settings import Http

# Headers that settle who is asking, for what, or how a body is read: two of one
# kind are two answers, and whoever stands before us may have read the other.
_ONCE: Final = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "if-match",
        "nhsd-end-user-organisation-ods",
        "prefer",
        "throughline-purpose",
        "traceparent",
        "transfer-encoding",
        "x-correlation-id",
        "x-request-id",
    }
)
_ADMIN: Final = "/v1/admin/"  # whose documents are larger than questions
# Whose bodies are large: they are read once it is known who sends them, and bounded
# there.
_READ_LATER: Final = re.compile(r"/v1/relay/[^/]+/answers/[^/]+")
_CACHEABLE: Final = ("/openapi.json", "/docs", "/static/", "/.well-known/jwks.json")
_UUID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_CORRELATION: Final = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

_log = structlog.get_logger("throughline.edge")


class Listening(Protocol):
    """A configuration that says how much of a request is read: of any service."""

    @property
    def http(self) -> Http: ...


class EdgeMiddleware:
    """Stands before the whole app; one of the two places that catch everything."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Listening,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        self._app = app
        self._http = settings.http
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = self._request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        reply = _Reply(send, headers, path=scope["path"], request_id=request_id)
        try:
            refuse_identifier(scope["path"], scope["query_string"])
            _refuse_duplicates(headers)
            if _READ_LATER.fullmatch(scope["path"]):
                await self._answer(scope, receive, reply)
                return
            most = self._most(scope["path"])
            body = await self._body(headers, receive, most=most)
        except RequestError as error:
            await problem_response(error, request_id)(scope, receive, reply.send)
            return
        if body is not None:
            await self._answer(scope, _Replay(body, receive).receive, reply)

    async def _answer(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        try:
            await self._app(scope, receive, reply.send)
        except Exception as error:  # noqa: BLE001 - the one edge that answers 500: an exception's text may hold what was sent, and the server would log it
            _log.error(
                "internal_error",
                request_id=reply.request_id,
                error=type(error).__name__,
                place=_place_of(error),
            )
            if not reply.started:
                response = problem_response(RequestError("internal"), reply.request_id)
                await response(scope, receive, reply.send)
            elif not reply.finished:
                # Half a body is not an answer: the server must drop the connection.
                message = "the response was cut short"
                raise ConnectionAbortedError(message) from None

    def _request_id(self, headers: Headers) -> str:
        given = headers.get("x-request-id", "")
        return given if _UUID.fullmatch(given) else str(self._new_id())

    def _most(self, path: str) -> int:
        if path.startswith(_ADMIN):
            return self._http.admin_body_bytes
        return self._http.body_bytes

    async def _body(
        self, headers: Headers, receive: Receive, *, most: int
    ) -> bytes | None:
        """The whole body; None if the caller hung up.

        RequestError http-413 as soon as it is known to be larger than `most`, http-408
        if it does not arrive in `http.body_s`.
        """
        declared = headers.get("content-length", "0")
        if not declared.isascii() or not declared.isdigit():
            raise RequestError("request-invalid")
        if len(declared) > 19 or int(declared) > most:
            raise RequestError("http-413")
        try:
            async with asyncio.timeout(self._http.body_s):
                return await self._read(receive, most=most)
        except TimeoutError:
            raise RequestError("http-408") from None

    async def _read(self, receive: Receive, *, most: int) -> bytes | None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise RequestError("http-413")
            more = message.get("more_body", False)
        return bytes(body)


class _Replay:
    """Gives the app the body that was read, and then whatever else comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def receive(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Reply:
    """Sends a response with the headers that every response carries."""

    def __init__(
        self, send: Send, headers: Headers, *, path: str, request_id: str
    ) -> None:
        self._send = send
        self._path = path
        self._correlation = headers.get("x-correlation-id", "")
        self.request_id = request_id
        self.started = False
        self.finished = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._mark(MutableHeaders(scope=message), message["status"])
        elif message["type"] == "http.response.body":
            self.finished = not message.get("more_body", False)
        await self._send(message)

    def _mark(self, headers: MutableHeaders, status: int) -> None:
        headers["X-Request-ID"] = self.request_id
        headers["X-Content-Type-Options"] = "nosniff"
        if _CORRELATION.fullmatch(self._correlation):
            headers["X-Correlation-ID"] = self._correlation
        if status >= 400 or not self._path.startswith(_CACHEABLE):
            headers["Cache-Control"] = "no-store"
        if status in {408, 413}:
            headers["Connection"] = "close"  # the rest of the body is not wanted


def _refuse_duplicates(headers: Headers) -> None:
    seen = set()
    for name in headers:
        lower = name.lower()
        if lower in seen and lower in _ONCE:
            raise RequestError("duplicate-header")
        seen.add(lower)


def _place_of(error: BaseException) -> str:
    """File and line of the innermost frame: enough to find it, no value in it."""
    trace = error.__traceback__
    place = "unknown"
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
