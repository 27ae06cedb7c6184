"""Rows of a person: from a table by its identifiers, or from a written query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from sqlalchemy import Integer, String, bindparam, text

from adapters import nhs_number
from adapters.contract import Identifier, Query
from adapters.mapping import Found, Mapping, MappingSpec, Row, named
from adapters.sql.relation import Asked, Relation, refuse_columns
from adapters.sql.settings import SqlFile
from adapters.sql.statement import Connection, Statement
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

    async def find(self, session: Connection, query: Query) -> tuple[Found, int]: ...


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

    async def find(self, session: Connection, query: Query) -> tuple[Found, int]:
        asked = query.person.every
        relation, most = self.relation, self.bounds.records + 1
        words = relation.words(asked)
        kinds = _codes_of(relation.spec, query, self.bounds.sector)
        rows: list[Row] = []
        is_cut = False
        if kinds != ():
            statement = relation.records(words, kinds=kinds, limit=most)
            rows, is_cut = await self._rows(session, statement)
        people, strange = rows, 0
        if kinds is not None:
            statement = relation.people(words, limit=most)
            people, _ = await self._rows(session, statement)
            strange = await self._count(session, relation.strange(words))
        shared = await self._shared(session, people, frozenset() if is_cut else asked)
        found = linked(self.mapping, rows, asked - shared)
        known = found
        if people is not rows:
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

    async def born(
        self, session: Connection, days: Sequence[str], *, limit: int
    ) -> tuple[list[Row], bool]:
        """Rows of whoever was born on a day so written; so many, and if any more."""
        most = min(limit, self.bounds.records) + 1
        rows, is_cut = await self._rows(session, self.relation.born(days, limit=most))
        return rows[: most - 1], is_cut or len(rows) == most

    async def _rows(
        self, session: Connection, asked: Asked | None
    ) -> tuple[list[Row], bool]:
        if asked is None:
            return [], False
        return bounded(await session.rows(asked.statement, asked.values), self.bounds)

    async def _count(self, session: Connection, asked: Asked | None) -> int:
        if asked is None:
            return 0
        ((count,),) = await session.rows(asked.statement, asked.values)
        return int(count)

    async def _shared(
        self, session: Connection, rows: Sequence[Row], whole: frozenset[Identifier]
    ) -> frozenset[Identifier]:
        """Identifiers on these rows that reach several people there.

        Those of `whole` were followed to every row; of the others the table is asked.
        """
        beside = keys_beside(self.mapping, rows)
        shared = {each for each, keys in beside.items() if len(keys) > 1}
        unsure = [
            (each, next(iter(keys)))
            for each, keys in beside.items()
            if len(keys) == 1 and each not in whole
        ]
        asked = self.relation.apart(unsure) if unsure else None
        if asked is not None:
            found = await session.rows(asked.statement, asked.values)
            shared |= {unsure[int(position)][0] for (position,) in found}
        return frozenset(shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReader:
    """Reads by a query the engineer wrote, once for each value asked for."""

    spec: MappingSpec
    statement: Statement
    system: str
    mapping: Mapping
    bounds: Bounds

    @classmethod
    def of(
        cls, settings: SqlFile, mapping: Mapping, bounds: Bounds, *, direct: bool
    ) -> Self:
        """The reader of a source file that holds a query."""
        asking = f"SELECT * FROM ({settings.query}) AS asked LIMIT :most"  # noqa: S608 - from the source file, never from a question
        value = bindparam("value", type_=String())
        most = bindparam("most", type_=Integer())
        return cls(
            spec=settings.mapping,
            statement=Statement.of(text(asking).bindparams(value, most), direct=direct),
            system=settings.asked_by or "",
            mapping=mapping,
            bounds=bounds,
        )

    async def find(self, session: Connection, query: Query) -> tuple[Found, int]:
        columns = columns_of(self.spec)
        rows: list[Row] = []
        is_cut = False
        asked = {i for i in query.person.every if _current(i.system) == self.system}
        for identifier in sorted(asked, key=_value):
            values = {"value": identifier.value, "most": self.bounds.records + 1}
            there, found = await session.named(self.statement, values)
            refuse_columns(self.spec, there)
            places = [there.index(name) for name in columns]
            some, cut = bounded(
                [[row[place] for place in places] for row in found], self.bounds
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
    mapping: Mapping, rows: Sequence[Row]
) -> dict[Identifier, frozenset[str]]:
    """For each identifier but the key: the keys (or birth dates) it stands beside."""
    naming = mapping.naming
    beside: dict[Identifier, set[str]] = {}
    whose = naming.key
    for row, told in zip(rows, naming.of_each(rows), strict=True):
        key = mapping.person.born(row) if whose is None else told.values[whose]
        for place, value in zip(naming.columns, told.values, strict=True):
            if value is not None and not place.key:
                keys = beside.setdefault(Identifier(place.system, value), set())
                keys |= {key} if key else set()
    return {each: frozenset(keys) for each, keys in beside.items()}


def linked(
    mapping: Mapping, rows: Sequence[Row], wanted: frozenset[Identifier]
) -> list[Row]:
    """Rows that one of these identifiers reaches."""
    current = {Identifier(_current(i.system), i.value) for i in wanted}
    each = zip(rows, mapping.naming.of_each(rows), strict=True)
    return [row for row, told in each if told.subject & current]
