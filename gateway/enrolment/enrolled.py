"""The keys by which sites are believed now, in every gateway of a store alike.

Looked at every two seconds, and believed no longer than ten: a gateway that cannot
see that keys were revoked believes none.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from adapters.errors import Unavailable
from gateway.alarms import raise_alarm
from gateway.audit.log import AuditUnavailable
from gateway.clock import Clock
from gateway.enrolment import key_sets
from gateway.enrolment.key_sets import KeySet
from gateway.store.database import Database
from gateway.store.failures import FAILURES

_EVERY_S: Final = 2.0
_LOOK_S: Final = 2.0  # for one look
_BELIEVED_S: Final = 8.0  # since the last look began; with what is under way, ten
_WHY: Final = {
    "unknown": "its organisation enrolled no such site",
    "unconfirmed": "nobody of its organisation has confirmed its keys",
    "expired": "its keys have run out",
    "revoked": "its keys were revoked",
    "unread": "this process cannot see which keys are good",
}
_Sites = Mapping[tuple[str, str], Sequence[KeySet]]


class EnrolledKeys:
    """What is enrolled. Closing twice, or unstarted, is safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sites: _Sites = {}
        self._looked_at: float | None = None
        self._one_at_a_time = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._is_lost = False

    def of(self, organisation: str, site: str) -> str:
        """The public document of a site's keys as they are now, the latest first.

        Unavailable, of the adapter's domain, for a site that is not believed.
        """
        if not self._is_fresh():
            raise not_enrolled("unread")
        known = self._sites.get((organisation, site), ())
        return _document(known, self._clock.now())

    async def start(self) -> None:
        """Look, and go on looking. AuditUnavailable if the store cannot be read."""
        try:
            await self._look()
        except (*FAILURES, TimeoutError):
            raise AuditUnavailable("store") from None
        self._following = asyncio.create_task(self._go_on())

    async def aclose(self) -> None:
        """Stop looking."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])

    async def follow(self) -> None:
        """Take what was changed, here or elsewhere; a store that is lost is told."""
        try:
            await self._look()
        except (*FAILURES, TimeoutError):
            if not self._is_lost:
                raise_alarm("enrolment_store_lost", source="store")
            self._is_lost = True
        else:
            self._is_lost = False

    def _is_fresh(self) -> bool:
        looked_at = self._looked_at
        return (
            looked_at is not None and self._clock.monotonic() - looked_at < _BELIEVED_S
        )

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.follow()

    async def _look(self) -> None:
        # One at a time: what was read first may not replace what was read later.
        async with self._one_at_a_time, asyncio.timeout(_LOOK_S):
            began = self._clock.monotonic()
            found: dict[tuple[str, str], list[KeySet]] = {}
            for each in await self._database.read(key_sets.every):
                found.setdefault((each.organisation, each.site), []).append(each)
            self._sites, self._looked_at = found, began


def not_enrolled(why: str) -> Unavailable:
    """The site is not believed, because of this: a key of the reasons above."""
    message = f"the site is not enrolled: {_WHY[why]}. See docs/enrol-a-site.md."
    return Unavailable(f"site_{why}", message, domain="adapter")


def _document(known: Sequence[KeySet], now: datetime) -> str:
    good = [each for each in known if each.standing(now) == "confirmed"]
    if not good:
        raise not_enrolled(known[0].standing(now) if known else "unknown")
    keys = [key for each in good for key in json.loads(each.keys)["keys"]]
    return json.dumps({"keys": keys})
