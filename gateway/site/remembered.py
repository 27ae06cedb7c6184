"""The questions that an earlier process took: a restart lets none be asked again."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from gateway.audit.log import AuditUnavailable
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from gateway.store.tables import AuditRecord

_RECORDS: Final = AuditRecord.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_PAGE: Final = 1_000
# In a record that is kept in parts, its text stands inside a string.
_QUESTION: Final = re.compile(r'"question\\?":\\?"([0-9a-f]{32})')


async def questions_since(database: Database, since: datetime) -> tuple[str, ...]:
    """The ids of questions in the trail since then. AuditUnavailable if unreadable."""
    try:
        return await database.read(partial(_since, since=since))
    except FAILURES:
        raise AuditUnavailable("store") from None


def _since(connection: Connection, *, since: datetime) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for text in _newest(connection):
        at = json.loads(text).get("at")  # a part of a record has none of its own
        if at is not None and datetime.fromisoformat(at) < since:
            break
        found.update(dict.fromkeys(_QUESTION.findall(text)))
    return tuple(found)


def _newest(connection: Connection) -> Iterator[str]:
    """The texts of the trail, the last first."""
    below: int | None = None
    while True:
        rows = select(_RECORDS.c.n, _RECORDS.c.record).order_by(_RECORDS.c.n.desc())
        if below is not None:
            rows = rows.where(_RECORDS.c.n < below)
        page = connection.execute(rows.limit(_PAGE)).all()
        if not page:
            return
        for row in page:
            yield row.record
        below = page[-1].n
