"""Events written as FHIR STU3 resources, and adapters opened on servers of it.

They are the R4 resources of `fhir_records` said in STU3's words, by a table of its own
that shares nothing with the one that reads them.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from adapters import fhir
from adapters.contract import Adapter, Event
from tests import fhir_records
from tests.opened import FHIR, surroundings, systems_of
from tests.stub_fhir import StubFhir
from tests.stub_practice import StubPractice

Record = dict[str, Any]


def _renamed(**names: str) -> Callable[[Record], Record]:
    def write(record: Record) -> Record:
        return {names.get(key, key): value for key, value in record.items()}

    return write


def _plain(record: Record) -> Record:
    """Statuses that R4 made concepts of are plain codes."""
    record = _renamed(recordedDate="assertedDate")(record)
    for name in ("clinicalStatus", "verificationStatus"):
        if name in record:
            record[name] = record[name]["coding"][0]["code"]
    return record


def _referral(record: Record) -> Record:
    wanted = {"serviceRequested": [record["code"]], "intent": "order"}
    kept = {key: value for key, value in record.items() if key != "code"}
    return kept | wanted | {"resourceType": "ReferralRequest"}


def _with(**fields: object) -> Callable[[Record], Record]:
    return lambda record: record | fields


_WRITTEN: Final[dict[str, Callable[[Record], Record]]] = {
    "Condition": _plain,
    "AllergyIntolerance": _plain,
    "ServiceRequest": _referral,
    "Procedure": _with(notDone=False),
    "MedicationStatement": _with(taken="unk"),
    "Immunization": lambda record: (
        _renamed(occurrenceDateTime="date")(record) | {"notGiven": False}
    ),
    "DocumentReference": _renamed(date="indexed"),
}


def resources(events: Sequence[Event]) -> list[Record]:
    """The Patients the events are about, and a resource for each event."""
    return [
        _WRITTEN.get(one["resourceType"], dict)(one)
        for one in fhir_records.resources(events)
    ]


def record_id(event: Event) -> str:
    """What the record is called there: `ReferralRequest/r1`."""
    return fhir_records.record_id(event).replace("ServiceRequest/", "ReferralRequest/")


@asynccontextmanager
async def open_stu3(
    folder: Path, events: Sequence[Event], *, page_size: int = 200
) -> AsyncIterator[Adapter]:
    """The `fhir` adapter in front of a small STU3 server that holds the events."""
    async with StubFhir(resources(events)) as server:
        systems = "[" + ", ".join(f'"{each}"' for each in systems_of(events)) + "]"
        text = FHIR.format(url=server.base_url, page_size=page_size, systems=systems)
        async with _opened(folder, f'version = "STU3"\n{text}') as adapter:
            yield adapter


@asynccontextmanager
async def open_practice(
    folder: Path, server: StubPractice, settings: str = ""
) -> AsyncIterator[Adapter]:
    """The `fhir` adapter in front of a practice that gives structured records."""
    text = (
        f'kind = "fhir"\nversion = "STU3"\nask_by = "structured-record"\n'
        f'base_url = "{server.base_url}"\n{settings}'
    )
    async with _opened(folder, text) as adapter:
        yield adapter


@asynccontextmanager
async def _opened(folder: Path, text: str) -> AsyncIterator[Adapter]:
    around = surroundings(folder)
    path = folder / "stu3.toml"
    path.write_text(text)
    adapter = fhir.build(path, around)
    try:
        yield adapter
    finally:
        await adapter.aclose()
        await around.transport.aclose()
