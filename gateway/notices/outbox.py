"""Notices in the store: written with what they tell of, kept until they arrive.

A notice says that something was done, to whom, and under which reference; never
about which person. Who receives it signs in and reads the rest.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import ascii_lowercase
from typing import Final, Literal

from sqlalchemy import select, text, update
from sqlalchemy.engine import Connection

from gateway.audit.records import instant
from gateway.store.glass_tables import Notice as NoticeRow

Recipient = Literal["privacy-officer", "owner"]
NoticeKind = Literal[
    "break-glass",
    "break-glass-used",
    "break-glass-often",
    "self-claimed",
    "agreement",
    "agreement-ends",
    "agreement-review",
]

_ROWS: Final = NoticeRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_INSERT: Final = text(
    "INSERT INTO notice"
    " (id, organisation, recipient, kind, reference, once, created_at, due_at, tries)"
    " VALUES (:id, :organisation, :recipient, :kind, :reference, :once, :at, :at, 0)"
    " ON CONFLICT DO NOTHING"
)
_FIRST_WAIT: Final = timedelta(seconds=10)
_LONGEST_WAIT: Final = timedelta(hours=1)
# Longer than any delivery: whoever took a notice and died, another takes it up.
_LEASE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What an organisation is to be told: that it was done, and where to read of it."""

    organisation: str  # ODS code of whom it is told
    recipient: Recipient
    kind: NoticeKind
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A notice to be delivered now, and how often that was tried before."""

    id: str
    notice: Notice
    created_at: str
    tries: int


def letters(prefix: str) -> str:
    """A new id: without digits, so that no address can seem to hold a number."""
    return prefix + "".join(secrets.choice(ascii_lowercase) for _ in range(24))


def queue(connection: Connection, notices: Iterable[Notice], *, now: datetime) -> None:
    """Put notices in the outbox; one that already stands there is not put twice."""
    for notice in notices:
        row = {
            "id": letters("ntc_"),
            "organisation": notice.organisation,
            "recipient": notice.recipient,
            "kind": notice.kind,
            "reference": notice.reference,
            "once": _once(notice),
            "at": instant(now),
        }
        connection.execute(_INSERT, row)


def told_already(connection: Connection, notice: Notice) -> bool:
    """Whether the notice stands in the outbox, delivered or not."""
    said = select(_ROWS.c.id).where(_ROWS.c.once == _once(notice))
    return connection.execute(said).first() is not None


def _once(notice: Notice) -> str:
    said = (notice.kind, notice.reference, notice.recipient, notice.organisation)
    return "|".join(said)


def is_due(connection: Connection, *, now: datetime) -> bool:
    """Whether anything is to be delivered."""
    wanted = select(_ROWS.c.id).where(_ROWS.c.due_at <= instant(now)).limit(1)
    return connection.execute(wanted).first() is not None


def take(connection: Connection, *, now: datetime, most: int) -> Sequence[Due]:
    """Notices that are due, the longest waiting first, and ours for a minute."""
    wanted = (
        select(_ROWS)
        .where(_ROWS.c.due_at <= instant(now))
        .order_by(_ROWS.c.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(wanted).all()
    held = update(_ROWS).where(_ROWS.c.id.in_([row.id for row in found]))
    connection.execute(held.values(due_at=instant(now + _LEASE)))
    return [
        Due(
            id=row.id,
            notice=Notice(
                organisation=row.organisation,
                recipient=row.recipient,
                kind=row.kind,
                reference=row.reference,
            ),
            created_at=row.created_at,
            tries=row.tries,
        )
        for row in found
    ]


def settle(connection: Connection, due: Due, *, delivered: bool, now: datetime) -> None:
    """Say what became of a delivery: done, or to be tried again later."""
    again = None if delivered else instant(now + wait_after(due.tries))
    connection.execute(
        update(_ROWS)
        .where(_ROWS.c.id == due.id)
        .values(due_at=again, tries=due.tries + 1)
    )


def wait_after(tries: int) -> timedelta:
    """How long to wait after so many earlier tries: doubling, an hour at most."""
    return min(_FIRST_WAIT * (1 << min(tries, 16)), _LONGEST_WAIT)
