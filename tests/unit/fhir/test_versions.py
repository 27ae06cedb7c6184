"""Which version of FHIR a source speaks is declared, and the other is refused."""

import json

import pytest

from adapters.errors import ConfigurationError, Unreadable
from adapters.fhir import Scope, read_bundle
from adapters.fhir.areas import AREAS, TYPES
from adapters.fhir.capabilities import read_capabilities
from adapters.fhir.dialects import DIALECTS
from adapters.fhir.settings import load
from adapters.fhir.structured_record import wanted
from adapters.fhir.tables import (
    R4_TYPES,
    SEARCHED,
    STU3_TYPES,
    SUPPORTING,
    SUPPORTING_STU3,
    TYPES_OF,
)
from adapters.vocabulary import CATEGORIES
from tests.fhir_reading import ME, concept, event, read
from tests.stub_practice import AREAS as PRACTICE_AREAS

R4_RECORDS = [
    ("Condition", {"clinicalStatus": concept("", "active")}),
    ("Condition", {"recordedDate": "2020"}),
    ("AllergyIntolerance", {"clinicalStatus": {}}),
    ("Procedure", {"statusReason": concept("x")}),
    ("Immunization", {"occurrenceDateTime": "2020"}),
    ("MedicationRequest", {"doNotPerform": True}),
    ("ServiceRequest", {}),
    ("MolecularSequence", {}),
    ("ValueSet", {"meta": {"profile": ["https://fhir.example.invalid/R4/X"]}}),
    (
        "Organization",
        {
            "meta": {
                "profile": [
                    "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Organization"
                ]
            }
        },
    ),
]


@pytest.mark.parametrize(("kind", "fields"), R4_RECORDS)
def test_r4_is_known_where_stu3_is_declared_and_refused_by_name(kind, fields):
    body = json.dumps({"resourceType": kind, "id": "x", **fields}).encode()
    with pytest.raises(Unreadable, match="Leave `version` out") as caught:
        read_bundle(body, Scope(version="STU3"))
    assert caught.value.reason == "r4"


def test_stu3_is_refused_by_name_where_it_is_not_declared():
    body = json.dumps({"resourceType": "ReferralRequest", "id": "x"}).encode()
    with pytest.raises(Unreadable, match='Put `version = "STU3"`') as caught:
        read_bundle(body, Scope())
    assert caught.value.reason == "stu3"


def test_what_both_versions_write_alike_is_read_alike():
    period = {"start": "2020-01-02", "end": "2020-02-03"}
    for kind, fields in {
        "CarePlan": {"title": "Plan", "status": "active", "period": period},
        "CareTeam": {"name": "Team", "status": "active", "period": period},
        "Flag": {"code": concept("Falls"), "status": "active", "period": period},
    }.items():
        record = {"resourceType": kind, "id": "x1", "subject": ME, **fields}
        assert read(record, version="STU3").events == [event(kind, **fields)]


def test_the_tables_of_both_versions_belong_together():
    assert DIALECTS["R4"].mapped == set(TYPES_OF["R4"])
    assert DIALECTS["STU3"].mapped == set(TYPES_OF["STU3"])
    assert set(SEARCHED) == set(TYPES_OF["R4"]) | set(TYPES_OF["STU3"])
    assert set(TYPES_OF["STU3"]) - set(TYPES_OF["R4"]) <= STU3_TYPES
    assert not R4_TYPES & STU3_TYPES
    assert {"List", "BodySite"} == SUPPORTING_STU3 - SUPPORTING
    assert set(TYPES) <= set(TYPES_OF["STU3"])


def test_the_stub_practice_knows_the_areas_that_are_asked_for():
    assert {area.parameter: area.lists[0] for area in AREAS} == {
        name: code for name, (code, _) in PRACTICE_AREAS.items()
    }


RECORD = 'version = "STU3"\nask_by = "structured-record"\n'
FILE = 'kind = "fhir"\nbase_url = "https://gp.example.invalid/stu3"\n'


def settings(folder, text):
    path = folder / "source.toml"
    path.write_text(FILE + text)
    return load(path)


def test_a_source_speaks_r4_and_is_searched_unless_its_file_says_otherwise(tmp_path):
    plain = settings(tmp_path, "")
    assert (plain.version, plain.ask_by, plain.types) == (
        "R4",
        "search",
        TYPES_OF["R4"],
    )
    older = settings(tmp_path, 'version = "STU3"')
    assert older.types == TYPES_OF["STU3"]
    assert "ReferralRequest" in older.types
    record = settings(tmp_path, 'version = "STU3"\nask_by = "structured-record"')
    assert record.types == TYPES


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('version = "DSTU2"', 3, "R4"),
        ('version = "STU3"\ntypes = ["ServiceRequest"]', 4, "ReferralRequest"),
        ('types = ["ReferralRequest"]', 3, "ServiceRequest"),
        (
            'version = "STU3"\nask_by = "structured-record"\ntypes = ["Appointment"]',
            5,
            "AllergyIntolerance",
        ),
        ('ask_by = "structured-record"', None, "STU3"),
        (
            f'{RECORD}[identifiers]\nsystems = ["urn:local"]',
            None,
            "NHS number alone",
        ),
        ('ask_by = "magic"', 3, "structured-record"),
    ],
)
def test_a_file_at_odds_with_its_version_is_refused_with_a_remedy(
    tmp_path, text, line, said
):
    with pytest.raises(ConfigurationError, match=said) as caught:
        settings(tmp_path, text)
    assert caught.value.line in {line, None}


@pytest.mark.parametrize(
    ("categories", "parameters"),
    [
        ({"allergies"}, {"includeAllergies"}),
        ({"medications"}, {"includeMedication", "includeImmunisations"}),
        ({"encounters"}, {"includeConsultations"}),
        ({"problems"}, {"includeProblems"}),
        ({"observations"}, {"includeUncategorisedData", "includeInvestigations"}),
        ({"referrals"}, {"includeReferrals", "includeDiaryEntries"}),
        ({"ambulance"}, set()),
        (CATEGORIES, {area.parameter for area in AREAS}),
    ],
)
def test_only_areas_of_the_categories_asked_for_are_wanted(categories, parameters):
    """Catches the seeded defect of asking for everything and filtering after."""
    areas = wanted(TYPES, frozenset(categories), "primary-care")
    assert {area.parameter for area in areas} == parameters


def test_only_areas_of_the_types_configured_are_wanted():
    (area,) = wanted(("Condition",), CATEGORIES, "primary-care")
    assert area.parameter == "includeProblems"


def test_what_a_server_of_stu3_says_of_itself_is_read():
    """Its operations are defined by a Reference, where R4 has an address."""
    definition = {"reference": "OperationDefinition/Patient-everything"}
    statement = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "3.0.1",
        "rest": [
            {
                "mode": "server",
                "operation": [{"name": "everything", "definition": definition}],
                "resource": [
                    {"type": "ReferralRequest", "searchParam": [{"name": "patient"}]}
                ],
            }
        ],
    }
    told = read_capabilities(json.dumps(statement).encode())
    assert told.parameters == {"ReferralRequest": {"patient"}}
    assert not told.everything
