"""A table or view as the database describes it, and what a change of it means."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, TableClause, column, inspect, table, text, types
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql.elements import quoted_name

from adapters.errors import Unreadable
from adapters.mapping import MappingSpec, named

# By what a mapping can read of them: words are written by people, the rest by types.
_FAMILIES: Final[tuple[tuple[type[types.TypeEngine[Any]], str], ...]] = (
    (types.Boolean, "truth"),
    (types.Integer, "numbers"),
    (types.Numeric, "numbers"),
    (types.DateTime, "times"),
    (types.Date, "times"),
    (types.Time, "clock readings"),
    (types.LargeBinary, "bytes"),
    (types.String, "text"),
    (types.Uuid, "text"),
)
_OF_MARIADB: Final = {
    **dict.fromkeys(
        ("bit", "tinyint", "smallint", "mediumint", "int", "bigint", "year"), "numbers"
    ),
    **dict.fromkeys(("decimal", "float", "double"), "numbers"),
    **dict.fromkeys(("date", "datetime", "timestamp"), "times"),
    "time": "clock readings",
    **dict.fromkeys(("binary", "varbinary"), "bytes"),
    **dict.fromkeys(("tinyblob", "blob", "mediumblob", "longblob"), "bytes"),
    **dict.fromkeys(("char", "varchar", "enum", "set", "uuid"), "text"),
    **dict.fromkeys(("tinytext", "text", "mediumtext", "longtext"), "text"),
}
_COLUMNS: Final = text(
    "SELECT table_name, column_name, data_type, @@lower_case_table_names"
    " FROM information_schema.columns"
    " WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name"
    " ORDER BY table_name, ordinal_position"
)

Families = Mapping[str, str]


def stored(connection: Connection, name: str) -> tuple[TableClause, Families]:
    """The table or view of this name, and what its columns hold, where known.

    Unreadable `schema` if there is none.
    """
    schema, dot, own = name.rpartition(".")
    place = schema if dot else None
    if connection.dialect.name in {"mariadb", "mysql"}:
        return _of_mariadb(connection, own, place)
    try:
        found = inspect(connection).get_columns(own, schema=place)
    except NoSuchTableError:
        raise _none(name) from None
    # SQLite's declared types bind nobody, and its drivers choke on what they claim.
    is_loose = connection.dialect.name == "sqlite"
    typed = {
        each["name"]: types.NullType() if is_loose else each["type"] for each in found
    }
    families = {
        each["name"]: family
        for each in found
        if (family := _family(each["type"])) is not None
    }
    return _table(own, place, typed), families


def changed(spec: MappingSpec, before: Families, now: Families) -> Unreadable | None:
    """Unreadable `schema` naming the first mapped column that holds another kind."""
    for key, name in named(spec):
        was, holds = before.get(name), now.get(name)
        if was is not None and holds is not None and was != holds:
            dotted = ".".join(str(part) for part in key)
            return Unreadable(
                "schema",
                f"{dotted}: the column {name!r} held {was} and now holds {holds}."
                " See that the mapping still fits, then start again.",
            )
    return None


def refuse_bytes(spec: MappingSpec, families: Families) -> None:
    """Unreadable `schema` if a person would be sought in a column of bytes."""
    for index, each in enumerate(spec.identifiers):
        if families.get(each.column) == "bytes":
            raise Unreadable(
                "schema",
                f"mapping.identifiers.{index}.column: the column {each.column!r} holds"
                " bytes, in which nobody can be found. Read a view that writes text.",
            )


def _of_mariadb(
    connection: Connection, name: str, schema: str | None
) -> tuple[TableClause, Families]:
    # Asked here, since to show how a view was made takes a right that reading is not.
    rows = connection.execute(_COLUMNS, {"name": name, "schema": schema}).all()
    found = {
        column: kind
        for table_name, column, kind, is_folded in rows
        if table_name == name or (int(is_folded) and _same(table_name, name))
    }
    if not found:
        message = (
            f"there is no table or view {name!r} that we may read."
            " Correct the mapping, or grant SELECT."
        )
        raise Unreadable("schema", message)
    # Every value comes as text and is compared as text, whatever its column is.
    typed: dict[str, types.TypeEngine[Any]] = dict.fromkeys(found, types.NullType())
    families = {
        column: _OF_MARIADB[kind]
        for column, kind in found.items()
        if kind in _OF_MARIADB
    }
    return _table(name, schema, typed), families


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _family(kind: types.TypeEngine[Any]) -> str | None:
    return next((family for of, family in _FAMILIES if isinstance(kind, of)), None)


def _none(name: str) -> Unreadable:
    message = f"there is no table or view {name!r}. Correct the mapping."
    return Unreadable("schema", message)


def _table(
    name: str, schema: str | None, typed: Mapping[str, types.TypeEngine[Any]]
) -> TableClause:
    return table(
        quoted_name(name, quote=True),
        *(column(quoted_name(each, quote=True), kind) for each, kind in typed.items()),
        schema=None if schema is None else quoted_name(schema, quote=True),
    )
