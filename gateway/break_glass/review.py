"""The queue of broken glass, and looking it over: by others than who broke it."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy.engine import Connection

from gateway.access.acting import actor_of
from gateway.access.requester import Requester
from gateway.audit import records
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import instant
from gateway.break_glass import glass as glasses
from gateway.break_glass.breaking import Breaking
from gateway.break_glass.glass import Glass
from gateway.problems import FieldError, RequestError
from gateway.store.failures import FAILURES

_START: Final = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A broken glass to be looked over, with the reason in its own words."""

    glass: Glass
    reason: str | None = field(repr=False)  # None: sealed with a key that is gone
    is_overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A page of what waits, and the cursor of the next."""

    items: Sequence[Waiting]
    next: str | None


async def waiting(
    breaking: Breaking, requester: Requester, *, size: int, cursor: str | None
) -> Queue:
    """What waits to be reviewed in the caller's own organisation, oldest first.

    RequestError: request-invalid for a cursor that is none; audit-unavailable.
    Recorded, since reasons are read here.
    """
    after = _START if cursor is None else _place(cursor)
    listed = partial(
        glasses.unreviewed,
        organisation=requester.organisation,
        after=after,
        most=size + 1,
    )
    try:
        found = await breaking.database.read(listed)
    except FAILURES:
        raise AuditUnavailable("store") from None
    await breaking.trail.append(
        records.BreakGlass(action="listed", actor=actor_of(requester))
    )
    page = found[:size]
    return Queue(
        items=[_waiting(breaking, each) for each in page],
        next=_cursor(page[-1]) if len(found) > size else None,
    )


async def review(
    breaking: Breaking, requester: Requester, id_: str, *, finding: str
) -> None:
    """Look one over: its finding is recorded, and the reason's text deleted.

    One that is still open ends with it.
    RequestError: not-found for another organisation's, or none; not-permitted for
    whoever broke it; conflict if it was reviewed already; audit-unavailable.
    """
    await breaking.trail.change(
        partial(_reviewed, breaking, requester, id_=id_, finding=finding)
    )


def _reviewed(
    breaking: Breaking,
    requester: Requester,
    connection: Connection,
    *,
    id_: str,
    finding: str,
) -> tuple[None, records.BreakGlass]:
    glass = glasses.find(connection, id_, held=True)
    if glass is None or glass.caller.organisation != requester.organisation:
        raise RequestError("not-found")
    broke_it = (glass.caller.issuer, glass.caller.subject)
    if broke_it == (requester.issuer, requester.subject):
        message = "Whoever broke the glass does not review it."
        raise RequestError("not-permitted", message)
    if glass.reviewed_at is not None:
        raise RequestError("conflict", "It was reviewed already.")
    now = breaking.clock.now()
    if glass.is_open_at(now):
        glasses.end(connection, id_, at=now)  # what was looked over opens nothing more
    glasses.close(connection, id_, finding=finding, reviewer=requester.subject, at=now)
    return None, records.BreakGlass(
        action="reviewed",
        actor=actor_of(requester),
        glass=glass.id,
        purpose=glass.purpose,
        subjects=(glass.person,),
        finding=finding,
    )


def _waiting(breaking: Breaking, glass: Glass) -> Waiting:
    sealed = glass.reason
    return Waiting(
        glass=glass,
        reason=None if sealed is None else breaking.key.opened(glass.id, sealed),
        is_overdue=breaking.clock.now() > glass.review_by,
    )


def _cursor(glass: Glass) -> str:
    place = f"{instant(glass.declared_at)}|{glass.id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: str) -> tuple[str, str]:
    try:
        place = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        at, _, last = place.decode("ascii").partition("|")
    except (binascii.Error, ValueError):
        error = FieldError(pointer="/cursor", code="invalid")
        message = "cursor is not one of ours."
        raise RequestError("request-invalid", message, errors=(error,)) from None
    return at, last
