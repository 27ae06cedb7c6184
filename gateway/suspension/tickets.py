"""What is not right with a source's own records, kept for its own organisation.

No content: a code, a category, how often and when, and a keyed hash by which whoever
has the record's id can find it. Bounded for each source, in number and in time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Select, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from gateway.audit.records import instant
from gateway.store.standing_tables import SourceFinding

KEPT: Final = timedelta(days=90)  # since it was last found
MOST: Final = 1_000  # of one source; the longest not found go first
_ID_DIGITS: Final = 30
_ROWS: Final[Table] = SourceFinding.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One finding in one record of a source, or in its answers; how often, and when.

    `record` is the key's id and the HMAC of the record's id; None where the finding is
    of an answer, or the record's id was not shown.
    """

    source: str
    code: str
    category: str | None
    record: str | None = field(repr=False)
    journey: str
    first_at: datetime
    last_at: datetime
    seen: int = 1

    @property
    def id(self) -> str:
        """The same finding in the same record has the same id."""
        named = "\x1f".join((self.source, self.code, self.record or ""))
        return f"fnd_{sha256(named.encode()).hexdigest()[:_ID_DIGITS]}"

    def and_again(self, later: "Ticket") -> "Ticket":
        """The same finding, found once more."""
        return replace(
            self,
            seen=self.seen + later.seen,
            last_at=max(self.last_at, later.last_at),
            journey=later.journey,
        )


def write(connection: Connection, tickets: Collection[Ticket]) -> None:
    """Add these to what was found before, and let go of what is too many."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # In one order, so that two processes never wait for each other's rows.
    for ticket in sorted(tickets, key=lambda each: each.id):
        adding = dialect.insert(_ROWS).values(_row(ticket))
        new = adding.excluded
        connection.execute(
            adding.on_conflict_do_update(
                index_elements=["id"],
                set_={
                    "seen": _ROWS.c.seen + new.seen,
                    "last_at": new.last_at,
                    "journey": new.journey,
                },
            )
        )
    for source in sorted({each.source for each in tickets}):
        _drop_beyond(connection, source)


def forget(connection: Connection, now: datetime) -> None:
    """Let go of what was not found again for so long."""
    connection.execute(delete(_ROWS).where(_ROWS.c.last_at < instant(now - KEPT)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins: after one last found at a time (as text), of this id."""

    at: str
    id: str


def of_source(
    connection: Connection,
    source: str,
    *,
    after: Place | None,
    most: int,
    now: datetime,
) -> Sequence[Ticket]:
    """What was found in a source and is kept, the latest first."""
    wanted = _kept(source, now)
    if after is not None:
        earlier = (_ROWS.c.last_at < after.at) | (
            (_ROWS.c.last_at == after.at) & (_ROWS.c.id > after.id)
        )
        wanted = wanted.where(earlier)
    wanted = wanted.order_by(_ROWS.c.last_at.desc(), _ROWS.c.id).limit(most)
    return [_ticket(row) for row in connection.execute(wanted).all()]


def in_records(
    connection: Connection, source: str, *, records: Collection[str], now: datetime
) -> Sequence[Ticket]:
    """What was found in these records of a source."""
    wanted = (
        _kept(source, now)
        .where(_ROWS.c.record.in_(records))
        .order_by(_ROWS.c.last_at.desc(), _ROWS.c.id)
    )
    return [_ticket(row) for row in connection.execute(wanted).all()]


def _kept(source: str, now: datetime) -> Select[Any]:
    since = instant(now - KEPT)
    return select(_ROWS).where(_ROWS.c.source == source).where(_ROWS.c.last_at >= since)


def _drop_beyond(connection: Connection, source: str) -> None:
    of_it = _ROWS.c.source == source
    count = select(func.count()).select_from(_ROWS).where(of_it)
    if int(connection.scalar(count) or 0) > MOST:
        kept = (
            select(_ROWS.c.id)
            .where(of_it)
            .order_by(_ROWS.c.last_at.desc(), _ROWS.c.id)
            .limit(MOST)
        )
        connection.execute(delete(_ROWS).where(of_it).where(_ROWS.c.id.not_in(kept)))


def _row(ticket: Ticket) -> dict[str, object]:
    return {
        "id": ticket.id,
        "source": ticket.source,
        "code": ticket.code,
        "category": ticket.category,
        "record": ticket.record,
        "seen": ticket.seen,
        "first_at": instant(ticket.first_at),
        "last_at": instant(ticket.last_at),
        "journey": ticket.journey,
    }


def _ticket(row: Any) -> Ticket:  # noqa: ANN401 - a row of the store
    return Ticket(
        source=row.source,
        code=row.code,
        category=row.category,
        record=row.record,
        journey=row.journey,
        first_at=datetime.fromisoformat(row.first_at),
        last_at=datetime.fromisoformat(row.last_at),
        seen=row.seen,
    )
