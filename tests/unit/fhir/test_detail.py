"""What was measured, given and seen is kept with its unit, part and method."""

import pytest

from tests.fhir_reading import concept, event, told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            {"valueQuantity": {"value": 7.10, "unit": "mmol/L"}},
            ("value", "7.1", "mmol/L"),
        ),
        (
            {"valueQuantity": {"value": "7.10", "comparator": "<", "code": "mmol/L"}},
            ("value", "<7.10", "mmol/L"),
        ),
        ({"valueCodeableConcept": concept("Positive")}, ("value", "Positive", None)),
        ({"valueString": "clear"}, ("value", "clear", None)),
        ({"valueBoolean": False}, ("value", "false", None)),
        ({"valueInteger": 0}, ("value", "0", None)),
        (
            {"valueRange": {"low": {"value": 1}, "high": {"value": 2, "unit": "g"}}},
            ("value", "1 to 2", "g"),
        ),
        (
            {"valueRange": {"low": {"value": 1, "unit": "g"}}},
            ("value", "at least 1", "g"),
        ),
        (
            {"valueRange": {"high": {"value": 2, "unit": "g"}}},
            ("value", "at most 2", "g"),
        ),
        (
            {
                "valueRatio": {
                    "numerator": {"value": 1, "unit": "mg"},
                    "denominator": {"value": 8, "unit": "mL"},
                }
            },
            ("value", "1/8", "mg/mL"),
        ),
        ({"valueDateTime": "2024"}, ("value", "2024", None)),
        ({"valueTime": "10:00"}, ("value", "10:00", None)),
        ({"valuePeriod": {"start": "2024"}}, ("value", "2024 to …", None)),
        (
            {"valueSampledData": {"data": "1 2"}},
            ("value", "not shown here: see the source", None),
        ),
        (
            {"dataAbsentReason": concept("unknown")},
            ("data_absent_reason", "unknown", None),
        ),
    ],
)
def test_each_sort_of_value_is_kept_with_its_unit(value, shown):
    found = event("Observation", status="final", code=concept("Test"), **value)
    assert told(found)[1:] == [shown]


def test_a_measurement_keeps_its_parts_limits_method_and_meaning():
    found = event(
        "Observation",
        status="final",
        code=concept("Blood pressure"),
        effectiveInstant="2024-03-09T10:00:00Z",
        issued="2024-03-09T11:00:00Z",
        interpretation=[concept("High")],
        method=concept("Cuff"),
        bodySite=concept("Left arm"),
        component=[
            {
                "code": concept("Systolic"),
                "valueQuantity": {"value": 150, "unit": "mmHg"},
            },
            {"dataAbsentReason": concept("Not asked")},
        ],
        referenceRange=[
            {"low": {"value": 90, "unit": "mmHg"}, "high": {"value": 140}},
            {"text": "as usual"},
        ],
    )
    assert told(found)[1:] == [
        ("interpretation", "High", None),
        ("method", "Cuff", None),
        ("body_site", "Left arm", None),
        ("component", "Systolic: 150", "mmHg"),
        ("component_data_absent_reason", "component: Not asked", None),
        ("reference_range", "90 to 140", "mmHg"),
        ("reference_range", "as usual", None),
    ]
    assert found.recorded is not None
    assert found.recorded.text == "2024-03-09T11:00:00+00:00"


def test_a_dose_keeps_amount_route_and_words():
    dosage = {
        "text": "one at night",
        "route": concept("Oral"),
        "method": concept("Swallow"),
        "asNeededBoolean": True,
        "doseAndRate": [
            {"doseQuantity": {"value": 1.50, "unit": "tablet"}},
            {"doseRange": {"low": {"value": 1}, "high": {"value": 2}}},
        ],
    }
    found = event(
        "MedicationRequest",
        status="active",
        intent="order",
        medicationCodeableConcept=concept("Iron"),
        authoredOn="2024-03-09",
        dosageInstruction=[dosage],
    )
    assert told(found) == [
        ("record", "order", None),
        ("status", "active", None),
        ("intent", "order", None),
        ("dosage", "one at night", None),
        ("dose", "1.5", "tablet"),
        ("dose", "1 to 2", None),
        ("route", "Oral", None),
        ("method", "Swallow", None),
        ("as_needed", "true", None),
    ]


def test_a_supply_and_a_giving_keep_quantity_and_dose():
    supply = event(
        "MedicationDispense",
        status="completed",
        whenPrepared="2024-03-09",
        quantity={"value": 28, "unit": "tablet"},
    )
    assert ("dated_by", "whenPrepared", None) not in told(supply)
    assert ("quantity", "28", "tablet") in told(supply)
    given = event(
        "MedicationAdministration",
        status="completed",
        effectivePeriod={"start": "2024-03-09", "end": "2024-03-10"},
        dosage={"dose": {"value": 5, "unit": "mg"}},
    )
    assert ("dose", "5", "mg") in told(given)
    assert given.end is not None


def test_an_immunisation_keeps_dose_site_route_and_number():
    found = event(
        "Immunization",
        status="completed",
        vaccineCode=concept("Flu"),
        occurrenceString="last autumn",
        doseQuantity={"value": 0.5, "unit": "mL"},
        site=concept("Left arm"),
        route=concept("IM"),
        lotNumber="A1",
        protocolApplied=[{"doseNumberPositiveInt": 2}, {"doseNumberString": "B"}, {}],
    )
    assert found.start is None
    assert told(found)[1:] == [
        ("occurrence", "last autumn", None),
        ("dose", "0.5", "mL"),
        ("site", "Left arm", None),
        ("route", "IM", None),
        ("lot_number", "A1", None),
        ("dose_number", "2", None),
        ("dose_number", "B", None),
    ]


def test_an_allergy_keeps_what_it_does_and_how_grave_it_is():
    found = event(
        "AllergyIntolerance",
        code=concept("Penicillin"),
        type="allergy",
        category=["medication", None],
        criticality="high",
        reaction=[{"manifestation": [concept("Rash")], "severity": "mild"}],
    )
    assert told(found) == [
        ("type", "allergy", None),
        ("category", "medication", None),
        ("criticality", "high", None),
        ("reaction", "Rash", None),
        ("reaction_severity", "mild", None),
    ]
