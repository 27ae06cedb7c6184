"""A record and the notices that go with it: durable together, or not at all."""

from collections.abc import Callable, Collection

from sqlalchemy.engine import Connection

from gateway.audit.records import AuditRecord
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.notices.outbox import Notice, queue


async def append(
    trail: Trail,
    record: AuditRecord,
    notices: Collection[Notice],
    *,
    clock: Clock,
    wake: Callable[[], None],
) -> None:
    """Make the record durable, and the notices with it where there are any.

    `wake` is called then: whoever delivers has something to do.

    AuditUnavailable if they are not known to be durable in time: then nothing of
    what they tell of may happen.
    """
    if not notices:
        await trail.append(record)
        return
    now = clock.now()

    def work(connection: Connection) -> tuple[None, AuditRecord]:
        queue(connection, notices, now=now)
        return None, record

    await trail.change(work)
    wake()
