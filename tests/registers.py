"""People as sources hold them: rows of a table, or Patients, each with one record."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from adapters import fhir, nhs_number, sql
from adapters.contract import Person, day_of_birth
from adapters.moment import Moment, read_iso
from tests.opened import FHIR, surroundings
from tests.parts import mariadb
from tests.stub_fhir import Misbehaviour, StubFhir

COLUMNS: Final = ("id", "seen", "mrn", "nhs", "name", "born", "sex", "pcd", "flag")
MAPPING: Final = """\
kind = "sql"
{place}
[mapping]
record_id = "id"
kind = "ed_attendance"
title = "ED attendance"
start = "seen"
[[mapping.identifiers]]
column = "mrn"
system = "{key}"
key = true
[[mapping.identifiers]]
column = "nhs"
system = "https://fhir.nhs.uk/Id/nhs-number"
[mapping.person]
name = "name"
gender = "sex"
postcode = "pcd"
birth_date = {{ column = "born", formats = ["{dates}", "%Y-%m", "iso"] }}
[[mapping.flags]]
flag = "sensitive-record"
column = "flag"
present = ["R"]
"""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a table writes a day of birth: for the mapping, and for `strftime`."""

    dates: str = "%d/%m/%Y"
    column: str = "TEXT"


PLAIN: Final = Style()


def moment(text: str) -> Moment:
    """A date as sources write it in ISO 8601."""
    read = read_iso(text)
    assert read is not None
    return read[0]


def born(person: Person, style: Style) -> str | None:
    """The date of birth as such a table writes it."""
    day = day_of_birth(person)
    if day is None:
        return person.birth_date.text if person.birth_date else None
    return day.isoformat() if style.dates == "iso" else day.strftime(style.dates)


def rows(
    people: Sequence[Person], key: str, style: Style = PLAIN
) -> list[tuple[str | None, ...]]:
    """A row for each, its record id that of their key."""
    found: list[tuple[str | None, ...]] = []
    for nth, each in enumerate(people):
        own = {i.system: i.value for i in each.identifiers}
        told = own.get(key), own.get(nhs_number.SYSTEM), each.name
        about = born(each, style), each.gender, each.postcode, None
        found.append((f"r-{own.get(key, nth)}", "2026-01-05", *told, *about))
    return found


@asynccontextmanager
async def open_sqlite(
    folder: Path, people: Sequence[Person], key: str, *, style: Style = PLAIN
) -> AsyncIterator[sql.SqlPlace]:
    """A table of SQLite that describes these people."""
    _write(folder, rows(people, key, style))
    async with _read(folder, "sqlite:///people.db", key, style) as adapter:
        yield adapter


def _write(folder: Path, cells: Sequence[tuple[str | None, ...]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "people.db"
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE people ({', '.join(COLUMNS)})")
        marks = ", ".join("?" * len(COLUMNS))
        statement = f"INSERT INTO people VALUES ({marks})"  # noqa: S608 - marks only
        database.executemany(statement, cells)


@asynccontextmanager
async def open_postgres(
    folder: Path, people: Sequence[Person], key: str, *, url: str, style: Style = PLAIN
) -> AsyncIterator[sql.SqlPlace]:
    """The same of PostgreSQL; `born` may be a true date."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP TABLE IF EXISTS people")
        told = ", ".join(
            f"{name} {style.column if name == 'born' else 'TEXT'}" for name in COLUMNS
        )
        await connection.execute(f"CREATE TABLE people ({told})")
        marks = ", ".join(
            f"CAST(${n}::text AS {style.column})" if name == "born" else f"${n}"
            for n, name in enumerate(COLUMNS, 1)
        )
        statement = f"INSERT INTO people VALUES ({marks})"  # noqa: S608 - marks only
        await connection.executemany(statement, rows(people, key, style))
    finally:
        await connection.close()
    async with _read(folder, url, key, style) as adapter:
        yield adapter


@asynccontextmanager
async def open_mariadb(
    folder: Path,
    people: Sequence[Person],
    key: str,
    *,
    server: mariadb.Server,
    style: Style = PLAIN,
) -> AsyncIterator[sql.SqlPlace]:
    """The same of MariaDB."""
    async with server.connected() as session:
        await session.run("DROP TABLE IF EXISTS people")
        told = ", ".join(
            f"{name} {style.column if name == 'born' else 'TEXT'}" for name in COLUMNS
        )
        await session.run(f"CREATE TABLE people ({told})")
        marks = ", ".join(["%s"] * len(COLUMNS))
        statement = f"INSERT INTO people VALUES ({marks})"  # noqa: S608 - marks only
        await session.fill(statement, rows(people, key, style))
    async with _read(folder, server.url, key, style) as adapter:
        yield adapter


@asynccontextmanager
async def _read(
    folder: Path, url: str, key: str, style: Style
) -> AsyncIterator[sql.SqlPlace]:
    place = f'url = "{url}"\ntable = "people"'
    path = folder / "people.toml"
    path.write_text(MAPPING.format(place=place, key=key, dates=style.dates))
    adapter = sql.build(path, surroundings(folder))
    assert isinstance(adapter, sql.SqlPlace)
    try:
        yield adapter
    finally:
        await adapter.aclose()


def patients(people: Sequence[Person]) -> list[dict[str, Any]]:
    """A Patient and an Encounter for each."""
    found: list[dict[str, Any]] = []
    for nth, each in enumerate(people):
        given, _, family = (each.name or "").rpartition(" ")
        named = sorted(each.identifiers, key=lambda i: i.system)
        day = each.birth_date.text if each.birth_date else None
        told = {
            "identifier": [{"system": i.system, "value": i.value} for i in named],
            "name": [{"given": given.split(), "family": family}] if family else None,
            "birthDate": day,
            "gender": each.gender,
            "address": [{"postalCode": each.postcode}] if each.postcode else None,
        }
        told = {name: value for name, value in told.items() if value}
        found.append({"resourceType": "Patient", "id": f"p-{nth}", **told})
        local = next((i.value for i in named if i.system != nhs_number.SYSTEM), nth)
        found.append(
            {
                "resourceType": "Encounter",
                "id": f"r-{local}",
                "status": "finished",
                "class": {"code": "AMB"},
                "subject": {"reference": f"Patient/p-{nth}"},
                "period": {"start": "2026-01-05"},
            }
        )
    return found


@asynccontextmanager
async def open_fhir(
    folder: Path,
    people: Sequence[Person],
    key: str,
    *,
    wrong: Misbehaviour | None = None,
    settings: str = "",
) -> AsyncIterator[tuple[fhir.FhirAdapter, StubFhir]]:
    """A small FHIR server that holds these people, and its adapter."""
    around = surroundings(folder)
    async with StubFhir(patients(people), wrong=wrong) as server:
        path = folder / "fhir.toml"
        systems = f'["{nhs_number.SYSTEM}", "{key}"]'
        text = FHIR.format(url=server.base_url, page_size=50, systems=systems)
        path.write_text(f"{settings}\n{text}" if settings else text)
        adapter = fhir.build(path, around)
        try:
            yield adapter, server
        finally:
            await adapter.aclose()
            await around.transport.aclose()
