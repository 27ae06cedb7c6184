"""What each FHIR type becomes: kind, status, times, title, and the detail kept."""

import json

import pytest

from adapters.contract import Code
from adapters.fhir import Scope, read_bundle
from adapters.fhir.tables import STATUSES, TYPES, kinds_of
from adapters.vocabulary import KINDS, SECTORS
from adapters.vocabulary import STATUSES as OURS
from tests.fhir_reading import ME, NHS, ODS, concept, event, read, told
from tests.people import number


def test_the_tables_speak_only_the_vocabulary():
    assert set(STATUSES) == set(TYPES)
    for words in STATUSES.values():
        assert set(words.values()) <= OURS
    for name in TYPES:
        for sector in SECTORS:
            assert kinds_of(name, sector) <= set(KINDS)


@pytest.mark.parametrize(
    ("setting", "sector", "kind"),
    [
        ({"code": "EMER"}, "acute", "ed_attendance"),
        ({"code": "IMP"}, "acute", "inpatient_spell"),
        ({"code": "ACUTE"}, "acute", "inpatient_spell"),
        ({"code": "NONAC"}, "community", "inpatient_spell"),
        ({"code": "SS"}, "acute", "day_case"),
        ({"code": "AMB"}, "primary-care", "gp_consultation"),
        ({"code": "VR"}, "acute", "outpatient_appointment"),
        ({"code": "HH"}, "community", "community_contact"),
        ({"code": "AMB"}, "mental-health", "mental_health_contact"),
        ({"code": "AMB"}, "social-care", "encounter"),
        ({"code": "FLD"}, "acute", "encounter"),
        ({"code": "EMER"}, "ambulance", "ambulance_attendance"),
        ({"display": "inpatient encounter"}, "acute", "inpatient_spell"),
        ("emergency", "acute", "ed_attendance"),
        ([{"coding": [{"code": "IMP"}]}], "acute", "inpatient_spell"),
        ([], "acute", "encounter"),
        (None, "acute", "encounter"),
    ],
)
def test_an_encounter_is_what_its_class_and_sector_make_it(setting, sector, kind):
    found = event("Encounter", sector=sector, status="finished", **{"class": setting})
    assert found.kind == kind
    assert found.kind in kinds_of("Encounter", sector)


def test_an_encounter_keeps_period_provider_reason_and_type():
    found = event(
        "Encounter",
        status="in-progress",
        **{"class": {"code": "IMP"}},
        type=[concept("Emergency admission", "8715000")],
        period={"start": "2024-03-09T14:05:07+00:00"},
        reasonCode=[concept("Fall")],
        hospitalization={
            "dischargeDisposition": concept("Home"),
            "admitSource": concept("ED"),
        },
        serviceProvider={"identifier": {"system": ODS, "value": "Z9A01"}},
    )
    assert (found.title, found.status) == ("Emergency admission", "active")
    assert found.start is not None
    assert (found.start.text, found.end) == ("2024-03-09T14:05:07+00:00", None)
    assert (found.organisation, found.kind_code) == ("Z9A01", "IMP")
    assert found.codes == (Code("urn:s", "8715000"),)
    assert told(found) == [
        ("status", "in-progress", None),
        ("class", "IMP", None),
        ("reason", "Fall", None),
        ("discharge", "Home", None),
        ("admitted_from", "ED", None),
    ]


def test_an_ambulance_that_takes_somebody_somewhere_conveys():
    found = event(
        "Encounter",
        sector="ambulance",
        status="finished",
        hospitalization={"destination": {"display": "Hospital"}},
    )
    assert (found.kind, found.title) == ("ambulance_conveyance", "Ambulance conveyance")


@pytest.mark.parametrize(
    ("actor", "is_found"),
    [
        ({"reference": f"Patient?identifier={NHS}|{number(0)}"}, True),
        ({"identifier": {"system": NHS, "value": number(0)}}, True),
        ({"reference": "Practitioner/1"}, False),
        ({"reference": "urn:uuid:0000"}, True),
    ],
)
def test_an_appointment_is_about_the_participant_who_is_a_patient(actor, is_found):
    record = {
        "resourceType": "Appointment",
        "id": "a",
        "status": "noshow",
        "start": "2024-03-09T09:00:00Z",
        "end": "2024-03-09T09:20:00Z",
        "serviceType": [concept("Fracture clinic")],
        "participant": [{}, {"actor": {"reference": "Location/1"}}, {"actor": actor}],
    }
    (found,) = read(record, sector="acute").events
    assert (found.kind, found.status) == ("outpatient_appointment", "did-not-attend")
    assert found.title == "Fracture clinic"
    assert (found.subject is not None) == is_found


def test_a_referral_is_dated_by_when_it_was_written_and_keeps_its_wish():
    found = event(
        "ServiceRequest",
        status="revoked",
        intent="order",
        priority="urgent",
        category=[concept("Referral to falls team")],
        authoredOn="2024-03-01",
        occurrenceDateTime="2024-04-01",
        doNotPerform=True,
    )
    assert (found.kind, found.status) == ("referral", "cancelled")
    assert found.title == "Do not perform: Referral to falls team"
    assert found.start is not None
    assert found.start.text == "2024-03-01"
    assert ("wanted", "2024-04-01", None) in told(found)


@pytest.mark.parametrize(
    ("belief", "title", "status"),
    [
        ("confirmed", "Asthma", "active"),
        ("refuted", "Refuted: Asthma", "active"),
        ("unconfirmed", "Unconfirmed: Asthma", "active"),
        ("entered-in-error", "Asthma", "entered-in-error"),
    ],
)
@pytest.mark.parametrize("kind", ["Condition", "AllergyIntolerance"])
def test_what_is_refuted_or_doubted_says_so_first(kind, belief, title, status):
    found = event(
        kind,
        code=concept("Asthma"),
        clinicalStatus=concept(None, "active"),
        verificationStatus=concept(None, belief),
    )
    assert (found.title, found.status) == (title, status)
    assert ("verification", belief, None) in told(found)


def test_a_condition_dated_only_by_its_recording_says_so():
    found = event("Condition", code=concept("Asthma"), recordedDate="2024-03-09")
    assert found.start == found.recorded
    assert ("dated_by", "recordedDate", None) in told(found)
    assert found.status == "unknown"


def test_a_condition_keeps_onset_end_severity_and_site():
    found = event(
        "Condition",
        code={"coding": [{"code": "J45"}]},
        onsetPeriod={"start": "2020"},
        onsetAge={"value": 44, "unit": "years"},
        abatementDateTime="2019-05",
        abatementString="spring",
        severity=concept("Mild"),
        bodySite=[concept("Left lung")],
    )
    assert found.title == "J45"
    assert found.caveats == ("reversed",)
    assert [t for t in told(found) if t[0] != "status"] == [
        ("severity", "Mild", None),
        ("body_site", "Left lung", None),
        ("onset_age", "44", "years"),
        ("abatement", "spring", None),
    ]


@pytest.mark.parametrize(
    ("kind", "fields", "title", "status"),
    [
        (
            "Procedure",
            {"code": concept("Hip"), "status": "not-done"},
            "Not done: Hip",
            "cancelled",
        ),
        (
            "Immunization",
            {"vaccineCode": concept("MMR"), "status": "not-done"},
            "Not done: MMR",
            "cancelled",
        ),
        (
            "MedicationStatement",
            {"medicationCodeableConcept": concept("Iron"), "status": "not-taken"},
            "Not taken: Iron",
            "cancelled",
        ),
        (
            "MedicationDispense",
            {"medicationReference": {"display": "Iron"}, "status": "declined"},
            "Declined: Iron",
            "cancelled",
        ),
        (
            "MedicationRequest",
            {
                "medicationCodeableConcept": concept("Iron"),
                "status": "active",
                "doNotPerform": True,
            },
            "Do not give: Iron",
            "active",
        ),
        (
            "Flag",
            {"code": concept("Lives alone"), "status": "inactive"},
            "Lives alone",
            "finished",
        ),
        ("EpisodeOfCare", {"status": "onhold"}, "Episode of care", "on-hold"),
        (
            "CarePlan",
            {"title": "Falls plan", "status": "draft"},
            "Falls plan",
            "planned",
        ),
        (
            "CarePlan",
            {"category": [concept("Assess"), concept("Diabetes")], "status": "active"},
            "Diabetes",
            "active",
        ),
        (
            "CareTeam",
            {"name": "Ward team", "status": "suspended"},
            "Ward team",
            "on-hold",
        ),
        (
            "DiagnosticReport",
            {"code": concept("FBC"), "status": "registered"},
            "FBC",
            "active",
        ),
        ("Composition", {"title": "Letter", "status": "final"}, "Letter", "finished"),
        (
            "DocumentReference",
            {
                "description": "Scan",
                "status": "current",
                "docStatus": "entered-in-error",
            },
            "Scan",
            "entered-in-error",
        ),
        (
            "MedicationAdministration",
            {"status": "completed"},
            "Medicine, not named",
            "finished",
        ),
        (
            "Observation",
            {"code": concept("Pulse"), "status": "this_is_invalid"},
            "Pulse",
            "unknown",
        ),
    ],
)
def test_titles_and_statuses_carry_the_meaning(kind, fields, title, status):
    found = event(kind, **fields)
    assert (found.title, found.status) == (title, status)
    assert ("status", fields["status"], None) in told(found)
    unknown = fields["status"] == "this_is_invalid"
    assert ("untranslated_code" in found.caveats) == unknown


def test_documents_keep_their_labels_and_pointers():
    found = event(
        "DocumentReference",
        status="current",
        date="2024-03-09T10:00:00Z",
        securityLabel=[concept(None, "R")],
        meta={"security": [{"code": "PSY"}, {}], "versionId": "3"},
        content=[{"attachment": {"contentType": "application/pdf", "title": "Scan"}}],
    )
    assert found.labels == {"R", "PSY"}
    assert found.version == "3"
    assert ("format", "application/pdf", None) in told(found)
    letter = event("Composition", status="final", confidentiality="V")
    assert letter.labels == {"V"}


def test_a_composition_of_two_people_is_of_neither():
    record = {"resourceType": "Composition", "id": "c", "subject": [ME, ME]}
    (found,) = read(record).events
    assert found.subject is None


def test_labels_of_the_source_are_added_to_every_record():
    record = {"resourceType": "Flag", "id": "f", "subject": ME}
    (found,) = read(record, labels=frozenset({"SOURCE"})).events
    assert found.labels == {"SOURCE"}


@pytest.mark.parametrize(
    "extra",
    [
        {"modifierExtension": [{"url": "urn:x"}]},
        {"component": [{"modifierExtension": [{"url": "urn:x"}]}]},
        {"implicitRules": "urn:rules"},
    ],
)
def test_what_may_change_the_meaning_is_said_in_the_title(extra):
    found = event("Observation", status="final", code=concept("Pulse"), **extra)
    assert found.title == "Pulse (not fully understood)"
    assert "modifier_not_understood" in found.caveats


def test_a_time_said_to_be_absent_is_unknown():
    absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    found = event(
        "Observation",
        status="final",
        code=concept("Pulse"),
        _effectiveDateTime={"extension": [{"url": absent, "valueCode": "unknown"}]},
    )
    assert (found.start, found.caveats) == (None, ("unknown_time",))


def test_an_unreadable_time_is_kept_as_it_was_written():
    found = event("Condition", code=concept("X"), onsetDateTime="2024-02-30")
    assert (found.start, found.caveats) == (None, ("impossible_time",))
    assert ("start", "2024-02-30", None) in told(found)


def test_a_better_time_is_taken_where_the_first_cannot_be_read():
    found = event(
        "Condition", code=concept("X"), onsetDateTime="9999", recordedDate="2024"
    )
    assert found.start is not None
    assert found.caveats == ("unknown_time",)
    assert ("dated_by", "recordedDate", None) in told(found)


def test_control_characters_are_removed_and_said():
    found = event(
        "Observation",
        status="final",
        code={
            "text": "Pu\u0000lse\n rate",
            "coding": [{"code": "1", "display": "P\u0008"}],
        },
        valueCodeableConcept={"coding": [{"display": "hi\u0001gh"}]},
    )
    assert found.title == "Pulse rate"
    assert "control_characters" in found.caveats
    assert found.codes == (Code(None, "1", "P"),)
    assert ("value", "high", None) in told(found)


def test_line_breaks_and_wide_spaces_are_no_control_characters():
    found = event("Flag", status="active", code=concept("Lives\n alone\u00a0now"))
    assert found.title == "Lives alone now"
    assert found.caveats == ()


SPACED = f"{number(3)[:3]} {number(3)[3:6]} {number(3)[6:]}"


@pytest.mark.parametrize("own", [None, number(3), SPACED])
def test_a_record_without_an_id_of_its_own_gets_a_digest_and_never_a_number(own):
    found = event("Flag", status="active", id=own)
    assert found.record_id.startswith("Flag/sha256-")
    assert number(3) not in found.record_id


@pytest.mark.parametrize(
    "fields",
    [
        {"code": 7},
        {"valueQuantity": {"value": "much"}},
        {"status": ["final"]},
        {"subject": {"reference": "resource:0"}},
    ],
)
def test_a_record_that_cannot_be_understood_is_rejected_and_counted(fields):
    record = {"resourceType": "Observation", "id": "o", "status": "final", **fields}
    reading = read(record)
    assert reading.events == []
    assert reading.rejected.total() == 1


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Condition", {"clinicalStatus": "active"}),
        ("Condition", {"assertedDate": "2018"}),
        ("AllergyIntolerance", {"clinicalStatus": "active"}),
        ("Procedure", {"notDone": True}),
        ("Immunization", {"notGiven": False}),
        ("MedicationStatement", {"taken": "y"}),
        ("MedicationRequest", {"context": {"reference": "Encounter/1"}}),
        ("Observation", {"related": []}),
        ("DocumentReference", {"indexed": "2018"}),
        ("ReferralRequest", {}),
        ("Patient", {"animal": {}}),
        ("ValueSet", {"meta": {"profile": ["https://fhir.nhs.uk/STU3/X"]}}),
    ],
)
def test_stu3_is_known_by_its_shape(kind, fields):
    body = json.dumps({"resourceType": kind, "id": "x", **fields}).encode()
    with pytest.raises(Exception, match="STU3") as caught:
        read_bundle(body, Scope())
    assert getattr(caught.value, "reason", None) == "stu3"
