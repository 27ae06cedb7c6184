"""A statement made once and asked with other values each time, by either road."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here

Values = Mapping[str, Any]
Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement whose parameters all have names; `order` is theirs in `written`."""

    executable: Executable
    written: str = ""
    order: tuple[str, ...] = ()

    @classmethod
    def of(cls, executable: Any, *, direct: bool) -> Self:  # noqa: ANN401 - what SQLAlchemy compiles has no one type
        """The statement; written out for PostgreSQL's own road if it goes `direct`."""
        if not direct:
            return cls(executable=executable)
        compiled = executable.compile(dialect=_DIALECT)
        return cls(
            executable=executable,
            written=str(compiled),
            order=tuple(compiled.positiontup),
        )


class Connection(Protocol):
    """A connection that is only read from."""

    async def rows(self, statement: Statement, values: Values) -> Rows:
        """Every row, of which statements bound the number."""
        ...

    async def named(
        self, statement: Statement, values: Values
    ) -> tuple[list[str], Rows]:
        """The columns' names in their order, and every row."""
        ...


@dataclass(frozen=True, slots=True)
class Through:
    """A connection of SQLAlchemy's."""

    own: AsyncConnection

    async def rows(self, statement: Statement, values: Values) -> Rows:
        return (await self.own.execute(statement.executable, values)).all()

    async def named(
        self, statement: Statement, values: Values
    ) -> tuple[list[str], Rows]:
        result = await self.own.execute(statement.executable, values)
        return list(result.keys()), result.all()
