"""The demo's FHIR server answers as FHIR R4 says, over HTTP."""

import httpx
import pytest

from gateway.demo.fhir_server import Behaviour, create_app

NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
BASE = "http://demo.invalid/fhir"
PEOPLE = [
    {
        "resourceType": "Patient",
        "id": f"p{n}",
        "identifier": [{"system": NUMBER, "value": value}],
    }
    for n, value in enumerate(("9990000018", "9990000026"))
]
ENCOUNTERS = [
    {
        "resourceType": "Encounter",
        "id": f"{person}-{n}",
        "subject": {"reference": f"Patient/{person}"},
        "period": {"start": f"2025-01-{n + 1:02d}T09:00:00+00:00"},
    }
    for person in ("p0", "p1")
    for n in range(7)
]


def client_of(behaviour: Behaviour | None = None) -> httpx.AsyncClient:
    app = create_app([*PEOPLE, *ENCOUNTERS], behaviour)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)


@pytest.fixture
async def client():
    async with client_of() as opened:
        yield opened


def ids(bundle) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle["entry"]]


def link(bundle, relation):
    found = (one["url"] for one in bundle["link"] if one["relation"] == relation)
    return next(found, None)


async def test_the_capability_statement_declares_what_is_served(client):
    stated = (await client.get("/metadata")).json()
    types = {one["type"]: one for one in stated["rest"][0]["resource"]}
    assert stated["fhirVersion"] == "4.0.1"
    names = {p["name"]: p["type"] for p in types["Encounter"]["searchParam"]}
    assert names == {
        "_id": "token",
        "date": "date",
        "patient": "reference",
        "subject": "reference",
    }
    assert {p["name"] for p in types["Patient"]["searchParam"]} == {"_id", "identifier"}


async def test_a_patient_is_found_by_post_and_by_get_alike(client):
    asked = {"identifier": f"{NUMBER}|9990000018"}
    posted = await client.post("/Patient/_search", data=asked)
    got = await client.get("/Patient", params=asked)
    also = await client.get("/Patient/_search", params=asked)
    assert posted.json() == got.json() == also.json()
    bundle = posted.json()
    assert posted.headers["content-type"].startswith("application/fhir+json")
    assert (bundle["type"], bundle["total"], ids(bundle)) == ("searchset", 1, ["p0"])
    entry = bundle["entry"][0]
    assert entry["fullUrl"] == f"{BASE}/Patient/p0"
    assert entry["search"] == {"mode": "match"}


async def test_the_self_link_shows_what_was_applied_and_nothing_else(client):
    asked = {"patient": "p0", "date": "lt2025-01-03", "colour": "red"}
    bundle = (await client.post("/Encounter/_search", data=asked)).json()
    shown = httpx.URL(link(bundle, "self")).params
    assert set(shown) == {"patient", "date", "_count"}
    assert ids(bundle) == ["p0-0", "p0-1"]


async def test_every_page_is_reached_by_its_link_and_no_further(client):
    asked = {"patient": "p0", "_count": "3"}
    bundle = (await client.post("/Encounter/_search", data=asked)).json()
    pages = [ids(bundle)]
    while url := link(bundle, "next"):
        assert url.startswith(f"{BASE}/")
        assert "p0" not in url
        bundle = (await client.get(url)).json()
        assert bundle["total"] == 7
        pages.append(ids(bundle))
    assert pages == [
        ["p0-0", "p0-1", "p0-2"],
        ["p0-3", "p0-4", "p0-5"],
        ["p0-6"],
    ]


async def test_an_old_page_is_gone(client):
    for token in ("forgotten.3", "forgotten", ""):
        refused = await client.get("/_page", params={"token": token})
        assert refused.status_code == 410
        assert refused.json()["issue"][0]["code"] == "expired"


async def test_the_oldest_searches_are_forgotten_first(client):
    asked = {"_count": "1"}
    first = (await client.get("/Encounter", params=asked)).json()
    last = first
    for _ in range(512):
        last = (await client.get("/Encounter", params=asked)).json()
    assert (await client.get(link(first, "next"))).status_code == 410
    assert (await client.get(link(last, "next"))).status_code == 200


async def test_nobody_found_is_an_empty_searchset(client):
    asked = {"identifier": f"{NUMBER}|9990000034"}
    bundle = (await client.post("/Patient/_search", data=asked)).json()
    assert (bundle["total"], bundle["entry"]) == (0, [])
    assert link(bundle, "next") is None


async def test_a_resource_is_read_by_its_id(client):
    assert (await client.get("/Encounter/p0-3")).json() == ENCOUNTERS[3]
    assert (await client.get("/Encounter/p9-3")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/Spaceship", {}, 404, "not-found"),
        ("GET", "/Patient/p0/history/1/2", {}, 404, "not-found"),
        ("PUT", "/Patient/p0", {"json": {}}, 405, "not-supported"),
        ("POST", "/Patient", {"json": {}}, 405, "not-supported"),
        ("POST", "/Patient/_search", {"json": {}}, 415, "not-supported"),
        ("GET", "/Encounter", {"params": {"date": "ge2025-99"}}, 400, "value"),
        ("GET", "/Encounter", {"params": {"_count": "many"}}, 400, "value"),
        ("GET", "/Encounter", {"params": {"_count": "0"}}, 400, "value"),
        (
            "GET",
            "/Encounter",
            {"params": {"colour": "red"}, "headers": {"Prefer": "handling=strict"}},
            400,
            "not-supported",
        ),
        (
            "POST",
            "/Patient/_search",
            {
                "content": b"identifier=\xff",
                "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            },
            400,
            "invalid",
        ),
        ("POST", "/Patient/_search", {"data": {"identifier": "9" * 70_000}}, 413, None),
    ],
)
async def test_what_is_refused_is_an_operation_outcome(
    client, method, path, sent, status, code
):
    refused = await client.request(method, path, **sent)
    outcome = refused.json()
    assert refused.status_code == status
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["severity"] == "error"
    assert outcome["issue"][0]["code"] == (code or "too-long")


async def test_a_page_is_never_larger_than_two_hundred(client):
    bundle = (await client.get("/Encounter", params={"_count": "100000"})).json()
    assert httpx.URL(link(bundle, "self")).params["_count"] == "200"


async def test_a_wrong_server_answers_with_somebody_else():
    async with client_of(Behaviour(wrong=True)) as client:
        asked = {"identifier": f"{NUMBER}|9990000018"}
        bundle = (await client.post("/Patient/_search", data=asked)).json()
        assert ids(bundle) == ["p1"]
        of_p0 = (await client.post("/Encounter/_search", data={"patient": "p0"})).json()
        assert {name[:2] for name in ids(of_p0)} == {"p1"}


async def test_a_slow_server_is_slow_at_searches_alone():
    async with client_of(Behaviour(slow_s=0.2)) as client:
        asked = await client.get("/Encounter", params={"_count": "1"})
        following = await client.get(link(asked.json(), "next"))
        stated = await client.get("/metadata")
    assert asked.elapsed.total_seconds() >= 0.2
    assert following.elapsed.total_seconds() >= 0.2
    assert stated.elapsed.total_seconds() < 0.2
