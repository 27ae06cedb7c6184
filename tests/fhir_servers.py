"""FHIR servers that nobody here wrote, loaded with people nobody here wrote.

Each is put to the same tests. A server gives its own ids to what a transaction
brings, and says which; by these the records that memory holds are renamed.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
import pytest

from adapters.conformance import AdapterContract, Gap, notyet
from adapters.conformance.declared import Carries
from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.fhir import FhirAdapter, Scope, read_bundle
from adapters.fhir.tables import TYPES
from adapters.http import AiohttpTransport, Request, Response
from adapters.memory import MemoryAdapter
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests import fhir_records
from tests.corpus import corpus
from tests.fhir_asking import NOW, asking
from tests.opened import FHIR_CARRIES, systems_of
from tests.parts.fhir_server import FhirServer

SERVERS = ("hapi", "helios")
SYNTHEA = "https://github.com/synthetichealth/synthea"
PEOPLE = 10
SECTOR = "acute"
Record = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """Who was loaded, where each was put, and what memory holds of all of them."""

    server: FhirServer
    memory: MemoryAdapter
    events: tuple[Event, ...] = field(repr=False)
    places: dict[str, str] = field(repr=False)  # Synthea's number to `Patient/id`
    _counted: dict[str, Counter[str]] = field(default_factory=dict, repr=False)

    def counted(self, number: str) -> Counter[str]:
        """How many records of each type the server itself counts of somebody."""
        if number not in self._counted:
            place = self.places[number]
            self._counted[number] = Counter(
                {name: self.server.count(name, patient=place) for name in TYPES}
            )
        return self._counted[number]

    @property
    def people(self) -> list[str]:
        return sorted(self.places)


def load(server: FhirServer) -> Loaded:
    """Put the first people of the corpus into a server that holds nobody of them."""
    events: list[Event] = []
    places: dict[str, str] = {}
    for body, bundle in _bundles():
        own = map(_own_name, bundle["entry"])
        names = dict(zip(own, server.load(bundle), strict=True))
        reading = read_bundle(body, Scope(sector=SECTOR, base=server.base_url))
        assert reading.rejected.total() == 0
        events += [
            msgspec.structs.replace(e, record_id=names[e.record_id], version="1")
            for e in reading.events
        ]
        (place,) = [p for name, p in names.items() if name.startswith("Patient/")]
        places[_number_of(bundle)] = place
    memory = MemoryAdapter(events, sector=SECTOR, held=CATEGORIES, as_of=NOW)
    return Loaded(server, memory, tuple(events), places)


def _bundles() -> list[tuple[bytes, Record]]:
    """The first files of one person each."""
    found = []
    for file in sorted(corpus("fhir-synthea-r4-transaction").glob("*.json")):
        bundle = json.loads(file.read_bytes())
        types = Counter(one["resource"]["resourceType"] for one in bundle["entry"])
        if types["Patient"] == 1:
            found.append((file.read_bytes(), bundle))
    return found[:PEOPLE]


def _number_of(bundle: Record) -> str:
    (patient,) = [
        one["resource"]
        for one in bundle["entry"]
        if one["resource"]["resourceType"] == "Patient"
    ]
    given = [i["value"] for i in patient["identifier"] if i.get("system") == SYNTHEA]
    return str(given[0])


def _own_name(entry: Record) -> str:
    resource = entry["resource"]
    return f"{resource['resourceType']}/{resource['id']}"


def about(number: str, **narrowed: Any) -> Query:
    """The question for one of the people, of all there is unless narrowed."""
    person = Identifiers(others=frozenset({Identifier(SYNTHEA, number)}))
    whole = {"since": None, "until": None, "categories": CATEGORIES, "limit": 20_000}
    return Query(person=person, **{**whole, **narrowed})


class Noted(AiohttpTransport):
    """The transport that ships, which also notes what was asked of which path."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    async def send(self, request: Request) -> Response:
        self.paths.append(urlsplit(request.url).path)
        return await super().send(request)

    @property
    def at_once(self) -> int:
        """How many pages of whole records were asked for by name."""
        return sum(path.endswith("/$everything") for path in self.paths)


@asynccontextmanager
async def open_adapter(
    loaded: Loaded,
    folder: Path,
    *,
    page_size: int,
    everything: str = "always",
    transport: Noted | None = None,
) -> AsyncIterator[FhirAdapter]:
    """The adapter in front of the server, with people found by Synthea's numbers."""
    settings = (
        f'page_size = {page_size}\neverything = "{everything}"\n'
        f'[identifiers]\nsystems = ["{SYNTHEA}"]\n'
    )
    base = loaded.server.base_url
    # Ample time: what is put to the test here is what is told, not how soon.
    limits = Limits(source_s=60)
    async with asking(
        base, folder, settings, transport=transport, limits=limits
    ) as adapter:
        yield adapter


class OnAServer(AdapterContract):
    """The suite for the adapter in front of a real server: `server` is the fixture."""

    # Servers number versions themselves, whatever they are given.
    carries = Carries(
        kinds=FHIR_CARRIES.kinds,
        precisions=FHIR_CARRIES.precisions,
        fields=FHIR_CARRIES.fields - {"version"},
        subject_of="person",
    )
    gaps: ClassVar[dict[str, Gap]] = {
        "a_placeholder_is_not_passed_on": notyet(
            "to know that another Patient has an identifier too takes one more search"
        )
    }
    everything = "never"

    def known_as(self, event: Event) -> str:
        return fhir_records.record_id(event)

    @pytest.fixture
    async def adapter(
        self, server: FhirServer, tmp_path: Path
    ) -> AsyncIterator[FhirAdapter]:
        systems = systems_of(self.population().events)
        settings = (
            f'page_size = 20\neverything = "{self.everything}"\n'
            f"[identifiers]\nsystems = {systems}\n"
        )
        limits = Limits(source_s=60)
        async with asking(
            server.base_url, tmp_path, settings, limits=limits
        ) as adapter:
            yield adapter


def put_population(server: FhirServer) -> FhirServer:
    """Put the published population into a server: nothing asked of it changes it."""
    entries = [
        {
            "resource": one,
            "request": {"method": "PUT", "url": _own_name({"resource": one})},
        }
        for one in fhir_records.resources(OnAServer.population().events)
    ]
    server.load({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    return server
