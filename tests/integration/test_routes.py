"""Journeys over HTTP: a whole gateway of real files, real tokens, a real store.

Every response is held to the OpenAPI document, closed, by the client itself.
"""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.documented import DocumentedClient
from tests.gateways import (
    PERSON,
    QUESTION,
    ask,
    code_of,
    echoes,
    running,
    states_of,
    write_gateway,
)
from tests.houses import ANN
from tests.people import LOCAL, number
from tests.stub_fhir import StubFhir

STRICT = {"Prefer": "handling=strict"}


@pytest.fixture
def folder(tmp_path):
    return write_gateway(tmp_path).parent


@pytest.fixture
async def client(folder):
    async with running(folder / "throughline.toml", DocumentedClient) as client:
        yield client


async def test_a_journey_is_woven_from_what_answers(client):
    response = await ask(client)
    journey = response.json()
    assert response.status_code == 200
    assert states_of(journey) == {
        "Z9A01.gp": "ok",
        "Z9B02.epr": "ok",
        "Z9C03.asc": "unavailable",
    }
    assert [each["provenance"]["record_id"] for each in journey["events"]] == [
        "gp-1",
        "epr-1",
        "gp-2",
        "epr-2",
    ]
    assert journey["completeness"]["level"] == "partial"
    assert journey["receipt"] is None
    assert "Preference-Applied" not in response.headers
    assert response.headers["cache-control"] == "no-store"


async def test_completeness_stands_before_the_events(client):
    text = (await ask(client)).text
    assert text.index('"completeness"') < text.index('"events":[')


async def test_a_fhir_server_takes_part(tmp_path):
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [
            {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": PERSON}
        ],
    }
    visit = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "HH"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2024-04-01T10:00:00Z"},
    }
    async with StubFhir([patient, visit]) as server:
        path = write_gateway(tmp_path, fhir_url=server.base_url)
        async with running(path, DocumentedClient) as client:
            response = await ask(client, headers=STRICT)
    journey = response.json()
    assert (response.status_code, journey["completeness"]["level"]) == (200, "complete")
    assert set(states_of(journey).values()) == {"ok"}
    assert response.headers["preference-applied"] == "handling=strict"


async def test_a_number_may_be_written_with_spaces_or_hyphens(client):
    for separator in (" ", "-"):
        spaced = separator.join((PERSON[:3], PERSON[3:6], PERSON[6:]))
        journey = (await ask(client, QUESTION | {"nhs_number": spaced})).json()
        assert len(journey["events"]) == 4


@pytest.mark.parametrize(
    "system", ["https://fhir.nhs.uk/Id/nhs-number", LOCAL], ids=["nhs", "local"]
)
async def test_a_person_may_be_asked_for_by_another_identifier(client, system):
    value = next(each.value for each in ANN.every if each.system == system)
    question = {
        "identifier": {"system": system, "value": value},
        "purpose": "direct-care",
    }
    journey = (await ask(client, question)).json()
    assert len(journey["events"]) == 4


async def test_a_window_leaves_out_and_says_so(client):
    window = {"since": "2024-03-01", "until": "2024-04-01"}
    journey = (await ask(client, QUESTION | window)).json()
    assert journey["window"] == window
    assert [e["provenance"]["record_id"] for e in journey["events"]] == [
        "gp-1",
        "epr-1",
    ]
    reports = {each["source"]: each for each in journey["completeness"]["sources"]}
    assert {"code": "undated", "count": 1} in reports["Z9B02.epr"]["caveats"]


async def test_a_person_whom_nobody_knows_has_an_empty_journey(client):
    journey = (await ask(client, QUESTION | {"nhs_number": number(50)})).json()
    assert journey["events"] == []
    assert states_of(journey)["Z9A01.gp"] == "unknown_person"
    assert journey["completeness"]["level"] == "partial"


async def test_a_flagged_person_cannot_be_told_from_an_unknown_one(client):
    told = []
    for nth in (2, 50):
        journey = (await ask(client, QUESTION | {"nhs_number": number(nth)})).json()
        report = journey["completeness"]["sources"][0]
        told.append({k: v for k, v in report.items() if k not in {"took_ms", "lag_s"}})
        assert journey["events"] == []
    assert told[0] == told[1]
    assert told[0]["state"] == "unknown_person"


async def test_what_may_not_be_seen_cannot_be_required(folder):
    question = QUESTION | {"require": {"sources": ["Z9A01.gp"]}}
    async with running(
        folder / "throughline.toml", DocumentedClient, relationship=None
    ) as client:
        response = await ask(client, question)
    assert (response.status_code, code_of(response)) == (400, "request-invalid")


REQUIREMENTS = {
    "a source": (
        {"require": {"sources": ["Z9C03.asc", "Z9A01.gp"]}},
        [{"condition": "source", "value": "Z9C03.asc"}],
    ),
    "an organisation": (
        {"require": {"organisations": ["Z9C03"]}},
        [{"condition": "organisation", "value": "Z9C03"}],
    ),
    "a sector": (
        {"require": {"sectors": ["social-care"]}},
        [{"condition": "sector", "value": "social-care"}],
    ),
    "a number of them": (
        {"min_sources": 3},
        [{"condition": "min_sources", "value": "3"}],
    ),
}


@pytest.mark.parametrize(("change", "unmet"), REQUIREMENTS.values(), ids=REQUIREMENTS)
async def test_what_is_required_and_does_not_answer_is_424(client, change, unmet):
    response = await ask(client, QUESTION | change)
    told = response.json()
    assert (response.status_code, code_of(response)) == (424, "required-sources-unmet")
    assert told["unmet"] == unmet
    assert states_of(told)["Z9C03.asc"] == "unavailable"
    assert echoes(response, "gp-1", "epr-1", PERSON) == []


async def test_a_requirement_that_is_met_changes_nothing(client):
    question = QUESTION | {"require": {"sources": ["Z9A01.gp"]}, "min_sources": 2}
    assert (await ask(client, question)).status_code == 200


@pytest.mark.parametrize(
    "prefer", ["handling=strict", "respond-async, handling=strict", 'handling="strict"']
)
async def test_a_strict_question_is_not_answered_in_part(client, prefer):
    response = await ask(client, headers={"Prefer": prefer})
    assert (response.status_code, code_of(response)) == (424, "required-sources-unmet")
    assert response.json()["unmet"] == [{"condition": "strict", "value": "complete"}]
    assert response.headers["preference-applied"] == "handling=strict"


@pytest.mark.parametrize("prefer", ["handling=lenient", "x-handling=strict"])
async def test_another_preference_is_not_said_to_be_applied(client, prefer):
    response = await ask(client, headers={"Prefer": prefer})
    assert response.status_code == 200
    assert "preference-applied" not in response.headers


async def test_a_refusal_and_an_answer_are_both_on_the_trail(client, folder):
    await ask(client)
    await ask(client, QUESTION | {"require": {"sources": ["Z9C03.asc"]}})
    with closing(sqlite3.connect(folder / "throughline.db")) as store:
        told = [row[0] for row in store.execute("SELECT record FROM audit_record")]
    kinds = [json.loads(each)["type"] for each in told]
    assert kinds == ["start", "intent", "outcome", "intent", "outcome"]
    assert not any(private in each for each in told for private in (PERSON, "gp-1"))


ODD = {
    "an agreement": {"agreement": 'DSA "x" \\ \u00e9 \n'},
    "a relationship": {
        "relationship": {"kind": "self-claimed", "reason": "\u00e9 \u202e \x00"}
    },
    "a reference": {
        "relationship": {"kind": "self-claimed", "reason": "x", "reference": " \n"}
    },
    "an identifier": {
        "nhs_number": None,
        "identifier": {"system": "urn: \u00e9", "value": "\x00\ud7ff"},
    },
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
async def test_odd_text_is_taken_or_refused_and_never_breaks_anything(client, change):
    response = await ask(client, QUESTION | change)
    assert response.status_code in {200, 400, 403, 503}
    if response.status_code == 503:
        assert code_of(response) == "no-source-answered"
