"""What is kept of sources between questions, and for how long.

While an agreement stands for its organisation, a source that watches is let watch; once
none does, whatever was derived from it is erased, and it is watched no more.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.contract import Forgets, Watches
from gateway.alarms import raise_alarm
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Change
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.policy.edit import GATEWAY
from gateway.problems import RequestError
from gateway.sources import Source
from policies.compile import PolicySet, bits

_FIRST_PAUSE_S: Final = 1.0  # before a watch that failed, or an erasing, is tried again
_LONGEST_PAUSE_S: Final = 300.0
_SOUND_S: Final = 60.0  # a watch that went on for so long failed for another reason
_FORGET_S: Final = 30.0


def stands_for(policy: PolicySet, source: Source, clock: Clock) -> bool:
    """Whether an agreement that has begun and not ended stands for its organisation.

    One that its provider put to rest stands: it may be resumed.
    """
    owner = policy.dimensions["owner"].at(source.organisation.ods)
    grants = policy.valid_at(clock.now()) & policy.grants & owner
    lines = (policy.lines[index] for index in bits(grants))
    return any(line.signed or line.is_suspended for line in lines)


@dataclass(slots=True, kw_only=True)
class _Pause:
    """How long to wait before something that failed is tried again."""

    until: float = 0.0  # on the monotonic scale
    length: float = _FIRST_PAUSE_S

    def lengthen(self, now: float) -> None:
        self.until = now + self.length
        self.length = min(self.length * 2, _LONGEST_PAUSE_S)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """One source, and what is being done about it."""

    source: Source
    watching: asyncio.Task[None] | None = None
    since: float = 0.0
    may_hold: bool | None = None  # anything derived; None: not looked for yet
    pause: _Pause = field(default_factory=_Pause)


class Keeping:
    """Looks now and then at every source. Closing twice, or unstarted, is safe.

    `policy` raises RequestError where no set may be relied on: then nothing changes.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        policy: Callable[[], PolicySet],
        trail: Trail,
        *,
        clock: Clock,
        every_s: float,
    ) -> None:
        self._kept = tuple(_Kept(source=each) for each in sources)
        self._policy = policy
        self._trail = trail
        self._clock = clock
        self._every_s = every_s
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look now, and go on looking, if any source watches or keeps anything."""
        wanted = (Watches, Forgets)
        if any(isinstance(each.source.adapter, wanted) for each in self._kept):
            self._looking = asyncio.create_task(self._go_on())

    async def aclose(self) -> None:
        """Stop looking, and every watch."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])
        for each in self._kept:
            await _stop(each)

    async def look(self) -> None:
        """Watch, forget, or leave alone each source, as policy now stands."""
        try:
            policy = self._policy()
        except RequestError:
            return  # it is not known whether an agreement ended
        for each in self._kept:
            if stands_for(policy, each.source, self._clock):
                each.may_hold = True
                self._watch(each)
            else:
                await _stop(each)
                await self._forget(each, policy)

    async def _go_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    def _watch(self, kept: _Kept) -> None:
        adapter, now = kept.source.adapter, self._clock.monotonic()
        if not isinstance(adapter, Watches):
            return
        if kept.watching is not None and kept.watching.done():
            _seen(kept.watching)
            kept.watching = None
            if now - kept.since >= _SOUND_S:
                kept.pause = _Pause()
            kept.pause.lengthen(now)
            raise_alarm("watch_failed", source=kept.source.id)
        if kept.watching is None and now >= kept.pause.until:
            kept.watching = asyncio.create_task(adapter.watch())
            kept.since = now

    async def _forget(self, kept: _Kept, policy: PolicySet) -> None:
        adapter, now = kept.source.adapter, self._clock.monotonic()
        if not isinstance(adapter, Forgets) or now < kept.pause.until:
            return
        if kept.may_hold is None:
            kept.may_hold = await asyncio.to_thread(_holds_something, kept.source.state)
        if not kept.may_hold:
            return
        try:
            await self._trail.append(
                Change(
                    actor=GATEWAY,
                    action="forget",
                    object="source",
                    document=kept.source.id,
                    policy=policy.version,
                )
            )
        except AuditUnavailable:
            return  # what is not recorded is not done: it is tried again
        if await _is_done(adapter.forget()):
            kept.may_hold = False
            kept.pause = _Pause()
        else:
            kept.pause.lengthen(now)
            raise_alarm("source_not_forgotten", source=kept.source.id)


def _holds_something(state: Path | None) -> bool:
    """Whether anything was left there by an earlier process; unknown is yes."""
    try:
        return state is None or any(state.iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True


async def _stop(kept: _Kept) -> None:
    watching, kept.watching = kept.watching, None
    if watching is not None:
        watching.cancel()
        await asyncio.wait([watching])
        _seen(watching)


def _seen(task: asyncio.Task[None]) -> bool:
    """Whether a task that is done came to its end; what it raised stays with it."""
    return not task.cancelled() and task.exception() is None


async def _is_done(work: Coroutine[Any, Any, None]) -> bool:
    """Whether it came to its end in time."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task], timeout=_FORGET_S)
    finally:
        task.cancel()
    return task.done() and _seen(task)
