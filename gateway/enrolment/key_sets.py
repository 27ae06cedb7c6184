"""The key sets of sites in the store: one signing and one sealing key each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Select, Table, delete, insert, select, update
from sqlalchemy.engine import Connection

from adapters.site.keys import Keys, pinned_keys
from gateway.audit.records import instant
from gateway.store.site_tables import SiteKeySet

State = Literal["registered", "confirmed", "revoked"]
Standing = Literal["unconfirmed", "confirmed", "expired", "revoked"]

_ROWS: Final[Table] = SiteKeySet.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """Keys that a site showed, and what became of them; `until` is exclusive."""

    id: str
    organisation: str
    site: str
    place: int
    keys: str = field(repr=False)  # a public document of JWKs
    state: State
    registered_at: datetime
    until: datetime
    mistyped: int = 0
    confirmed_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def read(self) -> Keys:
        """The keys themselves."""
        return pinned_keys(self.keys)

    def standing(self, now: datetime) -> Standing:
        """Whether they are believed now, or why they are not."""
        if self.state == "revoked":
            return "revoked"
        if self.until <= now:
            return "expired"
        return "confirmed" if self.state == "confirmed" else "unconfirmed"


def every(connection: Connection) -> Sequence[KeySet]:
    """All of them, each site's latest first."""
    return _read(connection, select(_ROWS))


def of_organisation(connection: Connection, organisation: str) -> Sequence[KeySet]:
    """An organisation's, each site's latest first."""
    return _read(connection, select(_ROWS).where(_ROWS.c.organisation == organisation))


def held(connection: Connection, organisation: str, site: str) -> Sequence[KeySet]:
    """A site's, the latest first, held until the transaction ends."""
    wanted = (
        select(_ROWS)
        .where(_ROWS.c.organisation == organisation)
        .where(_ROWS.c.site == site)
    )
    return _read(connection, wanted.with_for_update())


def add(connection: Connection, made: KeySet) -> None:
    """A new one. IntegrityError where another took its place at the same time."""
    connection.execute(
        insert(_ROWS).values(
            id=made.id,
            organisation=made.organisation,
            site=made.site,
            place=made.place,
            keys=made.keys,
            state=made.state,
            mistyped=made.mistyped,
            registered_at=instant(made.registered_at),
            confirmed_at=_instant(made.confirmed_at),
            revoked_at=_instant(made.revoked_at),
            until=instant(made.until),
        )
    )


def keep(connection: Connection, changed: KeySet) -> None:
    """What may change of one: its state, its times, how often it was mistyped."""
    connection.execute(
        update(_ROWS)
        .where(_ROWS.c.id == changed.id)
        .values(
            state=changed.state,
            mistyped=changed.mistyped,
            confirmed_at=_instant(changed.confirmed_at),
            revoked_at=_instant(changed.revoked_at),
            until=instant(changed.until),
        )
    )


def remove(connection: Connection, known: KeySet) -> None:
    """One that was never confirmed."""
    connection.execute(delete(_ROWS).where(_ROWS.c.id == known.id))


def _read(connection: Connection, wanted: Select[Any]) -> Sequence[KeySet]:
    ordered = wanted.order_by(_ROWS.c.organisation, _ROWS.c.site, _ROWS.c.place.desc())
    return [_key_set(row) for row in connection.execute(ordered).all()]


def _key_set(row: Any) -> KeySet:  # noqa: ANN401 - a row of the store
    return KeySet(
        id=row.id,
        organisation=row.organisation,
        site=row.site,
        place=row.place,
        keys=row.keys,
        state=row.state,
        mistyped=row.mistyped,
        registered_at=datetime.fromisoformat(row.registered_at),
        confirmed_at=_read_instant(row.confirmed_at),
        revoked_at=_read_instant(row.revoked_at),
        until=datetime.fromisoformat(row.until),
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _read_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
