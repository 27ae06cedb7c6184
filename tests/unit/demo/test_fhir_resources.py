"""The demo's FHIR resources say what its records say."""

from datetime import date, datetime

import pytest

from adapters.moment import Precision
from gateway.demo.chronicle import Coded, Entry, Fact, Place, Record, When
from gateway.demo.fhir_resources import patient, resource
from gateway.demo.fhir_search import DATES, TYPES, Holdings
from gateway.demo.telling import tell

CHRONICLE = tell(7, date(2026, 11, 23))
NOON = datetime(2024, 7, 9, 12, 30)  # noqa: DTZ001 - a wall clock, as `When` holds
HELD = {
    place: [(e, resource(e)) for e in CHRONICLE.at(place)]
    for place in (Place.GP, Place.ACUTE)
}


def made(**record):
    told = Record(**{"place": Place.GP, "title": "A title", "start": None, **record})
    return resource(
        Entry(
            record_id="gp-1",
            resident=CHRONICLE.star,
            record=told,
            nhs_number=None,
            local_id=None,
            hospital_number=None,
        )
    )


@pytest.mark.parametrize("place", HELD)
def test_every_record_becomes_one_resource_of_a_served_type(place):
    assert all(r["resourceType"] in TYPES for _, r in HELD[place])
    assert len({(r["resourceType"], r["id"]) for _, r in HELD[place]}) == len(
        HELD[place]
    )


@pytest.mark.parametrize("place", HELD)
def test_no_element_is_null_or_empty(place):
    def whole(value) -> bool:
        if isinstance(value, dict):
            return bool(value) and all(map(whole, value.values()))
        if isinstance(value, list):
            return bool(value) and all(map(whole, value))
        return value is not None and value != ""

    assert all(whole(r) for _, r in HELD[place])


@pytest.mark.parametrize("place", HELD)
def test_every_resource_is_found_by_its_patient_and_its_time(place):
    held = Holdings.of(r for _, r in HELD[place])
    for entry, one in HELD[place][:400]:
        name = f"{'gp' if place is Place.GP else 'epr'}-patient-"
        kind = one["resourceType"]
        asked = [("patient", f"{name}{entry.resident.number + 1}")]
        assert one in held.search(kind, asked)
        date_name = DATES[kind][0]
        assert one in held.search(kind, [*asked, (date_name, "ge2000-01-01")])


def test_a_date_keeps_its_precision():
    known: dict[Precision, str] = {
        "year": "2024",
        "month": "2024-07",
        "day": "2024-07-09",
        "minute": "2024-07-09T12:30:00+01:00",
    }
    for precision, text in known.items():
        shown = made(
            kind="condition", code=Coded("Fall", "1912002"), start=When(NOON, precision)
        )
        assert shown["onsetDateTime"] == text


def test_an_instant_is_in_utc():
    shown = made(kind="document", start=When(NOON))
    assert shown["date"] == "2024-07-09T11:30:00+00:00"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("gp_consultation", "AMB"),
        ("ed_attendance", "EMER"),
        ("inpatient_spell", "IMP"),
        ("day_case", "SS"),
    ],
)
def test_an_encounter_has_the_class_of_its_kind(kind, code):
    assert made(kind=kind)["class"]["code"] == code


def test_a_clinic_kept_is_an_encounter_and_one_missed_a_booking():
    assert made(kind="outpatient_appointment")["resourceType"] == "Encounter"
    for status, fhir in (
        ("did-not-attend", "noshow"),
        ("planned", "booked"),
        ("cancelled", "cancelled"),
    ):
        shown = made(kind="outpatient_appointment", status=status)
        assert (shown["resourceType"], shown["status"]) == ("Appointment", fhir)


def test_an_attendance_copied_by_the_surgery_names_the_hospital():
    copy = made(kind="ed_attendance", about=Place.ACUTE)
    own = made(kind="ed_attendance")
    assert copy["serviceProvider"]["identifier"]["value"] == "Z9C03"
    assert own["serviceProvider"]["identifier"]["value"] == "Z9A01"


def test_a_record_without_times_has_no_period():
    assert "period" not in made(kind="gp_consultation")
    assert "start" not in made(kind="gp_appointment")
    assert "onsetDateTime" not in made(kind="condition")


def test_a_measurement_carries_its_unit_where_it_has_one():
    pressure = made(
        kind="observation", facts=(Fact("Systolic blood pressure", "140", "mmHg"),)
    )
    score = made(kind="observation", facts=(Fact("Clinical frailty scale", "6"),))
    assert pressure["valueQuantity"]["value"] == 140.0
    assert pressure["valueQuantity"]["unit"] == "mmHg"
    assert score["valueQuantity"] == {"value": 6.0}


def test_words_without_a_code_stay_words():
    shown = made(kind="condition", code=Coded("Only words"))
    assert shown["code"] == {"text": "Only words"}


def test_a_label_becomes_security():
    shown = made(kind="condition", label="STD")
    assert shown["meta"]["security"][0]["code"] == "STD"
    assert "security" not in made(kind="condition")["meta"]


def test_an_ongoing_encounter_is_in_progress():
    assert made(kind="inpatient_spell", status="active")["status"] == "in-progress"


def test_patients_are_marked_as_test_data_at_both_places():
    for place, system in (
        (Place.GP, "urn:throughline:demo:gp-record"),
        (Place.ACUTE, "urn:throughline:demo:hospital-number"),
    ):
        shown = patient(CHRONICLE.star, place)
        assert shown["meta"]["tag"][0]["code"] == "HTEST"
        assert [i["system"] for i in shown["identifier"]][1] == system
