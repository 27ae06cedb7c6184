"""The FHIR export keeps to the published definition of Permission, and says it all."""

import json
import re
from typing import Any

import pytest

from policies.clauses import Member
from policies.exports.fhir_permission import fhir_permissions
from tests.spec.policies.scenes import SCENES, STUDY
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    agreement,
    clause,
    local_rule,
    read,
    rule,
    signature,
)

# FHIR 5.0.0, Permission: element → (fewest, whether many, type or its elements).
EXTENSION = {
    "url": (1, False, str),
    "valueString": (0, False, str),
    "valueCode": (0, False, "code"),
    "valueBoolean": (0, False, bool),
}
CODING = {"system": (0, False, str), "code": (0, False, "code")}
CONCEPT = {"coding": (0, True, CODING), "text": (0, False, str)}
REFERENCE = {
    "type": (0, False, str),
    "identifier": (0, False, {"system": (0, False, str), "value": (0, False, str)}),
    "display": (0, False, str),
}
DATA = {
    "modifierExtension": (0, True, EXTENSION),
    "resource": (
        0,
        True,
        {"meaning": (1, False, "code"), "reference": (1, False, REFERENCE)},
    ),
    "security": (0, True, CODING),
}
ACTIVITY = {
    "actor": (0, True, REFERENCE),
    "action": (0, True, CONCEPT),
    "purpose": (0, True, CONCEPT),
}
RULE = {
    "modifierExtension": (0, True, EXTENSION),
    "type": (0, False, "code"),
    "data": (0, True, DATA),
    "activity": (0, True, ACTIVITY),
    "limit": (0, True, CONCEPT),
}
PERMISSION = {
    "resourceType": (1, False, str),
    "id": (0, False, "id"),
    "extension": (0, True, EXTENSION),
    "status": (1, False, "code"),
    "asserter": (0, False, REFERENCE),
    "date": (0, True, "dateTime"),
    "validity": (
        0,
        False,
        {"start": (0, False, "dateTime"), "end": (0, False, "dateTime")},
    ),
    "justification": (
        0,
        False,
        {"basis": (0, True, CONCEPT), "evidence": (0, True, REFERENCE)},
    ),
    "combining": (1, False, "code"),
    "rule": (0, True, RULE),
}
FORMS = {
    "code": r"[^\s]+( [^\s]+)*",
    "id": r"[A-Za-z0-9\-\.]{1,64}",
    "dateTime": r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?",
}
BOUND = {
    "status": {"active", "entered-in-error", "draft", "rejected"},
    "combining": {"deny-overrides"},
    "type": {"permit", "deny", "Organization"},
    "meaning": {"instance", "related", "dependents", "authoredby"},
}


def faults(found: Any, shape: Any, path: str) -> list[str]:
    """Where an element is not of its shape; FHIR has no empty values either."""
    if isinstance(shape, str):
        fits = isinstance(found, str) and re.fullmatch(FORMS[shape], found)
        name = path.rpartition(".")[2]
        return [] if fits and found in BOUND.get(name, {found}) else [path]
    if isinstance(shape, type):
        return [] if isinstance(found, shape) and found != "" else [path]
    if not isinstance(found, dict) or not found or set(found) - set(shape):
        return [f"{path} {sorted(set(found) - set(shape))}"]
    wrong = []
    for name, (fewest, is_many, inner) in shape.items():
        held = found.get(name, [] if is_many else None)
        values = held if is_many else [] if held is None else [held]
        if not isinstance(values, list) or len(values) < fewest:
            wrong.append(f"{path}.{name}")
        elif is_many and name in found and not values:
            wrong.append(f"{path}.{name} is empty")
        else:
            wrong += [
                f for each in values for f in faults(each, inner, f"{path}.{name}")
            ]
    return wrong


def permissions(*data: Any, by: tuple[str, ...] = (GP, HOSPITAL)) -> dict[str, Any]:
    documents = [read(each) for each in data]
    signatures = [
        signature(document, each)
        for document in documents
        if document.id.startswith("DSA")
        for each in by
    ]
    bundle = fhir_permissions(documents, signatures)
    return {authority(each["resource"]): each["resource"] for each in bundle["entry"]}


def authority(resource: dict[str, Any]) -> str:
    return str(extensions(resource["extension"], "authority")[0])


def extensions(held: list[dict[str, Any]], name: str) -> list[Any]:
    return [
        value
        for each in held
        if each["url"] == f"urn:throughline:policy:{name}"
        for key, value in each.items()
        if key != "url"
    ]


@pytest.mark.parametrize("name", SCENES)
def test_every_permission_is_of_the_published_shape(name):
    scene = SCENES[name]
    bundle = fhir_permissions(scene.documents, scene.signatures)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    policy_set = scene.compiled()
    assert bundle["identifier"]["value"] == policy_set.version
    assert len(bundle["entry"]) == len(policy_set.lines)
    for entry in bundle["entry"]:
        assert faults(entry["resource"], PERMISSION, "Permission") == []
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
    assert json.loads(json.dumps(bundle)) == bundle


def test_the_shape_finds_what_is_wrong():
    found = next(iter(permissions(agreement()).values()))
    for broken in (
        {**found, "status": "ok"},
        {**found, "identifier": []},
        {**found, "date": []},
        {**found, "date": ["1 May"]},
        {key: value for key, value in found.items() if key != "combining"},
        {**found, "rule": [{}]},
    ):
        assert faults(broken, PERMISSION, "Permission")


def test_a_grant_says_who_may_see_whose_data_and_why():
    grant = permissions(agreement())["DSA-2031-017/c1@1#Z9B"]
    assert grant["status"] == "active"
    assert grant["asserter"]["identifier"]["value"] == HOSPITAL
    assert grant["validity"] == {"start": "2031-04-01", "end": "2033-03-31"}
    assert grant["date"] == ["2031-03-01T09:00:00+00:00"]
    basis = [each["coding"][0]["code"] for each in grant["justification"]["basis"]]
    assert basis == ["6(1)(e)", "9(2)(h)", "implied-consent"]
    assert grant["justification"]["evidence"] == [{"display": "DPIA-88"}]
    (told,) = grant["rule"]
    assert told["type"] == "permit"
    (activity,) = told["activity"]
    actors = [each["identifier"]["value"] for each in activity["actor"]]
    assert actors == [GP, HOSPITAL]  # the third party did not sign
    purposes = [each["coding"][0]["code"] for each in activity["purpose"]]
    assert purposes == ["COC", "TREAT"]
    (limit,) = told["limit"]
    assert limit["text"] == "hide_fields: person.address"
    conditions = told["modifierExtension"]
    assert extensions(conditions, "role") == ["doctor", "gp", "nurse"]
    assert extensions(conditions, "flag-known-absent") == ["local-dissent"]
    assert extensions(conditions, "labels-all-within") == ["PSY,unlabelled"]
    assert extensions(conditions, "break-glass") == []
    (data,) = told["data"]
    assert extensions(data["modifierExtension"], "category") == [
        "encounters",
        "medications",
    ]


def test_a_grant_without_its_signatures_is_a_draft():
    unsigned = permissions(agreement(), by=(GP,))["DSA-2031-017/c1@1#Z9B"]
    assert (unsigned["status"], "date" in unsigned) == ("draft", False)
    document = read(agreement())
    member = Member(document=document, version=3, suspended=frozenset({HOSPITAL}))
    signatures = [signature(document, each) for each in (GP, HOSPITAL)]
    bundle = fhir_permissions([member], signatures)
    status = {authority(each["resource"]): each["resource"] for each in bundle["entry"]}
    assert status["DSA-2031-017/c1@3#Z9B"]["status"] == "draft"
    assert status["DSA-2031-017/c1@3#Z9A01"]["status"] == "active"


def test_consent_and_exemption_are_told():
    study = clause(
        legal_basis={**STUDY, "evidence": "Protocol 7"},
        exemption={"code": "explicit-consent", "evidence": "Consent form 2"},
        break_glass="only",
        cleared_labels=[],
    )
    grant = permissions(agreement(study))["DSA-2031-017/c1@1#Z9B"]
    told = [each["display"] for each in grant["justification"]["evidence"]]
    assert told == ["DPIA-88", "Protocol 7", "explicit-consent: Consent form 2"]
    conditions = grant["rule"][0]["modifierExtension"]
    assert extensions(conditions, "flag-known-present") == ["consent:DSA-2031-017"]
    assert extensions(conditions, "break-glass") == ["yes"]
    assert extensions(conditions, "labels-all-within") == ["none"]


def test_a_veto_denies_what_it_tests():
    veto = permissions(
        local_rule(
            rule(
                when={
                    "labels_any": ["PSY", "R", "SAFEGUARD"],
                    "agreements": ["DSA-1"],
                    "flags_any": ["ndo"],
                },
                overridable="true",
            )
        )
    )["LR-Z9B-1/v1@1"]
    (told,) = veto["rule"]
    assert (told["type"], veto["asserter"]["identifier"]["value"]) == ("deny", HOSPITAL)
    systems = [each["system"] for each in told["data"][0]["security"]]
    assert systems == [
        "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "urn:throughline:policy:label",
    ]
    conditions = told["modifierExtension"]
    assert extensions(conditions, "agreement") == ["DSA-1"]
    assert extensions(conditions, "break-glass") == ["no"]
    assert extensions(conditions, "flag-any-present-or-unknown") == ["ndo"]
    assert extensions(conditions, "labels-unknown-are-in-scope") == [True]
    assert "activity" not in told


def test_a_constraint_permits_nothing_and_a_floor_has_no_owner():
    narrowing = rule(
        effect="constrain",
        obligations={
            "mask_fields": {"person.name": "partial"},
            "no_onward": "true",
            "max_age_days": "365",
        },
    )
    found = permissions(local_rule(narrowing))
    (told,) = found["LR-Z9B-1/v1@1"]["rule"]
    assert "type" not in told
    texts = [each["text"] for each in told["limit"]]
    assert texts == [
        "mask_fields: person.name partial",
        "max_age_days: 365",
        "no_onward: true",
    ]
    assert [each["code"] for each in told["limit"][2]["coding"]] == [
        "no_onward",
        "NORDSCLCD",
    ]
    floor = found["floor/legally-restricted"]
    assert "asserter" not in floor
    assert "data" not in floor["rule"][0]
