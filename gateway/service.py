"""A running gateway: what is opened at start, shared by requests, closed at stop."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from adapters.http import AiohttpTransport
from gateway.access.tokens import Authenticator
from gateway.audit.keys import read_key
from gateway.audit.log import Log
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.journey.ask import Lanes
from gateway.journey.inquiry import House
from gateway.policy.published import load_policy
from gateway.settings import Settings
from gateway.sources import open_sources
from gateway.store.database import Database

VERSION = "0.1.0"


@dataclass(slots=True)
class Service:
    """Everything one process holds open. Closing twice is safe."""

    settings: Settings
    clock: Clock
    transport: AiohttpTransport
    database: Database
    authenticator: Authenticator
    house: House

    async def start(self) -> None:
        """Make the audit trail writable; AuditUnavailable where it cannot be."""
        await self.house.trail.start(VERSION)

    async def aclose(self) -> None:
        """Close sources, keys, trail and store, each whatever befell the others."""
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.database.aclose)
            closing.push_async_callback(self.house.trail.aclose)
            closing.push_async_callback(self.transport.aclose)
            closing.push_async_callback(self.authenticator.aclose)
            for source in self.house.sources:
                closing.push_async_callback(source.adapter.aclose)

    @property
    def is_ready(self) -> bool:
        """Policy compiled and the trail writable; a source down changes nothing."""
        return self.house.trail.is_writable()


def open_service(settings: Settings, clock: Clock) -> Service:
    """A service ready to start. ConfigurationError for anything wrong in its files."""
    transport = AiohttpTransport()
    database = Database(settings.database_url(), busy_s=settings.audit.write_s)
    key = read_key(settings.audit.key_id, settings.secret(settings.audit.key))
    policy = load_policy(settings)
    house = House(
        sources=open_sources(settings, transport, clock.now),
        names={each.ods: each.name for each in settings.organisations},
        policy=lambda: policy,
        trail=Trail(
            Log(database, settings.audit), key, settings=settings.audit, clock=clock
        ),
        clock=clock,
        lanes=Lanes(settings.limits.per_source),
        limits=settings.limits,
    )
    return Service(
        settings=settings,
        clock=clock,
        transport=transport,
        database=database,
        authenticator=Authenticator(settings, clock),
        house=house,
    )
