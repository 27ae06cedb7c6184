"""A GP practice asked for one person's structured record, over real sockets."""

import json
from dataclasses import replace
from datetime import date

import pytest

from adapters.contract import Identifier, Identifiers
from adapters.errors import AdapterError, Refused, Unreadable
from adapters.fhir.areas import AREAS
from tests.fhir_asking import NHS, about, caveats, ids, patient
from tests.people import number
from tests.stu3 import open_practice
from tests.stub_practice import Practice, StubPractice


def allergy(own="a1", *, who="p0", **fields):
    return {
        "resourceType": "AllergyIntolerance",
        "id": own,
        "clinicalStatus": "active",
        "patient": {"reference": f"Patient/{who}"},
        "code": {"text": "Peanut"},
        **fields,
    }


def request(own, intent, **fields):
    return {
        "resourceType": "MedicationRequest",
        "id": own,
        "intent": intent,
        "status": "active",
        "subject": {"reference": "Patient/p0"},
        "medicationReference": {"reference": "Medication/m1"},
        "authoredOn": "2024-02-03",
        **fields,
    }


HELD = [
    patient(),
    patient(1),
    allergy(),
    allergy("a2", clinicalStatus="resolved"),
    allergy("theirs", who="p1"),
    request("plan", "plan"),
    request("issue", "order", basedOn=[{"reference": "MedicationRequest/plan"}]),
    {"resourceType": "Medication", "id": "m1", "code": {"text": "Aspirin"}},
    {
        "resourceType": "Immunization",
        "id": "i1",
        "status": "completed",
        "notGiven": True,
        "patient": {"reference": "Patient/p0"},
        "vaccineCode": {"text": "MMR"},
        "date": "2024-03-04",
    },
]


async def answered(tmp_path, query, *, resources=HELD, does=None, settings=""):
    async with (
        StubPractice(resources, does=does) as practice,
        open_practice(tmp_path, practice, settings) as adapter,
    ):
        return await adapter.ask(query), practice.asked


async def failed(tmp_path, **practice):
    with pytest.raises(AdapterError) as caught:
        await answered(tmp_path, about(), **practice)
    for secret in (number(0), "not for us to repeat"):
        assert secret not in str(caught.value)
    return caught.value


async def test_one_request_brings_the_whole_record_and_nobody_elses(tmp_path):
    answer, asked = await answered(tmp_path, about())
    assert sorted(ids(answer)) == [
        "AllergyIntolerance/a1",
        "AllergyIntolerance/a2",
        "Immunization/i1",
        "MedicationRequest/issue",
        "MedicationRequest/plan",
    ]
    assert len(asked) == 1
    assert answer.person.identifiers == {Identifier(NHS, number(0))}
    assert all(event.subject == answer.person.identifiers for event in answer.events)
    titles = {event.record_id: event.title for event in answer.events}
    assert titles["Immunization/i1"] == "Not done: MMR"
    assert titles["MedicationRequest/plan"] == "Aspirin"
    assert caveats(answer) == {}


async def test_the_number_travels_in_the_body_with_only_the_areas_asked_for(tmp_path):
    query = about(categories=frozenset({"allergies"}))
    answer, (body,) = await answered(tmp_path, query)
    assert body == {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "patientNHSNumber",
                "valueIdentifier": {"system": NHS, "value": number(0)},
            },
            {
                "name": "includeAllergies",
                "part": [{"name": "includeResolvedAllergies", "valueBoolean": True}],
            },
        ],
    }
    assert sorted(ids(answer)) == ["AllergyIntolerance/a1", "AllergyIntolerance/a2"]


async def test_a_window_is_applied_here_and_what_has_no_date_is_counted(tmp_path):
    query = about(since=date(2024, 3, 1))
    answer, (body,) = await answered(tmp_path, query)
    assert ids(answer) == ["Immunization/i1"]
    assert caveats(answer) == {"undated": 2}
    assert "2024" not in json.dumps(body)


async def test_whom_the_practice_does_not_know_is_unknown_and_no_failure(tmp_path):
    answer, asked = await answered(tmp_path, about(2))
    assert (answer.person, answer.events, caveats(answer)) == (None, (), {})
    assert len(asked) == 1


async def test_who_has_no_number_is_not_asked_about(tmp_path):
    person = Identifiers(others=frozenset({Identifier("urn:local", "L1")}))
    answer, asked = await answered(tmp_path, replace(about(), person=person))
    assert (answer.person, asked) == (None, [])


async def test_somebody_elses_record_is_seen_to_be_that_and_not_shown(tmp_path):
    """Catches the seeded defect of trusting whatever record comes back."""
    answer, _ = await answered(tmp_path, about(), does=Practice(answers_with="p1"))
    assert answer.events == ()
    assert answer.person.identifiers == {Identifier(NHS, number(1))}


async def test_a_record_that_does_not_say_whose_it_is_is_not_read(tmp_path):
    error = await failed(tmp_path, does=Practice(hides_patient=True))
    assert (type(error), error.reason) == (Unreadable, "unreadable")


@pytest.mark.parametrize("is_silent", [False, True])
async def test_an_area_that_does_not_come_makes_the_answer_a_part(tmp_path, is_silent):
    """Its List is missing; a warning, where there is one, says so too."""
    lacks = frozenset({"includeAllergies", "includeProblems"})
    does = Practice(lacks=lacks, is_silent=is_silent)
    answer, _ = await answered(tmp_path, about(), does=does)
    warned = {} if is_silent else {"outcome_reported": 2}
    assert caveats(answer) == {"type_failed": 2, **warned}


@pytest.mark.parametrize(
    ("code", "caveat"),
    [
        ("confidential-items", "withheld_at_source"),
        ("data-in-transit", "awaited_at_source"),
    ],
)
async def test_what_the_practice_leaves_out_is_said(tmp_path, code, caveat):
    does = Practice(warnings={"includeMedication": code})
    answer, _ = await answered(tmp_path, about(), does=does)
    assert caveats(answer) == {caveat: 1}


@pytest.mark.parametrize(
    ("status", "code", "kind", "reason"),
    [
        (404, "RESOURCE_NOT_FOUND", Refused, "unsupported"),
        (400, "BAD_REQUEST", Unreadable, "unexpected_status"),
        (422, "INVALID_NHS_NUMBER", Unreadable, "unexpected_status"),
        (403, "NO_PATIENT_CONSENT", Refused, "refused"),
        (401, "UNAUTHORISED", Refused, "credentials"),
    ],
)
async def test_a_practice_that_refuses_is_a_stated_failure(
    tmp_path, status, code, kind, reason
):
    error = await failed(tmp_path, does=Practice(status=status, code=code))
    assert isinstance(error, kind)
    assert error.reason == reason


async def test_what_the_answer_holds_is_what_the_types_configured_can_tell(tmp_path):
    settings = 'types = ["AllergyIntolerance", "Condition"]\n'
    answer, (body,) = await answered(tmp_path, about(), settings=settings)
    assert answer.held == {"allergies", "problems"}
    names = [one["name"] for one in body["parameter"]]
    assert names == ["patientNHSNumber", "includeAllergies", "includeProblems"]
    assert len(AREAS) > len(names)
