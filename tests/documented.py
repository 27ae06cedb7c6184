"""A client that holds every response to the OpenAPI document of the gateway."""

import copy
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import (  # type: ignore[import-untyped]  # it publishes no types
    Draft202012Validator,
)

from gateway.api.document import openapi_of
from gateway.app import routes

Document = dict[str, Any]


@cache
def document() -> Document:
    """The document, with every object closed: a field it does not name is wrong."""
    closed = copy.deepcopy(openapi_of(routes()))
    for schema in closed["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
    return closed


def operation(method: str, path: str) -> Document | None:
    """The operation that answers a request, None where there is none."""
    for template, operations in document()["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in operations:
            found: Document = operations[method.lower()]
            return found
    return None


def complaints(response: httpx.Response) -> list[str]:
    """What the document does not say of a response; places, never values."""
    request = response.request
    described = operation(request.method, request.url.path)
    if described is None:
        schema = {"$ref": "#/components/schemas/Problem"}
        return [*_wrong_status(response), *_misshapen(response, schema)]
    answers = described["responses"].get(str(response.status_code))
    if answers is None:
        return [f"{described['operationId']}: undocumented {response.status_code}"]
    if "content" not in answers:
        return ["a body where none is promised"] if response.content else []
    if "content" not in answers:
        return [] if response.content == b"" else ["content where there is none"]
    ((media_type, content),) = answers["content"].items()
    if response.headers["content-type"] != media_type:
        return [f"{described['operationId']}: another media type"]
    missing = [
        f"{described['operationId']}: no {name}"
        for name in answers.get("headers", {})
        if name not in response.headers
    ]
    return missing + _misshapen(response, content["schema"])


def _wrong_status(response: httpx.Response) -> list[str]:
    expected = {400, 404, 405, 413}
    return [] if response.status_code in expected else ["a route of no document"]


def _misshapen(response: httpx.Response, schema: Document) -> list[str]:
    whole = document() | {"$ref": schema["$ref"]}
    validator = Draft202012Validator(
        whole, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [
        f"{error.json_path} breaks {error.validator}"
        for error in validator.iter_errors(response.json())
    ]


class DocumentedClient(httpx.AsyncClient):
    """An ordinary client, but for failing where the document is not kept."""

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        response = await super().send(request, **how)
        await response.aread()
        if request.url.path != "/openapi.json":
            assert complaints(response) == []
        return response
