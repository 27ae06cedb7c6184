"""Whom a record is about, in each of the ways FHIR has of saying it."""

import json
import re
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Identifier
from adapters.fhir.elements import Identification, Reference
from adapters.fhir.references import (
    UNRESOLVED,
    Index,
    Scope,
    Unresolvable,
    identified,
    record_named,
)
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
        f"{BASE}/Patient?identifier={OLD_NHS}|{number(0)}",
        f"Patient?identifier={quote(NHS, safe='')}%7C{number(0)}",
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
        UNRESOLVED,
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
        "#",
        "Patient?name=Larkin",
        f"Patient?identifier={NHS}",
        "Patient/p0#part",
        "http://",
        "p0",
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


OTHER = frozenset({Identifier(NHS, number(1))})
MINE = Identification(NHS, number(0))
THEIRS = Identification(NHS, number(1))


def about(text, made, contained=None):
    return made.subject(Reference(reference=text), contained)


def test_the_letters_of_a_uuid_may_be_large_or_small():
    made = Index(Scope(base=BASE))
    made.add_patient(Patient(id="p0", identifier=(MINE,)), "urn:uuid:ABCDEF00-1")
    assert about("urn:uuid:abcdef00-1", made) == (ME, None)


def test_two_patients_of_one_full_url_who_may_be_several_are_nobody():
    made = Index(Scope(base=BASE))
    made.add_patient(Patient(id="a", identifier=(MINE,)), "urn:uuid:1")
    made.add_patient(
        Patient(id="b", identifier=(Identification("urn:local", "L2"),)), "urn:uuid:1"
    )
    made.add_patient(Patient(id="c", identifier=(MINE,)), "urn:uuid:1")
    with pytest.raises(Unresolvable):
        about("urn:uuid:1", made)
    assert about("Patient/a", made)[0] == ME


def test_numbers_that_differ_under_one_name_are_both_named():
    """Both, so that the record is seen not to be the asked person's alone."""
    made = index()
    made.add_patient(Patient(id="p0", identifier=(THEIRS,)), None)
    assert about("Patient/p0", made)[0] == ME | OTHER


def test_a_patient_that_comes_twice_is_one():
    made = index()
    local = Identification("urn:local", "L1")
    made.add_patient(Patient(id="p0", identifier=(local,)), None)
    assert about("Patient/p0", made)[0] == ME | {Identifier("urn:local", "L1")}
    made.add_patient(Patient(id="p0", identifier=(MINE, local)), None)
    assert about("Patient/p0", made)[0] == ME | {Identifier("urn:local", "L1")}


def test_an_identifier_leads_to_the_one_patient_who_bears_it():
    made = Index(Scope(base=BASE))
    local = Identification("urn:local", "L1")
    made.add_patient(Patient(id="p0", identifier=(MINE, local)), None)
    named = ME | {Identifier("urn:local", "L1")}
    assert made.subject(Reference(identifier=local), None) == (named, None)
    assert about("Patient?identifier=urn:local|L1", made) == (named, None)
    made.add_patient(Patient(id="p1", identifier=(THEIRS, local)), None)
    alone = frozenset({Identifier("urn:local", "L1")})
    assert made.subject(Reference(identifier=local), None) == (alone, None)


def test_an_identifier_tells_where_the_reference_beside_it_does_not():
    made = index()
    broken = Reference(reference="resource:0", identifier=MINE)
    assert made.subject(broken, None) == (ME, UNRESOLVED)
    with pytest.raises(Unresolvable):
        made.subject(Reference("resource:0", Identification(NHS, "123")), None)
    another = Reference(reference="Patient/other", identifier=THEIRS)
    assert made.subject(another, None)[0] == OTHER | {
        Identifier(f"{BASE}/Patient", "other")
    }


def test_what_is_contained_is_looked_for_there_alone():
    """A contained Patient with the id of another on the page is not that other."""
    made = index()
    theirs = raw(
        resourceType="Patient",
        id="p0",
        identifier=[{"system": NHS, "value": number(1)}],
    )
    assert about("#p0", made, (theirs,)) == (OTHER, None)
    assert about("Patient/p0", made, (theirs,)) == (ME, None)
    with pytest.raises(Unresolvable):
        about("#p0", made)


def test_contained_patients_of_one_id_who_differ_are_both_named():
    one, other = (
        raw(
            resourceType="Patient",
            id="x",
            identifier=[{"system": NHS, "value": number(nth)}],
        )
        for nth in (0, 1)
    )
    assert about("#x", index(), (one, other))[0] == ME | OTHER
    stranger = raw(
        resourceType="Patient",
        id="x",
        identifier=[{"system": "urn:local", "value": "L9"}],
    )
    with pytest.raises(Unresolvable):
        about("#x", index(), (one, stranger))


def test_a_contained_patient_without_identifiers_names_nobody_and_that_is_said():
    nameless = raw(resourceType="Patient", id="x", name=[{"family": "Larkin"}])
    assert about("#x", index(), (nameless,)) == (None, UNRESOLVED)


def test_what_contains_each_other_comes_to_an_end():
    one = raw(resourceType="Group", id="a", member=[{"entity": {"reference": "#b"}}])
    other = raw(resourceType="Patient", id="b", link=[{"other": {"reference": "#a"}}])
    assert about("#b", index(), (one, other)) == (None, UNRESOLVED)
    with pytest.raises(Unresolvable):
        about("#a", index(), (one, other))


def test_a_record_of_another_server_is_about_that_servers_patient():
    made = index()
    made.turn_to("https://elsewhere.invalid")
    named = frozenset({Identifier("https://elsewhere.invalid/Patient", "p0")})
    assert about("Patient/p0", made) == (named, UNRESOLVED)
    assert about(f"{BASE}/Patient/p0", made) == (ME, None)
    made.add_patient(Patient(id="p0", identifier=(THEIRS,)), None)
    assert about("Patient/p0", made) == (OTHER, None)
    made.turn_to(None)
    assert about("Patient/p0", made) == (ME, None)


def test_a_server_may_call_itself_by_another_name():
    made = Index(Scope(base=BASE))
    made.call("http://inner.invalid:8080/fhir")
    made.add_patient(Patient(id="p0", identifier=(MINE,)), None)
    assert about("http://inner.invalid:8080/fhir/Patient/p0", made) == (ME, None)
    assert about("http://inner.invalid:8080/fhir/Patient/p1", made) == (
        frozenset({Identifier(f"{BASE}/Patient", "p1")}),
        UNRESOLVED,
    )


def test_medicines_that_differ_under_one_name_are_neither():
    made = index()
    one = raw(resourceType="Medication", id="m", code={"text": "Aspirin"})
    made.add_context("Medication", one, full_url="urn:uuid:m")
    made.add_context("Medication", one, full_url=None)
    assert made.medication("Medication/m/_history/2", None).text == "Aspirin"
    other = raw(resourceType="Medication", id="m", code={"text": "Warfarin"})
    made.add_context("Medication", other, full_url=None)
    made.add_context("Medication", one, full_url=None)
    assert made.medication("Medication/m", None) is None
    assert made.medication("urn:uuid:m", None).text == "Aspirin"


def test_context_of_another_server_is_found_there_alone():
    made = index()
    theirs = raw(resourceType="Medication", id="m", code={"text": "Warfarin"})
    made.turn_to("https://elsewhere.invalid")
    made.add_context("Medication", theirs, full_url=None)
    assert made.medication("Medication/m", None).text == "Warfarin"
    made.turn_to(None)
    assert made.medication("Medication/m", None) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("MedicationRequest/m1", "MedicationRequest/m1"),
        ("MedicationRequest/m1/_history/4", "MedicationRequest/m1"),
        (f"{BASE}/MedicationRequest/m1", "MedicationRequest/m1"),
        ("https://elsewhere.invalid/MedicationRequest/m1", None),
        ("urn:uuid:5", "MedicationRequest/m5"),
        ("urn:uuid:6", None),
        (f"Patient/{number(0)}", None),
        ("resource:0", None),
        (None, None),
    ],
)
def test_a_link_is_told_by_type_and_id_and_never_by_a_number(text, named):
    made = index()
    made.records = lambda: {"urn:uuid:5": "MedicationRequest/m5"}
    assert made.linked(Reference(reference=text)) == named
    assert record_named(text) in {named, None}


PARTS = [
    *("Patient", "patient", "Group", "/", "//", "p0", "p1", "#", "?", " ", "%70"),
    *("/_history/1", "/_history", "..", BASE, "https://elsewhere.invalid", "urn:uuid:"),
]
LEADS_TO_ME = {
    "Patient/p0",
    f"{BASE}/Patient/p0",
    *(f"{root}Patient/p0/_history/1" for root in ("", f"{BASE}/")),
    *(f"{root}Patient/p0/_history/p0" for root in ("", f"{BASE}/")),
}


@given(st.lists(st.sampled_from(PARTS), max_size=7))
def test_only_a_reference_to_a_person_leads_to_that_person(parts):
    """Catches the seeded defect of matching a reference by how it ends."""
    text = "".join(parts)
    try:
        subject, _ = about(text, index())
    except Unresolvable:
        return
    is_mine = bool(subject and subject & ME)
    versioned = re.sub(r"/_history/[^/]*$", "/_history/1", text)
    assert is_mine == (text in LEADS_TO_ME or versioned in LEADS_TO_ME)
    assert (subject is None) == (text == "")


@pytest.mark.parametrize(
    "given",
    [
        Identification(None, number(0)),
        Identification(NHS, None),
        Identification(NHS, number(0), "old"),
        Identification("urn:local", "TO-FOLLOW"),
    ],
)
def test_an_identifier_that_identifies_nobody_is_said(given):
    made = Index(Scope(base=BASE, placeholders=frozenset({"TO-FOLLOW"})))
    made.add_patient(Patient(id="p0", identifier=(MINE,)), None)
    assert made.subject(Reference(identifier=given), None) == (None, UNRESOLVED)
    beside = Reference(reference="Patient/p0", identifier=given)
    assert made.subject(beside, None) == (ME, None)
    conditional = Reference(reference="Patient?identifier=urn:local|TO-FOLLOW")
    assert made.subject(conditional, None) == (None, UNRESOLVED)
