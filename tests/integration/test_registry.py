"""The registry, health, problems and what is not there, over HTTP."""

import pytest

from gateway.problems import PROBLEMS
from tests.documented import DocumentedClient
from tests.gateways import (
    MARK,
    SOURCES,
    ask,
    code_of,
    echoes,
    running,
    write_gateway,
)


@pytest.fixture
def folder(tmp_path):
    return write_gateway(tmp_path).parent


@pytest.fixture
async def client(folder):
    async with running(folder / "throughline.toml", DocumentedClient) as client:
        yield client


async def test_the_sources_say_whom_one_may_ask(client):
    listed = (await client.get("/v1/sources")).json()
    assert [(each["id"], each["sector"]) for each in listed["items"]] == list(
        SOURCES.items()
    )
    assert listed["items"][0]["you_may"] == [
        {
            "purpose": "direct-care",
            "categories": ["encounters"],
            "relationships": ["registered"],
        }
    ]
    assert listed["next"] is None
    assert {each["state"] for each in listed["items"]} == {None}
    await ask(client)
    after = (await client.get("/v1/sources")).json()["items"]
    assert [each["state"] for each in after] == [
        "answering",
        "answering",
        "unavailable",
    ]


async def test_the_sources_come_page_by_page(client):
    seen, query = [], {"limit": "1"}
    while True:
        page = (await client.get("/v1/sources", params=query)).json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == list(SOURCES)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=000000201",
        "limit=-1",
        "limit=1e2",
        "limit=%D9%A1",
        "limit=",
        f"cursor={MARK}",
        "cursor=%FF",
        "cursor=_w==",
    ],
)
async def test_a_page_that_cannot_be_is_refused(client, query):
    response = await client.get(f"/v1/sources?{query}")
    assert (response.status_code, code_of(response)) == (400, "request-invalid")
    assert echoes(response, MARK) == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sources?limit=1&limit=2",
        f"/v1/sources?{MARK}=1",
        "/v1/sources/Z9A01.gp?limit=1",
        "/v1/purposes?limit=1",
    ],
)
async def test_the_registry_takes_its_own_parameters_once(client, path):
    response = await client.get(path)
    assert (response.status_code, code_of(response)) == (400, "parameter-unknown")


async def test_a_source_that_is_not_there_is_404(client):
    response = await client.get(f"/v1/sources/{MARK}")
    assert (response.status_code, code_of(response)) == (404, "not-found")
    assert echoes(response, MARK) == []


async def test_one_source_is_told_as_in_the_list(client):
    listed = (await client.get("/v1/sources")).json()["items"]
    for each in listed:
        assert (await client.get(f"/v1/sources/{each['id']}")).json() == each


async def test_the_purposes_say_which_are_yours(client):
    items = (await client.get("/v1/purposes")).json()["items"]
    assert [each["code"] for each in items if each["yours"]] == ["direct-care"]
    assert len(items) == 16


async def test_every_problem_has_a_page(client):
    client.headers.pop("Authorization")
    for code, kind in PROBLEMS.items():
        told = (await client.get(f"/problems/{code}")).json()
        assert (told["status"], told["title"]) == (kind.status, kind.title)
    assert (await client.get(f"/problems/{MARK}")).status_code == 404


async def test_the_document_is_served_and_may_be_stored(client):
    response = await client.get("/openapi.json")
    assert response.json()["openapi"] == "3.1.0"
    assert "cache-control" not in response.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/journeys", 405),
        ("DELETE", "/v1/sources", 405),
        ("POST", "/livez", 405),
        ("GET", "/v1/journeys/stream", 404),
        ("GET", "/docs", 404),
        ("GET", "/metrics", 404),
        ("GET", f"/{MARK}", 404),
        ("GET", "/v1/sources/", 404),
    ],
)
async def test_what_is_not_here_says_so(client, method, path, status):
    response = await client.request(method, path, follow_redirects=False)
    assert response.status_code == status
    assert echoes(response, MARK) == []
