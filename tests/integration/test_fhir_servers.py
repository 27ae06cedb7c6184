"""FHIR servers that nobody here wrote, asked about people nobody here wrote.

The events told must be those of the same files read without any server, put into
memory, whether a record is asked for at once or type by type. So must be the journeys
that a gateway weaves of what a server tells, and of what memory holds.
"""

import json
from collections import Counter
from contextlib import asynccontextmanager
from datetime import date

import pytest

from adapters.contract import Identifier, Identifiers
from adapters.fhir.capabilities import read_capabilities
from adapters.fhir.tables import TYPES
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES
from gateway.journey.inquiry import inquire
from gateway.journey.journey import as_json
from tests.fhir_asking import caveats
from tests.fhir_servers import (
    PEOPLE,
    SECTOR,
    SERVERS,
    SYNTHEA,
    Noted,
    about,
    load,
    open_adapter,
)
from tests.gateways import ask, running, write_gateway
from tests.houses import NOW as HOUSE_NOW
from tests.houses import doctor, house, question, source

pytestmark = [pytest.mark.parts, pytest.mark.corpus]
SOURCE = "Z9C03.asc"
LIMIT = 5000
WINDOWS = [
    (None, None),
    (date(2012, 1, 1), date(2016, 7, 1)),
    (date(2016, 7, 1), None),
    (None, date(2012, 1, 1)),
    (date(2040, 1, 1), date(2041, 1, 1)),
]


@pytest.fixture(scope="session", params=SERVERS)
def loaded(request):
    """Each server in turn, with the same people in it."""
    return load(request.getfixturevalue(request.param))


def told(answer):
    return sorted(answer.events, key=lambda event: event.record_id)


async def test_everybody_is_told_as_from_memory_at_once_or_type_by_type(
    loaded, tmp_path
):
    assert len(loaded.people) == PEOPLE
    requests = {}
    for everything in ("always", "never"):
        transport = Noted()
        async with open_adapter(
            loaded,
            tmp_path,
            page_size=50,
            everything=everything,
            transport=transport,
        ) as adapter:
            for number in loaded.people:
                answer = await adapter.ask(about(number))
                assert told(answer) == told(await loaded.memory.ask(about(number)))
                assert answer.events
                # HAPI sends what a record refers to along with it: a plan's goals.
                assert set(caveats(answer)) <= {"filter_unconfirmed", "unmapped"}
        requests[everything] = len(transport.paths)
        assert (transport.at_once >= PEOPLE) is (everything == "always")
    assert requests["always"] < requests["never"]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("page_size", [7, 200])
async def test_windows_page_by_page_are_told_as_from_memory(
    loaded, tmp_path, window, page_size
):
    since, until = window
    async with open_adapter(loaded, tmp_path, page_size=page_size) as adapter:
        for number in loaded.people[:2]:
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
        for number in loaded.people[:3]:
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
            assert came == loaded.counted(number)


async def test_somebody_the_server_does_not_know_is_nobody(loaded, tmp_path):
    async with open_adapter(loaded, tmp_path, page_size=100) as adapter:
        answer = await adapter.ask(about("nobody-of-this-number"))
    assert (answer.person, answer.events) == (None, ())
    # HAPI answers a search by POST with a self link that names no parameter.
    is_confirmed = loaded.server.name != "HAPI"
    assert caveats(answer) == ({} if is_confirmed else {"filter_unconfirmed": 1})


async def test_only_a_server_that_does_not_say_what_it_heeded_leaves_a_doubt(
    loaded, tmp_path
):
    async with open_adapter(loaded, tmp_path, page_size=20) as adapter:
        answer = await adapter.ask(about(loaded.people[0], since=date(2012, 1, 1)))
    is_silent = loaded.server.name == "HAPI"
    assert ("filter_unconfirmed" in caveats(answer)) is is_silent


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
                counted = loaded.counted(number).total()
                assert reported(answered.json())["events"] == counted
    assert seen > PEOPLE * 10


async def test_what_the_server_says_of_itself_is_read(loaded):
    statement = loaded.server.statement()
    known = read_capabilities(json.dumps(statement).encode())
    assert known.everything
    assert (known.fhir_version, bool(known.software)) == ("4.0.1", True)
    (rest,) = statement["rest"]
    listed = {one["type"]: one.get("searchParam", []) for one in rest["resource"]}
    assert set(known.parameters) <= set(listed)
    for name, searched in TYPES.items():
        assert known.parameters[name] == {one["name"] for one in listed[name]}
        assert known.may_filter(name, searched.patient)
        assert searched.date is None or known.may_filter(name, searched.date)
        assert not known.may_filter(name, "no-such-parameter")
