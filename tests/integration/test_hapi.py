"""A FHIR server that nobody here wrote, asked about people nobody here wrote.

The events told must be those of the same files read without any server, put into
memory. A server gives its own ids to what a transaction brings, and says which; by
these the records of memory are renamed, and all else must be equal. So must be the
journeys that a gateway weaves of what the server tells, and of what memory holds.
"""

import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date

import msgspec
import pytest

from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.fhir import Scope, read_bundle
from adapters.fhir.capabilities import read_capabilities
from adapters.fhir.tables import TYPES
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES
from gateway.journey.inquiry import inquire
from gateway.journey.journey import as_json
from tests.corpus import corpus
from tests.fhir_asking import NOW, asking, caveats
from tests.gateways import ask, running, write_gateway
from tests.houses import NOW as HOUSE_NOW
from tests.houses import doctor, house, question, source

pytestmark = [pytest.mark.parts, pytest.mark.corpus]
SYNTHEA = "https://github.com/synthetichealth/synthea"
PEOPLE = 10
SECTOR = "acute"
SOURCE = "Z9C03.asc"
LIMIT = 5000
WINDOWS = [
    (None, None),
    (date(2012, 1, 1), date(2016, 7, 1)),
    (date(2016, 7, 1), None),
    (None, date(2012, 1, 1)),
    (date(2040, 1, 1), date(2041, 1, 1)),
]
WHOLE = {"since": None, "until": None, "categories": CATEGORIES, "limit": 20_000}


@dataclass(frozen=True)
class Loaded:
    """Who was loaded, where each was put, and what memory holds of all of them."""

    server: object
    memory: MemoryAdapter
    events: tuple[Event, ...] = field(repr=False)
    places: dict[str, str] = field(repr=False)  # Synthea's number to `Patient/id`

    @property
    def people(self):
        return sorted(self.places)


def bundles():
    """The first files of one person each."""
    found = []
    for file in sorted(corpus("fhir-synthea-r4-transaction").glob("*.json")):
        bundle = json.loads(file.read_bytes())
        types = Counter(one["resource"]["resourceType"] for one in bundle["entry"])
        if types["Patient"] == 1:
            found.append((file.read_bytes(), bundle))
    return found[:PEOPLE]


def number_of(bundle):
    (patient,) = [
        one["resource"]
        for one in bundle["entry"]
        if one["resource"]["resourceType"] == "Patient"
    ]
    given = [i["value"] for i in patient["identifier"] if i.get("system") == SYNTHEA]
    return given[0]


@pytest.fixture(scope="session")
def loaded(hapi):
    events, places = [], {}
    for body, bundle in bundles():
        names = dict(
            zip(map(own_name, bundle["entry"]), hapi.load(bundle), strict=True)
        )
        reading = read_bundle(body, Scope(sector=SECTOR, base=hapi.base_url))
        assert reading.rejected.total() == 0
        events += [
            msgspec.structs.replace(e, record_id=names[e.record_id], version="1")
            for e in reading.events
        ]
        (place,) = [p for name, p in names.items() if name.startswith("Patient/")]
        places[number_of(bundle)] = place
    memory = MemoryAdapter(events, sector=SECTOR, held=CATEGORIES, as_of=NOW)
    return Loaded(hapi, memory, tuple(events), places)


def own_name(entry):
    resource = entry["resource"]
    return f"{resource['resourceType']}/{resource['id']}"


@asynccontextmanager
async def open_adapter(loaded, folder, page_size):
    settings = f'page_size = {page_size}\n[identifiers]\nsystems = ["{SYNTHEA}"]\n'
    async with asking(loaded.server.base_url, folder, settings) as adapter:
        yield adapter


def about(number, **narrowed):
    person = Identifiers(others=frozenset({Identifier(SYNTHEA, number)}))
    return Query(person=person, **{**WHOLE, **narrowed})


def told(answer):
    return sorted(answer.events, key=lambda event: event.record_id)


async def test_everybody_is_told_as_from_memory(loaded, tmp_path):
    assert len(loaded.people) == PEOPLE
    async with open_adapter(loaded, tmp_path, page_size=50) as adapter:
        for number in loaded.people:
            answer = await adapter.ask(about(number))
            assert told(answer) == told(await loaded.memory.ask(about(number)))
            assert answer.events
            assert {"truncated", "type_failed", "not_found_type"}.isdisjoint(
                caveats(answer)
            )


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("page_size", [7, 200])
async def test_windows_page_by_page_are_told_as_from_memory(
    loaded, tmp_path, window, page_size
):
    since, until = window
    async with open_adapter(loaded, tmp_path, page_size) as adapter:
        for number in loaded.people[:3]:
            query = about(number, since=since, until=until)
            answer, oracle = await adapter.ask(query), await loaded.memory.ask(query)
            assert told(answer) == told(oracle)
            assert answer.person is not None
            assert caveats(answer).get("undated") == caveats(oracle).get("undated")
            assert {"truncated", "filter_ignored"}.isdisjoint(caveats(answer))


@pytest.mark.parametrize(
    "wanted",
    [{"observations"}, {"encounters", "problems"}, {"medications", "care-plans"}],
)
async def test_several_types_are_told_as_from_memory(loaded, tmp_path, wanted):
    async with open_adapter(loaded, tmp_path, page_size=20) as adapter:
        for number in loaded.people[:4]:
            query = about(number, categories=frozenset(wanted))
            answer = await adapter.ask(query)
            assert told(answer) == told(await loaded.memory.ask(query))


async def test_people_and_events_are_as_many_as_the_server_counts(loaded, tmp_path):
    server = loaded.server
    assert server.count("Patient", identifier=f"{SYNTHEA}|") == len(loaded.people)
    async with open_adapter(loaded, tmp_path, page_size=100) as adapter:
        for number in loaded.people:
            answer = await adapter.ask(about(number))
            came = Counter(event.record_id.split("/")[0] for event in answer.events)
            place = loaded.places[number]
            counted = {name: server.count(name, patient=place) for name in TYPES}
            assert came == Counter(counted)


async def test_somebody_the_server_does_not_know_is_nobody(loaded, tmp_path):
    async with open_adapter(loaded, tmp_path, page_size=100) as adapter:
        answer = await adapter.ask(about("nobody-of-this-number"))
    assert (answer.person, answer.events) == (None, ())
    # A search by POST is answered with a self link that names no parameter.
    assert caveats(answer) == {"filter_unconfirmed": 1}


def woven(journey):
    """The events of a journey, but for who brought them when."""
    came = {"retrieved_at", "adapter", "mapping"}
    return [
        event
        | {
            "provenance": {
                k: v for k, v in event["provenance"].items() if k not in came
            }
        }
        for event in journey["events"]
    ]


def reported(journey):
    """What became of asking the one source that was asked."""
    (told,) = (r for r in journey["completeness"]["sources"] if r["source"] == SOURCE)
    return {name: told[name] for name in ("state", "events", "sector")}


@asynccontextmanager
async def gateway_before(loaded, folder):
    """A whole gateway, one of whose sources is the server."""
    path = write_gateway(folder)
    text = path.read_text("utf-8")
    # A server of Java takes its time with whole lives.
    text = text.replace("source_s = 1.5", "source_s = 20")
    text = text.replace("journey_s = 2", "journey_s = 25")
    path.write_text(text.replace('"social-care"', f'"{SECTOR}"'), "utf-8")
    (folder / "sources" / SOURCE / "source.toml").write_text(
        f'kind = "fhir"\nbase_url = "{loaded.server.base_url}"\npage_size = 100\n'
        f'[identifiers]\nsystems = ["{SYNTHEA}"]\n',
        "utf-8",
    )
    async with running(path) as client:
        yield client


@pytest.mark.parametrize("window", [WINDOWS[0], WINDOWS[1]], ids=["whole", "window"])
async def test_journeys_are_woven_as_from_memory(loaded, tmp_path, window):
    since, until = window
    memory = MemoryAdapter(
        loaded.events, sector=SECTOR, held=CATEGORIES, as_of=HOUSE_NOW
    )
    rooms = house(source(SOURCE, memory, sector=SECTOR))
    seen = 0
    async with gateway_before(loaded, tmp_path) as client:
        for number in loaded.people:
            asked = {
                "identifier": {"system": SYNTHEA, "value": number},
                "purpose": "direct-care",
                "limit": LIMIT,
                **({"since": str(since), "until": str(until)} if since else {}),
            }
            answered = await ask(client, asked)
            assert answered.status_code == 200
            of = Identifiers(others=frozenset({Identifier(SYNTHEA, number)}))
            expected = await inquire(
                rooms,
                doctor(),
                question(of, since=since, until=until, limit=LIMIT),
            )
            oracle = json.loads(as_json(expected))
            assert woven(answered.json()) == woven(oracle)
            assert reported(answered.json()) == reported(oracle)
            seen += len(oracle["events"])
            if window == WINDOWS[0]:
                place = loaded.places[number]
                counted = sum(
                    loaded.server.count(name, patient=place) for name in TYPES
                )
                assert reported(answered.json())["events"] == counted
    assert seen > PEOPLE * 10


async def test_what_the_server_says_of_itself_is_read(loaded):
    statement = loaded.server.statement()
    known = read_capabilities(json.dumps(statement).encode())
    (rest,) = statement["rest"]
    listed = {one["type"]: one.get("searchParam", []) for one in rest["resource"]}
    assert set(known.parameters) == set(listed)
    for name, searched in TYPES.items():
        assert known.parameters[name] == {one["name"] for one in listed[name]}
        assert known.may_filter(name, searched.patient)
        assert searched.date is None or known.may_filter(name, searched.date)
        assert not known.may_filter(name, "no-such-parameter")
