"""A running gateway: what is opened at start, shared by requests, closed at stop."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from adapters.http import AiohttpTransport
from adapters.long_work import LongWork
from gateway.access.budget import PeopleBudget
from gateway.access.tokens import Authenticator
from gateway.audit.keys import read_key
from gateway.audit.log import Log
from gateway.audit.trail import Trail
from gateway.break_glass.breaking import Breaking
from gateway.break_glass.key import read_glass_key
from gateway.clock import Clock
from gateway.decisions.recorded import last_recorded
from gateway.enrolment.enrolled import EnrolledKeys
from gateway.enrolment.enrolments import Enrolments
from gateway.journey.admission import Admission
from gateway.journey.ask import Lanes
from gateway.journey.inquiry import House
from gateway.keeping import Keeping
from gateway.notices.channels import channels_of
from gateway.notices.delivery import Delivery
from gateway.policy.lifecycle import PolicyAdmin
from gateway.policy.opened import Beside, OpenPolicy, open_policy
from gateway.policy.reminders import Told
from gateway.problems import RequestError
from gateway.relay.relay import SiteRelay, open_relay, refuse_alone
from gateway.settings import Settings
from gateway.sources import Means, open_sources
from gateway.store.database import Database
from gateway.suspension.suspensions import Suspensions

VERSION = "0.1.0"
_REPLAYED: Final = 2_000  # decisions that a draft is tried on


@dataclass(slots=True)
class Service:
    """Everything one process holds open. Closing twice is safe."""

    settings: Settings
    clock: Clock
    transport: AiohttpTransport
    database: Database
    authenticator: Authenticator
    house: House
    long_work: LongWork
    admission: Admission
    urgent: Admission  # for those who break the glass: others never keep them out
    delivery: Delivery
    policy: OpenPolicy
    keeping: Keeping
    relay: SiteRelay
    suspensions: Suspensions
    enrolled: EnrolledKeys
    enrolments: Enrolments

    async def start(self) -> None:
        """Make the audit trail writable; AuditUnavailable where it cannot be.

        Policy of the store is followed from here on; without a set that can be
        verified nothing is decided, and we are not ready.
        """
        await self.house.trail.start(VERSION)
        self.delivery.start()
        try:
            await self.policy.start()
            await self.suspensions.start()
            await self.enrolled.start()
        except RequestError:
            await self.aclose()
            raise
        self.relay.start()
        self.keeping.start()

    async def aclose(self) -> None:
        """Close sources, keys, trail and store, each whatever befell the others."""
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.database.aclose)
            closing.push_async_callback(self.house.trail.aclose)
            closing.push_async_callback(self.delivery.aclose)
            closing.push_async_callback(self.policy.aclose)
            closing.push_async_callback(self.suspensions.aclose)
            closing.push_async_callback(self.enrolled.aclose)
            closing.push_async_callback(self.transport.aclose)
            closing.push_async_callback(self.relay.aclose)
            closing.push_async_callback(self.authenticator.aclose)
            for source in self.house.sources:
                closing.push_async_callback(source.adapter.aclose)
            closing.push_async_callback(self.keeping.aclose)

    @property
    def policy_admin(self) -> PolicyAdmin | None:
        """What changes policy; None where it is kept in files."""
        return self.policy.admin

    @property
    def is_ready(self) -> bool:
        """Whether nothing keeps us from being asked."""
        return self.unready is None

    @property
    def unready(self) -> str | None:
        """The code of what keeps us from being asked, None if nothing does.

        Policy must be in force and the trail writable; a source down changes nothing.
        """
        if not self.house.trail.is_writable():
            return "audit-unavailable"
        if not self.policy.is_ready:
            return "policy-unavailable"
        return None


def open_service(settings: Settings, clock: Clock) -> Service:
    """A service ready to start. ConfigurationError for anything wrong in its files."""
    transport = AiohttpTransport()
    long_work = LongWork()
    database = Database(settings.database_url(), busy_s=settings.audit.write_s)
    trail = _trail(settings, database, clock)
    delivery = Delivery(database, channels_of(settings), clock=clock)
    beside = Beside(
        recorded=partial(last_recorded, database, most=_REPLAYED),
        told=Told(channels=channels_of(settings), wake=delivery.wake),
    )
    policy = open_policy(settings, database, trail, clock=clock, beside=beside)
    suspensions = Suspensions(database, trail, clock=clock)
    enrolled = EnrolledKeys(database, clock)
    relay = open_relay(settings, database, transport, clock=clock, record=trail.append)
    means = Means(
        transport=transport,
        now=clock.now,
        long_work=long_work,
        enrolled=enrolled.of,
        relay=relay.of,
    )
    house = replace(
        _house(settings, policy, means, trail=trail, clock=clock),
        telling=long_work.turn,
        wake=delivery.wake,
        breaking=_breaking(settings, trail, database, clock=clock),
        suspensions=suspensions,
    )
    refuse_alone(settings, relay)
    return Service(
        settings=settings,
        relay=relay,
        clock=clock,
        transport=transport,
        database=database,
        authenticator=Authenticator(settings, clock),
        house=house,
        long_work=long_work,
        admission=Admission(settings.admission, long_work.is_awaited),
        urgent=Admission(settings.admission),
        delivery=delivery,
        policy=policy,
        suspensions=suspensions,
        enrolled=enrolled,
        enrolments=Enrolments(database, trail, enrolled, clock=clock),
        keeping=_keeping(settings, house),
    )


def _trail(settings: Settings, database: Database, clock: Clock) -> Trail:
    key = read_key(settings.audit.key_id, settings.secret(settings.audit.key))
    log = Log(database, settings.audit)
    return Trail(log, key, settings=settings.audit, clock=clock)


def _house(
    settings: Settings, policy: OpenPolicy, means: Means, *, trail: Trail, clock: Clock
) -> House:
    """What questions are answered with, by settings alone."""
    return House(
        sources=open_sources(settings, means),
        names={each.ods: each.name for each in settings.organisations},
        policy=policy.current,
        shadow=policy.shadow,
        trail=trail,
        clock=clock,
        lanes=Lanes(settings.limits.per_source),
        limits=settings.limits,
        channels=channels_of(settings),
        claims=PeopleBudget(settings.access.without_relationship),
        lookups=PeopleBudget(settings.evidence.people_in_vain),
        evidence=settings.evidence,
        linkage=settings.linkage,
    )


def _keeping(settings: Settings, house: House) -> Keeping:
    return Keeping(
        house.sources,
        house.policy,
        house.trail,
        clock=house.clock,
        every_s=settings.policy.poll_s,
    )


def _breaking(
    settings: Settings, trail: Trail, database: Database, *, clock: Clock
) -> Breaking | None:
    """What breaking the glass needs; None where no key is configured for it."""
    key = read_glass_key(settings)
    if key is None:
        return None
    return Breaking(
        trail=trail,
        database=database,
        key=key,
        channels=channels_of(settings),
        clock=clock,
        often=settings.access.without_relationship,
    )
