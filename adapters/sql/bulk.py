"""A whole table in columns: read at the server's own speed, held a block at a time."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, select

from adapters.contract import Caveat
from adapters.errors import AdapterError
from adapters.sql.adapter import Own, SqlPlace
from adapters.sql.faults import DRIVER_ERRORS, explained, too_slow
from adapters.sql.relation import Relation
from adapters.tuples import TupleQuery, TupleStream

if TYPE_CHECKING:
    import pyarrow as pa

    from adapters.mapping.tabular import Tabular

Result = TypeVar("Result")
Block = Sequence[Sequence[str]]  # columns of cells


class Blocks(Protocol):
    """A statement at work, given out a block at a time."""

    async def next(self) -> Block | None:
        """At most so many rows as were asked for; None after the last."""
        ...

    async def aclose(self) -> None:
        """Ends the statement at the database too. Twice is safe."""
        ...


class Reads(Protocol):
    """How one kind of database reads a statement as a whole."""

    async def __call__(
        self, statement: Select[Any], *, rows: int, seconds: float
    ) -> Blocks: ...


def whole(relation: Relation, columns: Sequence[str]) -> Select[Any]:
    """These columns of every row."""
    own: list[ColumnElement[Any]] = [relation.place.c[name] for name in columns]
    return select(*own)


class Reading:
    """One reading of a table; see `adapters.tuples.TupleStream`."""

    def __init__(
        self, *, source: "SqlTable", asked: TupleQuery, as_of: datetime
    ) -> None:
        self.as_of = as_of
        self._source = source
        self._asked = asked
        self._rows: Tabular | None = None
        self._is_whole = False
        self._batches = self._all()

    @property
    def is_whole(self) -> bool:
        return self._is_whole

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        return self._rows.caveats if self._rows else ()

    def __aiter__(self) -> AsyncIterator["pa.RecordBatch"]:
        return self._batches

    async def aclose(self) -> None:
        await self._batches.aclose()

    async def _all(self) -> AsyncGenerator["pa.RecordBatch", None]:
        until = time.monotonic() + self._asked.seconds
        async with self._source.reading_whole:
            rows, blocks = await _before(until, self._source.begin(self._asked))
            self._rows = rows
            try:
                while (block := await _before(until, blocks.next())) is not None:
                    batch = await asyncio.to_thread(rows.read, block)
                    if batch.num_rows:
                        yield batch
                    if rows.is_cut:
                        break
            finally:
                await blocks.aclose()
            self._is_whole = True


async def _before(until: float, work: Coroutine[Any, Any, Result]) -> Result:
    """What the work gives. Unavailable `busy` if that is not in time."""
    bound = asyncio.timeout(until - time.monotonic())
    try:
        async with bound:
            return await work
    except AdapterError:
        raise
    except DRIVER_ERRORS as error:  # TimeoutError is one
        raise (too_slow() if bound.expired() else explained(error)) from None


class SqlTable(SqlPlace):
    """A table or view, which can also be read as a whole."""

    def __init__(self, own: Own, *, reads: Reads) -> None:
        super().__init__(own)
        self.reading_whole = asyncio.Lock()  # one at a time: it is much work there
        self._reads = reads

    def tuples(self, asked: TupleQuery) -> TupleStream:
        """Every row, in columns; see `adapters.tuples`."""
        return Reading(source=self, asked=asked, as_of=self._surroundings.now())

    async def begin(self, asked: TupleQuery) -> "tuple[Tabular, Blocks]":
        """The statement at work, and what makes batches of its blocks."""
        from adapters.mapping.tabular import Tabular  # noqa: PLC0415 - it needs Arrow

        rows = Tabular.of(
            self._settings.mapping, asked, sector=self._surroundings.sector
        )
        relation = await self._looking.relation()
        statement = whole(relation, rows.columns)
        blocks = await self._reads(
            statement, rows=asked.batch_rows, seconds=asked.seconds
        )
        return rows, blocks
