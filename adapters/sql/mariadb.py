"""MariaDB: sessions that only read, end in time, and say what the server wrote.

Values come as the server's own text, so that no driver turns a zero date, a long
TIME or a TINYINT into something else.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final

from aiomysql.connection import Connection as Driver
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.err import MySQLError, OperationalError
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.errors import Refused, Unavailable

_POOLED: Final = 4
_IDLE_S: Final = 1800
_UNKNOWN_PLUGIN: Final = 2059
_LOOK_S: Final = 0.05  # between two looks whether a statement that was left ended


def _instant(written: str) -> str:
    """A TIMESTAMP, which our sessions show in UTC; zeros stand for none."""
    return written if written.startswith("0000") else f"{written}+00:00"


def _bits(written: bytes) -> str:
    return str(int.from_bytes(written))


_TEXTS: Final[dict[int, Callable[[Any], str]]] = {
    FIELD_TYPE.TIMESTAMP: _instant,
    FIELD_TYPE.BIT: _bits,
}


class _Session(Driver):  # type: ignore[misc]  # the driver has no types
    """The driver's session, which tells nothing to a server it should not trust.

    The driver itself goes on without TLS where a server offers none, and tells the
    password as it is to a server that asks for it so.
    """

    async def _request_authentication(self) -> None:
        if "mariadb" not in self.server_version.lower():
            message = "that server is no MariaDB, and no other has been tried"
            raise Refused("refused", message)
        if self._ssl_context and not self.server_capabilities & CLIENT.SSL:
            message = "the server offers no TLS, which the url asks for"
            raise Unavailable("tls", message)
        self._refuse_to_tell(self._server_auth_plugin)
        await super()._request_authentication()

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> None:  # noqa: ANN401 - the driver has no types
        self._refuse_to_tell(plugin_name.decode("ascii", "replace"))
        await super()._process_auth(plugin_name, auth_packet)

    def _refuse_to_tell(self, plugin: str) -> None:
        if plugin == "mysql_clear_password" and not self._ssl_context:
            raise OperationalError(_UNKNOWN_PLUGIN, "asks for a password in clear")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where sessions are opened, and what each is held to by the server."""

    url: URL = field(repr=False)
    tls: SSLContext | None
    connect_s: float
    statement_s: float
    rows: int | None  # most of one result; None where a whole table is read

    async def opened(self, **options: Any) -> Driver:  # noqa: ANN401 - as SQLAlchemy gives them
        """A session that only reads.

        Unavailable `connect` after `connect_s`, `tls` if the server offers none;
        Refused if it is no MariaDB.
        """
        session = _Session(**self._options() | options)
        # Nothing that could end one statement may begin another.
        session.client_flag &= ~CLIENT.MULTI_STATEMENTS
        try:
            async with asyncio.timeout(self.connect_s):
                await session._connect()  # noqa: SLF001 - `connect` would make its own session
        except BaseException:
            session.close()
            raise
        return session

    async def kill(self, session: int) -> None:
        """Ends a session of ours with its statement. Failing is no harm: it ends."""
        with contextlib.suppress(MySQLError, OSError, Refused, Unavailable):
            other = await self.opened()
            try:
                await other.query(f"KILL CONNECTION {session:d}")
            finally:
                other.close()

    def engine(self) -> AsyncEngine:
        """Pooled sessions; nothing is opened yet."""
        return create_async_engine(
            self.url,
            hide_parameters=True,
            # Every statement stands alone: none is in need of BEGIN and ROLLBACK.
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_size=_POOLED,
            max_overflow=_POOLED,
            pool_timeout=2 * self.connect_s,
            pool_recycle=_IDLE_S,
            pool_use_lifo=True,
            connect_args={"async_creator_fn": self.opened},
        )

    def _options(self) -> dict[str, Any]:
        own = self.url.translate_connect_args(username="user", database="db")
        return {
            **own,
            "charset": "utf8mb4",
            "ssl": self.tls,
            "autocommit": True,
            "program_name": "throughline",
            "conv": _TEXTS,
            "init_command": self._first(),
        }

    def _first(self) -> str:
        rows = "DEFAULT" if self.rows is None else str(self.rows)
        wait_s = max(1, int(self.statement_s))
        return (
            "SET SESSION tx_read_only = 1, time_zone = '+00:00',"
            f" max_statement_time = {self.statement_s:.3f},"
            f" lock_wait_timeout = {wait_s}, innodb_lock_wait_timeout = {wait_s},"
            f" sql_select_limit = {rows}"
        )


@dataclass(slots=True, eq=False)
class Hold:
    """A question's hold on a session: one that is left is ended at the server too."""

    server: Server
    _session: int | None = None

    async def take(self, connection: AsyncConnection) -> None:
        raw = await connection.get_raw_connection()
        self._session = raw.driver_connection.thread_id()  # type: ignore[union-attr]  # an open session has one

    def release(self) -> None:
        self._session = None

    async def end(self, reading: "asyncio.Task[Any]") -> None:
        # The driver closes a session it is made to leave, so nobody uses it later;
        # the server would go on with its statement all the same.
        session = self._session
        reading.cancel()
        while not reading.done():
            await asyncio.wait({reading}, timeout=_LOOK_S)
        if session is not None:
            await self.server.kill(session)
