"""The table or view a source is read by: its columns, and the statements.

Every name comes from the checked schema and is quoted; every value is bound.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    String,
    TableClause,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    union_all,
)

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.errors import Unreadable
from adapters.mapping import MappingSpec, missing, named, not_there
from adapters.sql.exact import exact
from adapters.sql.statement import Statement
from adapters.sql.stored import refuse_bytes, stored
from adapters.sql.values import COMPARING, Comparing, holds, lacks, parameters, written

_NUMBER: Final = "_rowid_"  # of a row of SQLite, unless a column is called so
_LISTED: Final = text(
    "SELECT 1 FROM pragma_table_list WHERE type = 'table' AND NOT wr"
    " AND name = :name COLLATE NOCASE AND schema = :schema COLLATE NOCASE"
)


Words = Mapping[str, list[Any]]  # parameters and what they bring; never all of none
Shape = tuple[str, ...]

_SHAPES: Final = 256  # statements that are remembered


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement and the values it is asked with."""

    statement: Statement
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table or view as found in the database, fit for the mapping."""

    spec: MappingSpec
    place: TableClause
    by: Comparing
    families: Mapping[str, str]  # of the columns the mapping names, where known
    numbered: bool = False  # a table of SQLite, whose rows have numbers
    made: dict[Shape, Statement] = field(default_factory=dict)

    @classmethod
    def found(cls, connection: Connection, spec: MappingSpec, *, name: str) -> Self:
        """Looks at the schema. Unreadable `schema` naming what is not there."""
        place, families = stored(connection, name)
        refuse_columns(spec, [found.name for found in place.columns])
        mapped = {each for _, each in named(spec)}
        refuse_bytes(spec, families)
        return cls(
            spec=spec,
            place=place,
            by=COMPARING.get(connection.dialect.name, "text"),
            families={name: families[name] for name in mapped & set(families)},
            numbered=_has_numbers(connection, name, place),
        )

    @property
    def columns(self) -> Mapping[str, ColumnElement[Any]]:
        """Those the mapping names, in its order."""
        names = dict.fromkeys(each for _, each in named(self.spec))
        return {name: self.place.c[name] for name in names}

    def records(
        self, asked: Words, *, kinds: Sequence[str] | None, limit: int
    ) -> Asked | None:
        """Rows of whoever is asked for; of these kind codes, if not of all."""
        if not asked:
            return None

        def made() -> Select[Any]:
            found = self._rows(self._who(asked))
            statement = select(*self.columns.values()).where(found)
            statement = statement.limit(self._most(limit))
            return statement if kinds is None else statement.where(self._of_kinds())

        values = {**asked, "most": limit}
        if kinds is not None:
            values["kinds"] = self._kinds(kinds)
        shape = ("records of kinds" if kinds else "records", *asked)
        return Asked(self._statement(shape, made), values)

    def people(self, asked: Words, *, limit: int) -> Asked | None:
        """Who is reached: no column of what happened to them, nothing twice."""
        if not asked:
            return None

        def made() -> Select[Any]:
            return self._people(self._who(asked), limit)

        values = {**asked, "most": limit}
        return Asked(self._statement(("people", *asked), made), values)

    def born(self, days: Sequence[str], *, limit: int) -> Asked:
        """Who was born on a day, as the column of birth dates may write that."""
        own = self.place.c[self._born[0]]
        values = {"born": parameters(own, days, by=self.by), "most": limit}

        def made() -> Select[Any]:
            return self._people(holds(own, "born", by=self.by), limit)

        return Asked(self._statement(("born",), made), values)

    def _people(self, who: ColumnElement[bool], limit: int) -> Select[Any]:
        telling = _about_people(self.spec)
        shown = (
            self._apart(found) if name in telling else literal_column("''")
            for name, found in self.columns.items()
        )
        people = select(*shown).where(self._rows(who)).distinct()
        return people.limit(self._most(limit))

    @property
    def _born(self) -> tuple[str, ...]:
        born = self.spec.person.birth_date
        return born.columns if born else ()

    def strange(self, asked: Words) -> Asked | None:
        """How many rows are of a kind that the mapping does not translate."""
        kind = self.spec.kind
        if not asked or kind.column is None or kind.otherwise is not None:
            return None
        own = self.place.c[kind.column]

        def made() -> Select[Any]:
            unknown = or_(own.is_(None), ~self._of_kinds())
            counted = select(func.count()).select_from(self.place)
            return counted.where(self._who(asked), unknown)

        values = {**asked, "kinds": self._kinds(tuple(kind.codes))}
        return Asked(self._statement(("strange", *asked), made), values)

    def apart(self, held: Sequence[tuple[Identifier, str]]) -> Asked | None:
        """Positions of the identifiers that also stand beside another person's key.

        `held` are identifiers with the key (or birth date) they were found beside.
        It stops at the first such row, so a placeholder on a million costs one.
        """
        own = self._telling_apart()
        each = [
            (position, self.words([identifier], prefix=f"p{position}"), key)
            for position, (identifier, key) in enumerate(held)
        ]
        each = [one for one in each if one[1]]
        if own is None or not each:
            return None

        def made() -> CompoundSelect[Any]:
            told, key = func.lower(own), self._apart(own)
            return union_all(
                *(
                    select(literal_column(str(position))).where(
                        exists(
                            select(literal_column("1"))
                            .select_from(self.place)
                            .where(
                                self._who(words),
                                key != bindparam(f"k{position}", type_=String()),
                                lacks(told, "absent", by=self.by),
                            )
                        )
                    )
                    for position, words, _ in each
                )
            )

        values: dict[str, Any] = {"absent": self._absent()}
        for position, words, key in each:
            values |= {**words, f"k{position}": key}
        shape = ("apart", *(name for _, words, _ in each for name in words))
        return Asked(self._statement(shape, made), values)

    def words(self, asked: Iterable[Identifier], *, prefix: str = "") -> Words:
        """How the columns may write whoever is asked for, by parameter.

        Empty if nobody can be found by these: no column holds such an identifier.
        """
        of_system: dict[str, set[str]] = {}
        for each in asked:
            is_number = each.system in nhs_number.SYSTEMS
            system = nhs_number.SYSTEM if is_number else each.system
            of_system.setdefault(system, set()).update(written(system, each.value))
        found = {
            f"{prefix}w{place}": parameters(
                self.place.c[own.column],
                sorted(of_system[own.system]),
                by=self.by,
            )
            for place, own in enumerate(self.spec.identifiers)
            if own.system in of_system
        }
        return {name: values for name, values in found.items() if values}

    def _telling_apart(self) -> ColumnElement[Any] | None:
        spec = self.spec
        name = next((each.column for each in spec.identifiers if each.key), None)
        if name is None:
            name = next(iter(self._born), None)
        return None if name is None else func.trim(cast(self.place.c[name], String))

    def _apart(self, own: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column such that two which differ in anything are not one."""
        return exact(own) if self.by == "text" else own

    def _absent(self) -> list[str]:
        spec, born = self.spec, self.spec.person.birth_date
        own = next((each.absent for each in spec.identifiers if each.key), None)
        if own is None:
            own = born.absent if born else ()
        return sorted({"", *(word.strip().casefold() for word in (*spec.absent, *own))})

    def _who(self, asked: Words) -> ColumnElement[bool]:
        return or_(
            *(
                holds(
                    self.place.c[self.spec.identifiers[_place(name)].column],
                    name,
                    by=self.by,
                )
                for name in asked
            )
        )

    def _rows(self, who: ColumnElement[bool]) -> ColumnElement[bool]:
        """Rows of whoever this finds, read from the table itself.

        SQLite takes what an index holds from the index: were that damaged, a row
        would come under the name of another person than its own.
        """
        if not self.numbered:
            return who
        number: ColumnElement[int] = literal_column(_NUMBER)
        return number.in_(select(number).select_from(self.place).where(who))

    def _of_kinds(self) -> ColumnElement[bool]:
        return holds(self._kind, "kinds", by=self.by)

    def _kinds(self, kinds: Sequence[str]) -> list[Any]:
        return parameters(self._kind, kinds, by=self.by)

    def _most(self, limit: int) -> BindParameter[int] | int:
        # SQL Server's dialect takes no other way to say it than a number, and binds it.
        return limit if self.by == "text" else bindparam("most", type_=Integer())

    @property
    def _kind(self) -> ColumnElement[Any]:
        return self.place.c[self.spec.kind.column or ""]

    def _statement(self, shape: Shape, made: Callable[[], Any]) -> Statement:
        """The statement of this shape, made at its first question."""
        if shape not in self.made:
            if len(self.made) >= _SHAPES:
                self.made.clear()
            self.made[shape] = Statement.of(made(), direct=self.by == "arrays")
        return self.made[shape]


def _place(name: str) -> int:
    """Which of the mapping's identifiers a parameter of `words` is about."""
    return int(name.rpartition("w")[2])


def _has_numbers(connection: Connection, name: str, place: TableClause) -> bool:
    is_old = sqlite3.sqlite_version_info < (3, 37)  # it cannot list its tables
    if connection.dialect.name != "sqlite" or is_old:
        return False
    if any(column.name.lower() == _NUMBER for column in place.columns):
        return False
    schema, _, own = name.rpartition(".")
    asked = {"name": own, "schema": schema or "main"}
    return connection.execute(_LISTED, asked).first() is not None


def refuse_columns(spec: MappingSpec, there: Sequence[str]) -> None:
    """Unreadable `schema` naming the first mapped column that is not there."""
    for key, gone in missing(spec, there):
        dotted = ".".join(str(part) for part in key)
        raise Unreadable("schema", f"{dotted}: {not_there(gone, there)}")


def _about_people(spec: MappingSpec) -> set[str]:
    person = spec.person
    names = {each.column for each in spec.identifiers}
    names |= {flag.column for flag in spec.flags}
    names |= {*(person.name or ()), person.gender or "", person.postcode or ""}
    return names | set(person.birth_date.columns if person.birth_date else ())
