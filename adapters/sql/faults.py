"""What a database's refusal means to the caller; never its own words."""

import socket
import sqlite3
import ssl
from typing import Final

from asyncpg.exceptions import InterfaceError as SessionError
from asyncpg.exceptions import InternalClientError, PostgresError
from pymysql.err import MySQLError
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
    MySQLError,
    sqlite3.Error,
    OSError,
    UnicodeError,
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
    "25006": "writes",
    "XX": "broken",
}
# MariaDB's error numbers, and those of its clients' library from 2000 on.
_MARIADB: Final = {
    **dict.fromkeys((1044, 1045, 1129, 1130, 1251, 1275, 1698, 2059), "credentials"),
    **dict.fromkeys((1142, 1143, 1227, 1345, 1370), "denied"),
    **dict.fromkeys((1040, 1203, 1205, 1213, 1226), "locked"),
    **dict.fromkeys((1317, 1969, 3024), "slow"),
    **dict.fromkeys((1054, 1060, 1064, 1146, 1305, 1356), "schema"),
    **dict.fromkeys((1034, 1194, 1195, 1932), "broken"),
    # A definition that changed beneath a statement is as well asked for again.
    **dict.fromkeys((1053, 1158, 1159, 1160, 1161, 1412, 1927, 2006, 2013), "cut"),
    **dict.fromkeys((2002, 2003, 2005), "connect"),
    1049: "missing",
    1792: "writes",
    2026: "tls",
}

_NOT_NOW: Final = {
    "connect": ("connect", "the database cannot be reached"),
    "dns": ("dns", "the name of the database's server is not known; correct the url"),
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
    (socket.gaierror, "dns"),
    (ssl.SSLError, "tls"),
    (OSError, "connect"),
    (UnicodeDecodeError, "broken"),
    (UnicodeError, "credentials"),  # a password that cannot be sent
    (SessionError, "cut"),
    (InternalClientError, "cut"),
    (SQLAlchemyError, "unreadable"),
)


def explained(error: Exception) -> AdapterError:
    """The project's own error for whatever a driver raised, without its words."""
    if isinstance(error, DBAPIError):
        return _told(_of_driver(error))
    known = (what for kind, what in _KINDS if isinstance(error, kind))
    if isinstance(error, sqlite3.Error):
        return _told(_by_code(error))
    found = next(known, None) or _by_number(error) or _by_state(error)
    return _told(found or "connect")


def of_state(error: Exception) -> AdapterError:
    """The same of a driver that names nothing but a state, and that not always."""
    return _told(_by_state(error) or "connect")


def cut() -> AdapterError:
    """Unavailable `cut`: what was being read did not come to its end."""
    return _told("cut")


def unreadable() -> AdapterError:
    """Unreadable: the database has something there that it cannot give."""
    return _told("unreadable")


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
            return _by_code(driver)
        if state := _by_socket(driver) or _by_number(driver) or _by_state(driver):
            return state
        driver = driver.__cause__
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return "cut"
    return "unreadable"


def _by_code(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return _SQLITE.get(code & 0xFF, "unreadable")


def _by_state(error: BaseException) -> str | None:
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return None
    for length in (5, 2):
        if found := _POSTGRESQL.get(state[:length]):
            return found
    return "unreadable"


def _by_number(error: BaseException) -> str | None:
    if not isinstance(error, MySQLError):
        return None
    number = error.args[0] if error.args else None
    return _MARIADB.get(number, "unreadable") if isinstance(number, int) else "cut"


def _by_socket(error: BaseException) -> str | None:
    """What lies beneath "cannot connect", which is all that MariaDB's driver says."""
    beneath = error.__cause__
    known = (what for kind, what in _KINDS if isinstance(beneath, kind))
    return next(known, None) if isinstance(beneath, OSError) else None


def _told(what: str) -> AdapterError:
    if what in _NOT_NOW:
        return Unavailable(*_NOT_NOW[what])
    if what == "credentials":
        message = "the database refuses our name or password; correct them"
        return Refused(what, message, domain="adapter")
    if what == "tls":
        message = "the server's certificate is not one to believe; correct ca_file"
        return Unavailable("tls", message)
    if what == "writes":
        message = "the view or query writes, and we only read; correct it"
        return Refused("refused", message)
    if what == "denied":
        message = "the database does not let us read there; grant SELECT"
        return Refused("refused", message)
    return Unreadable(*_DEFECTS.get(what, _DEFECTS["unreadable"]))
