"""Decisions as the trail holds them: found by their id, or the newest of them.

A record too long for one entry stands in several; it is put together again here. What
is no decision, or was written before decisions could be told again, is passed over.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Actor, Basis, Decided
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from gateway.store.tables import AuditRecord

_ROWS: Final = AuditRecord.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_PAGE: Final = 500
_LOOKED_AT: Final = 20  # entries for each decision; a question makes two, if short
_ID: Final = re.compile(r"dec_[a-z]{24}")
# The last of a record's names in their order.
_KINDS: Final = ('"type":"intent"}', '"type":"denied"}')
_DECIDED: Final = frozenset({"intent", "denied"})
_PART: Final = '"type":"part"}'
# As the migration that made the index spells it: otherwise the index is not used.
_PLACE: Final = {
    "sqlite": "instr(replace(record, '\\', ''), '\"decision\":\"')",
    "postgresql": "strpos(replace(record, '\\', ''), '\"decision\":\"')",
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One decided question: who asked, on what it rested, and what was decided."""

    type: str
    at: datetime
    journey: str
    actor: Actor
    purpose: str
    policy: str
    decision: str
    basis: Basis
    decisions: tuple[Decided, ...]
    agreement: str | None = None
    break_glass: str | None = None
    evidence: tuple[str, ...] = ()
    code: str | None = None  # of the refusal, where it was one


async def look_up(database: Database, decision: str) -> Entry | None:
    """The decision of an id. AuditUnavailable if the trail cannot be read."""
    if _ID.fullmatch(decision) is None:
        return None
    try:
        return await database.read(partial(find, decision=decision))
    except FAILURES:
        raise AuditUnavailable("store") from None


def find(connection: Connection, decision: str) -> Entry | None:
    """The decision of an id, if the trail holds it."""
    found = connection.execute(
        text(found_by(connection.dialect.name)), {"decision": decision}
    )
    for row in found.all():
        entry = _read(_whole(connection, row.n, row.record))
        if entry is not None and entry.decision == decision:
            return entry
    return None


def found_by(dialect: str) -> str:
    """The statement that looks a decision up by the index on its id."""
    place = _PLACE[dialect]
    cut = f"substr(replace(record, '\\', ''), {place} + 12, 28)"
    return (
        f"SELECT n, record FROM audit_record WHERE {cut} = :decision"  # noqa: S608 - both are constants of ours
        f" AND {place} > 0 ORDER BY n LIMIT 8"
    )


def newest(connection: Connection, most: int) -> Iterator[Entry]:
    """At most so many decisions, the newest first.

    Looked for among the last entries alone: some twenty for each that is wanted.
    """
    left = most
    parts: dict[str, list[str]] = {}
    for row in islice(_backwards(connection), most * _LOOKED_AT):
        record = _rejoined(row.record, parts)
        entry = None if record is None else _read(record)
        if entry is not None:
            left -= 1
            yield entry
        if not left:
            return


def _backwards(connection: Connection) -> Iterator[Any]:
    """Every entry from the newest, a page at a time."""
    wanted = select(_ROWS.c.n, _ROWS.c.record).order_by(_ROWS.c.n.desc()).limit(_PAGE)
    page = connection.execute(wanted).all()
    while page:
        yield from page
        older = wanted.where(_ROWS.c.n < page[-1].n)
        page = connection.execute(older).all()


def _read(record: str) -> Entry | None:
    if not record.endswith(_KINDS):
        return None  # without a closer look: most are outcomes
    try:
        return msgspec.json.decode(record, type=Entry)
    except msgspec.ValidationError:
        return None


def entry_of(record: str | bytes) -> Entry | None:
    """The decision that a whole record holds, however its JSON is spelt, if it is one.

    ValueError if it is not JSON.
    """
    try:
        entry = msgspec.json.decode(record, type=Entry)
    except msgspec.ValidationError:
        return None
    return entry if entry.type in _DECIDED else None


def _whole(connection: Connection, n: int, record: str) -> str:
    """The record that begins at an entry, from as many entries as it took."""
    if not record.endswith(_PART):
        return record
    parts = json.loads(record)["parts"]
    wanted = select(_ROWS.c.record).where(_ROWS.c.n >= n).where(_ROWS.c.n < n + parts)
    rows = connection.execute(wanted.order_by(_ROWS.c.n)).all()
    return "".join(json.loads(row.record)["text"] for row in rows)


def _rejoined(record: str, parts: dict[str, list[str]]) -> str | None:
    """A record, once all its parts were seen from the last to the first."""
    if not record.endswith(_PART):
        return record
    part = json.loads(record)
    seen = parts.setdefault(part["id"], [])
    seen.insert(0, part["text"])
    return "".join(parts.pop(part["id"])) if part["part"] == 1 else None
