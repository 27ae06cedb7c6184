"""How a site's keys come to be believed: by an administrator of its organisation.

They are registered as they were handed over, and confirmed by the fingerprint that
the site itself read out, which the gateway tells nobody. Each step and its record are
durable together. An organisation's sites are its own: to others there are none.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import Connection

from adapters.site.keys import Keys
from gateway.access.requester import Requester
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Change
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.enrolment import key_sets
from gateway.enrolment.changes import Confirmation, confirmed, registered, revoked
from gateway.enrolment.enrolled import EnrolledKeys
from gateway.enrolment.key_sets import KeySet
from gateway.problems import RequestError
from gateway.store.database import Database
from gateway.store.failures import FAILURES

_T = TypeVar("_T")
# What a step does at a moment: its result, and its record.
_Work = Callable[[Connection, datetime], tuple[_T, Change]]


class Enrolments:
    """What administrators do with the sites of their own organisation."""

    def __init__(
        self,
        database: Database,
        trail: Trail,
        enrolled: EnrolledKeys,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trail = trail
        self._enrolled = enrolled
        self._clock = clock

    async def listed(self, organisation: str) -> Sequence[KeySet]:
        """Every key set of an organisation's sites, each site's latest first.

        AuditUnavailable if the store cannot be read.
        """
        read = partial(key_sets.of_organisation, organisation=organisation)
        try:
            return await self._database.read(read)
        except FAILURES:
            raise AuditUnavailable("store") from None

    async def register(self, requester: Requester, site: str, keys: Keys) -> KeySet:
        """Keys that are not believed before they are confirmed.

        They take the place of others that wait to be. RequestError: conflict where
        a key is known already, or there are too many; audit-unavailable.
        """
        return await self._changed(
            partial(registered, requester=requester, site=site, keys=keys)
        )

    async def confirm(
        self, requester: Requester, site: str, said: Confirmation
    ) -> KeySet:
        """The registered keys are the site's: from now on they are believed.

        RequestError: not-found; conflict where no keys wait; fingerprint-differs,
        and after five of those the keys are withdrawn; request-invalid for times
        that cannot be; audit-unavailable.
        """
        found = await self._changed(
            partial(confirmed, requester=requester, site=site, said=said)
        )
        if found is None:
            raise RequestError("fingerprint-differs")
        return found

    async def revoke(self, requester: Requester, site: str, keys: str | None) -> None:
        """Nothing is believed of this key set, or of the whole site, from now on.

        RequestError: not-found; conflict where all of it is revoked already;
        audit-unavailable.
        """
        await self._changed(
            partial(revoked, requester=requester, site=site, chosen=keys)
        )

    async def _changed(self, work: _Work[_T]) -> _T:
        def at_once(connection: Connection) -> tuple[_T, Change]:
            return work(connection, self._clock.now())

        done = await self._trail.change(at_once)
        await self._enrolled.follow()
        return done
