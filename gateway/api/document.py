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
from pydantic import BaseModel

from adapters import vocabulary as events
from adapters.site.ticket import Handed
from gateway.api.break_glass import (
    BreakGlassQueue,
    BreakGlassRequest,
    BreakGlassReview,
    BrokenGlass,
)
from gateway.api.decisions import ExplainRequest
from gateway.api.explanation import Explanation
from gateway.api.findings import FindingsSearch, SourceFindings
from gateway.api.health import Health, ProblemKind
from gateway.api.journey_request import JourneyRequest
from gateway.api.policy import analysis_shapes as analysed
from gateway.api.policy import shapes as administered
from gateway.api.policy import texts
from gateway.api.policy.bodies import Approval, Rollback
from gateway.api.policy.questions import PolicyDraft, PolicyReplay, PolicyWhatIf
from gateway.api.policy.sets import PolicySetDetail, PolicySetList
from gateway.api.policy.vocabulary import PolicyVocabulary
from gateway.api.registry import PurposeList, SourceList
from gateway.api.sites import (
    SiteConfirmation,
    SiteKeys,
    SiteList,
    SiteRegistration,
    SiteRevocation,
)
from gateway.break_glass.reasons import FINDINGS, REASONS
from gateway.journey.journey import Journey, Unmet
from gateway.policy.plan import SUPPORTED
from gateway.problems import MEDIA_TYPE, PROBLEMS
from policies import vocabulary as policy

# What routes answer with; the shapes inside these come by themselves.
_ANSWERS: Final = (
    *(Journey, SourceList, PurposeList, Health, ProblemKind, Unmet),
    *(BrokenGlass, BreakGlassQueue, Explanation, SourceFindings),
    *(SiteKeys, SiteList, Handed),
    *(PolicyVocabulary, PolicySetDetail, PolicySetList, administered.DocumentList),
    *(administered.AgreementVersion, administered.LocalRuleVersion),
    *(analysed.PolicyCheckReport, analysed.PolicyDifference),
    *(analysed.PolicyReplayReport, analysed.WhatIfAnswers),
)
# What routes take; the models inside these come by themselves.
_TAKEN: Final[tuple[type[BaseModel], ...]] = (
    *(BreakGlassRequest, BreakGlassReview, ExplainRequest, FindingsSearch),
    *(SiteRegistration, SiteConfirmation, SiteRevocation),
    *(JourneyRequest, Approval, Rollback),
    *(PolicyDraft, PolicyReplay, PolicyWhatIf),
)
_REF: Final = "#/components/schemas/{name}"
_OR_NULL: Final = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457. Every field is always there.",
    "required": [
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
    ],
    "properties": {
        "type": {
            "type": "string",
            "x-extensible-enum": [f"urn:throughline:problem:{c}" for c in PROBLEMS],
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": _OR_NULL,
        "instance": _OR_NULL,
        "next_step": {"type": "string"},
        "request_id": _OR_NULL,
        "errors": {
            "type": "array",
            "items": {"$ref": _REF.format(name="FieldError")},
        },
        "unmet": {
            "anyOf": [
                {"type": "array", "items": {"$ref": _REF.format(name="Unmet")}},
                {"type": "null"},
            ]
        },
        "completeness": {
            "anyOf": [{"$ref": _REF.format(name="Completeness")}, {"type": "null"}]
        },
    },
}
_FIELD_ERROR: Final = {
    "type": "object",
    "description": "Where a request is wrong, and how; never what was sent.",
    "required": ["pointer", "code", "message"],
    "properties": {
        "pointer": {"type": "string"},
        "code": {"type": "string"},
        "message": _OR_NULL,
    },
}
# Closed lists by the name of their property: each becomes a component.
_CLOSED: Final = {
    "state": "SourceState",
    "level": "CompletenessLevel",
    "fault_domain": "FaultDomain",
    "start_precision": "Precision",
    "end_precision": "Precision",
    "effect": "Effect",
    "condition": "Condition",
    "severity": "Severity",
}
# The same where the property's name alone would say another list.
_CLOSED_OF: Final = {
    (shape, "state"): "DocumentState"
    for shape in ("DocumentCard", "AgreementVersion", "LocalRuleVersion")
}
# Lists that may grow, by the name of their property: strings that say what to expect.
_GROWING: Final = {
    "sector": sorted(events.SECTORS),
    "sectors": sorted(events.SECTORS),
    "category": sorted(events.CATEGORIES),
    "categories": sorted(events.CATEGORIES),
    "complete_for": sorted(events.CATEGORIES),
    "held": sorted(events.CATEGORIES),
    "status": sorted(events.STATUSES),
    "purpose": sorted(policy.PURPOSES),
    "obligations": sorted({*SUPPORTED, "notify"}),
    "reason_code": list(REASONS),
    "finding": list(FINDINGS),
}
_CAVEATS: Final = sorted(events.CAVEATS)
_KIND: Final = "EventKind"
_TRIED: Final = ("PolicyDraft", "PolicyReplay", "PolicyWhatIf")
# Properties whose shape is told elsewhere, by their component.
_ELSEWHERE: Final = {
    ("JourneyEvent", "kind"): _KIND,
    ("AgreementVersion", "content"): "Agreement",
    ("LocalRuleVersion", "content"): "LocalRule",
    ("PolicyChange", "before"): "Obligations",
    ("PolicyChange", "after"): "Obligations",
    **{(asked, "agreement"): "AgreementDraft" for asked in _TRIED},
    **{(asked, "local_rule"): "LocalRuleDraft" for asked in _TRIED},
}
# Of these, null is what is refused, or not given.
_OR_NOTHING: Final = {
    place for place in _ELSEWHERE if place[0] in {"PolicyChange", *_TRIED}
}
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
    document = get_openapi(
        title="Throughline",
        version=app.version,
        openapi_version="3.1.0",
        description=_INFO,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/"}],
        tags=[{"name": "throughline", "description": "The federated gateway"}],
    )
    for operation in _operations(document):
        if MEDIA_TYPE not in operation["responses"].get("422", {}).get("content", {}):
            operation["responses"].pop("422", None)  # the framework's; ours is 400
        for parameter in operation.get("parameters", ()):
            parameter["schema"].pop("title", None)
        operation.setdefault("security", [{"bearer": []}])
    document["components"] = {
        "schemas": _schemas(),
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


def _schemas() -> dict[str, Any]:
    _, found = msgspec.json.schema_components(_ANSWERS, ref_template=_REF)
    for model in _TAKEN:
        request = model.model_json_schema(
            ref_template=_REF.replace("{name}", "{model}")
        )
        found |= request.pop("$defs", {})
        found[model.__name__] = request
    found |= {"Problem": _PROBLEM, "FieldError": _FIELD_ERROR}
    enums = {_KIND: sorted(events.KINDS)}
    tidied = {name: _tidied(name, schema, enums) for name, schema in found.items()}
    tidied |= {name: {"type": "string", "enum": enums[name]} for name in enums}
    return dict(sorted((tidied | texts.schemas()).items()))


def _tidied(
    name: str, schema: dict[str, Any], enums: dict[str, list[str]]
) -> dict[str, Any]:
    """One object without defaults and stray titles; `enums` gathers what it names."""
    properties = {}
    for field, told in schema["properties"].items():
        each = {k: v for k, v in told.items() if k not in {"title", "default"}}
        if "const" in each:
            each = {"type": "string", "enum": [each["const"]]}
        properties[field] = _named((name, field), each, enums)
    return {k: v for k, v in schema.items() if k != "title"} | {
        "properties": properties
    }


def _named(
    place: tuple[str, str], each: dict[str, Any], enums: dict[str, list[str]]
) -> dict[str, Any]:
    """A property with its enum, if it has one, replaced by a component's name."""
    if place in _ELSEWHERE:
        told = {"$ref": _REF.format(name=_ELSEWHERE[place])}
        return {"anyOf": [told, {"type": "null"}]} if place in _OR_NOTHING else told
    if "anyOf" in each:
        inside = [_named(place, one, enums) for one in each["anyOf"]]
        return each | {"anyOf": inside}
    if each.get("type") == "array":
        return each | {"items": _named(place, each["items"], enums)}
    if "enum" in each:
        name, field = place
        component = _CLOSED_OF.get(place) or _CLOSED.get(
            field, f"{name}{field.title()}"
        )
        enums[component] = each["enum"]
        return {"$ref": _REF.format(name=component)}
    expected = _expected(*place)
    if expected and each.get("type") == "string":
        return each | {"x-extensible-enum": expected}
    return each


def _expected(name: str, field: str) -> list[str] | None:
    """The codes a growing string may hold today."""
    if (name, field) in {("CaveatCount", "code"), ("JourneyEvent", "caveats")}:
        return _CAVEATS
    return None if name == "ProblemKind" else _GROWING.get(field)
