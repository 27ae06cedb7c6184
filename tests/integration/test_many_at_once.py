"""Many journeys at once, and long ones: in turn, in full, or refused with a reason."""

import asyncio

import pytest

from tests.documented import DocumentedClient
from tests.gateways import PERSON, QUESTION, ask, code_of, running, write_gateway
from tests.stub_fhir import Misbehaviour, StubFhir

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": PERSON}],
}
EVENTS = 2_600


def visit(n):
    return {
        "resourceType": "Encounter",
        "id": f"e{n}",
        "status": "finished",
        "class": {"code": "HH"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": f"2024-04-01T10:{n // 60:02d}:{n % 60:02d}Z"},
    }


async def test_a_long_journey_is_told_in_full_and_in_order(tmp_path):
    visits = [visit(n) for n in range(EVENTS)]
    async with StubFhir([PATIENT, *visits]) as server:
        path = write_gateway(tmp_path, fhir_url=server.base_url)
        async with running(path, DocumentedClient) as client:
            journey = (await ask(client)).json()
    told = [each["provenance"]["record_id"] for each in journey["events"]]
    mine = [each for each in told if each.startswith("Encounter/")]
    assert mine == [f"Encounter/e{n}" for n in range(EVENTS)]
    assert len(told) == EVENTS + 4
    assert journey["completeness"]["level"] == "complete"


@pytest.fixture
async def narrow(tmp_path):
    """A client of a gateway with one slot and no queue, and a server that hangs."""
    hanging = Misbehaviour(hangs=frozenset({"Patient"}))
    async with StubFhir([PATIENT], wrong=hanging) as server:
        path = write_gateway(tmp_path, fhir_url=server.base_url)
        bounds = "\n[admission]\njourneys = 1\nqueue = 0\nqueue_s = 1.2\n"
        path.write_text(path.read_text("utf-8") + bounds, "utf-8")
        async with running(path, DocumentedClient) as client:
            first = asyncio.create_task(ask(client))
            while not server.asked:  # noqa: ASYNC110 - the stub has no event to wait for
                await asyncio.sleep(0.01)
            yield client
            assert (await first).status_code == 200


async def test_whom_nobody_can_be_asked_for_now_is_told_when_to_come_again(narrow):
    response = await ask(narrow)
    assert (response.status_code, code_of(response)) == (503, "overloaded")
    assert response.headers["retry-after"] == "2"


async def test_whoever_breaks_the_glass_is_not_kept_out_by_the_crowd(narrow):
    """The token is no good, and that is what they hear: not that others are many."""
    response = await ask(narrow, QUESTION | {"break_glass": "glass_none"})
    assert (response.status_code, code_of(response)) == (403, "not-permitted")
