"""Whom a record is about, in each of the ways FHIR has of saying it."""

import json

import msgspec
import pytest

from adapters.contract import Identifier
from adapters.fhir.elements import Identification, Reference
from adapters.fhir.references import Index, Scope, Unresolvable, identified
from adapters.fhir.resources import Patient
from tests.people import number

NHS = "https://fhir.nhs.uk/Id/nhs-number"
OLD_NHS = "http://fhir.nhs.net/Id/nhs-number"
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
BASE = "https://fhir.example.invalid/r4"
ME = frozenset({Identifier(NHS, number(0))})


def index(base=BASE):
    made = Index(Scope(base=base))
    me = Patient(id="p0", identifier=(Identification(NHS, number(0)),))
    made.add_patient(me, "urn:uuid:11111111-1111-1111-1111-111111111111")
    return made


def raw(**fields):
    return msgspec.Raw(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "text",
    [
        "Patient/p0",
        "Patient/p0/_history/3",
        f"{BASE}/Patient/p0",
        f"{BASE}/Patient/p0/_history/1",
        "urn:uuid:11111111-1111-1111-1111-111111111111",
        f"Patient?identifier={NHS}|{number(0)}",
        f"{BASE}/Patient?identifier={OLD_NHS}%7C{number(0)}".replace("%7C", "|"),
    ],
)
def test_each_way_of_naming_a_person_leads_to_the_same_identifiers(text):
    assert index().subject(Reference(reference=text), None) == (ME, None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Patient/other", Identifier(f"{BASE}/Patient", "other")),
        ("Group/g1", Identifier(f"{BASE}/Group", "g1")),
        (
            "https://elsewhere.invalid/Patient/p0",
            Identifier("https://elsewhere.invalid/Patient", "p0"),
        ),
        (
            "urn:uuid:22222222-2222-2222-2222-222222222222",
            Identifier(
                "urn:ietf:rfc:3986", "urn:uuid:22222222-2222-2222-2222-222222222222"
            ),
        ),
    ],
)
def test_an_unknown_person_is_named_and_never_taken_for_ours(text, named):
    assert index().subject(Reference(reference=text), None) == (
        frozenset({named}),
        None,
    )


@pytest.mark.parametrize(
    "text",
    [
        "22222222-2222-2222-2222-222222222222",
        "resource:0",
        "Patient",
        "Patient/",
        "##subject##",
        "#absent",
    ],
)
def test_a_malformed_reference_is_refused(text):
    with pytest.raises(Unresolvable):
        index().subject(Reference(reference=text), None)


def test_an_absolute_reference_is_followed_where_records_have_no_server():
    about = Reference(reference="https://elsewhere.invalid/fhir/Patient/p0")
    assert index(base="").subject(about, None) == (ME, None)


def test_nobody_and_a_bare_name_name_nobody():
    assert index().subject(None, None) == (None, None)
    assert index().subject(Reference(display="Somebody"), None) == (None, None)


def test_an_identifier_is_enough_and_is_added_to_what_the_reference_says():
    own = Identification("urn:local", "L1")
    assert index().subject(Reference(identifier=own), None) == (
        frozenset({Identifier("urn:local", "L1")}),
        None,
    )
    both = Reference(reference="Patient/p0", identifier=own)
    assert index().subject(both, None) == (ME | {Identifier("urn:local", "L1")}, None)


def test_an_invalid_number_names_nobody_and_is_said():
    about = Reference(identifier=Identification(NHS, "9990000010"))
    assert index().subject(about, None) == (None, "invalid_number")
    text = Reference(reference=f"Patient?identifier={NHS}|123")
    assert index().subject(text, None) == (None, "invalid_number")


def test_a_contained_patient_is_found():
    inside = (
        raw(resourceType="Organization", id="o"),
        raw(
            resourceType="Patient",
            id="me",
            identifier=[{"system": OLD_NHS, "value": number(0)}],
        ),
    )
    assert index().subject(Reference(reference="#me"), inside) == (ME, None)


def test_a_patient_without_identifiers_is_named_by_its_place():
    made = Index(Scope(base=BASE))
    made.add_patient(Patient(id="p9"), None)
    assert made.subject(Reference(reference="Patient/p9"), None) == (
        frozenset({Identifier(f"{BASE}/Patient", "p9")}),
        None,
    )


def test_identifiers_without_system_or_value_or_of_old_are_none():
    given = [
        Identification(None, "1"),
        Identification("urn:x", None),
        Identification(NHS, number(1), "old"),
        Identification(NHS, "4857773456 x"),
        Identification(OLD_NHS, f"{number(0)[:3]} {number(0)[3:6]} {number(0)[6:]}"),
    ]
    assert identified(given) == (ME, 1)


def test_a_hospitals_own_old_number_still_leads_to_its_record():
    merged = Identification("urn:mrn", "M1", "old")
    assert identified([merged]) == (frozenset({Identifier("urn:mrn", "M1")}), 0)
    assert identified([merged], frozenset({"M1"})) == (frozenset(), 0)


def test_an_organisation_is_its_ods_code():
    made = index()
    body = raw(
        resourceType="Organization",
        id="o1",
        identifier=[{"system": ODS, "value": " z9a01"}],
    )
    made.add_context("Organization", body, full_url="urn:uuid:33")
    for reference in (
        Reference(reference="Organization/o1"),
        Reference(reference=f"{BASE}/Organization/o1/_history/2"),
        Reference(reference="urn:uuid:33"),
        Reference(reference=f"Organization?identifier={ODS}|Z9A01"),
        Reference(identifier=Identification(ODS, "Z9A01")),
    ):
        assert made.organisation(reference, None) == "Z9A01"
    assert made.organisation(Reference(reference="#o1"), (body,)) == "Z9A01"
    assert made.organisation(Reference(reference="#o2"), (body,)) is None
    assert made.organisation(Reference(display="A ward"), None) is None
    assert made.organisation(Reference(reference="Organization/x"), None) is None
    assert (
        made.organisation(Reference(identifier=Identification("urn:x", "1")), None)
        is None
    )
    assert made.organisation(None, None) is None
