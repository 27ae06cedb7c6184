"""What a gateway's store tells of policy: the set in force, and the last decisions.

It is read, never written, and nothing is made that is not there.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import Connection

from adapters.errors import ConfigurationError
from gateway.decisions.recorded import recorded
from gateway.policy.composition import Composition
from gateway.policy.kept import Tampered
from gateway.policy.sets import KeptSet, read_set, turns_at
from gateway.settings import Settings
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from policies.analysis.replay import Recorded

_T = TypeVar("_T")


async def in_force(settings: Settings, now: datetime) -> Composition:
    """What the set in force is made of. ConfigurationError where there is none."""
    kept = await _read(settings, partial(_current, now=now))
    if kept is None:
        raise _unusable(settings, "holds no policy yet. Publish some, or name files.")
    return kept.composition


async def last_decisions(settings: Settings, *, most: int) -> Sequence[Recorded]:
    """The last decisions, the newest first. ConfigurationError where there are none."""
    found = await _read(settings, partial(recorded, most=most))
    if not found:
        raise _unusable(settings, "holds no recorded decision yet. Ask something.")
    return found


def _current(connection: Connection, *, now: datetime) -> KeptSet | None:
    turns = turns_at(connection, now)
    if not turns:
        return None
    kept = read_set(connection, turns[0].set_version)
    if kept is None:
        raise Tampered
    return kept


async def _read(settings: Settings, work: Callable[[Connection], _T]) -> _T:
    async with _opened(settings) as database:
        try:
            return await database.read(work)
        except FAILURES:
            message = "cannot be read. Start it, or correct [store]."
            raise _unusable(settings, message) from None
        except Tampered:
            message = "holds a set that was tampered with. Tell who runs the gateway."
            raise _unusable(settings, message) from None


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url(), busy_s=settings.audit.write_s)
    try:
        if database.file is not None and not database.file.is_file():
            message = "is not there yet: no gateway has served here."
            raise _unusable(settings, message)
        yield database
    finally:
        await database.aclose()


def _unusable(settings: Settings, message: str) -> ConfigurationError:
    return ConfigurationError(f"the store {message}", file=str(settings.folder))
