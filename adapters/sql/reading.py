"""Rows of a person: from a table by its identifiers, or from a written query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Executable, String, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters import nhs_number
from adapters.contract import Identifier, Query
from adapters.mapping import Found, Mapping, MappingSpec, Row, named
from adapters.sql.relation import Relation, refuse_columns
from adapters.sql.values import cell
from adapters.vocabulary import category_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Most rows and bytes of one answer, and the sector that makes categories."""

    records: int
    bytes_: int
    sector: str


class Reader(Protocol):
    """Finds the rows of whom a query asks for, and counts what it had to leave."""

    async def find(
        self, connection: AsyncConnection, query: Query
    ) -> tuple[Found, int]: ...


def mapping_of(spec: MappingSpec) -> Mapping:
    """The mapping over the columns it names, which are those a reader selects."""
    return Mapping.compile(spec, columns_of(spec))


def columns_of(spec: MappingSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for _, column in named(spec)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReader:
    """Reads a table or view, by every identifier column at once."""

    relation: Relation
    mapping: Mapping
    bounds: Bounds

    async def find(
        self, connection: AsyncConnection, query: Query
    ) -> tuple[Found, int]:
        asked = query.person.every
        kinds = _codes_of(self.relation.spec, query, self.bounds.sector)
        records = (
            ([], False)
            if kinds == ()
            else await self._rows(
                connection,
                self.relation.records(
                    asked, kinds=kinds, limit=self.bounds.records + 1
                ),
            )
        )
        rows, is_cut = records
        people, strange = rows, 0
        if kinds is not None:
            limit = self.bounds.records + 1
            statement = self.relation.people(asked, limit=limit)
            people, _ = await self._rows(connection, statement)
            strange = await self._count(connection, self.relation.strange(asked))
        is_whole = not is_cut
        shared = await self._shared(connection, people, asked if is_whole else ())
        found = linked(self.mapping, rows, asked - shared)
        known = linked(self.mapping, people, asked - shared)
        return (
            Found(
                rows=found,
                people=known,
                shared=shared,
                dropped=len(shared & asked),
                truncated=is_cut,
            ),
            strange,
        )

    async def _rows(
        self, connection: AsyncConnection, statement: Executable | None
    ) -> tuple[list[Row], bool]:
        if statement is None:
            return [], False
        result = await connection.execute(statement)
        return bounded(result.all(), self.bounds)

    async def _count(
        self, connection: AsyncConnection, statement: Executable | None
    ) -> int:
        if statement is None:
            return 0
        return int((await connection.execute(statement)).scalar_one())

    async def _shared(
        self,
        connection: AsyncConnection,
        rows: Sequence[Row],
        whole: Iterable[Identifier],
    ) -> frozenset[Identifier]:
        """Identifiers on these rows that reach several people there.

        Those of `whole` were followed to every row; of the others the table is asked.
        """
        beside = keys_beside(self.mapping, rows)
        shared = {each for each, keys in beside.items() if len(keys) > 1}
        unsure = [
            (each, next(iter(keys)))
            for each, keys in beside.items()
            if len(keys) == 1 and each not in set(whole)
        ]
        statement = self.relation.apart(unsure) if unsure else None
        if statement is not None:
            found = await connection.execute(statement)
            shared |= {unsure[position][0] for (position,) in found}
        return frozenset(shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReader:
    """Reads by a query the engineer wrote, once for each value asked for."""

    spec: MappingSpec
    statement: str
    system: str
    mapping: Mapping
    bounds: Bounds

    async def find(
        self, connection: AsyncConnection, query: Query
    ) -> tuple[Found, int]:
        columns = columns_of(self.spec)
        rows: list[Row] = []
        is_cut = False
        asked = {i for i in query.person.every if _current(i.system) == self.system}
        for identifier in sorted(asked, key=_value):
            result = await connection.execute(
                self._asking(), {"value": identifier.value, "most": self._most}
            )
            there = list(result.keys())
            refuse_columns(self.spec, there)
            places = [there.index(name) for name in columns]
            some, cut = bounded(
                [[row[place] for place in places] for row in result], self.bounds
            )
            is_cut |= cut
            rows += some
        beside = keys_beside(self.mapping, rows)
        shared = frozenset(i for i, keys in beside.items() if len(keys) > 1)
        return (
            Found(
                # Whoever a query returns is told as its rows name them: a wrong
                # person must be seen to be wrong.
                rows=[] if shared & asked else rows,
                shared=shared,
                dropped=len(shared & asked),
                truncated=is_cut,
            ),
            0,
        )

    @property
    def _most(self) -> int:
        return self.bounds.records + 1

    def _asking(self) -> Executable:
        asking = f"SELECT * FROM ({self.statement}) AS asked LIMIT :most"  # noqa: S608 - from the source file, never from a question
        return text(asking).bindparams(bindparam("value", type_=String()))


def _current(system: str) -> str:
    return nhs_number.SYSTEM if system in nhs_number.SYSTEMS else system


def _value(identifier: Identifier) -> str:
    return identifier.value


def _codes_of(spec: MappingSpec, query: Query, sector: str) -> tuple[str, ...] | None:
    """The kind codes the query may see; None if it may see all there are."""
    wanted = {k for k in spec.kind.kinds if category_of(k, sector) in query.categories}
    if wanted == spec.kind.kinds:
        return None
    if spec.kind.otherwise in wanted:
        return None  # what falls under `otherwise` cannot be listed; narrowed here
    return tuple(code for code, kind in spec.kind.codes.items() if kind in wanted)


def bounded(found: Iterable[Sequence[Any]], bounds: Bounds) -> tuple[list[Row], bool]:
    """Rows as text, and whether they were cut at the limit of rows or bytes."""
    rows: list[Row] = []
    size = 0
    for values in found:
        row = [cell(value) for value in values]
        size += sum(map(len, row))
        if len(rows) == bounds.records or size > bounds.bytes_:
            return rows, True
        rows.append(row)
    return rows, False


def keys_beside(
    mapping: Mapping, rows: Iterable[Row]
) -> dict[Identifier, frozenset[str]]:
    """For each identifier but the key: the keys (or birth dates) it stands beside."""
    naming = mapping.naming
    beside: dict[Identifier, set[str]] = {}
    for row in rows:
        values = naming.values(row)
        key = mapping.person.born(row) if naming.key is None else values[naming.key]
        for place, value in zip(naming.columns, values, strict=True):
            if value is not None and not place.key:
                keys = beside.setdefault(Identifier(place.system, value), set())
                keys |= {key} if key else set()
    return {each: frozenset(keys) for each, keys in beside.items()}


def linked(
    mapping: Mapping, rows: Iterable[Row], wanted: frozenset[Identifier]
) -> list[Row]:
    """Rows that one of these identifiers reaches."""
    naming = mapping.naming
    current = {Identifier(_current(i.system), i.value) for i in wanted}
    return [row for row in rows if naming.subject(naming.values(row)) & current]
