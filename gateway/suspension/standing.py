"""How a source stands in the store: wrong answers of a day, and what came of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Insert, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from gateway.audit.records import instant
from gateway.store.standing_tables import SourceMismatch, SourceStanding

COUNTED: Final = timedelta(hours=24)
_STANDING: Final[Table] = SourceStanding.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_MISMATCHES: Final[Table] = SourceMismatch.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a source is suspended, since when, and which state of that this is."""

    revision: int = 0
    suspended_at: datetime | None = None

    @property
    def state(self) -> str:
        """The state's name, as an entity tag holds it."""
        return f"standing-{self.revision}"


def standing_of(connection: Connection, source: str) -> Standing:
    """How a source stands; nobody has complained of most."""
    row = connection.execute(
        select(_STANDING).where(_STANDING.c.source == source)
    ).first()
    return Standing() if row is None else _standing(row)


def suspended(connection: Connection) -> frozenset[str]:
    """Every source that is suspended, by id."""
    rows = select(_STANDING.c.source).where(_STANDING.c.suspended_at.is_not(None))
    return frozenset(connection.scalars(rows))


def held(connection: Connection, source: str) -> Standing:
    """How a source stands, held against other writers until the transaction ends."""
    connection.execute(_first(connection, source))
    wanted = select(_STANDING).where(_STANDING.c.source == source).with_for_update()
    return _standing(connection.execute(wanted).one())


def count_mismatch(
    connection: Connection, source: str, person: str, *, now: datetime
) -> int:
    """Of how many people it told wrongly within 24 hours, this one too.

    `person` is a keyed hash, of them and the source together.
    """
    adding = _dialect(connection).insert(_MISMATCHES)
    connection.execute(
        adding.values(id=person, source=source, at=instant(now)).on_conflict_do_update(
            index_elements=["id"], set_={"at": adding.excluded.at}
        )
    )
    counted = (
        select(func.count())
        .select_from(_MISMATCHES)
        .where(_MISMATCHES.c.source == source)
        .where(_MISMATCHES.c.at > instant(now - COUNTED))
    )
    return int(connection.scalar(counted) or 0)


def forget(connection: Connection, now: datetime) -> None:
    """Let go of the wrong answers that count no more."""
    connection.execute(
        delete(_MISMATCHES).where(_MISMATCHES.c.at <= instant(now - COUNTED))
    )


def suspend(
    connection: Connection, source: str, before: Standing, *, now: datetime
) -> None:
    """The source is not asked from now on."""
    _move(connection, source, before, suspended_at=instant(now))


def clear(connection: Connection, source: str, before: Standing) -> None:
    """The source is asked again, and its wrong answers count no more."""
    connection.execute(delete(_MISMATCHES).where(_MISMATCHES.c.source == source))
    _move(connection, source, before, suspended_at=None)


def _move(
    connection: Connection,
    source: str,
    before: Standing,
    *,
    suspended_at: str | None,
) -> None:
    connection.execute(
        update(_STANDING)
        .where(_STANDING.c.source == source)
        .values(revision=before.revision + 1, suspended_at=suspended_at)
    )


def _first(connection: Connection, source: str) -> Insert:
    row = {"source": source, "revision": 0, "suspended_at": None}
    adding: Insert = _dialect(connection).insert(_STANDING).values(row)
    return adding.on_conflict_do_nothing()  # type: ignore[no-any-return,attr-defined]  # either dialect has it


def _dialect(connection: Connection) -> Any:  # noqa: ANN401 - either of two modules
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def _standing(row: Any) -> Standing:  # noqa: ANN401 - a row of the store
    at = row.suspended_at
    return Standing(
        revision=row.revision,
        suspended_at=None if at is None else datetime.fromisoformat(at),
    )
