"""Lists of STU3 say what is held back, and hold ended allergies within themselves."""

import json

import pytest

from adapters.fhir import Scope, read_bundle
from adapters.vocabulary import CAVEATS, INCOMPLETE
from tests.fhir_reading import ME

WARNING = (
    "https://fhir.nhs.uk/STU3/StructureDefinition/"
    "Extension-CareConnect-GPC-ListWarningCode-1"
)


def listed(*contained, warnings=(), code="886921000000105", **fields):
    return {
        "resourceType": "List",
        "id": "l1",
        "code": {"coding": [{"code": code}]},
        "contained": list(contained),
        "extension": [{"url": WARNING, "valueCode": each} for each in warnings],
        **fields,
    }


def allergy(own="a1", **fields):
    return {
        "resourceType": "AllergyIntolerance",
        "id": own,
        "clinicalStatus": "resolved",
        "patient": ME,
        **fields,
    }


def reading(*records, version="STU3", mode=None):
    entries = [
        {"resource": one} | ({"search": {"mode": mode}} if mode else {})
        for one in records
    ]
    body = json.dumps({"resourceType": "Bundle", "entry": entries}).encode()
    found = read_bundle(body, Scope(version=version))
    assert found.accounted == found.resources
    return found


@pytest.mark.parametrize(
    ("code", "caveat"),
    [
        ("confidential-items", "withheld_at_source"),
        ("data-in-transit", "awaited_at_source"),
        ("data-awaiting-filing", "awaited_at_source"),
        ("some-new-warning", "awaited_at_source"),
    ],
)
def test_a_warning_that_something_is_left_out_makes_the_answer_a_part(code, caveat):
    """Catches the seeded defect of reading a List as mere context."""
    found = reading(listed(warnings=[code]))
    assert found.caveats == [caveat]
    assert caveat in CAVEATS
    assert caveat in INCOMPLETE


def test_every_warning_of_a_list_is_said():
    both = ["confidential-items", "data-in-transit"]
    assert reading(listed(warnings=both)).caveats == [
        "withheld_at_source",
        "awaited_at_source",
    ]
    assert reading(listed(extension=[{"url": "urn:x"}, {}])).caveats == []


def test_records_that_stand_in_a_list_alone_are_read():
    found = reading(listed(allergy(), allergy("a2")))
    assert [event.record_id for event in found.events] == [
        "AllergyIntolerance/a1",
        "AllergyIntolerance/a2",
    ]
    assert found.supporting == {"List": 1}
    assert found.resources == 3


def test_a_record_within_a_list_and_beside_it_is_one():
    found = reading(listed(allergy()), allergy())
    assert (len(found.events), found.duplicates) == (1, 1)


def test_what_else_a_list_contains_is_context_or_is_counted():
    found = reading(
        listed(
            {"resourceType": "Patient", "id": "p"},
            {"resourceType": "Practitioner", "id": "d"},
            {"resourceType": "TestReport", "id": "t"},
            {"id": "nameless"},
        )
    )
    assert found.unmapped == {"TestReport": 1}
    assert (found.persons, found.resources) == ([], 2)


def test_a_bad_record_within_a_list_costs_itself():
    found = reading(listed(allergy(clinicalStatus=7), allergy("a2")))
    assert (len(found.events), found.rejected) == (1, {"unreadable": 1})


def test_a_list_that_cannot_be_read_is_counted():
    assert reading(listed(extension="x")).rejected == {"unreadable": 1}


def test_a_list_that_came_along_only_explains():
    found = reading(listed(allergy(), warnings=["data-in-transit"]), mode="include")
    assert (found.events, found.caveats) == ([], [])


def test_which_lists_came_is_known():
    assert reading(listed(), listed(code="x", id="l2")).lists == {
        "886921000000105",
        "x",
    }
    assert reading(listed(code=None)).lists == set()


def test_a_list_of_r4_is_of_no_place_in_a_journey():
    assert reading(listed(), version="R4").unmapped == {"List": 1}
