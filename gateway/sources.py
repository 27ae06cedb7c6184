"""The sources this gateway may ask: what was registered, and the adapter that asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from adapters.contract import Adapter
from adapters.http import Transport
from adapters.long_work import LongWork
from adapters.registry import open_source
from adapters.relay import Relay
from adapters.surroundings import Limits, Surroundings, none_enrolled
from gateway.settings import FlagRegistration, Settings, SourceSettings
from gateway.settings import Limits as AllLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An ODS-coded body that owns data."""

    ods: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One system of an organisation that can be asked, as it was registered."""

    id: str
    organisation: Organisation
    sector: str
    adapter: Adapter
    fresh_s: int
    labels: str
    flags: Mapping[str, FlagRegistration]
    contact: str | None
    suspend_after: int = 3  # questions of 24 hours answered with somebody else
    state: Path | None = None  # where its adapter keeps what it derives
    traces: bool = True  # whether it is asked what it merged, if it can tell

    @property
    def held(self) -> frozenset[str]:
        """The categories it can tell of."""
        return self.adapter.profile.held

    @property
    def identifier_systems(self) -> frozenset[str]:
        """The identifier systems it can be asked by."""
        return self.adapter.profile.identifier_systems


def _none_enrolled(_organisation: str, site: str) -> str:
    return none_enrolled(site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a process has one of, for all its sources.

    `enrolled`, by an organisation and its site's id, as `Surroundings` has it.
    """

    transport: Transport
    now: Callable[[], datetime]
    long_work: LongWork = field(default_factory=LongWork)
    enrolled: Callable[[str, str], str] = _none_enrolled
    relay: Callable[[str], Relay] | None = None  # by an organisation


def open_sources(settings: Settings, means: Means) -> tuple[Source, ...]:
    """Every registered source, in the order of its id; nothing is connected yet.

    ConfigurationError if a source file is wrong.
    """
    return tuple(
        open_registered(settings, registered, means)
        for registered in sorted(settings.sources, key=lambda each: each.id)
    )


def open_registered(
    settings: Settings, registered: SourceSettings, means: Means
) -> Source:
    """One source as it was registered; nothing is connected yet.

    ConfigurationError if its source file is wrong.
    """
    names = {each.ods: each.name for each in settings.organisations}
    around = Surroundings(
        now=means.now,
        secret=settings.secret,
        transport=means.transport,
        limits=limits_of(settings),
        state=registered.state,
        source_id=registered.id,
        sector=registered.sector,
        long_work=means.long_work,
        enrolled=partial(means.enrolled, registered.organisation),
        relay=means.relay(registered.organisation) if means.relay else None,
    )
    owner = Organisation(
        ods=registered.organisation, name=names[registered.organisation]
    )
    return _source(registered, owner, around)


def _source(
    registered: SourceSettings, owner: Organisation, around: Surroundings
) -> Source:
    return Source(
        id=registered.id,
        organisation=owner,
        sector=registered.sector,
        adapter=open_source(registered.file, around),
        fresh_s=registered.fresh_s,
        labels=registered.labels,
        flags=registered.flags,
        contact=registered.contact,
        suspend_after=registered.suspend_after,
        traces=registered.traces,
        state=registered.state,
    )


def limits_of(settings: Settings) -> Limits:
    """The limits an adapter obeys, out of all the gateway's."""
    return bounds_of(settings.limits)


def bounds_of(limits: AllLimits) -> Limits:
    """The same, out of [limits] alone."""
    return Limits(
        connect_s=limits.connect_s,
        source_s=limits.source_s,
        page_bytes=limits.page_bytes,
        source_bytes=limits.source_bytes,
        pages=limits.pages,
        records=limits.records,
        json_depth=limits.json_depth,
        csv_field_bytes=limits.csv_field_bytes,
    )
