"""Adapters of every kind, loaded with given events, open for as long as they are used."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from adapters import fhir, nhs_number
from adapters.conformance import FIELDS, Carries
from adapters.contract import Adapter, Event
from adapters.http import AiohttpTransport
from tests import fhir_records
from tests.around import surroundings
from tests.stub_fhir import StubFhir

FHIR = """\
kind = "fhir"
base_url = "{url}"
page_size = {page_size}

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


@asynccontextmanager
async def open_fhir(
    folder: Path, events: Sequence[Event], *, page_size: int = 200
) -> AsyncIterator[Adapter]:
    """The `fhir` adapter in front of a small server that holds the events."""
    transport = AiohttpTransport()
    async with StubFhir(fhir_records.resources(events)) as server:
        path = folder / "fhir.toml"
        systems = "[" + ", ".join(f'"{each}"' for each in systems_of(events)) + "]"
        path.write_text(
            FHIR.format(url=server.base_url, page_size=page_size, systems=systems)
        )
        adapter = fhir.build(path, surroundings(folder, transport=transport))
        try:
            yield adapter
        finally:
            await adapter.aclose()
            await transport.aclose()
