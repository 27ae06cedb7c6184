"""Blocks of a table: of PostgreSQL by ADBC, of a SQLite file, of MariaDB as it sends.

SQLite is not asked by ADBC, whose statements there cannot be stopped, and which
takes the first rows' types for those of all.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import aiomysql
from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from adapters.sql.bulk import Block, Blocks, Reads
from adapters.sql.engine import Place
from adapters.sql.faults import cut, of_state, unreadable
from adapters.sql.mariadb import Server
from adapters.sql.sqlite_file import Guard
from adapters.sql.values import cell

if TYPE_CHECKING:
    import pyarrow as pa

_STEPS: Final = 20_000  # of SQLite's machine between two looks at the time
_LOCK_S: Final = 1.0
_BATCH_BYTES: Final = str(4 * 1024 * 1024)  # of what PostgreSQL sends, held at once
_ENDING_S: Final = 2.5
_BEYOND: Final = "9999-12-31"  # for a day that no calendar has: PostgreSQL's infinity
_DIALECTS: Final[dict[str, Dialect]] = {
    # Named, so that a per cent sign in a column's name stays one.
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.dialect(paramstyle="named"),  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here
    "mariadb": mysql.dialect(paramstyle="named", is_mariadb=True),
}


def reads_of(place: Place) -> Reads:
    """How the database at this place is read as a whole."""
    backend = place.url.get_backend_name()
    dialect = _DIALECTS[backend]

    async def reads(statement: Select[Any], *, rows: int, seconds: float) -> Blocks:
        written = str(statement.compile(dialect=dialect))
        if backend == "mariadb":
            server = place.mariadb(statement_s=seconds, rows=None)
            return await _Sent.begun(server, written, rows=rows)
        stop = _Stop(until=time.monotonic() + seconds)
        of = _of_sqlite if backend == "sqlite" else _of_postgresql
        return _InThread(of(place, written, rows=rows, stop=stop), stop)

    return reads


@dataclass(slots=True, eq=False)
class _Stop:
    """Ends a statement from another thread than the one that waits for it."""

    until: float  # of the monotonic clock, in seconds
    how: list[Callable[[], object]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return max(self.until - time.monotonic(), 0.001)

    def __call__(self) -> None:
        for each in self.how:
            each()


@dataclass(slots=True, eq=False)
class _InThread:
    """Blocks that a thread waits for: whoever leaves does not."""

    own: Generator[Block, None, None]
    stop: _Stop
    _working: "asyncio.Task[Block | None] | None" = None

    async def next(self) -> Block | None:
        work = asyncio.to_thread(next, self.own, None)
        self._working = asyncio.create_task(work)
        return await asyncio.shield(self._working)

    async def aclose(self) -> None:
        working, self._working = self._working, None
        if working is not None and not working.done():
            self.stop()
            await asyncio.wait({working}, timeout=_ENDING_S)
        if working is not None:
            if not working.done():
                return  # its thread ends by the time that was given, and closes
            if not working.cancelled():
                working.exception()  # nobody is left to hear of it
        await asyncio.to_thread(self.own.close)


def _of_sqlite(
    place: Place, statement: str, *, rows: int, stop: _Stop
) -> Generator[Block, None, None]:
    name = f"file:{quote(str(place.path.absolute()))}?mode=ro"
    opened = sqlite3.connect(name, uri=True, timeout=_LOCK_S, check_same_thread=False)
    with contextlib.closing(opened) as connection:
        guard = Guard(until=stop.until)
        connection.set_progress_handler(guard, _STEPS)
        stop.how += [guard.stop, connection.interrupt]
        cursor = connection.execute(statement)
        while found := cursor.fetchmany(rows):
            yield _texts(found)


def _of_postgresql(
    place: Place, statement: str, *, rows: int, stop: _Stop
) -> Generator[Block, None, None]:
    import pyarrow as pa  # noqa: PLC0415 - only of the extra
    from adbc_driver_manager import Error  # noqa: PLC0415 - the same
    from adbc_driver_postgresql import StatementOptions, dbapi  # noqa: PLC0415 - the same

    hint = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: _BATCH_BYTES}
    try:
        with (
            dbapi.connect(libpq(place, stop.seconds), autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            stop.how.append(cursor.adbc_cancel)
            cursor.adbc_statement.set_options(**hint)
            cursor.execute(statement)
            for batch in cursor.fetch_record_batch():
                for first in range(0, batch.num_rows, rows):
                    yield list(map(_column, batch.slice(first, rows).columns))
    except Error as error:
        raise of_state(error) from None
    except OSError:  # of a batch that did not come whole
        raise cut() from None
    except pa.ArrowException:  # of a statement that failed at some later row
        raise unreadable() from None


def libpq(place: Place, seconds: float) -> str:
    """The database as PostgreSQL's own library is told of it."""
    options = (
        "-c default_transaction_read_only=on"
        f" -c statement_timeout={int(seconds * 1000)}"
    )
    url = place.url
    told: dict[str, object] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": place.password,
        "dbname": url.database,
        "options": options,
        "application_name": "throughline",
        "connect_timeout": max(2, round(place.limits.connect_s)),
        "sslmode": url.query.get("ssl"),
    }
    if place.authority is not None:
        told["sslmode"] = told["sslmode"] or "verify-full"
        told["sslrootcert"] = place.authority
    given = {name: str(value) for name, value in told.items() if value is not None}
    # All of it here, where each is quoted alike; and a plus is no space there.
    return f"postgresql:///?{urlencode(given, quote_via=quote)}"


def _column(column: "pa.Array") -> list[str]:
    """Arrow's values as the cells that `values.cell` makes of one person's."""
    import pyarrow as pa  # noqa: PLC0415 - only of the extra

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_integer(kind):
        texts: list[str] = column.cast(pa.string()).fill_null("").to_pylist()
        return texts
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_nested(kind):
        return [_cell(value) for value in column]
    encoded = column.dictionary_encode()  # a day or a truth is written once
    words = [_cell(value) for value in encoded.dictionary]
    return [
        "" if place is None else words[place] for place in encoded.indices.to_pylist()
    ]


def _cell(value: "pa.Scalar[Any]") -> str:
    import pyarrow as pa  # noqa: PLC0415 - only of the extra

    try:
        return cell(value.as_py())
    except (OverflowError, ValueError):
        if pa.types.is_temporal(value.type):
            return _BEYOND
        raise unreadable() from None


@dataclass(slots=True, eq=False)
class _Sent:
    """What MariaDB sends, taken as it comes."""

    server: Server
    session: Any
    cursor: Any
    rows: int
    is_over: bool = False

    @classmethod
    async def begun(cls, server: Server, statement: str, *, rows: int) -> "_Sent":
        session = await server.opened()
        begun = cls(server, session, await session.cursor(_Streaming), rows)
        try:
            await begun.cursor.execute(statement)
        except BaseException:
            await begun.aclose()
            raise
        return begun

    async def next(self) -> Block | None:
        found = await self.cursor.fetchmany(self.rows)
        self.is_over = len(found) < self.rows
        return await asyncio.to_thread(_texts, found) if found else None

    async def aclose(self) -> None:
        session, self.session = self.session, None
        if session is None:
            return
        number = session.thread_id()
        session.close()
        if not self.is_over:
            # The server would go on sending, or working, for nobody.
            await self.server.kill(number)


class _Streaming(aiomysql.SSCursor):  # type: ignore[misc]  # the driver has no types
    """A cursor that does not ask again what the server would warn of."""

    async def _show_warnings(self, conn: object) -> None:
        """Nothing is shown."""


def _texts(found: Sequence[Sequence[Any]]) -> Block:
    return [list(map(cell, column)) for column in zip(*found, strict=True)]
