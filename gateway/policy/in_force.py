"""The set in force, as the store has it: followed, verified, and swapped as a whole.

A set that cannot be verified never replaces one that was; a store that is lost leaves
the last one in force for a while, and then nothing is decided.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy.engine import Connection

from gateway.alarms import raise_alarm
from gateway.clock import Clock
from gateway.policy.composition import if_all_signed
from gateway.policy.kept import Tampered, read_head
from gateway.policy.sets import KeptSet, Turn, read_set, turns_at
from gateway.problems import RequestError
from gateway.settings import Policy
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from policies.compile import PolicySet
from policies.errors import Invalid

_SOURCE: Final = "policy"
_LOOK_S: Final = 10.0  # for one look, compiling included


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A set that was verified, and the one that would be if all signed."""

    effective_at: datetime | None
    policy: PolicySet
    shadow: PolicySet | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What was last found in force, and what is due to follow it."""

    sequence: int
    turns: tuple[Compiled, ...]

    def at(self, now: datetime) -> Compiled:
        """The last of those that have begun; the first has."""
        begun = [
            turn
            for turn in self.turns
            if turn.effective_at is None or turn.effective_at <= now
        ]
        return begun[-1] if begun else self.turns[0]


class InForce:
    """One reference to one set, replaced as a whole. Closing twice is safe."""

    def __init__(self, database: Database, clock: Clock, settings: Policy) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._held: _Held | None = None
        self._heard_at = 0.0  # on the monotonic scale, when the store last answered
        self._alarmed: tuple[str, float] | None = None
        self._following: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    def current(self) -> PolicySet:
        """The set in force now: one object, whose version a decision carries.

        RequestError policy-unavailable if none was ever found, or the store was last
        heard longer ago than `max_age_s`.
        """
        return self._now().policy

    def shadow(self) -> PolicySet | None:
        """The set there would be if all that is submitted were signed by all.

        None where nothing waits, or no shadow is wanted.
        """
        return self._now().shadow

    @property
    def is_ready(self) -> bool:
        """Whether there is a set to decide by."""
        return self._held is not None and not self._is_too_old()

    async def start(self) -> None:
        """Look once, and go on looking; a start without a set is only not ready."""
        await self.follow()
        self._following = asyncio.create_task(self._go_on())

    async def follow(self) -> None:
        """Look whether another set is in force, and take it if it can be verified."""
        async with self._one_at_a_time:
            try:
                await self._look()
            except Tampered:
                self._heard_at = self._clock.monotonic()  # it answered; what, is wrong
                self._alarm("policy_set_invalid")
            except (*FAILURES, TimeoutError):
                self._alarm("policy_store_lost")
            else:
                self._alarmed = None

    async def aclose(self) -> None:
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])

    def _now(self) -> Compiled:
        held = self._held
        if held is None or self._is_too_old():
            raise RequestError("policy-unavailable", retry_after_s=5)
        return held.at(self._clock.now())

    def _is_too_old(self) -> bool:
        age = self._clock.monotonic() - self._heard_at
        return age > self._settings.max_age_s

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_s)
            await self.follow()

    async def _look(self) -> None:
        """Tampered if what is in force is not what it says it is."""
        asked_at = self._clock.monotonic()
        async with asyncio.timeout(_LOOK_S):
            head = await self._database.read(read_head)
            if self._held is None or head.sequence != self._held.sequence:
                await self._take(head.sequence)
        self._heard_at = asked_at

    async def _take(self, sequence: int) -> None:
        if self._held is not None and sequence < self._held.sequence:
            raise Tampered  # what was in force has been put back
        found = await self._database.read(partial(_kept, now=self._clock.now()))
        turns = await asyncio.to_thread(self._compiled, found)
        self._held = _Held(sequence=found[-1][0].sequence, turns=tuple(turns))

    def _compiled(self, found: list[tuple[Turn, KeptSet]]) -> list[Compiled]:
        return [
            Compiled(
                effective_at=turn.effective_at,
                policy=kept.compiled(),
                shadow=self._shadow_of(kept),
            )
            for turn, kept in found
        ]

    def _shadow_of(self, kept: KeptSet) -> PolicySet | None:
        if self._settings.shadow == "off":
            return None
        supposed = if_all_signed(kept.composition, self._clock.now())
        if supposed == kept.composition:
            return None
        try:
            return supposed.compiled()
        except Invalid:
            return None  # too large together: the gate would refuse it

    def _alarm(self, code: str) -> None:
        """Tell somebody, and again only when it has lasted for `max_age_s`."""
        now = self._clock.monotonic()
        if self._alarmed is not None:
            told, at = self._alarmed
            if told == code and now - at < self._settings.max_age_s:
                return
        self._alarmed = (code, now)
        raise_alarm(code, source=_SOURCE)


def _kept(connection: Connection, now: datetime) -> list[tuple[Turn, KeptSet]]:
    """The set in force and those due to follow. Tampered if one is not whole."""
    turns = turns_at(connection, now)
    found = [(turn, read_set(connection, turn.set_version)) for turn in turns]
    whole = [(turn, kept) for turn, kept in found if kept is not None]
    if not turns or len(whole) < len(found):
        raise Tampered
    return whole
