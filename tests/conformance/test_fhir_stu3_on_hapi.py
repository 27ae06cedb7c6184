"""The FHIR adapter in front of HAPI's server of STU3: the suite, and a GP's record."""

import json

import pytest

from adapters.contract import Identifier, Identifiers, Query
from adapters.fhir import Scope, read_bundle
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests import stu3
from tests.corpus import corpus
from tests.fhir_asking import asking
from tests.fhir_servers import OnAServer
from tests.opened import systems_of

pytestmark = pytest.mark.parts
LIMITS = Limits(source_s=60)


class TestFhirStu3OnHapi(OnAServer):
    def known_as(self, event):
        return stu3.record_id(event)

    @pytest.fixture
    async def adapter(self, server, tmp_path):
        systems = systems_of(self.population().events)
        settings = (
            f'version = "STU3"\npage_size = 20\n[identifiers]\nsystems = {systems}\n'
        )
        async with asking(
            server.base_url, tmp_path, settings, limits=LIMITS
        ) as adapter:
            yield adapter


def put(resource):
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url}}


def transaction(resources):
    entries = [put(one) for one in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


@pytest.fixture(scope="module")
def server(hapi_stu3):
    events = TestFhirStu3OnHapi.population().events
    hapi_stu3.load(transaction(stu3.resources(events)))
    return hapi_stu3


@pytest.mark.corpus
async def test_a_practices_record_put_into_a_server_is_answered_whole(server, tmp_path):
    """Nobody here wrote the record, nor the server that is asked about it."""
    (file,) = corpus("fhir-stu3-gpconnect").glob("TC7__*_Dougill_full_*.json")
    page = json.loads(file.read_bytes())
    given = [e["resource"] for e in page["entry"] if e["resource"].get("id")]
    server.load(transaction(given))
    (patient,) = (one for one in given if one["resourceType"] == "Patient")
    mine = Identifier("urn:throughline:test:record", "TC7")
    patient["identifier"].append({"system": mine.system, "value": mine.value})
    server.load(transaction([patient]))
    settings = f'version = "STU3"\n[identifiers]\nsystems = ["{mine.system}"]\n'
    query = Query(
        person=Identifiers(others=frozenset({mine})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=10_000,
    )
    async with asking(server.base_url, tmp_path, settings, limits=LIMITS) as adapter:
        answer = await adapter.ask(query)
    read = read_bundle(file.read_bytes(), Scope(sector="acute", version="STU3"))
    expected = {event.record_id: event for event in read.events}
    came = {event.record_id: event for event in answer.events}
    assert len(came) == len(answer.events) > 100
    assert answer.person is not None
    assert came.keys() == expected.keys()
    for name, event in came.items():
        same = expected[name]
        assert (event.kind, event.title, event.status, event.start, event.codes) == (
            same.kind,
            same.title,
            same.status,
            same.start,
            same.codes,
        )
        assert event.subject == answer.person.identifiers
    kinds = {event.kind for event in answer.events}
    assert {"immunisation", "observation", "referral"} <= kinds
