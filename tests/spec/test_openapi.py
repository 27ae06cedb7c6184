"""The OpenAPI document: the committed one is the app's, and generators can read it.

Each test names a seeded defect it catches. Source: spec of the client API, section 12.
"""

import json

import pytest
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import validate

from gateway.api.document import as_text, openapi_of
from gateway.app import routes
from gateway.problems import PROBLEMS
from tests.corpus import ROOT

DOCUMENT = openapi_of(routes())
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def named_in(value):
    """The components that a part of the document refers to."""
    if isinstance(value, list):
        return {name for each in value for name in named_in(each)}
    if not isinstance(value, dict):
        return set()
    here = {str(value["$ref"]).rpartition("/")[2]} if "$ref" in value else set()
    return here | {name for each in value.values() for name in named_in(each)}


def reached(names):
    """Components, and all that these refer to."""
    found = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += named_in(SCHEMAS[name])
    return found


TAKEN = reached(named_in([one.get("requestBody", {}) for _, one in OPERATIONS]))
GIVEN = reached(named_in([one["responses"] for _, one in OPERATIONS]))
each_operation = pytest.mark.parametrize(
    "operation", [one for _, one in OPERATIONS], ids=[name for name, _ in OPERATIONS]
)


def inside(schema):
    """A schema and every schema in it, references not followed."""
    yield schema
    for key in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(key, ()):
            yield from inside(each)
    if "items" in schema:
        yield from inside(schema["items"])
    for each in schema.get("properties", {}).values():
        yield from inside(each)


def everything(document=DOCUMENT):
    """Every object of the document, by its path."""
    waiting = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            yield path, value
            waiting += [(f"{path}/{key}", each) for key, each in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}/{n}", each) for n, each in enumerate(value)]


def test_the_committed_document_is_the_apps():
    """Catches a route or shape that changed without `make openapi`."""
    committed = (ROOT / "openapi" / "openapi.json").read_text("utf-8")
    assert committed == as_text(DOCUMENT), "run: make openapi"


def test_the_document_is_openapi_3_1_and_valid():
    """Catches a reference to a component that is not there."""
    assert DOCUMENT["openapi"] == "3.1.0"
    validate(json.loads(json.dumps(DOCUMENT)))


def test_every_route_is_in_the_document():
    """Catches a router that the document does not see."""
    served = {
        (method, context.path)
        for context in iter_route_contexts(routes().routes)
        for method in context.methods or ()
    }
    told = {tuple(name.split(" ")) for name, _ in OPERATIONS}
    among_gateways = ("POST", "/v1/relay/{site}/replicas/{jti}")
    assert served - told == {("GET", "/openapi.json"), among_gateways}
    assert len(told) == len(OPERATIONS) > 40


def test_operation_ids_are_unique():
    ids = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


@each_operation
def test_an_operation_has_one_success_and_one_media_type(operation):
    """Catches 200 beside 202, which generators read as one."""
    good = [code for code in operation["responses"] if code.startswith("2")]
    assert good in (["200"], ["201"], ["204"])
    for code, response in operation["responses"].items():
        assert len(response.get("content", {})) == (0 if code == "204" else 1)


@each_operation
def test_every_refusal_is_a_problem(operation):
    """Catches the framework's own 422."""
    for code, response in operation["responses"].items():
        if not code.startswith("2"):
            assert response["content"] == {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Problem"}
                }
            }
            assert int(code) in {kind.status for kind in PROBLEMS.values()}
    assert {"400", "413", "500"} <= set(operation["responses"])


@each_operation
def test_an_operation_has_one_tag_that_is_declared(operation):
    assert operation["tags"] == [tag["name"] for tag in DOCUMENT["tags"]]


@each_operation
def test_no_parameter_comes_twice(operation):
    """Catches a path parameter told by the framework and by us."""
    names = [(one["in"], one["name"]) for one in operation.get("parameters", ())]
    assert len(set(names)) == len(names)


def test_open_routes_are_those_of_health_and_problems():
    """Catches a route that forgot to ask who is there."""
    opened = {name for name, operation in OPERATIONS if operation["security"] == []}
    assert opened == {"GET /livez", "GET /readyz", "GET /problems/{code}"}


def test_every_object_and_enum_is_a_named_component():
    """Catches an enum written where it is used."""
    for name, schema in SCHEMAS.items():
        for each in inside(schema):
            named = each is schema
            assert named or each.get("type") != "object", name
            assert named or not {"enum", "const"} & set(each), name


def test_every_component_is_used():
    """Catches a shape that no route takes or gives any more."""
    assert set(SCHEMAS) == TAKEN | GIVEN


def test_nothing_is_one_of_several_but_null():
    for name, schema in SCHEMAS.items():
        for each in inside(schema):
            assert not {"oneOf", "allOf"} & set(each), name
            assert not isinstance(each.get("type"), list), name
            if "anyOf" in each:
                assert len(each["anyOf"]) == 2, name
                assert each["anyOf"][1] == {"type": "null"}, name


def test_nothing_has_a_default():
    """Catches a default that openapi-typescript would demand of callers."""
    assert [path for path, each in everything() if "default" in each] == []


def test_a_response_always_has_all_its_fields():
    for name in GIVEN:
        schema = SCHEMAS[name]
        assert schema.get("required", []) == list(schema.get("properties", {})), name


def test_a_request_needs_its_purpose_and_takes_nothing_unknown():
    assert SCHEMAS["JourneyRequest"]["required"] == ["purpose"]
    for name in TAKEN - GIVEN:
        if SCHEMAS[name]["type"] == "object":
            assert SCHEMAS[name]["additionalProperties"] is False, name


def test_no_object_is_both_taken_and_given():
    """Catches a request shape that answers: one leaves out what the other holds."""
    both = {name for name in TAKEN & GIVEN if "properties" in SCHEMAS[name]}
    assert both == set()


def test_closed_lists_are_enums_and_growing_ones_are_not():
    """Catches a growing list that would break clients when it grows."""
    enums = {name for name, schema in SCHEMAS.items() if "enum" in schema}
    assert enums == {
        *("CompletenessLevel", "Condition", "Effect", "EventKind", "FaultDomain"),
        "EventLinkGrade",
        *("JourneyRelationshipKind", "Precision", "SourceState"),
        *(
            "BreakGlassUse",
            "DocumentState",
            "PolicyChangeKind",
            "RuleEffect",
            "Severity",
        ),
        "StoredDocumentKind",
    }
    event = SCHEMAS["JourneyEvent"]["properties"]
    assert event["kind"] == {"$ref": "#/components/schemas/EventKind"}
    assert "other" in SCHEMAS["EventKind"]["enum"]
    for field in ("category", "status"):
        assert event[field]["x-extensible-enum"]


def test_the_times_of_events_are_text_of_any_precision():
    for field in ("start", "end", "recorded_at"):
        text = SCHEMAS["JourneyEvent"]["properties"][field]["anyOf"][0]
        assert (text["type"], "format" in text) == ("string", False)
        assert text["pattern"]


def test_the_problem_types_are_all_told():
    told = SCHEMAS["Problem"]["properties"]["type"]["x-extensible-enum"]
    assert told == [f"urn:throughline:problem:{code}" for code in PROBLEMS]
