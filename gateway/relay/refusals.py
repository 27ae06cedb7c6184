"""Tickets that were not believed: counted, told of, and recorded, but not each.

The first of its kind is told at once, those after it by their number, now and then:
whoever shows anything at all, without end, fills neither the trail nor the log.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeAlias

from gateway.alarms import raise_alarm
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import TicketsRefused

# forged: no key of that site signed it, as far as is known now; revoked: none does
# any more, though one did when it was shown.
Why = Literal["forged", "misaddressed", "expired", "replayed", "altered", "revoked"]
Kind: TypeAlias = tuple[str | None, Why]  # the site, if there is such a one here
_EVERY_S: Final = 600.0


class Refusals:
    """Those of one process. Closing twice is safe."""

    def __init__(
        self,
        record: Callable[[TicketsRefused], Awaitable[object]],
        *,
        every_s: float = _EVERY_S,
    ) -> None:
        self._record = record
        self._every_s = every_s
        self._untold: Counter[Kind] = Counter()
        self._telling: dict[Kind, asyncio.Task[None]] = {}

    def note(self, site: str | None, why: Why) -> None:
        """Count one; nobody waits until it is recorded."""
        kind = (site, why)
        self._untold[kind] += 1
        if kind not in self._telling:
            self._telling[kind] = asyncio.create_task(self._tell(kind))

    async def aclose(self) -> None:
        """Tell what was not told yet."""
        telling, self._telling = list(self._telling.values()), {}
        for task in telling:
            task.cancel()
        if telling:
            await asyncio.wait(telling)
        for kind in list(self._untold):
            await self._told(kind)

    async def _tell(self, kind: Kind) -> None:
        """Until none came for a while: the next is a first again."""
        try:
            while self._untold[kind]:
                await self._told(kind)
                await asyncio.sleep(self._every_s)
        finally:
            self._telling.pop(kind, None)

    async def _told(self, kind: Kind) -> None:
        site, why = kind
        count = self._untold.pop(kind)
        raise_alarm("relay_ticket_refused", source=site or "relay", count=count)
        try:
            await self._record(TicketsRefused(code=why, count=count, site=site))
        except (
            AuditUnavailable,
            ValueError,
        ):  # ValueError: an id that no trail may hold
            self._untold[kind] += count  # and is recorded with those that follow
            raise_alarm("audit_refused", source="relay")
