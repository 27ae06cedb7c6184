"""On which servers the records of a page stand."""

import json

import pytest

from adapters.contract import Identifier
from adapters.fhir import Scope, read_bundle
from adapters.fhir.elements import Identification
from adapters.fhir.resources import Patient
from adapters.fhir.roots import Roots, roots_of
from tests.fhir_asking import NHS, condition, patient
from tests.people import number

BASE = "https://fhir.example.invalid/r4"
INNER = "http://inner.invalid:8080/fhir"
ELSEWHERE = "https://elsewhere.invalid/r4"
KNOWN = Patient(id="p0", identifier=(Identification(NHS, number(0)),))
ME = frozenset({Identifier(NHS, number(0))})


@pytest.mark.parametrize(
    ("urls", "own", "roots"),
    [
        ([], {BASE}, Roots()),
        ([None, f"{BASE}/Patient/p0"], {BASE}, Roots()),
        (["urn:uuid:1", "urn:oid:2"], set(), Roots()),
        (["urn:uuid:1", "not an address", f"{INNER}/metadata"], {BASE}, Roots()),
        ([f"{INNER}/Patient/p0/_history/3"], {BASE}, Roots(homes={0: INNER})),
        ([f"{INNER}/Patient/p0"], {BASE, INNER}, Roots()),
        ([f"{INNER}/Patient/p0", None], set(), Roots(alias=INNER)),
        (
            [f"{INNER}/Patient/p0", None, f"{ELSEWHERE}/Condition/c"],
            set(),
            Roots(homes={0: INNER, 2: ELSEWHERE}),
        ),
        (
            [f"{BASE}/Patient/p0", f"{ELSEWHERE}/Condition/c"],
            {BASE},
            Roots(homes={1: ELSEWHERE}),
        ),
        ([f"{BASE}2/Patient/p0"], {BASE}, Roots(homes={0: f"{BASE}2"})),
    ],
)
def test_what_stands_on_another_server_is_kept_apart(urls, own, roots):
    assert roots_of(urls, own) == roots


def page(*entries):
    given = [{"fullUrl": url, "resource": resource} for url, resource in entries]
    return json.dumps({"resourceType": "Bundle", "entry": given}).encode()


def subjects(body, known=(KNOWN,), **scope):
    reading = read_bundle(body, Scope(**{"base": BASE, **scope}), known)
    return {event.record_id: event.subject for event in reading.events}


INNER_PAGE = page(
    (f"{INNER}/Condition/c1", condition()),
    (f"{INNER}/Condition/c2", condition("c2", who=f"{INNER}/Patient/p0")),
)


def test_a_server_behind_a_proxy_is_understood_once_its_patient_was_found_there():
    found = page((f"{INNER}/Patient/p0", patient(home=7)))
    known = read_bundle(found, Scope(base=BASE)).persons
    assert [one.home for one in known] == [INNER]
    assert subjects(INNER_PAGE, known) == {"Condition/c1": ME, "Condition/c2": ME}


def test_a_server_that_nobody_was_found_on_is_another():
    """Catches the seeded defect of taking a page's only root for the source's own."""
    other = {Identifier(f"{INNER}/Patient", "p0")}
    assert subjects(INNER_PAGE) == {"Condition/c1": other, "Condition/c2": other}


def test_a_page_that_came_from_no_server_stands_on_its_own():
    body = page(
        (f"{INNER}/Patient/p0", patient()),
        (None, condition()),
        (f"{INNER}/Condition/c2", condition("c2", who=f"{INNER}/Patient/p0")),
    )
    assert subjects(body, (), base="") == {"Condition/c1": ME, "Condition/c2": ME}


@pytest.mark.parametrize("version", ["R4", "STU3"])
def test_a_relative_reference_leads_to_where_its_record_stands(version):
    """Catches the seeded defect of taking `Patient/p0` for ours wherever it stands."""

    def known(own, who="Patient/p0"):
        # Neither version's shape, so that both may read it.
        return condition(own, who=who) | {"clinicalStatus": None}

    body = page(
        (f"{BASE}/Condition/c1", known("c1")),
        (f"{ELSEWHERE}/Condition/c2", known("c2")),
        (f"{ELSEWHERE}/Condition/c3", known("c3", "Patient/p9")),
        (f"{ELSEWHERE}/Patient/p9", patient(1, id="p9")),
    )
    assert subjects(body, version=version) == {
        "Condition/c1": ME,
        "Condition/c2": {Identifier(f"{ELSEWHERE}/Patient", "p0")},
        "Condition/c3": {Identifier(NHS, number(1))},
    }


def test_patients_of_two_servers_who_tell_no_number_are_two():
    """Catches the seeded defect of naming both by the id that they share."""
    body = page(
        (f"{BASE}/Patient/p0", {"resourceType": "Patient", "id": "p0"}),
        (f"{ELSEWHERE}/Patient/p0", {"resourceType": "Patient", "id": "p0"}),
        (f"{BASE}/Condition/c1", condition()),
        (f"{ELSEWHERE}/Condition/c2", condition("c2")),
    )
    assert subjects(body, ()) == {
        "Condition/c1": {Identifier(f"{BASE}/Patient", "p0")},
        "Condition/c2": {Identifier(f"{ELSEWHERE}/Patient", "p0")},
    }
