"""What a question is refused for, over HTTP: a stable code, a place, and no echo."""

import json
import re
import uuid

import pytest
import pytest_asyncio

from gateway.settings import load_settings
from tests.documented import DocumentedClient
from tests.gateways import (
    MARK,
    PERSON,
    QUESTION,
    ask,
    bearer,
    code_of,
    echoes,
    fields_of,
    running,
    write_gateway,
)
from tests.houses import HouseClock
from tests.people import LOCAL, number

# One gateway for all of them: what is refused leaves nothing behind.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_gateway(tmp_path_factory.mktemp("gateway")).parent


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(folder):
    async with running(folder / "throughline.toml", DocumentedClient) as client:
        yield client


BODIES = {
    "an unknown field": ({MARK: MARK}, "request-invalid", [("", "unknown")]),
    "a number as a number": (
        {"nhs_number": int(PERSON)},
        "request-invalid",
        [("/nhs_number", "string-type")],
    ),
    "a false number": (
        {"nhs_number": PERSON[:-1] + "0"},
        "identifier-invalid",
        [("/nhs_number", "not-an-nhs-number")],
    ),
    "no number at all": (
        {"nhs_number": MARK},
        "identifier-invalid",
        [("/nhs_number", "not-an-nhs-number")],
    ),
    "two ways to name a person": (
        {"identifier": {"system": LOCAL, "value": MARK}},
        "request-invalid",
        [("/nhs_number", "one-of"), ("/identifier", "one-of")],
    ),
    "nobody": (
        {"nhs_number": None},
        "request-invalid",
        [("/nhs_number", "one-of"), ("/identifier", "one-of")],
    ),
    "an identifier of blanks": (
        {"nhs_number": None, "identifier": {"system": LOCAL, "value": "  "}},
        "identifier-invalid",
        [("/identifier/value", "empty")],
    ),
    "a false number as an identifier": (
        {
            "nhs_number": None,
            "identifier": {
                "system": "http://fhir.nhs.net/Id/nhs-number",
                "value": MARK,
            },
        },
        "identifier-invalid",
        [("/identifier/value", "not-an-nhs-number")],
    ),
    "an unknown field inside": (
        {"require": {MARK: [MARK]}},
        "request-invalid",
        [("/require", "unknown")],
    ),
    "an empty purpose": ({"purpose": ""}, "purpose-missing", [("/purpose", "empty")]),
    "a blank purpose": ({"purpose": " "}, "purpose-missing", [("/purpose", "empty")]),
    "a null purpose": (
        {"purpose": None},
        "purpose-missing",
        [("/purpose", "string-type")],
    ),
    "a list of purposes": (
        {"purpose": ["direct-care"]},
        "purpose-missing",
        [("/purpose", "string-type")],
    ),
    "an unknown purpose": (
        {"purpose": MARK},
        "purpose-unknown",
        [("/purpose", "unknown")],
    ),
    "a purpose in capitals": (
        {"purpose": "Direct-Care"},
        "purpose-unknown",
        [("/purpose", "unknown")],
    ),
    "a reversed window": (
        {"since": "2024-03-02", "until": "2024-03-01"},
        "request-invalid",
        [("/until", "not-after-since")],
    ),
    "an empty window": (
        {"since": "2024-03-01", "until": "2024-03-01"},
        "request-invalid",
        [("/until", "not-after-since")],
    ),
    "a day that is none": (
        {"since": "2023-02-30"},
        "request-invalid",
        [("/since", "not-a-day")],
    ),
    "a day in another calendar's digits": (
        {"since": "\u0662\u0660\u0662\u0663-01-01"},
        "request-invalid",
        [("/since", "not-a-day")],
    ),
    "a day of a week": (
        {"until": "2024-W05-1"},
        "request-invalid",
        [("/until", "not-a-day")],
    ),
    "an unknown category": (
        {"categories": ["encounters", MARK]},
        "request-invalid",
        [("/categories/1", "unknown")],
    ),
    "no category": (
        {"categories": []},
        "request-invalid",
        [("/categories", "too-short")],
    ),
    "a limit too high": (
        {"limit": 20_001},
        "request-invalid",
        [("/limit", "less-than-equal")],
    ),
    "a limit that is true": (
        {"limit": True},
        "request-invalid",
        [("/limit", "int-type")],
    ),
    "a deadline too short": (
        {"deadline_ms": 499},
        "request-invalid",
        [("/deadline_ms", "greater-than-equal")],
    ),
    "a source that is not there": (
        {"require": {"sources": [MARK]}},
        "request-invalid",
        [("/require/sources", "not-visible")],
    ),
}


@pytest.mark.parametrize(("change", "code", "fields"), BODIES.values(), ids=BODIES)
async def test_a_wrong_body_is_refused_by_place_and_not_repeated(
    client, change, code, fields
):
    response = await ask(client, QUESTION | change)
    assert (response.status_code, code_of(response)) == (400, code)
    assert fields_of(response) == fields
    assert echoes(response, MARK, PERSON, PERSON[:-1] + "0") == []


async def test_a_question_without_a_purpose_is_refused(client):
    response = await ask(client, {"nhs_number": PERSON})
    assert (response.status_code, code_of(response)) == (400, "purpose-missing")
    assert fields_of(response) == [("/purpose", "missing")]


TEXTS = {
    "purpose twice": (
        f'{{"nhs_number":"{PERSON}","purpose":"direct-care","purpose":"research"}}',
        "purpose-missing",
    ),
    "a number twice": (
        f'{{"nhs_number":"{PERSON}","nhs_number":"{PERSON}","purpose":"direct-care"}}',
        "request-invalid",
    ),
    "a name twice, deep inside": (
        f'{{"identifier":{{"system":"{MARK}","value":"a","value":"b"}}}}',
        "request-invalid",
    ),
    "a list": (f'["{MARK}"]', "request-invalid"),
    "nothing": ("", "request-invalid"),
    "half of it": (f'{{"nhs_number":"{PERSON}', "request-invalid"),
    "not a number": (f'{{"limit":NaN,"{MARK}":1}}', "request-invalid"),
    "deep": ("[" * 5000, "request-invalid"),
    "half a pair": (f'{{"{MARK}":"\\ud800"}}', "request-invalid"),
}


@pytest.mark.parametrize(("text", "code"), TEXTS.values(), ids=TEXTS)
async def test_json_that_could_be_read_two_ways_is_refused(client, text, code):
    response = await client.post(
        "/v1/journeys", content=text, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, code_of(response)) == (400, code)
    assert echoes(response, MARK, PERSON) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
async def test_json_in_another_encoding_is_refused(client, encoding):
    text = json.dumps(QUESTION | {"agreement": "é"}, ensure_ascii=False)
    response = await client.post(
        "/v1/journeys",
        content=text.encode(encoding),
        headers={"Content-Type": "application/json"},
    )
    assert (response.status_code, code_of(response)) == (400, "request-invalid")
    assert echoes(response, PERSON) == []


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "text/json"]
)
async def test_a_body_must_say_that_it_is_json(client, media_type):
    headers = {"Content-Type": media_type} if media_type else {}
    response = await client.post(
        "/v1/journeys", content=json.dumps(QUESTION), headers=headers
    )
    assert (response.status_code, code_of(response)) == (415, "http-415")


async def test_json_may_name_its_charset(client):
    response = await client.post(
        "/v1/journeys",
        content=json.dumps(QUESTION),
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert response.status_code == 200


async def test_a_body_too_large_is_refused_unread(client):
    response = await ask(client, QUESTION | {"agreement": MARK + "x" * 65_536})
    assert (response.status_code, code_of(response)) == (413, "http-413")
    assert echoes(response, MARK, PERSON) == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/journeys?verbose=1",
        f"/v1/journeys?{MARK}={MARK}",
        "/v1/journeys?purpose=direct-care",
    ],
)
async def test_an_unknown_parameter_is_refused(client, path):
    response = await client.post(path, json=QUESTION)
    assert (response.status_code, code_of(response)) == (400, "parameter-unknown")
    assert echoes(response, MARK) == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/journeys?nhs_number={}",
        "/v1/journeys/{}",
        "/v1/sources/{}",
        "/v1/sources?cursor={}",
        "/problems/{}",
        "/livez?{}",
    ],
)
@pytest.mark.parametrize("separator", ["", "%20", "-", "+"])
async def test_a_number_in_the_url_is_refused_and_not_repeated(client, path, separator):
    if separator == "+" and "?" not in path:
        separator = "%2D"
    parts = (PERSON[:3], PERSON[3:6], PERSON[6:])
    url = path.format(separator.join(parts))
    for method in ("GET", "POST"):
        response = await client.request(method, url, json=QUESTION)
        assert (response.status_code, code_of(response)) == (400, "identifier-in-url")
        assert echoes(response, PERSON, url, " ".join(parts)) == []


async def test_digits_that_are_no_number_may_stand_in_a_url(client):
    response = await client.get("/v1/sources/20240309140512")
    assert (response.status_code, code_of(response)) == (404, "not-found")


@pytest.mark.parametrize(
    "token", ["", "Basic abc", "Bearer", f"Bearer {MARK}", f"Bearer {MARK}.a.b"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/journeys"),
        ("GET", "/v1/sources"),
        ("GET", "/v1/sources/Z9A01.gp"),
        ("GET", "/v1/purposes"),
    ],
)
async def test_a_stranger_learns_nothing(client, method, path, token):
    request = client.build_request(
        method, path, json=QUESTION if method == "POST" else None
    )
    del request.headers["Authorization"]
    if token:
        request.headers["Authorization"] = token
    response = await client.send(request)
    expected = "token-invalid" if MARK in token else "token-missing"
    assert (response.status_code, code_of(response)) == (401, expected)
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert echoes(response, MARK, PERSON) == []


async def test_a_stranger_is_refused_before_anything_else_is_read(client):
    request = client.build_request("POST", f"/v1/journeys?{MARK}=1", content=b"{")
    del request.headers["Authorization"]
    response = await client.send(request)
    assert code_of(response) == "token-missing"


@pytest.mark.parametrize("name", ["Authorization", "Prefer", "Content-Type"])
async def test_a_header_that_comes_twice_is_refused(client, name):
    given = client.headers.get(name, "application/json")
    twice = [(name, given), (name, given)]
    response = await client.post("/v1/journeys", content=b"{}", headers=twice)
    assert (response.status_code, code_of(response)) == (400, "duplicate-header")


async def test_an_organisation_not_of_the_token_is_refused(client):
    headers = {"NHSD-End-User-Organisation-ODS": "Z9A01"}
    response = await ask(client, headers=headers)
    assert (response.status_code, code_of(response)) == (403, "organisation-mismatch")


@pytest.mark.parametrize(
    "said",
    [
        {"client_id": "without-scope"},
        {"role": "analyst"},
        {"organisation": "Z9A01"},
    ],
)
async def test_who_is_not_registered_so_is_refused(folder, said):
    async with running(folder / "throughline.toml", DocumentedClient, **said) as client:
        response = await ask(client)
        assert (response.status_code, code_of(response)) == (403, "not-permitted")
        assert echoes(response, PERSON) == []


async def test_a_purpose_not_registered_is_refused(client):
    response = await ask(client, QUESTION | {"purpose": "research"})
    assert (response.status_code, code_of(response)) == (403, "not-permitted")


async def test_a_refusal_is_the_same_for_whoever_is_asked_for(folder):
    """Catches a refusal that looks at the person: their flag, their being known."""
    seen = set()
    headers = {"X-Request-ID": str(uuid.UUID(int=1))}
    async with running(
        folder / "throughline.toml", DocumentedClient, relationship=None
    ) as client:
        for nth in (0, 1, 2, 50):  # known, known, flagged, unknown
            response = await ask(
                client, QUESTION | {"nhs_number": number(nth)}, headers=headers
            )
            # Of each its own decision's id, and nothing else, is another's.
            text = re.sub("dec_[a-z]{24}", "dec_", response.text)
            seen.add((response.status_code, text, str(response.headers)))
    assert len(seen) == 1
    assert seen.pop()[0] == 403


async def test_ids_of_the_caller_come_back(client):
    given = str(uuid.UUID(int=9))
    headers = {"X-Request-ID": given, "X-Correlation-ID": "trace-1"}
    response = await ask(client, QUESTION | {"purpose": MARK}, headers=headers)
    assert response.json()["request_id"] == given
    assert response.headers["x-request-id"] == given
    assert response.headers["x-correlation-id"] == "trace-1"


async def test_another_caller_is_another_requester(client, folder):
    settings = load_settings(folder / "throughline.toml", {})
    nurse = bearer(settings, HouseClock(), role="nurse")
    response = await ask(client, headers=nurse)
    assert (response.status_code, code_of(response)) == (403, "not-permitted")
