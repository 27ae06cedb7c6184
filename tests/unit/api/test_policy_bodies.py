"""What writers of policy send: read strictly, refused by place, never echoed."""

import json
from typing import Any

import pytest

from gateway.api.policy.bodies import (
    Approval,
    Model,
    Rollback,
    read_body,
    read_document,
    read_nothing,
)
from gateway.api.policy.texts import schemas, spelt_out, without_nulls
from gateway.problems import RequestError
from policies.documents import as_data, content_hash, parse_document
from tests.houses import clause

MARK = "Zebrafinch-7731"
AGREEMENT: dict[str, Any] = {
    "kind": "agreement",
    "id": "DSA-1",
    "parties": {"providers": ["Z9A01"], "recipients": ["Z9R01"]},
    "dpia": "DPIA-1",
    "review_by": "2027-01-01",
    "valid": {"from": "2026-01-01", "through": "2027-12-31"},
    "clauses": [
        clause(
            obligations={"mask_fields": {"person.name": "full"}, "max_age_days": 9},
            exemption={"code": "cag", "evidence": "CAG-1"},
            honours=["ndo"],
            break_glass="only",
        ),
        clause(id="c2"),
    ],
}
RULES: dict[str, Any] = {
    "kind": "local-rule",
    "id": "LR-1",
    "org": "Z9A01",
    "rules": [
        {
            "id": "v1",
            "effect": "veto",
            "when": {"purposes": ["research"], "flags_any": ["consent:DSA-1"]},
            "overridable": False,
            "why": "Board",
        },
        {
            "id": "k1",
            "effect": "constrain",
            "when": {"same_org": False},
            "overridable": True,
            "obligations": {"hide_fields": ["person.address"], "justify": True},
            "why": "Board",
        },
    ],
}
DOCUMENTS = {"agreement": AGREEMENT, "local-rule": RULES}


def changed(document, path, value):
    """A copy with what stands at a path (keys and places) replaced or added."""
    copy = json.loads(json.dumps(document))
    *way, last = path
    held = copy
    for step in way:
        held = held[step]
    held[last] = value
    return copy


def refusal(document, kind="agreement"):
    with pytest.raises(RequestError) as refused:
        read_document(json.dumps(document).encode(), kind)
    return refused.value


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_is_read_and_spelt_out_and_read_again(kind):
    """Catches a default spelt out as something that hashes otherwise."""
    document = read_document(json.dumps(DOCUMENTS[kind]).encode(), kind)
    spelt = spelt_out(document)
    again = read_document(json.dumps(spelt).encode(), kind)
    assert again == document
    assert content_hash(again) == content_hash(DOCUMENTS[kind])


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_what_is_spelt_out_has_every_field_of_its_schema(kind):
    """Catches a field of a document that the OpenAPI document does not know."""
    told = schemas()

    def hold(value, schema):
        if "anyOf" in schema:
            schema = schema["anyOf"][0 if value is not None else 1]
        if "$ref" in schema:
            hold(value, told[schema["$ref"].rpartition("/")[2]])
        elif schema["type"] == "object" and "properties" in schema:
            assert set(value) == set(schema["properties"]) == set(schema["required"])
            for name, inside in schema["properties"].items():
                hold(value[name], inside)
        elif schema["type"] == "array":
            for each in value:
                hold(each, schema["items"])
        else:
            allowed = schema.get("enum") or schema.get("x-extensible-enum")
            consents = str(value).startswith("consent:")
            assert allowed is None or value in allowed or consents

    name = {"agreement": "Agreement", "local-rule": "LocalRule"}[kind]
    document = read_document(json.dumps(DOCUMENTS[kind]).encode(), kind)
    hold(spelt_out(document), told[name])


def test_nothing_that_is_sent_in_has_to_be_sent_but_what_has_no_default():
    told = schemas()
    assert told["AgreementClauseDraft"]["required"] == [
        *("id", "purposes", "legal_basis", "operations", "modes", "roles"),
        *("relationships", "assurance", "categories", "why"),
    ]
    assert told["RuleConditionDraft"]["required"] == []
    assert told["RuleConditionDraft"]["additionalProperties"] is False
    assert "additionalProperties" not in told["RuleCondition"]


def test_null_is_left_out_wherever_it_stands():
    assert without_nulls({"a": None, "b": [{"c": None, "d": 1}, None]}) == {
        "b": [{"d": 1}, None]
    }


WRONG = {
    "an unknown code": (
        ("clauses", 0, "roles", 0),
        MARK,
        "/clauses/0/roles/0",
        "unknown",
        "Allowed: gp, doctor",
    ),
    "a typo": (
        ("clauses", 0, "purposes", 0),
        "direct-car",
        "/clauses/0/purposes/0",
        "unknown",
        'Did you mean "direct-care"?',
    ),
    "an unknown key": (
        ("clauses", 1, MARK),
        MARK,
        "/clauses/1",
        "unknown",
        "Allowed: id, purposes",
    ),
    "a missing key": (
        ("valid",),
        {"from": "2026-01-01"},
        "/valid/through",
        "missing",
        "Add it.",
    ),
    "null where something is needed": (
        ("dpia",),
        None,
        "/dpia",
        "missing",
        "Add it.",
    ),
    "an impossible period": (
        ("valid", "through"),
        "2025-12-31",
        "/valid/through",
        "invalid",
        "ends before it starts",
    ),
    "no end": (("valid", "through"), "", "/valid/through", "invalid", "YYYY-MM-DD"),
    "another kind": (("kind",), "local-rule", "/kind", "unknown", "agreement"),
    "a signature": (("kind",), "signature", "/kind", "unknown", "agreement"),
    "a mask of no field": (
        ("clauses", 0, "obligations", "mask_fields"),
        {MARK: "full"},
        "/clauses/0/obligations/mask_fields",
        "unknown",
        "person.name",
    ),
    "an id twice": (
        ("clauses", 1, "id"),
        "c1",
        "/clauses/1",
        "invalid",
        "Give it its own",
    ),
    "no clause": (("clauses",), [], "/clauses", "invalid", "at least one"),
    "a list of nulls": (
        ("clauses", 0, "modes"),
        [None],
        "/clauses/0/modes/0",
        "invalid",
        "must be text",
    ),
}


@pytest.mark.parametrize(
    ("path", "value", "pointer", "code", "says"), WRONG.values(), ids=WRONG
)
def test_a_wrong_document_is_refused_with_its_place_and_what_would_be_right(
    path, value, pointer, code, says
):
    error = refusal(changed(AGREEMENT, path, value))
    assert error.code == "document-invalid"
    (fault,) = error.errors
    assert (fault.pointer, fault.code) == (pointer, code)
    assert says in fault.message
    assert fault.message == error.detail
    assert MARK not in f"{fault.message}{fault.pointer}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-json"),
        (b"[]", "not-an-object"),
        (b'{"kind":"agreement","kind":"agreement"}', "duplicate-name"),
        (b'{"a":' * 80 + b"1" + b"}" * 80, "too-deep"),
        (b'{"a":NaN}', "not-a-number"),
    ],
)
def test_what_is_no_json_of_ours_is_no_document(body, code):
    with pytest.raises(RequestError) as refused:
        read_document(body, "agreement")
    assert refused.value.code == "request-invalid"
    assert [each.code for each in refused.value.errors] == [code]


def test_a_body_of_another_shape_is_refused_by_place():
    bodies: list[tuple[bytes, type[Model], str]] = [
        (b'{"hash":"sha256:1"}', Approval, "/hash"),
        (b'{"hash":"sha256:' + b"0" * 64 + b'","hast":1}', Approval, ""),
        (b'{"version":0}', Rollback, "/version"),
        (b'{"version":"1"}', Rollback, "/version"),
        (b"{}", Rollback, "/version"),
    ]
    for body, model, pointer in bodies:
        with pytest.raises(RequestError) as refused:
            read_body(body, model)
        assert [each.pointer for each in refused.value.errors] == [pointer]
    assert read_body(b'{"version":2}', Rollback).version == 2


@pytest.mark.parametrize("body", [b"", b"{}", b" { } "])
def test_nothing_is_taken_as_nothing(body):
    read_nothing(body)


@pytest.mark.parametrize("body", [b'{"a":1}', b"[]", b"x"])
def test_something_is_not_nothing(body):
    with pytest.raises(RequestError, match="request-invalid"):
        read_nothing(body)


def test_the_canonical_data_of_a_document_is_not_changed_by_spelling_it_out():
    document = read_document(json.dumps(RULES).encode(), "local-rule")
    again = parse_document(without_nulls(spelt_out(document)), where="test")
    assert as_data(document) == as_data(again)
