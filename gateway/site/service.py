"""A running site: what is opened at start, shared by questions, closed at stop."""

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from adapters import source_file
from adapters.contract import Watches
from adapters.http import AiohttpTransport
from adapters.long_work import LongWork
from adapters.registry import open_source
from adapters.site.keys import Keys, NotKeys, own_keys, pinned_keys
from adapters.surroundings import Surroundings
from gateway.alarms import raise_alarm
from gateway.audit.keys import read_key
from gateway.audit.log import AuditUnavailable, Log
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.journey.calling import Lanes
from gateway.site import verifying
from gateway.site.answering import Desk, Ends
from gateway.site.deciding import OwnPolicy, read_rules
from gateway.site.polling import Polling, polling_of
from gateway.site.remembered import questions_since
from gateway.site.settings import SiteSettings, SiteSource
from gateway.site.verifying import Seen, Verifier
from gateway.sources import Organisation, Source, bounds_of
from gateway.store.database import Database

_WATCH_AGAIN_S = 60.0


@dataclass(slots=True)
class Site:
    """Everything one process holds open. Closing twice is safe."""

    settings: SiteSettings
    clock: Clock
    transport: AiohttpTransport
    database: Database
    desk: Desk
    polling: Polling | None = None  # of a site that opens no port
    _watching: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self, version: str) -> None:
        """Make the trail writable, and remember what was asked of an earlier process.

        AuditUnavailable where the trail cannot be written or read.
        """
        desk = self.desk
        await desk.trail.start(version)
        longest_s = verifying.longest_s(self.settings.gateway.leeway_s)
        now = self.clock.now()
        since = now - timedelta(seconds=longest_s)
        try:
            seen = await questions_since(self.database, since)
        except AuditUnavailable:
            await self.aclose()
            raise
        desk.verifier.seen.restore(seen, until=now.timestamp() + longest_s)
        for source in desk.sources.values():
            if isinstance(source.adapter, Watches):
                watch = _watched(source.id, source.adapter)
                self._watching.append(asyncio.create_task(watch))
        if self.polling is not None:
            self.polling.start()

    async def aclose(self) -> None:
        """Close sources, trail and store, each whatever befell the others."""
        if self.polling is not None:
            await self.polling.aclose()
        watching, self._watching = self._watching, []
        for task in watching:
            task.cancel()
        if watching:
            await asyncio.wait(watching)
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.database.aclose)
            closing.push_async_callback(self.desk.trail.aclose)
            closing.push_async_callback(self.transport.aclose)
            for source in self.desk.sources.values():
                closing.push_async_callback(source.adapter.aclose)

    @property
    def is_ready(self) -> bool:
        """Whether a question could be answered.

        The trail must be writable; where we fetch questions, a poll must work.
        """
        polls = self.polling is None or self.polling.is_working
        return polls and self.desk.trail.is_writable()


async def _watched(source: str, adapter: Watches) -> None:
    """Let a source take in what arrives; of one that fails, somebody is told."""
    while True:
        # Whatever it raises is kept from the log: its text is not ours.
        await asyncio.gather(adapter.watch(), return_exceptions=True)
        raise_alarm("watch_failed", source=source)
        await asyncio.sleep(_WATCH_AGAIN_S)


def open_site(settings: SiteSettings, clock: Clock) -> Site:
    """A site ready to start. ConfigurationError for anything wrong in its files."""
    transport, long_work = AiohttpTransport(), LongWork()
    database = Database(settings.database_url(), busy_s=settings.audit.write_s)
    key = read_key(settings.audit.key_id, settings.secret(settings.audit.key))
    log = Log(database, settings.audit)
    trail = Trail(log, key, settings=settings.audit, clock=clock)
    own, pinned = keys_of(settings)
    gateway = settings.gateway
    desk = Desk(
        sources={
            each.id: _source(settings, each, transport, clock=clock)
            for each in settings.sources
        },
        verifier=Verifier(
            site=settings.id,
            organisation=settings.organisation,
            gateway=gateway.id,
            own=own,
            pinned=pinned,
            leeway_s=gateway.leeway_s,
            clock=clock,
            seen=Seen(),
        ),
        policy=OwnPolicy(settings.organisation, read_rules(settings)),
        trail=trail,
        clock=clock,
        lanes=Lanes(settings.limits.per_source),
        source_s=settings.limits.source_s,
        room=asyncio.Semaphore(settings.bounds.questions),
        ends=Ends(site=settings.id, gateway=gateway.id, own=own, pinned=pinned),
        hiding=secrets.token_bytes(32),
        long_work=long_work,
    )
    polling = polling_of(settings, desk, transport)
    return Site(settings, clock, transport, database, desk, polling)


def keys_of(settings: SiteSettings) -> tuple[Keys, Keys]:
    """The site's own keys, and the gateway's. ConfigurationError for what are none."""
    place = settings.path
    try:
        own = own_keys(settings.secret(settings.keys))
    except NotKeys as error:
        raise source_file.wrong(place, ("keys",), str(error)) from None
    try:
        pinned = pinned_keys(_read(settings.gateway.keys))
    except NotKeys as error:
        raise source_file.wrong(place, ("gateway", "keys"), str(error)) from None
    return own, pinned


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise NotKeys("names no file of public keys. Correct the path.") from None


def _source(
    settings: SiteSettings,
    registered: SiteSource,
    transport: AiohttpTransport,
    *,
    clock: Clock,
) -> Source:
    around = Surroundings(
        now=clock.now,
        secret=settings.secret,
        transport=transport,
        limits=bounds_of(settings.limits),
        state=registered.state,
        source_id=registered.id,
        sector=registered.sector,
    )
    return Source(
        id=registered.id,
        organisation=Organisation(ods=settings.organisation, name=settings.name),
        sector=registered.sector,
        adapter=open_source(registered.file, around),
        fresh_s=1,  # whether it is stale, the gateway says
        labels=registered.labels,
        flags=registered.flags,
        contact=None,
        state=registered.state,
    )
