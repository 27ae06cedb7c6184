"""The app: routes, refusals and the edge, wired to one running service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response

from gateway.api import (
    break_glass,
    decisions,
    findings,
    health,
    journeys,
    registry,
    relay,
    sites,
)
from gateway.api.document import as_text, openapi_of
from gateway.api.edge import EdgeMiddleware
from gateway.api.policy import analysis, documents, sets, transitions, vocabulary
from gateway.api.policy.bounded import Workbench
from gateway.clock import Clock, SystemClock
from gateway.problems import install_problem_handlers
from gateway.service import VERSION, Service, open_service
from gateway.settings import Settings


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The gateway of these settings. ConfigurationError if its files are wrong.

    Sources are not connected here or at start: one that is down is found out when
    it is asked, and does not keep the gateway from being ready.
    """
    service = open_service(settings, clock or SystemClock())
    app = routes()
    app.router.lifespan_context = _lifespan(service)
    app.state.service = service
    app.state.workbench = Workbench()
    app.add_middleware(EdgeMiddleware, settings=settings)
    return app


def routes() -> FastAPI:
    """The routes alone: enough to make the OpenAPI document from."""
    app = FastAPI(
        title="Throughline",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would repeat the address
    )
    administering = (vocabulary, documents, transitions, sets, analysis)
    for each in (
        *(journeys, registry, findings, sites, relay, decisions, break_glass, health),
        *administering,
    ):
        app.include_router(each.router, tags=["throughline"])
    install_problem_handlers(app)
    document = as_text(openapi_of(app)).encode("utf-8")

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        """The OpenAPI document of this very gateway."""
        return Response(document, media_type="application/json")

    return app


def _lifespan(service: Service) -> Any:  # noqa: ANN401 - the framework's own type is an unnamed callable
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            app.state.workbench.close()
            await service.aclose()

    return lifespan
