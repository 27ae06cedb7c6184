"""The table or view a source is read by: its columns, and the statements.

Every name comes from the checked schema and is quoted; every value is bound.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    String,
    TableClause,
    cast,
    column,
    exists,
    false,
    func,
    inspect,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
    types,
    union_all,
)
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql.elements import quoted_name

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.errors import Unreadable
from adapters.mapping import MappingSpec, missing, named, not_there
from adapters.sql.values import holds, written

_NUMBER: Final = "_rowid_"  # of a row of SQLite, unless a column is called so
_LISTED: Final = text(
    "SELECT 1 FROM pragma_table_list WHERE type = 'table' AND NOT wr"
    " AND name = :name COLLATE NOCASE AND schema = :schema COLLATE NOCASE"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table or view as found in the database, fit for the mapping."""

    spec: MappingSpec
    place: TableClause
    loose: bool  # a column may hold text and numbers alike
    numbered: bool = False  # a table of SQLite, whose rows have numbers

    @classmethod
    def found(cls, connection: Connection, spec: MappingSpec, *, name: str) -> Self:
        """Looks at the schema. Unreadable `schema` naming what is not there."""
        place = _stored(connection, name)
        refuse_columns(spec, [found.name for found in place.columns])
        return cls(
            spec=spec,
            place=place,
            loose=connection.dialect.name == "sqlite",
            numbered=_has_numbers(connection, name, place),
        )

    @property
    def columns(self) -> Mapping[str, ColumnElement[Any]]:
        """Those the mapping names, in its order."""
        names = dict.fromkeys(each for _, each in named(self.spec))
        return {name: self.place.c[name] for name in names}

    def records(
        self, asked: Iterable[Identifier], *, kinds: Sequence[str] | None, limit: int
    ) -> Select[Any] | None:
        """Rows of whoever is asked for; of these kind codes, if not of all."""
        who = self._who(asked)
        if who is None:
            return None
        statement = select(*self.columns.values()).where(self._rows(who)).limit(limit)
        return statement if kinds is None else statement.where(self._of(kinds))

    def people(self, asked: Iterable[Identifier], *, limit: int) -> Select[Any] | None:
        """Who is reached: no column of what happened to them, nothing twice."""
        who = self._who(asked)
        if who is None:
            return None
        telling = _about_people(self.spec)
        shown = (
            found if name in telling else literal("").label(name)
            for name, found in self.columns.items()
        )
        return select(*shown).where(self._rows(who)).distinct().limit(limit)

    def strange(self, asked: Iterable[Identifier]) -> Select[Any] | None:
        """How many rows are of a kind that the mapping does not translate."""
        who, kind = self._who(asked), self.spec.kind
        if who is None or kind.column is None or kind.otherwise is not None:
            return None
        own = self.place.c[kind.column]
        unknown = or_(own.is_(None), ~self._of(tuple(kind.codes)))
        return select(func.count()).select_from(self.place).where(who, unknown)

    def apart(
        self, held: Sequence[tuple[Identifier, str]]
    ) -> CompoundSelect[Any] | None:
        """Positions of the identifiers that also stand beside another person's key.

        `held` are identifiers with the key (or birth date) they were found beside.
        It stops at the first such row, so a placeholder on a million costs one.
        """
        own = self._telling_apart()
        if own is None:
            return None
        absent = sorted({"", *(word.strip().casefold() for word in self._absent())})
        found = [
            select(literal(position)).where(
                exists(
                    select(literal(1))
                    .select_from(self.place)
                    .where(who, own != key, func.lower(own).not_in(absent))
                )
            )
            for position, (identifier, key) in enumerate(held)
            if (who := self._who([identifier])) is not None
        ]
        return union_all(*found) if found else None

    def _telling_apart(self) -> ColumnElement[Any] | None:
        spec = self.spec
        name = next((each.column for each in spec.identifiers if each.key), None)
        if name is None and spec.person.birth_date is not None:
            name = spec.person.birth_date.columns[0]
        return None if name is None else func.trim(cast(self.place.c[name], String))

    def _absent(self) -> tuple[str, ...]:
        spec, born = self.spec, self.spec.person.birth_date
        own = next((each.absent for each in spec.identifiers if each.key), None)
        if own is None:
            own = born.absent if born else ()
        return (*spec.absent, *own)

    def _who(self, asked: Iterable[Identifier]) -> ColumnElement[bool] | None:
        words: dict[str, set[str]] = {}
        for each in asked:
            is_number = each.system in nhs_number.SYSTEMS
            system = nhs_number.SYSTEM if is_number else each.system
            words.setdefault(system, set()).update(written(system, each.value))
        fits = (
            holds(
                self.place.c[own.column],
                sorted(words.get(own.system, ())),
                loose=self.loose,
            )
            for own in self.spec.identifiers
        )
        known = [fit for fit in fits if fit is not None]
        return or_(*known) if known else None

    def _rows(self, who: ColumnElement[bool]) -> ColumnElement[bool]:
        """Rows of whoever this finds, read from the table itself.

        SQLite takes what an index holds from the index: were that damaged, a row
        would come under the name of another person than its own.
        """
        if not self.numbered:
            return who
        number: ColumnElement[int] = literal_column(_NUMBER)
        return number.in_(select(number).select_from(self.place).where(who))

    def _of(self, kinds: Sequence[str]) -> ColumnElement[bool]:
        own = self.place.c[self.spec.kind.column or ""]
        found = holds(own, kinds, loose=self.loose)
        return false() if found is None else found


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


def _stored(connection: Connection, name: str) -> TableClause:
    schema, dot, own = name.rpartition(".")
    looked = inspect(connection)
    try:
        found = looked.get_columns(own, schema=schema if dot else None)
    except NoSuchTableError:
        message = f"there is no table or view {name!r}. Correct the mapping."
        raise Unreadable("schema", message) from None
    # SQLite's declared types bind nobody, and its drivers choke on what they claim.
    is_loose = connection.dialect.name == "sqlite"
    return table(
        quoted_name(own, quote=True),
        *(
            column(
                quoted_name(each["name"], quote=True),
                types.NullType() if is_loose else each["type"],
            )
            for each in found
        ),
        schema=quoted_name(schema, quote=True) if dot else None,
    )
