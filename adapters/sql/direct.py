"""PostgreSQL asked by asyncpg alone: SQLAlchemy writes a statement, and only once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import asyncpg

from adapters.sql.faults import full
from adapters.sql.statement import Connection, Rows, Statement, Values

Result = TypeVar("Result")

_MOST: Final = 8  # sessions at once
_IDLE_S: Final = 1800.0
_ENDING_S: Final = 2.5  # how long closing waits for what was left to end
_CUT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class _Session:
    own: Any  # asyncpg has no types

    async def rows(self, statement: Statement, values: Values) -> Rows:
        given = [values[name] for name in statement.order]
        rows: Rows = await self.own.fetch(statement.written, *given)
        return rows

    async def named(
        self, statement: Statement, values: Values
    ) -> tuple[list[str], Rows]:
        prepared = await self.own.prepare(statement.written)
        rows = await prepared.fetch(*(values[name] for name in statement.order))
        return [each.name for each in prepared.get_attributes()], rows


@dataclass(slots=True, kw_only=True)
class Direct:
    """Sessions of one server, opened as they are needed. Closing twice is safe."""

    options: dict[str, Any] = field(repr=False)  # of asyncpg, for each session
    wait_s: float
    _pool: Any = None
    _left: set["asyncio.Task[None]"] = field(default_factory=set)

    async def read(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` reads. A caller who leaves does not wait for the server."""
        session = await self._taken()
        try:
            result = await work(_Session(session))
        except BaseException as error:
            if isinstance(error, _CUT):
                await self._pool.expire_connections()  # others were cut with it
            # The driver stops the statement at the server, and waits until it did.
            ending = asyncio.create_task(self._pool.release(session, timeout=_ENDING_S))
            self._left.add(ending)
            ending.add_done_callback(self._ended)
            raise
        await self._pool.release(session)
        return result

    async def _taken(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        if self._pool is None:
            # Its own reset would ask the server once more after each question; all
            # that a read-only statement leaves behind is what the next one needs.
            self._pool = await asyncpg.create_pool(
                min_size=0,
                max_size=_MOST,
                max_inactive_connection_lifetime=_IDLE_S,
                reset=_kept,
                **self.options,
            )
        waiting = asyncio.timeout(self.wait_s)
        try:
            async with waiting:
                return await self._pool.acquire()
        except TimeoutError:
            if waiting.expired() and self._pool.get_size() == _MOST:
                raise full() from None
            raise

    def _ended(self, ending: "asyncio.Task[None]") -> None:
        self._left.discard(ending)
        if not ending.cancelled():
            ending.exception()  # nobody is left to hear of it

    async def aclose(self) -> None:
        """Closes the sessions, after what was left has ended."""
        pool, self._pool = self._pool, None
        if pool is not None:
            closing = asyncio.create_task(pool.close())
            await asyncio.wait({closing}, timeout=_ENDING_S)
            if not closing.done():
                pool.terminate()
            await asyncio.wait({closing})


async def _kept(_session: object) -> None:
    """Leave a session as it is."""
