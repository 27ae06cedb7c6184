"""One piece of work at one source: bounded in time, in its lane, and always a value."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from adapters.contract import (
    Answer,
    Candidate,
    Identifiers,
    Matches,
    Person,
    Query,
    Traced,
    Traces,
)
from adapters.errors import AdapterError, Unavailable, Unreadable, Vetoed
from gateway.clock import Clock
from gateway.journey import seal
from gateway.journey.outcome import Denied, Failure, NotAsked, Reply
from gateway.sources import Source

# Another round, or another try, is only worth starting with this long left.
SECOND_ROUND_S: Final = 0.5
RETRY_PAUSE_S: Final = 0.1
# Of one person in one source: more are no history but a placeholder's.
MOST_STATEMENTS: Final = 50

Said = TypeVar("Said")
Missed = Failure | NotAsked | Denied
Told = tuple[Traced, ...] | Missed  # of merges


class Lanes:
    """How many questions are in flight at each source, over all journeys."""

    def __init__(self, per_source: int) -> None:
        self._per_source = per_source
        self._lanes: dict[str, asyncio.Semaphore] = {}

    def of(self, source: Source) -> asyncio.Semaphore:
        """The lane of one source; waiting in it is bounded by the deadline."""
        return self._lanes.setdefault(source.id, asyncio.Semaphore(self._per_source))


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a fan-out may use: time, and room at each source."""

    clock: Clock
    lanes: Lanes
    deadline: float  # on the clock's monotonic scale, seconds
    source_s: float  # for one call

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.clock.monotonic()


async def call(source: Source, query: Query, means: Means) -> Reply:
    """What comes of asking a source, whatever it does."""

    async def work(until: float) -> Answer:
        return seal.sound(await _patiently(source, query, means, until=until))

    said, took_ms = await bounded(source, means, work)
    return Reply(said, means.clock.now(), took_ms)


async def trace(
    source: Source, person: Identifiers, means: Means, *, tracer: Traces
) -> Told:
    """What comes of asking a source what it merged, parted and replaced.

    What it dates later than now happened now: no clock ahead of ours may make a merge
    the last word over its undoing.
    """

    async def work(_: float) -> tuple[Traced, ...]:
        said = seal.sound_statements(await tracer.trace(person))
        if len(said) > MOST_STATEMENTS:
            raise Unreadable("too_large", "it states too many merges of one person.")
        now = means.clock.now()
        return tuple(
            msgspec.structs.replace(each, at=min(each.at, now)) for each in said
        )

    said, _ = await bounded(source, means, work)
    return said


async def likenesses(
    source: Source, adapter: Matches, person: Person, *, means: Means, limit: int
) -> tuple[Candidate, ...] | Missed:
    """What comes of asking a source whom it holds that may be the one described."""

    async def work(_: float) -> tuple[Candidate, ...]:
        return seal.sound_people(await adapter.match(person, limit=limit))

    said, _ = await bounded(source, means, work)
    return said


async def bounded(
    source: Source, means: Means, work: Callable[[float], Awaitable[Said]]
) -> tuple[Said | Missed, int]:
    """What one piece of work at a source gives, or why it gives nothing; and its ms."""
    began = means.clock.monotonic()
    until = began + max(0.0, min(means.source_s, means.left()))
    in_lane = False
    said: Said | Missed
    try:
        async with asyncio.timeout(until - began), means.lanes.of(source):
            in_lane = True
            said = await work(until)
    except TimeoutError:
        said = (
            Failure(state="timeout", reason="deadline", domain="source")
            if in_lane
            else NotAsked(reason="overloaded")
        )
    except Vetoed:
        said = Denied(said_by="site")
    except AdapterError as error:
        said = _failure(error)
    except Exception:  # noqa: BLE001 - an adapter's own defect may not spoil the others
        said = Failure(state="error", reason="adapter_defect", domain="adapter")
    return said, round((means.clock.monotonic() - began) * 1000)


async def _patiently(
    source: Source, query: Query, means: Means, *, until: float
) -> Answer:
    """Ask, and once more if the source was only unavailable and time allows."""
    try:
        return await source.adapter.ask(query)
    except Unavailable as error:
        pause = max(RETRY_PAUSE_S, error.retry_after_s or 0)
        if until - means.clock.monotonic() < pause + SECOND_ROUND_S:
            raise
        await asyncio.sleep(pause)
    return await source.adapter.ask(query)


def _failure(error: AdapterError) -> Failure:
    return Failure(
        state="unavailable" if isinstance(error, Unavailable) else "error",
        reason=error.reason,
        domain=error.domain,
        retry_after_s=error.retry_after_s,
    )
