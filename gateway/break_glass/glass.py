"""A broken glass as a value, and how it stands in the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from gateway.access.requester import Requester
from gateway.audit.keys import Subject
from gateway.audit.records import Actor, instant
from gateway.store.glass_tables import BrokenGlass

LASTS: Final = timedelta(minutes=30)
_REVIEW_DAYS: Final = 3
_LONDON: Final = ZoneInfo("Europe/London")
_ROWS: Final = BrokenGlass.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy


@dataclass(frozen=True, slots=True, kw_only=True)
class Glass:
    """Glass broken by one caller, for one person and purpose, for half an hour."""

    id: str
    caller: Actor
    person: Subject = field(repr=False)
    purpose: str
    reason_code: str
    declared_at: datetime
    expires_at: datetime
    review_by: datetime
    ended_at: datetime | None = None
    reviewed_at: datetime | None = None
    reason: str | None = field(default=None, repr=False)  # sealed

    def is_of(self, requester: Requester) -> bool:
        """Whether this caller broke it: the same person, app and organisation."""
        mine = self.caller
        return (mine.issuer, mine.subject, mine.client_id, mine.organisation) == (
            requester.issuer,
            requester.subject,
            requester.client_id,
            requester.organisation,
        )

    def is_open_at(self, now: datetime) -> bool:
        """Whether it may be used: neither expired nor put back."""
        return self.ended_at is None and now < self.expires_at


def review_date(declared: datetime) -> datetime:
    """The end of the third working day after, in London; bank holidays count."""
    day = declared.astimezone(_LONDON).date()
    left = _REVIEW_DAYS
    while left:
        day += timedelta(days=1)
        left -= _is_working(day)
    return datetime.combine(day + timedelta(days=1), time(), _LONDON)


def _is_working(day: date) -> bool:
    return day.weekday() < 5


def keep(connection: Connection, glass: Glass) -> None:
    """Put a newly broken glass into the store."""
    connection.execute(
        insert(_ROWS).values(
            id=glass.id,
            issuer=glass.caller.issuer,
            subject=glass.caller.subject,
            client_id=glass.caller.client_id,
            organisation=glass.caller.organisation,
            role=glass.caller.role,
            person_key=glass.person.key_id,
            person_hmac=glass.person.hmac,
            purpose=glass.purpose,
            reason_code=glass.reason_code,
            reason=glass.reason,
            declared_at=instant(glass.declared_at),
            expires_at=instant(glass.expires_at),
            review_by=instant(glass.review_by),
        )
    )


def find(connection: Connection, id_: str, *, held: bool = False) -> Glass | None:
    """The glass of an id, if there is one; `held` until the transaction ends."""
    wanted = select(_ROWS).where(_ROWS.c.id == id_)
    row = connection.execute(wanted.with_for_update() if held else wanted).first()
    return None if row is None else _glass(row)


def people_of(connection: Connection, caller: Actor, *, since: datetime) -> int:
    """For how many people this person broke the glass since then, wherever they sat."""
    counted = (
        select(func.count(_ROWS.c.person_hmac.distinct()))
        .where(_ROWS.c.issuer == caller.issuer)
        .where(_ROWS.c.subject == caller.subject)
        .where(_ROWS.c.declared_at > instant(since))
    )
    return int(connection.scalar(counted) or 0)


def unreviewed(
    connection: Connection, organisation: str, *, after: tuple[str, str], most: int
) -> Sequence[Glass]:
    """An organisation's broken glass that nobody has looked over, oldest first.

    `after` is the time, as text, and the id of the last one that was seen.
    """
    at, last = after
    later = (_ROWS.c.declared_at > at) | (
        (_ROWS.c.declared_at == at) & (_ROWS.c.id > last)
    )
    wanted = (
        select(_ROWS)
        .where(_ROWS.c.organisation == organisation)
        .where(_ROWS.c.reviewed_at.is_(None))
        .where(later)
        .order_by(_ROWS.c.declared_at, _ROWS.c.id)
        .limit(most)
    )
    return [_glass(row) for row in connection.execute(wanted).all()]


def end(connection: Connection, id_: str, *, at: datetime) -> None:
    """Put it back: its token is good for nothing from now on."""
    connection.execute(
        update(_ROWS).where(_ROWS.c.id == id_).values(ended_at=instant(at))
    )


def close(
    connection: Connection, id_: str, *, finding: str, reviewer: str, at: datetime
) -> None:
    """It was looked over: the reason's text goes."""
    connection.execute(
        update(_ROWS)
        .where(_ROWS.c.id == id_)
        .values(
            reviewed_at=instant(at), reviewer=reviewer, finding=finding, reason=None
        )
    )


def _glass(row: Any) -> Glass:  # noqa: ANN401 - a row has its columns as attributes
    return Glass(
        id=row.id,
        caller=Actor(
            issuer=row.issuer,
            subject=row.subject,
            client_id=row.client_id,
            organisation=row.organisation,
            role=row.role,
        ),
        person=Subject(key_id=row.person_key, hmac=row.person_hmac),
        purpose=row.purpose,
        reason_code=row.reason_code,
        declared_at=datetime.fromisoformat(row.declared_at),
        expires_at=datetime.fromisoformat(row.expires_at),
        review_by=datetime.fromisoformat(row.review_by),
        ended_at=datetime.fromisoformat(row.ended_at) if row.ended_at else None,
        reviewed_at=datetime.fromisoformat(row.reviewed_at)
        if row.reviewed_at
        else None,
        reason=row.reason,
    )
