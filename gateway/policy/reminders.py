"""Reminders: an agreement that ends, or is to be reviewed, is told of ahead of time.

Ninety, thirty and seven days before, once each, to the privacy officer of every party
that has a channel; whichever gateway looks first tells, and the others find it told.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Final

from sqlalchemy.engine import Connection

from gateway.alarms import raise_alarm
from gateway.audit.records import Change
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.notices.channels import Channels
from gateway.notices.outbox import Notice, NoticeKind, queue, told_already
from gateway.policy.edit import GATEWAY
from gateway.policy.kept import read_snapshot
from gateway.policy.occasion import Snapshot
from gateway.policy.standing import stands_of
from gateway.policy.states import Version, presented
from gateway.problems import RequestError
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from policies.clauses import Agreement
from policies.lines import LONDON

AHEAD: Final = (7, 30, 90)  # days
_LOOK_S: Final = 3600.0
_STATES: Final = frozenset({"scheduled", "active", "suspended"})


def due(snapshot: Snapshot, channels: Channels, now: datetime) -> list[Notice]:
    """What is to be told by now, whether or not it was."""
    return [
        notice
        for versions in snapshot.versions.values()
        for version in _in_force(versions, now)
        for notice in _of(version, channels, now.astimezone(LONDON).date())
    ]


def _in_force(versions: Sequence[Version], now: datetime) -> Iterable[Version]:
    stands = stands_of(versions, now)
    return (each for each in versions if presented(each, stands, now) in _STATES)


def _of(version: Version, channels: Channels, today: date) -> Iterable[Notice]:
    """One reminder of each day that is near, the nearest step of it, to each party."""
    document = version.document
    if not isinstance(document, Agreement):
        return
    days: dict[NoticeKind, date] = {
        "agreement-ends": document.valid.through,
        "agreement-review": document.review_by,
    }
    for kind, day in days.items():
        left = (day - today).days
        step = next((each for each in AHEAD if 0 <= left <= each), None)
        if step is None:
            continue
        for organisation in sorted(version.owners | version.recipients):
            if channels.of(organisation, "privacy-officer") is not None:
                yield Notice(
                    organisation=organisation,
                    recipient="privacy-officer",
                    kind=kind,
                    reference=f"{version.id}@{version.version}/{step}",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who is told: the channels there are, and whoever delivers."""

    channels: Channels
    wake: Callable[[], None]


class Reminders:
    """Looks every hour for what is to be told. Closing twice is safe."""

    def __init__(
        self, database: Database, trail: Trail, clock: Clock, *, told: Told
    ) -> None:
        self._database = database
        self._trail = trail
        self._clock = clock
        self._told = told
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look now, and go on looking."""
        self._looking = asyncio.create_task(self._go_on())

    async def look(self) -> int:
        """Put what is newly due in the outbox, with its record; how many it were.

        RequestError policy-unavailable or audit-unavailable where that cannot be done.
        """
        now = self._clock.now()
        try:
            wanted = await self._database.read(partial(self._wanted, now=now))
        except FAILURES:
            raise RequestError("policy-unavailable") from None
        if wanted:
            await self._trail.change(partial(_queued, notices=wanted, now=now))
            self._told.wake()
        return len(wanted)

    async def aclose(self) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])

    def _wanted(self, connection: Connection, now: datetime) -> list[Notice]:
        notices = due(read_snapshot(connection), self._told.channels, now)
        return [each for each in notices if not told_already(connection, each)]

    async def _go_on(self) -> None:
        while True:
            try:
                await self.look()
            except RequestError as refusal:
                raise_alarm("policy_reminders_failed", source=refusal.code)
            await asyncio.sleep(_LOOK_S)


def _queued(
    connection: Connection, *, notices: Sequence[Notice], now: datetime
) -> tuple[None, Change]:
    queue(connection, notices, now=now)
    return None, Change(actor=GATEWAY, action="remind", object="agreement")
