"""The demo's FHIR search: tokens, references, dates, and what is malformed."""

import pytest

from gateway.demo.fhir_search import Holdings, Misasked, about, known_parameters

NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
ADA = {
    "resourceType": "Patient",
    "id": "a",
    "identifier": [
        {"system": NUMBER, "value": "9990000018"},
        {"system": "urn:x", "value": "odd,va|lue\\x"},
        {"value": "bare"},
    ],
}
BASIL = {
    "resourceType": "Patient",
    "id": "b",
    "identifier": [{"system": NUMBER, "value": "9990000026"}],
}


def stay(name: str, patient: str, start: str | None, end: str | None = None):
    period = {"start": start, "end": end}
    return {
        "resourceType": "Encounter",
        "id": name,
        "subject": {"reference": f"Patient/{patient}"},
        "period": {key: value for key, value in period.items() if value},
    }


SHORT = stay("short", "a", "2025-03-09T10:00:00+00:00", "2025-03-09T12:00:00+00:00")
LONG = stay("long", "a", "2025-03-01", "2025-03-20")
OPEN = stay("open", "b", "2025-02")
UNDATED = stay("undated", "a", None)
CONDITION = {
    "resourceType": "Condition",
    "id": "c",
    "subject": {"reference": "Patient/a"},
    "onsetDateTime": "2019",
}
HELD = Holdings.of([ADA, BASIL, SHORT, LONG, OPEN, UNDATED, CONDITION])


def ids(kind: str, *parameters: tuple[str, str]) -> list[str]:
    return [resource["id"] for resource in HELD.search(kind, parameters)]


@pytest.mark.parametrize(
    ("token", "found"),
    [
        (f"{NUMBER}|9990000018", ["a"]),
        ("9990000018", ["a"]),
        (f"{NUMBER}|9990000018,{NUMBER}|9990000026", ["a", "b"]),
        ("urn:other|9990000018", []),
        ("|bare", ["a"]),
        ("|9990000018", []),
        (r"urn:x|odd\,va\|lue\\x", ["a"]),
        ("9999999999", []),
    ],
)
def test_patients_are_found_by_identifier(token, found):
    assert ids("Patient", ("identifier", token)) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patient", "a"),
        ("patient", "Patient/a"),
        ("subject", "http://127.0.0.1:9/fhir/Patient/a"),
        ("patient.identifier", f"{NUMBER}|9990000018"),
        ("subject.identifier", "9990000018"),
    ],
)
def test_records_are_found_by_their_patient(name, value):
    assert ids("Encounter", (name, value)) == ["short", "long", "undated"]


def test_several_parameters_narrow_and_several_values_widen():
    assert ids("Encounter", ("patient", "a,b")) == ["short", "long", "undated", "open"]
    assert ids("Encounter", ("patient", "a"), ("subject", "b")) == []
    assert ids("Encounter", ("patient", "a"), ("_id", "long,open")) == ["long"]
    assert ids("Condition", ("patient", "a"), ("_include", "Condition:x")) == ["c"]


@pytest.mark.parametrize(
    ("date", "found"),
    [
        ("ge2025-03-09", {"short", "long", "open"}),
        ("ge2025-03-10", {"long", "open"}),
        ("ge2025-03-21", {"open"}),
        ("lt2025-03-01", {"open"}),
        ("lt2025-03-02", {"long", "open"}),
        ("le2025-03-01", {"long", "open"}),
        ("gt2025-03-09", {"long", "open"}),
        ("2025-03-09", {"short"}),
        ("eq2025-03", {"short", "long"}),
        ("ge2025-03-09T11:30:00Z", {"short", "long", "open"}),
        ("lt2025-03-09T10:00:00Z", {"long", "open"}),
        ("eq2025-03-09,eq2025-03", {"short", "long"}),
    ],
)
def test_periods_are_found_where_they_meet_the_date(date, found):
    assert set(ids("Encounter", ("date", date))) == found


def test_a_year_is_all_of_that_year():
    assert ids("Condition", ("onset-date", "ge2019-12-01")) == ["c"]
    assert ids("Condition", ("onset-date", "ge2020-01-01")) == []


@pytest.mark.parametrize(
    ("kind", "name", "value", "code"),
    [
        ("Encounter", "date", "ap2025-01-01", "not-supported"),
        ("Encounter", "date", "ge", "value"),
        ("Encounter", "date", "2025-13-01", "value"),
        ("Encounter", "date", "yesterday", "not-supported"),
        ("Encounter", "patient", "Group/1", "value"),
        ("Encounter", "patient", "", "value"),
        ("Encounter", "patient.identifier", f"{NUMBER}|", "value"),
        ("Patient", "identifier", "a|b|c", "value"),
    ],
)
def test_what_is_malformed_is_refused_without_an_echo(kind, name, value, code):
    with pytest.raises(Misasked) as caught:
        HELD.search(kind, [(name, value)])
    assert caught.value.code == code
    assert not value or value not in str(caught.value)


def test_a_record_says_whom_it_is_about_in_any_of_three_ways():
    participants = [
        {"actor": {"reference": "Practitioner/p"}},
        {"actor": {"reference": "Patient/a"}},
    ]
    assert about({"participant": participants}) == "a"
    assert about({"patient": {"reference": "Patient/b"}}) == "b"
    assert about({"subject": {"display": "somebody"}}) is None
    assert about({}) is None


def test_an_unreadable_date_held_matches_no_date():
    held = Holdings.of([stay("bad", "a", "2025-02-30"), stay("word", "a", "soon")])
    assert held.search("Encounter", [("date", "ge1900-01-01")]) == []
    assert len(held.search("Encounter", [("patient", "a")])) == 2


def test_each_type_has_a_date_of_its_own_name():
    assert "date" in known_parameters("Encounter")
    assert "authored" in known_parameters("ServiceRequest")
    assert known_parameters("Patient") == {"_id", "identifier"}


def test_one_resource_is_read_by_type_and_id():
    assert HELD.read("Encounter", "short") is SHORT
    assert HELD.read("Encounter", "a") is None
    assert HELD.read("Flag", "short") is None
