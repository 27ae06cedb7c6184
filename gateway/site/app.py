"""What a site answers on: one route for questions, and whether it is ready."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.site.wire import QUESTIONS_PATH, Refusal, RefusalCode, spelt
from gateway.api.edge import EdgeMiddleware
from gateway.clock import Clock, SystemClock
from gateway.site.answering import reply, unread
from gateway.site.service import Site, open_site
from gateway.site.settings import SiteSettings

_BUSY: Final = frozenset[RefusalCode]({"busy", "audit"})
# What the edge answers before a question is read: too long, too slow, ill-formed.
_UNREAD: Final[dict[int, RefusalCode]] = {
    400: "malformed",
    408: "malformed",
    413: "too_large",
}


def create_site(
    settings: SiteSettings, clock: Clock | None = None, *, version: str
) -> Starlette:
    """The site of these settings. ConfigurationError if its files are wrong."""
    site = open_site(settings, clock or SystemClock())

    opens = settings.relay is None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await site.start(version)
        try:
            yield
        finally:
            await site.aclose()

    app = Starlette(
        routes=[
            # A site that fetches its questions takes none here.
            *([Route(QUESTIONS_PATH, questions, methods=["POST"])] * opens),
            Route("/livez", live, methods=["GET"]),
            Route("/readyz", ready, methods=["GET"]),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would repeat the address
    app.state.site = site
    app.add_middleware(EdgeMiddleware, settings=settings)
    app.add_middleware(UnreadMiddleware, site=site)
    return app


class UnreadMiddleware:
    """Records what the edge refuses to read as a question, and says so as a site."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != QUESTIONS_PATH:
            await self._app(scope, receive, send)
            return
        found: list[RefusalCode] = []

        async def passed(message: Message) -> None:
            if message["type"] == "http.response.start":
                found.extend(_unread(message["status"]))
            if not found:
                await send(message)

        await self._app(scope, receive, passed)
        for code in found:
            refused = _refused(await unread(self._site.desk, code))
            await refused(scope, receive, send)


def _unread(status: int) -> tuple[RefusalCode, ...]:
    return (_UNREAD[status],) if status in _UNREAD else ()


async def questions(request: Request) -> Response:
    """The sealed answer to a question, or the code of why it is not taken."""
    site: Site = request.app.state.site
    if request.headers.get("content-type") != "application/json":
        return _refused(await unread(site.desk, "malformed"))
    said = await reply(site.desk, await request.body())
    if isinstance(said, Refusal):
        return _refused(said)
    return Response(said, media_type="application/jose")


def _refused(said: Refusal) -> Response:
    return Response(
        spelt(said),
        status_code=503 if said.refused in _BUSY else 403,
        media_type="application/json",
    )


async def live(_: Request) -> Response:
    """The loop turns."""
    return Response(b'{"ok":true}', media_type="application/json")


async def ready(request: Request) -> Response:
    """A source that is down never makes the site unready."""
    site: Site = request.app.state.site
    if site.is_ready:
        return Response(b'{"ok":true}', media_type="application/json")
    return Response(b'{"ok":false}', status_code=503, media_type="application/json")
