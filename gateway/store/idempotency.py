"""Requests that make something, each made once however often it is sent.

Kept for a day under the caller and the caller's own key, as a keyed hash of what was
sent and the id of what was made; never what was sent.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Insert, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from gateway.problems import RequestError
from gateway.store.policy_tables import IdempotencyKey

_KEYS: Final = IdempotencyKey.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
KEPT: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A request that its caller named: by whom, the name, the HMAC of what it is."""

    caller: str = field(repr=False)
    key: str = field(repr=False)
    request: str = field(repr=False)


def made_by(connection: Connection, keyed: Keyed, now: datetime) -> str | None:
    """What this very request has made; None if it is new, or a day old.

    RequestError idempotency-mismatch if the key was given to another request.
    """
    row = connection.execute(
        select(_KEYS.c.request, _KEYS.c.result).where(
            _KEYS.c.caller == keyed.caller,
            _KEYS.c.key == keyed.key,
            _KEYS.c.at > _spelt(now - KEPT),
        )
    ).first()
    if row is None:
        return None
    if row.request != keyed.request:
        raise RequestError("idempotency-mismatch")
    result: str = row.result
    return result


def remember(
    connection: Connection, keyed: Keyed, result: str, *, now: datetime
) -> None:
    """That this request has made that; what is older than a day is forgotten."""
    connection.execute(delete(_KEYS).where(_KEYS.c.at <= _spelt(now - KEPT)))
    connection.execute(insert(_KEYS), _row(keyed, result, now))


def claim(
    connection: Connection, keyed: Keyed, result: str, *, now: datetime
) -> str | None:
    """Remember that this request makes that; else what it has made already.

    Of two that are sent at once the second waits for the first. RequestError
    idempotency-mismatch as of `made_by`; conflict if the first came to nothing.
    """
    connection.execute(delete(_KEYS).where(_KEYS.c.at <= _spelt(now - KEPT)))
    if connection.execute(_taking(connection, _row(keyed, result, now))).rowcount == 1:
        return None
    made = made_by(connection, keyed, now)
    if made is None:
        raise RequestError("conflict", "It was sent twice at once. Send it again.")
    return made


def _row(keyed: Keyed, result: str, now: datetime) -> dict[str, str]:
    return {
        "caller": keyed.caller,
        "key": keyed.key,
        "request": keyed.request,
        "result": result,
        "at": _spelt(now),
    }


def _taking(connection: Connection, row: dict[str, str]) -> Insert:
    """The row's INSERT, which leaves a key that is taken as it is."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(_KEYS).values(row).on_conflict_do_nothing()
    return postgresql.insert(_KEYS).values(row).on_conflict_do_nothing()


def _spelt(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
