"""The OpenAPI document, made from the routes and the very shapes they answer with.

Written for client generators: 3.1.0, one 2xx per operation, every object and enum a
named component, no defaults in requests, nothing that only one generator reads.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from adapters import vocabulary as events
from gateway.api.journey_request import JourneyRequest
from gateway.journey.journey import Unmet
from gateway.problems import PROBLEMS
from policies import vocabulary as policy

_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457. Every field is always there.",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "next_step",
        "request_id",
        "errors",
        "unmet",
        "completeness",
    ],
    "properties": {
        "type": {
            "type": "string",
            "x-extensible-enum": [f"urn:throughline:problem:{c}" for c in PROBLEMS],
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": ["string", "null"]},
        "next_step": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {"$ref": _REF.format(name="FieldError")},
        },
        "unmet": {
            "type": ["array", "null"],
            "items": {"$ref": _REF.format(name="Unmet")},
        },
        "completeness": {
            "anyOf": [{"$ref": _REF.format(name="Completeness")}, {"type": "null"}]
        },
    },
}
_FIELD_ERROR: Final = {
    "type": "object",
    "description": "Where a request is wrong, and how; never what was sent.",
    "required": ["pointer", "code"],
    "properties": {"pointer": {"type": "string"}, "code": {"type": "string"}},
}
# Enumerations by the name of their property: closed ones become components.
_CLOSED: Final = {
    "state": "SourceState",
    "level": "CompletenessLevel",
    "fault_domain": "FaultDomain",
    "start_precision": "Precision",
    "end_precision": "Precision",
    "effect": "Effect",
    "condition": "Condition",
}
_GROWING: Final = {
    "sector": sorted(events.SECTORS),
    "category": sorted(events.CATEGORIES),
    "status": sorted(events.STATUSES),
    "purpose": sorted(policy.PURPOSES),
}
_KIND: Final = "EventKind"
_INFO: Final = (
    "Ask once, with a person and a purpose; every organisation that may hold a part "
    "is asked under its own rules, and one journey comes back with an honest "
    "statement of what is missing. Read `completeness` before `events`.\n\n"
    "Headers understood: `Authorization: Bearer`, `X-Request-ID` (UUID, mirrored), "
    "`X-Correlation-ID` (mirrored), `NHSD-End-User-Organisation-ODS` (one of the "
    "token's), `Prefer: handling=strict`. Each at most once."
)


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The document of an app's routes, as plain data."""
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    document = get_openapi(
        title="Throughline",
        version=app.version,
        openapi_version="3.1.0",
        description=_INFO,
        routes=routes,
        tags=[{"name": "throughline", "description": "The federated gateway"}],
    )
    shapes = []
    for operation in _operations(document):
        shapes.append(operation.pop("x-answer"))
        operation.pop("x-body")
        operation.setdefault("security", [{"bearer": []}])
    document["components"] = {
        "schemas": _schemas([*shapes, Unmet]),
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        },
    }
    cleaned: dict[str, Any] = json.loads(json.dumps(document))
    return cleaned


def as_text(document: dict[str, Any]) -> str:
    """The document as it is committed: two spaces, one final newline."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _schemas(shapes: list[type[msgspec.Struct]]) -> dict[str, Any]:
    _, found = msgspec.json.schema_components(
        list(dict.fromkeys(shapes)), ref_template=_REF
    )
    request = JourneyRequest.model_json_schema(
        ref_template=_REF.replace("{name}", "{model}")
    )
    found |= request.pop("$defs")
    found["JourneyRequest"] = request
    found |= {"Problem": _PROBLEM, "FieldError": _FIELD_ERROR}
    found[_KIND] = {"type": "string", "enum": sorted(events.KINDS)}
    for name, schema in list(found.items()):
        _tidy(name, schema, found)
    return dict(sorted(found.items()))


def _tidy(name: str, schema: dict[str, Any], found: dict[str, Any]) -> None:
    """One object's properties: enums named, defaults and stray titles gone."""
    schema.pop("title", None)
    for field, each in schema.get("properties", {}).items():
        each.pop("title", None)
        each.pop("default", None)
        values = _enum_of(each)
        if values is not None and field in _CLOSED:
            found[_CLOSED[field]] = {"type": "string", "enum": values}
            _point(each, _REF.format(name=_CLOSED[field]))
        if field == "kind" and name == "JourneyEvent":
            each.clear()
            each["$ref"] = _REF.format(name=_KIND)
        elif field in _GROWING and each.get("type") == "string":
            each["x-extensible-enum"] = _GROWING[field]


def _enum_of(each: dict[str, Any]) -> list[str] | None:
    values = each.get("enum")
    return None if values is None else [value for value in values if value is not None]


def _point(each: dict[str, Any], reference: str) -> None:
    """Replace an inline enum by a reference; null stays possible where it was."""
    nullable = None in each.pop("enum")
    each.pop("type", None)
    if nullable:
        each["anyOf"] = [{"$ref": reference}, {"type": "null"}]
    else:
        each["$ref"] = reference
