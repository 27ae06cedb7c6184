"""Every refusal is a problem with a stable code, and echoes nothing."""

import json

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from gateway.problems import (
    PROBLEMS,
    FieldError,
    RequestError,
    install_problem_handlers,
    invalid_fields,
    problem_response,
)

SECRET = "9990000018"

FIELDS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "next_step",
    "request_id",
    "errors",
    "unmet",
    "completeness",
}


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    purpose: str
    count: int = 0
    inner: "Inner | None" = None


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    names: list[int]


@pytest.fixture
def app():
    app = FastAPI()
    install_problem_handlers(app)

    @app.post("/ask")
    async def ask(body: Body) -> int:
        return body.count

    @app.get("/refused")
    async def refused() -> None:
        error = RequestError("required-sources-unmet", "Two were required.")
        raise error.with_completeness({"level": "partial"}, [{"condition": "source"}])

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET)

    return app


@pytest.fixture
async def client(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def problem(response):
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == FIELDS
    assert body["type"].startswith("urn:throughline:problem:")
    assert body["status"] == response.status_code
    assert SECRET not in response.text
    return body


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_every_code_has_a_status_a_title_and_a_next_step(code):
    response = problem_response(RequestError(code), "id-1")
    body = json.loads(bytes(response.body))
    assert body["type"] == f"urn:throughline:problem:{code}"
    assert body["request_id"] == "id-1"
    assert response.status_code == body["status"] == PROBLEMS[code].status
    assert body["title"]
    assert body["next_step"].endswith(".")
    assert ("retry-after" in response.headers) == (response.status_code == 503)
    assert ("www-authenticate" in response.headers) == (response.status_code == 401)


def test_a_code_of_a_status_says_that_status():
    for code, kind in PROBLEMS.items():
        if code.startswith("http-"):
            assert code == f"http-{kind.status}"


async def test_a_refusal_tells_what_was_and_was_not_answered(client):
    body = problem(await client.get("/refused"))
    assert body["status"] == 424
    assert body["detail"] == "Two were required."
    assert body["completeness"] == {"level": "partial"}
    assert body["unmet"] == [{"condition": "source"}]


def test_when_to_ask_again_is_told_in_seconds():
    response = problem_response(RequestError("overloaded", retry_after_s=17), None)
    assert response.headers["retry-after"] == "17"


@pytest.mark.parametrize(
    ("sent", "code", "errors"),
    [
        ({}, "purpose-missing", [("/purpose", "missing")]),
        (
            {"purpose": ["direct-care"]},
            "purpose-missing",
            [("/purpose", "string-type")],
        ),
        ({"purpose": None}, "purpose-missing", [("/purpose", "string-type")]),
        (
            {"purpose": "direct-care", "count": SECRET + "x"},
            "request-invalid",
            [("/count", "int-parsing")],
        ),
        (
            {"purpose": "direct-care", SECRET: 1},
            "request-invalid",
            [("", "unknown")],
        ),
        (
            {"purpose": "x", "inner": {"names": [1, SECRET + "x"]}},
            "request-invalid",
            [("/inner/names/1", "int-parsing")],
        ),
        (
            {"purpose": "x", "inner": {"names": [], SECRET: 1}},
            "request-invalid",
            [("/inner", "unknown")],
        ),
    ],
)
async def test_a_wrong_field_is_pointed_at_and_never_shown(client, sent, code, errors):
    body = problem(await client.post("/ask", json=sent))
    assert body["status"] == 400
    assert body["type"].endswith(f":{code}")
    assert [(one["pointer"], one["code"]) for one in body["errors"]] == errors


async def test_a_body_that_is_not_json_is_a_problem_too(client):
    response = await client.post("/ask", content=SECRET + "{")
    assert problem(response)["type"].endswith(":request-invalid")


async def test_an_unknown_address_is_not_found(client):
    body = problem(await client.get(f"/nothing/{SECRET}"))
    assert body["type"].endswith(":not-found")


async def test_a_method_that_is_not_there_names_those_that_are(client):
    response = await client.delete("/ask")
    assert problem(response)["type"].endswith(":http-405")
    assert response.headers["allow"] == "POST"


async def test_what_breaks_inside_is_500_without_a_word_of_it(client):
    body = problem(await client.get("/broken"))
    assert (body["status"], body["detail"]) == (500, None)


async def test_any_status_of_the_framework_has_a_code(app, client):
    from starlette.exceptions import HTTPException  # noqa: PLC0415 - raised here alone

    async def raised(status: int) -> None:
        raise HTTPException(status, SECRET)

    app.add_api_route("/status/{status}", raised)

    codes = {}
    for status in (404, 405, 413, 415, 418, 502):
        body = (await client.get(f"/status/{status}")).json()
        codes[status] = body["type"].removeprefix("urn:throughline:problem:")
    assert codes == {
        404: "not-found",
        405: "http-405",
        413: "http-413",
        415: "http-415",
        418: "request-invalid",
        502: "internal",
    }


def test_a_pointer_escapes_what_pointers_must():
    error = invalid_fields([{"loc": ("body", "a/b~c"), "type": "missing"}])
    assert error.errors == (FieldError(pointer="/a~1b~0c", code="missing"),)
    assert error.code == "request-invalid"


def test_an_error_of_the_whole_body_points_at_the_whole():
    error = invalid_fields([{"loc": (), "type": "model_attributes_type"}])
    assert error.errors == (FieldError(pointer="", code="model-attributes-type"),)
