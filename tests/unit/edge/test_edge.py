"""The outermost layer, on the bare ASGI protocol and through a client."""

import asyncio
import json
import uuid

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from gateway.api.edge import EdgeMiddleware
from gateway.problems import install_problem_handlers
from tests.configuration import changed, settings

SECRET = "9990000018"


@pytest.fixture
def small(tmp_path):
    text = changed("port = 8000", "port = 8000\nbody_bytes = 100\nbody_s = 0.2")
    return settings(tmp_path, text)


@pytest.fixture
def app(small):
    app = FastAPI()
    install_problem_handlers(app)
    app.add_middleware(EdgeMiddleware, settings=small)

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, object]:
        body = await request.body()
        return {"size": len(body), "request_id": request.state.request_id}

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET)

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def body():
            yield b"half"
            raise RuntimeError(SECRET)

        return StreamingResponse(body())

    return app


@pytest.fixture
async def client(app):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def asgi(app, *messages, headers=(), path="/echo", method="POST"):
    """What the app sends for these messages of a request."""
    queue = list(messages)
    sent = []

    async def receive():
        if queue:
            return queue.pop(0)
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
    }
    await app(scope, receive, send)
    return sent


def piece(body, *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def told(sent):
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(client):
    assert (await client.post("/echo", content=b"x" * 100)).json()["size"] == 100
    response = await client.post("/echo", content=b"x" * 101)
    assert response.status_code == 413
    assert response.json()["type"] == "urn:throughline:problem:http-413"
    assert response.headers["connection"] == "close"
    assert response.headers["cache-control"] == "no-store"


async def test_a_chunked_body_is_counted_as_it_comes(app):
    status, body = told(await asgi(app, piece(b"x" * 60, more=True), piece(b"x" * 60)))
    assert (status, body["type"]) == (413, "urn:throughline:problem:http-413")
    status, body = told(await asgi(app, piece(b"x" * 60, more=True), piece(b"x" * 40)))
    assert (status, body["size"]) == (200, 100)


async def test_a_declared_length_is_enough_to_refuse(app):
    status, _ = told(await asgi(app, headers=[(b"content-length", b"101")]))
    assert status == 413
    status, _ = told(await asgi(app, headers=[(b"content-length", b"9" * 5000)]))
    assert status == 413


@pytest.mark.parametrize("length", [b"-1", b"x", b"1e3", "²".encode("latin-1")])
async def test_a_length_that_is_no_number_is_refused(app, length):
    status, body = told(await asgi(app, headers=[(b"content-length", length)]))
    assert (status, body["type"]) == (400, "urn:throughline:problem:request-invalid")


async def test_a_body_that_drips_is_given_up(app):
    status, body = told(await asgi(app, piece(b"x", more=True)))
    assert (status, body["type"]) == (408, "urn:throughline:problem:http-408")


async def test_a_caller_who_hangs_up_is_not_answered(app):
    sent = await asgi(app, piece(b"x", more=True), {"type": "http.disconnect"})
    assert sent == []


async def test_the_handler_still_sees_a_caller_leave(small):
    seen = []

    async def handler(scope, receive, send):
        seen.append(await receive())
        seen.append(await receive())

    edge = EdgeMiddleware(handler, small)
    await asgi(edge, piece(b"x"), {"type": "http.disconnect"})
    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("write", [str.lower, str.upper])
async def test_a_request_id_is_mirrored_as_it_is_if_it_is_one(client, write):
    given = write("0a1b2c3d-0000-4000-8000-00000000000f")
    response = await client.post("/echo", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", SECRET, "not-a-uuid", "é", "0" * 32])
async def test_a_request_id_is_made_where_none_is_given(client, given):
    headers = [(b"x-request-id", given.encode("latin-1"))] if given else []
    response = await client.post("/echo", headers=headers)
    assert uuid.UUID(response.headers["x-request-id"]).version == 4
    assert SECRET not in response.text


async def test_a_correlation_id_is_mirrored_if_it_is_plain(client):
    response = await client.post("/echo", headers={"X-Correlation-ID": "abc.1"})
    assert response.headers["x-correlation-id"] == "abc.1"
    response = await client.post("/echo", headers={"X-Correlation-ID": "a b\tc"})
    assert "x-correlation-id" not in response.headers


async def test_every_response_is_not_to_be_stored_nor_sniffed(client):
    for path in ("/echo", "/nothing", "/openapi.json/nothing"):
        response = await client.post(path)
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_the_description_of_the_api_may_be_stored(client):
    response = await client.get("/openapi.json")
    assert response.status_code == 200
    assert "cache-control" not in response.headers


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "NHSD-End-User-Organisation-ODS",
        "X-Request-ID",
        "X-Correlation-ID",
        "Content-Type",
        "Throughline-Purpose",
        "traceparent",
        "If-Match",
        "Idempotency-Key",
    ],
)
async def test_a_header_that_settles_something_may_come_once(client, name):
    twice = [(name, SECRET), (name.upper(), SECRET)]
    response = await client.post("/echo", headers=twice)
    assert response.status_code == 400
    assert response.json()["type"] == "urn:throughline:problem:duplicate-header"
    assert SECRET not in response.text
    once = await client.post("/echo", headers=[(name, "x"), ("Accept", "a")])
    assert once.status_code == 200


async def test_headers_that_settle_nothing_may_repeat(client):
    headers = [("Accept", "a"), ("Accept", "b"), ("X-Other", "1"), ("X-Other", "1")]
    assert (await client.post("/echo", headers=headers)).status_code == 200


async def test_what_breaks_inside_is_500_and_its_words_stay_inside(client, capsys):
    response = await client.get("/broken")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:throughline:problem:internal"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    logged = capsys.readouterr()
    assert SECRET not in response.text + logged.out + logged.err
    assert "RuntimeError" in logged.out


async def test_a_response_cut_short_is_an_error_to_the_server(client, capsys):
    with pytest.raises(ConnectionAbortedError) as caught:
        await client.get("/half")
    assert caught.value.__suppress_context__
    assert SECRET not in capsys.readouterr().out


async def test_outside_the_app_too_nothing_of_a_failure_passes(small, capsys):
    inner = FastAPI()
    install_problem_handlers(inner)

    @inner.get("/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET)

    transport = httpx.ASGITransport(EdgeMiddleware(inner, small))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/broken")
    assert response.status_code == 500
    assert SECRET not in response.text + capsys.readouterr().out


async def test_what_is_not_a_request_passes_by(small):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["type"], await receive()))

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        raise AssertionError

    await EdgeMiddleware(app, small)({"type": "lifespan"}, receive, send)
    assert seen == [("lifespan", {"type": "lifespan.startup"})]
