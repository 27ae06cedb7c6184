"""What a site says of what it does not even read as a question, and records of it."""

import asyncio
import json

import httpx
import pytest

from adapters.site.wire import QUESTIONS_PATH, Refusal, read
from gateway.site.app import create_site
from gateway.site.settings import load_site
from tests.houses import HouseClock
from tests.outbound import fetching
from tests.serving import free_port
from tests.site_processes import enrol
from tests.tables import write_sqlite
from tests.trails import rows_of

SOURCE = "Z9B02.epr"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def asking(tmp_path):
    """A client of a started site, and what its trail holds of each type."""
    enrolled = enrol(tmp_path, write_sqlite(tmp_path / "db", []), source=SOURCE)
    app = create_site(
        load_site(enrolled.config, {"THROUGHLINE_HTTP__BODY_S": "0.2"}),
        HouseClock(),
        version="0",
    )

    def recorded():
        rows = [json.loads(text) for _, text, _ in rows_of(enrolled.site / "site.db")]
        return [each for each in rows if each["type"] == "not_taken"]

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://site.invalid"
        ) as client,
    ):
        yield client, recorded


async def slowly():
    yield b"{"
    await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"x" * 70_000, JSON, "too_large"),
        (b"{}", {"Content-Type": "text/plain"}, "malformed"),
        (b"{}", {}, "malformed"),
        (b"{}", JSON | {"Content-Length": "-2"}, "malformed"),
        (slowly, JSON, "malformed"),
        (b"{}", JSON, "malformed"),
    ],
)
async def test_whatever_is_posted_is_refused_and_recorded(
    asking, content, headers, code
):
    client, recorded = asking
    body = content() if callable(content) else content
    response = await client.post(QUESTIONS_PATH, content=body, headers=headers)
    assert response.status_code == 403
    assert read(response.content, Refusal).refused == code
    (record,) = recorded()
    assert record["code"] == code
    assert (record.get("digest") is None) == (content != b"{}" or headers != JSON)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", QUESTIONS_PATH, 405),
        ("POST", QUESTIONS_PATH + "/", 404),
        ("GET", "/", 404),
        ("GET", "/site/v1/questions/9990000018", 400),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
    ],
)
async def test_nothing_else_is_answered(asking, method, path, status):
    client, recorded = asking
    response = await client.request(method, path)
    assert response.status_code == status
    assert recorded() == []


async def test_a_site_that_none_of_its_polls_serves_is_not_ready(tmp_path):
    enrolled = enrol(
        tmp_path,
        write_sqlite(tmp_path / "db", []),
        source=SOURCE,
        environment="development",
    )
    fetching(enrolled, f"http://127.0.0.1:{free_port()}")  # where nobody listens
    app = create_site(load_site(enrolled.config, {}), HouseClock(), version="0")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://site.invalid"
        ) as client,
    ):
        async with asyncio.timeout(5):
            while (await client.get("/readyz")).status_code == 200:  # noqa: ASYNC110 - a site tells nobody
                await asyncio.sleep(0.01)
        assert (await client.get("/livez")).status_code == 200
