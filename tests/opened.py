"""Adapters of every kind, loaded with given events, open while they are used."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from adapters import fhir, nhs_number
from adapters.conformance import FIELDS, Carries
from adapters.contract import Adapter, Event
from adapters.surroundings import Surroundings
from tests import drops, fhir_records, tables
from tests.parts import mariadb
from tests.stub_fhir import Misbehaviour, StubFhir
from tests.surroundings import in_folder

FHIR = """\
kind = "fhir"
base_url = "{url}"
page_size = {page_size}
everything = "always"

[identifiers]
systems = {systems}
"""
FHIR_CARRIES = Carries(
    kinds=fhir_records.KINDS,
    precisions=frozenset({"year", "month", "day", "second"}),
    # An encounter's class stands in kind_code; requests and documents tell when
    # they were written, which is when they began.
    fields=FIELDS - {"kind_code", "recorded"},
    subject_of="person",
)


def systems_of(events: Sequence[Event]) -> list[str]:
    """The identifier systems that stand in the events, and the NHS number's."""
    named = {i.system for event in events for i in event.subject or ()}
    return sorted(named | {nhs_number.SYSTEM})


def surroundings(folder: Path) -> Surroundings:
    """A folder of its own, and the time it is."""
    return in_folder(folder, now=datetime.now(UTC))


@asynccontextmanager
async def open_fhir(
    folder: Path,
    events: Sequence[Event],
    *,
    page_size: int = 200,
    wrong: Misbehaviour | None = None,
) -> AsyncIterator[Adapter]:
    """The `fhir` adapter in front of a small server that holds the events."""
    around = surroundings(folder)
    async with StubFhir(fhir_records.resources(events), wrong=wrong) as server:
        path = folder / "fhir.toml"
        systems = "[" + ", ".join(f'"{each}"' for each in systems_of(events)) + "]"
        path.write_text(
            FHIR.format(url=server.base_url, page_size=page_size, systems=systems)
        )
        adapter = fhir.build(path, around)
        try:
            yield adapter
        finally:
            await adapter.aclose()
            await around.transport.aclose()


@asynccontextmanager
async def open_csv_drop(
    folder: Path,
    events: Sequence[Event],
    *,
    key: str,
    style: drops.Style = drops.PLAIN,
) -> AsyncIterator[Adapter]:
    """The `csv_drop` adapter on a drop that holds the events."""
    adapter = drops.open_drop(
        folder, events, surroundings(folder), key=key, style=style
    )
    try:
        yield adapter
    finally:
        await adapter.aclose()


@asynccontextmanager
async def open_sqlite(
    folder: Path, events: Sequence[Event], *, key: str
) -> AsyncIterator[Adapter]:
    """The `sql` adapter on a SQLite table that holds the events."""
    adapter = tables.open_sqlite(folder, events, surroundings(folder), key=key)
    try:
        yield adapter
    finally:
        await adapter.aclose()


@asynccontextmanager
async def open_postgres(
    folder: Path, events: Sequence[Event], *, key: str, url: str
) -> AsyncIterator[Adapter]:
    """The `sql` adapter on a PostgreSQL table that holds the events."""
    adapter = await tables.open_postgres(
        folder, events, surroundings(folder), url=url, key=key
    )
    try:
        yield adapter
    finally:
        await adapter.aclose()


@asynccontextmanager
async def open_mariadb(
    folder: Path, events: Sequence[Event], *, key: str, server: mariadb.Server
) -> AsyncIterator[Adapter]:
    """The `sql` adapter on a MariaDB table that holds the events."""
    adapter = await tables.open_mariadb(
        folder, events, surroundings(folder), server=server, key=key
    )
    try:
        yield adapter
    finally:
        await adapter.aclose()
