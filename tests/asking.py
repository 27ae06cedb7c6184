"""The routes before a house in memory: no token, no file, no store."""

from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.datastructures import Headers

from adapters.long_work import LongWork
from gateway.access.requester import Requester
from gateway.app import routes
from gateway.clock import Clock
from gateway.journey.admission import Admission
from gateway.journey.inquiry import House
from gateway.settings import Admission as Bounds
from gateway.settings import Limits
from tests.houses import HouseClock, doctor


@dataclass
class FakeAuthenticator:
    """Everybody is the requester it was given."""

    requester: Requester = field(default_factory=doctor)

    async def authenticate(self, headers: Headers) -> Requester:
        return self.requester

    async def aclose(self) -> None:
        """Nothing to close."""


@dataclass
class FakeSettings:
    """The one part of the settings that routes read."""

    limits: Limits = field(default_factory=Limits)


@dataclass
class FakeService:
    """What routes know of a running service."""

    house: House
    authenticator: FakeAuthenticator = field(default_factory=FakeAuthenticator)
    settings: FakeSettings = field(default_factory=FakeSettings)
    clock: Clock = field(default_factory=HouseClock)
    is_ready: bool = True
    admission: Admission = field(default_factory=lambda: Admission(Bounds()))
    urgent: Admission = field(default_factory=lambda: Admission(Bounds()))
    long_work: LongWork = field(default_factory=LongWork)

    @property
    def unready(self) -> str | None:
        return None if self.is_ready else "audit-unavailable"


def asking(service: FakeService, **how: Any) -> httpx.AsyncClient:
    """A client of the routes before this service."""
    app = routes()
    app.state.service = service
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway.invalid", **how
    )
