"""Carrying notices to their channels, again and again until each is taken.

One task per process looks into the outbox. What it takes is its own for a minute, so
that several gateways on one store send a notice once, unless one dies half-way: an
id in each lets a receiver know it again.
"""

import asyncio
from typing import Final

import httpx

from gateway.alarms import raise_alarm
from gateway.clock import Clock
from gateway.notices.channels import Channels
from gateway.notices.outbox import Due, is_due, settle, take
from gateway.store.database import Database
from gateway.store.failures import FAILURES

_LOOK_S: Final = 2.0
_AT_ONCE: Final = 8
_DELIVERY_S: Final = 5.0
_ALARM_AFTER: Final = 5  # tries; about five minutes

_NEXT_STEP: Final = {
    "break-glass": "Sign in and read GET /v1/break-glass; review it by the date there.",
    "break-glass-used": "Sign in and read GET /v1/break-glass.",
    "break-glass-often": "Sign in and read GET /v1/break-glass; speak to the person.",
    "agreement-ends": "Sign in and read the agreement of this reference; it ends soon.",
    "agreement-review": "Sign in and review the agreement of this reference.",
}
_READ_IT: Final = "Sign in and read GET /v1/decisions/ with this reference."


class Delivery:
    """Sends what is due. Closing twice, or before the start, is safe."""

    def __init__(
        self,
        database: Database,
        channels: Channels,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=_DELIVERY_S,
            follow_redirects=False,
            trust_env=False,  # a proxy of the environment would be told of it too
        )

    def start(self) -> None:
        """Begin to look into the outbox, if anybody could be told."""
        if self._channels.addresses and self._task is None:
            self._task = asyncio.create_task(self._deliver())

    def wake(self) -> None:
        """Something was put in the outbox: look now."""
        self._wake.set()

    async def aclose(self) -> None:
        """Stop; what was not delivered stays in the outbox."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._client.aclose()

    async def deliver_due(self) -> int:
        """Try everything that is due now, once; how many arrived."""
        now = self._clock.now()
        if not await self._database.read(lambda store: is_due(store, now=now)):
            return 0  # without keeping any writer waiting
        due = await self._database.transact(
            lambda connection: take(connection, now=now, most=_AT_ONCE)
        )
        arrived = await asyncio.gather(*(self._tried(each) for each in due))
        return sum(arrived)

    async def _deliver(self) -> None:
        while True:
            try:
                await self.deliver_due()
            except FAILURES:
                # The outbox is in the store: when that is back, so are we.
                raise_alarm("notices_unreadable", source="store")
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass  # nobody woke us: look anyway, for what failed before
            self._wake.clear()

    async def _tried(self, due: Due) -> bool:
        delivered = await self._delivered(due)
        now = self._clock.now()
        await self._database.transact(
            lambda connection: settle(connection, due, delivered=delivered, now=now)
        )
        if not delivered and due.tries + 1 >= _ALARM_AFTER:
            raise_alarm(
                "notice_undelivered",
                source=due.notice.organisation,
                count=due.tries + 1,
            )
        return delivered

    async def _delivered(self, due: Due) -> bool:
        address = self._channels.of(due.notice.organisation, due.notice.recipient)
        if address is None:
            return False  # the channel was taken out of the configuration
        try:
            async with (
                asyncio.timeout(_DELIVERY_S),
                self._client.stream("POST", address, json=_told(due)) as response,
            ):
                return response.is_success  # its body, if any, is not read
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return False


def _told(due: Due) -> dict[str, str]:
    """What a channel is sent: a reference to read of it under, and no person."""
    notice = due.notice
    return {
        "notice": due.id,
        "kind": notice.kind,
        "to": notice.recipient,
        "organisation": notice.organisation,
        "reference": notice.reference,
        "at": due.created_at,
        "next_step": _NEXT_STEP.get(notice.kind, _READ_IT),
    }
