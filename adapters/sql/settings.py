"""What the source file of a database may say."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError

from adapters.mapping import MappingSpec
from adapters.source_file import Settings
from adapters.sql.tls import MODES

DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "mariadb": "mariadb+aiomysql",
}
# Statements for these have been written out and parsed, never tried on a live server.
_UNTRIED: Final = {"mssql": "SQL Server", "oracle": "Oracle", "mysql": "MySQL"}
_REFERENCE: Final = re.compile(r"(env|file):.+")
_USE: Final = 'Use "sqlite:///…", "postgresql://…" or "mariadb://…"'


class SqlFile(Settings):
    """A database, what is read in it, and what its columns mean."""

    kind: Literal["sql"]
    url: str
    password: str | None = None
    table: Annotated[str, Field(min_length=1)] | None = None
    view: Annotated[str, Field(min_length=1)] | None = None
    query: str | None = None
    value: str | None = None
    statement_s: Annotated[float, Field(gt=0, le=60)] = 3.0
    ca_file: Annotated[str, Field(min_length=1)] | None = None
    mapping: MappingSpec

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        try:
            parsed = make_url(url)
        except ArgumentError:
            message = f"is no database URL. {_USE}"
            raise ValueError(message) from None
        if parsed.drivername not in {*DRIVERS, *DRIVERS.values()}:
            raise ValueError(_not_read(parsed.drivername))
        if parsed.password is not None:
            message = 'holds a password. Take it out and use password = "env:…"'
            raise ValueError(message)
        if set(parsed.query) - {"ssl"}:
            message = "takes no option but ssl. Take the others out."
            raise ValueError(message)
        _refuse_half_safe(parsed)
        return url

    @field_validator("ca_file")
    @classmethod
    def _of_a_server(cls, ca_file: str | None, info: ValidationInfo) -> str | None:
        if ca_file is not None and str(info.data.get("url", "")).startswith("sqlite"):
            message = "a file has no certificate. Take ca_file out."
            raise ValueError(message)
        return ca_file

    @field_validator("password")
    @classmethod
    def _by_reference(cls, password: str | None) -> str | None:
        if password is not None and not _REFERENCE.fullmatch(password):
            message = 'names where the password is: "env:NAME" or "file:/path".'
            raise ValueError(message)
        return password

    @field_validator("query")
    @classmethod
    def _one_question(cls, query: str | None) -> str | None:
        if query is None:
            return None
        query = query.strip().removesuffix(";").rstrip()
        if not re.match(r"(select|with)\b", query, re.IGNORECASE):
            message = "must be one SELECT."
            raise ValueError(message)
        if set(text(query).compile().params) != {"value"}:
            message = "must ask by the parameter :value, and no other."
            raise ValueError(message)
        return query

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(p is not None for p in (self.table, self.view, self.query)) != 1:
            message = "name one of table, view or query."
            raise ValueError(message)
        systems = {each.system for each in self.mapping.identifiers}
        if self.query is None and self.value is not None:
            message = "value goes with a query; take it out."
            raise ValueError(message)
        if self.query is not None and self.asked_by not in systems:
            message = "value must name the identifier system that :value takes."
            raise ValueError(message)
        return self

    @property
    def relation(self) -> str | None:
        return self.table or self.view

    @property
    def asked_by(self) -> str | None:
        """The identifier system a query's :value takes: said, or the only one."""
        systems = {each.system for each in self.mapping.identifiers}
        if self.value is not None:
            return self.value
        return next(iter(systems)) if len(systems) == 1 else None


def _not_read(driver: str) -> str:
    known = _UNTRIED.get(driver.partition("+")[0])
    if known is None:
        return f"{driver!r} is not read. Use sqlite, postgresql or mariadb."
    return (
        f"{known} is not read: no live server of it has been tried. Send what it"
        " holds as a csv_drop, or by a view of PostgreSQL or MariaDB that reaches it."
    )


def _refuse_half_safe(url: URL) -> None:
    """ValueError for a word of `ssl` that this kind of database does not know."""
    mode = url.query.get("ssl")
    if mode is None:
        return
    backend = url.get_backend_name()
    if backend == "sqlite":
        message = "a file takes no option. Take ssl out."
        raise ValueError(message)
    # PostgreSQL's driver knows two more, that go on in clear where it must.
    known = MODES if backend == "mariadb" else (*MODES, "allow", "prefer")
    if mode not in known:
        message = f"ssl is one of {', '.join(MODES)}."
        raise ValueError(message)
