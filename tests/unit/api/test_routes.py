"""The routes' own work, before a house in memory."""

import inspect

import pytest

from gateway.access.tokens import Authenticator
from gateway.service import Service
from tests.asking import FakeAuthenticator, FakeService, asking
from tests.fakes import FakeTrail
from tests.houses import doctor, event, house, memory, source
from tests.people import number

QUESTION = {"nhs_number": number(0), "purpose": "direct-care"}


@pytest.fixture
def service():
    sources = [source(f"Z9A0{n}.gp", memory(event(f"r{n}"))) for n in (1, 2, 3)]
    return FakeService(house=house(*sources))


def code_of(response):
    return response.json()["type"].removeprefix("urn:throughline:problem:")


def test_the_fakes_have_the_faces_of_the_real_things():
    real = inspect.signature(Authenticator.authenticate).parameters
    assert list(inspect.signature(FakeAuthenticator.authenticate).parameters) == list(
        real
    )
    for name in ("house", "authenticator", "settings", "clock", "is_ready"):
        assert hasattr(Service, name)


async def test_a_journey_is_answered_in_the_order_of_its_fields(service):
    async with asking(service) as client:
        response = await client.post("/v1/journeys", json=QUESTION)
    assert response.status_code == 200
    assert list(response.json())[:5] == [
        *("journey_id", "purpose", "window", "person", "completeness"),
    ]
    assert len(response.json()["events"]) == 3


@pytest.mark.parametrize(
    ("prefer", "strict"),
    [
        ("handling=strict", True),
        ("Handling = strict", True),
        ("wait=5; handling=strict", True),
        ('handling="strict"', True),
        ("handling=stricter", False),
        ("nothandling=strict", False),
        ("", False),
    ],
)
async def test_a_preference_is_applied_only_if_it_is_that_one(service, prefer, strict):
    async with asking(service) as client:
        response = await client.post(
            "/v1/journeys", json=QUESTION, headers={"Prefer": prefer}
        )
    assert response.status_code == 200
    assert ("preference-applied" in response.headers) is strict


async def test_a_refusal_says_too_that_it_was_strict(service):
    service.house = house(source("Z9A01.gp", memory(event("r1")), fresh_s=-1))
    async with asking(service) as client:
        response = await client.post(
            "/v1/journeys", json=QUESTION, headers={"Prefer": "handling=strict"}
        )
    assert (response.status_code, code_of(response)) == (424, "required-sources-unmet")
    assert response.headers["preference-applied"] == "handling=strict"


async def test_a_scope_is_needed(service):
    service.authenticator.requester = doctor(scopes=frozenset())
    async with asking(service) as client:
        response = await client.post("/v1/journeys", json=QUESTION)
    assert (response.status_code, code_of(response)) == (403, "not-permitted")


async def test_a_purpose_must_be_the_callers(service):
    async with asking(service) as client:
        response = await client.post(
            "/v1/journeys", json=QUESTION | {"purpose": "research"}
        )
    assert (response.status_code, code_of(response)) == (403, "not-permitted")


@pytest.mark.parametrize("media_type", ["", "text/plain"])
async def test_a_body_must_be_json(service, media_type):
    async with asking(service) as client:
        response = await client.post(
            "/v1/journeys", content=b"{}", headers={"Content-Type": media_type}
        )
    assert (response.status_code, code_of(response)) == (415, "http-415")


@pytest.mark.parametrize(
    "path",
    ["/v1/sources?x=1", "/v1/sources?limit=1&limit=1", "/v1/purposes?limit=1"],
)
async def test_parameters_are_known_and_come_once(service, path):
    async with asking(service) as client:
        response = await client.get(path)
    assert (response.status_code, code_of(response)) == (400, "parameter-unknown")


@pytest.mark.parametrize("size", [1, 2, 3, 200])
async def test_pages_hold_every_source_once(service, size):
    seen, pages, query = [], 0, {"limit": str(size)}
    async with asking(service) as client:
        while pages < 10:
            page = (await client.get("/v1/sources", params=query)).json()
            seen += [each["id"] for each in page["items"]]
            pages += 1
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
    assert seen == ["Z9A01.gp", "Z9A02.gp", "Z9A03.gp"]
    assert pages == -(-3 // size)


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=201", "limit=000000201", "limit=0000", "limit=-1"),
        *("limit=1e2", "limit=%D9%A1", "limit=", "limit=1.5"),
        *("cursor=%C3%A9", "cursor=_w==", "cursor=a", "cursor=*"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(service, query):
    async with asking(service) as client:
        response = await client.get(f"/v1/sources?{query}")
    assert (response.status_code, code_of(response)) == (400, "request-invalid")


async def test_a_source_is_told_with_what_one_may_ask_it(service):
    async with asking(service) as client:
        card = (await client.get("/v1/sources/Z9A02.gp")).json()
        missing = await client.get("/v1/sources/Z9A09.gp")
    assert card["you_may"][0]["purpose"] == "direct-care"
    assert card["you_may"][0]["relationships"] == ["registered"]
    assert (card["state"], card["as_of"]) == (None, None)
    assert (missing.status_code, code_of(missing)) == (404, "not-found")


async def test_who_may_ask_nothing_is_told_so(service):
    service.authenticator.requester = doctor(role="analyst")
    async with asking(service) as client:
        cards = (await client.get("/v1/sources")).json()["items"]
    assert [card["you_may"] for card in cards] == [[], [], []]


async def test_a_source_that_was_asked_shows_how_it_did(service):
    async with asking(service) as client:
        await client.post("/v1/journeys", json=QUESTION)
        card = (await client.get("/v1/sources/Z9A01.gp")).json()
    assert (card["state"], card["as_of"]) == ("answering", "2026-03-01T12:00:00Z")


async def test_all_purposes_are_listed_and_yours_are_marked(service):
    async with asking(service) as client:
        items = (await client.get("/v1/purposes")).json()["items"]
    assert [each["code"] for each in items if each["yours"]] == ["direct-care"]
    assert {each["purpose_class"] for each in items} == {
        *("individual", "beyond", "administrative"),
    }


async def test_health_tells_life_from_readiness(service):
    service.is_ready = False
    async with asking(service) as client:
        alive, ready = await client.get("/livez"), await client.get("/readyz")
        service.is_ready = True
        now_ready = await client.get("/readyz")
    assert (alive.status_code, now_ready.status_code) == (200, 200)
    assert (ready.status_code, code_of(ready)) == (503, "audit-unavailable")
    assert ready.headers["retry-after"] == "5"


async def test_a_problem_has_a_page(service):
    async with asking(service) as client:
        page = (await client.get("/problems/http-413")).json()
        missing = await client.get("/problems/x")
    assert (page["status"], page["type"]) == (413, "urn:throughline:problem:http-413")
    assert missing.status_code == 404


async def test_the_document_is_served(service):
    async with asking(service) as client:
        response = await client.get("/openapi.json")
    assert response.json()["openapi"] == "3.1.0"


async def test_an_audit_trail_that_fails_shows_nothing(service):
    sources = service.house.sources
    service.house = house(*sources, trail=FakeTrail(fails_at=1))
    async with asking(service) as client:
        response = await client.post("/v1/journeys", json=QUESTION)
    assert (response.status_code, code_of(response)) == (503, "audit-unavailable")
    assert "r1" not in response.text
