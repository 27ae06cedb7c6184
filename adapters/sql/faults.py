"""What a database's refusal means to the caller; never its own words."""

import sqlite3
from typing import Final

from asyncpg.exceptions import InterfaceError as SessionError
from asyncpg.exceptions import InternalClientError, PostgresError
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.errors import AdapterError, Refused, Unavailable, Unreadable

# What may come out of SQLAlchemy, a driver, or a socket; asyncpg's own errors from
# where it is asked without SQLAlchemy, sqlite3's of text that is not UTF-8.
DRIVER_ERRORS: Final = (
    SQLAlchemyError,
    PostgresError,
    SessionError,
    InternalClientError,
    sqlite3.Error,
    OSError,
    UnicodeDecodeError,
)
_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_INTERRUPT: "slow",
    sqlite3.SQLITE_CANTOPEN: "connect",
    sqlite3.SQLITE_IOERR: "connect",
    sqlite3.SQLITE_NOTADB: "broken",
    sqlite3.SQLITE_CORRUPT: "broken",
    sqlite3.SQLITE_PERM: "denied",
    sqlite3.SQLITE_AUTH: "denied",
    sqlite3.SQLITE_ERROR: "schema",
}
# Classes and codes of SQLSTATE, PostgreSQL appendix A; the longest match counts.
_POSTGRESQL: Final = {
    "08": "cut",
    "0A": "cut",  # a cached plan that a changed table made void: ask again
    "28": "credentials",
    "3D": "missing",
    "42": "schema",
    "42501": "denied",
    "53": "locked",
    "55": "locked",
    "57": "cut",
    "57014": "slow",
    "57P03": "locked",
    "40": "locked",
    "22": "unreadable",
    "XX": "broken",
}

_NOT_NOW: Final = {
    "connect": ("connect", "the database cannot be reached"),
    "cut": ("cut", "the database closed the connection"),
    "locked": ("busy", "the database is locked or full of work"),
    "slow": ("busy", "the statement took too long and was stopped"),
}
_DEFECTS: Final = {
    "missing": ("schema", "that server has no such database; correct the url"),
    "schema": ("schema", "the table, view or query changed; look at the mapping"),
    "broken": ("unreadable", "the database is damaged or is none"),
    "unreadable": ("unreadable", "the database gave no rows to read"),
}

# What errors mean by their class alone; the first that fits counts.
_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (PoolTimeoutError, "locked"),
    (OSError, "connect"),
    (UnicodeDecodeError, "broken"),
    (SessionError, "cut"),
    (InternalClientError, "cut"),
    (SQLAlchemyError, "unreadable"),
)


def explained(error: Exception) -> AdapterError:
    """The project's own error for whatever a driver raised, without its words."""
    if isinstance(error, DBAPIError):
        return _told(_of_driver(error))
    known = (what for kind, what in _KINDS if isinstance(error, kind))
    return _told(next(known, None) or _by_state(error) or "connect")


def full() -> AdapterError:
    """Unavailable `busy`: every session we may hold is in use."""
    return _told("locked")


def too_slow() -> AdapterError:
    """Unavailable `busy`: we stopped the statement ourselves."""
    return _told("slow")


def _of_driver(error: DBAPIError) -> str:
    driver: BaseException | None = error.orig
    while driver is not None:
        if isinstance(driver, sqlite3.Error):
            code = getattr(driver, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            return _SQLITE.get(code & 0xFF, "unreadable")
        if state := _by_state(driver):
            return state
        driver = driver.__cause__
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return "cut"
    return "unreadable"


def _by_state(error: BaseException) -> str | None:
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return None
    for length in (5, 2):
        if found := _POSTGRESQL.get(state[:length]):
            return found
    return "unreadable"


def _told(what: str) -> AdapterError:
    if what in _NOT_NOW:
        return Unavailable(*_NOT_NOW[what])
    if what == "credentials":
        message = "the database refuses our name or password; correct them"
        return Refused(what, message, domain="adapter")
    if what == "denied":
        message = "the database does not let us read there; grant SELECT"
        return Refused("refused", message)
    return Unreadable(*_DEFECTS.get(what, _DEFECTS["unreadable"]))
