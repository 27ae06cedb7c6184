"""FHIR searchsets of a stated size, of synthetic people, the same for the same seed.

They are like Synthea's: the same fields, displays and references, some 900 bytes a
resource. Nothing here comes from anybody's record.
"""

import json
import random
from collections.abc import Callable
from typing import Any, Final

from adapters.nhs_number import SYSTEM

NHS_NUMBER: Final = "9990000018"
PATIENT: Final = "b3f1f3a0-patient"
TYPES: Final = ("Observation", "Encounter", "Condition", "Immunization", "Procedure")

Resource = dict[str, Any]

_TESTS: Final = (
    ("8302-2", "Body Height", "cm"),
    ("29463-7", "Body Weight", "kg"),
    ("39156-5", "Body Mass Index", "kg/m2"),
    ("2339-0", "Glucose", "mg/dL"),
    ("38483-4", "Creatinine", "mg/dL"),
    ("2947-0", "Sodium", "mmol/L"),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%"),
)
_CONDITIONS: Final = (
    ("44054006", "Diabetes mellitus type 2 (disorder)"),
    ("38341003", "Hypertensive disorder, systemic arterial (disorder)"),
    ("195967001", "Asthma (disorder)"),
    ("271737000", "Anemia (disorder)"),
)
_PROCEDURES: Final = (
    ("430193006", "Medication Reconciliation (procedure)"),
    ("76601001", "Intramuscular injection"),
    ("399208008", "Plain chest X-ray (procedure)"),
)
_VACCINES: Final = (
    ("140", "Influenza, seasonal, injectable, preservative free"),
    ("113", "Td (adult) preservative free"),
    ("33", "pneumococcal polysaccharide vaccine, 23 valent"),
)
_SNOMED: Final = "http://snomed.info/sct"


def searchset(name: str, *, base: str, seed: int, size: int = 0, count: int = 0) -> str:
    """A searchset of one type: as many records as fit `size` bytes, or `count`."""
    chance = random.Random(f"{name}-{seed}")  # noqa: S311 - no secret is made
    entries: list[Resource] = []
    room = size - 220  # of the Bundle's own words
    while True:
        resource = _RECORDS[name](chance, f"{chance.getrandbits(128):032x}")
        entry = _entry(resource, base)
        room -= len(json.dumps(entry, separators=(",", ":"))) + 1
        if len(entries) >= count if count else room < 0:
            return _bundle(entries, f"{base}/{name}?patient=Patient/{PATIENT}")
        entries.append(entry)


def person(*, base: str) -> str:
    """The searchset in which the one person is found."""
    patient = {
        "resourceType": "Patient",
        "id": PATIENT,
        "identifier": [{"system": SYSTEM, "value": NHS_NUMBER}],
        "name": [{"use": "official", "family": "Example", "given": ["Ann"]}],
        "gender": "female",
        "birthDate": "1951-04-23",
    }
    return _bundle([_entry(patient, base)], f"{base}/Patient?identifier={NHS_NUMBER}")


def _entry(resource: Resource, base: str) -> Resource:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}


def _bundle(entries: list[Resource], itself: str) -> str:
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(entries),
        "link": [{"relation": "self", "url": itself}],
        "entry": entries,
    }
    return json.dumps(bundle, separators=(",", ":"))


def _about(name: str, key: str) -> Resource:
    return {
        "resourceType": name,
        "id": key,
        "meta": {
            "versionId": "1",
            "lastUpdated": "2025-11-02T04:10:11.000+00:00",
            "profile": [f"http://example.test/StructureDefinition/bench-{name}"],
        },
        "status": "final",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "encounter": {"reference": f"Encounter/e{key[:12]}"},
    }


def _when(chance: random.Random) -> str:
    day = f"{2012 + chance.randrange(13)}-{chance.randrange(1, 13):02d}"
    hour, minute = chance.randrange(24), chance.randrange(60)
    return (
        f"{day}-{chance.randrange(1, 29):02d}T{hour:02d}:{minute:02d}:"
        f"{chance.randrange(60):02d}+00:00"
    )


def _concept(system: str, code: str, display: str) -> Resource:
    coding = {"system": system, "code": code, "display": display}
    return {"coding": [coding], "text": display}


def _observation(chance: random.Random, key: str) -> Resource:
    code, display, unit = chance.choice(_TESTS)
    when = _when(chance)
    group = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        **_about("Observation", key),
        "category": [_concept(group, "laboratory", "laboratory")],
        "code": _concept("http://loinc.org", code, display),
        "effectiveDateTime": when,
        "issued": when,
        "valueQuantity": {
            "value": round(chance.uniform(1, 200), 2),
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }


def _encounter(chance: random.Random, key: str) -> Resource:
    when = _when(chance)
    about = _about("Encounter", key)
    del about["encounter"]
    return {
        **about,
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": chance.choice(("AMB", "EMER", "IMP")),
        },
        "type": [_concept(_SNOMED, "185345009", "Encounter for symptom")],
        "period": {"start": when, "end": when},
        "reasonCode": [_concept(_SNOMED, *chance.choice(_CONDITIONS))],
    }


def _condition(chance: random.Random, key: str) -> Resource:
    when = _when(chance)
    about = _about("Condition", key)
    del about["status"]
    clinical = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    verified = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {
        **about,
        "clinicalStatus": _concept(clinical, "active", "Active"),
        "verificationStatus": _concept(verified, "confirmed", "Confirmed"),
        "code": _concept(_SNOMED, *chance.choice(_CONDITIONS)),
        "onsetDateTime": when,
        "recordedDate": when,
    }


def _immunization(chance: random.Random, key: str) -> Resource:
    about = _about("Immunization", key)
    about["patient"] = about.pop("subject")
    vaccine = _concept("http://hl7.org/fhir/sid/cvx", *chance.choice(_VACCINES))
    return {
        **about,
        "status": "completed",
        "vaccineCode": vaccine,
        "occurrenceDateTime": _when(chance),
        "primarySource": True,
    }


def _procedure(chance: random.Random, key: str) -> Resource:
    when = _when(chance)
    return {
        **_about("Procedure", key),
        "status": "completed",
        "code": _concept(_SNOMED, *chance.choice(_PROCEDURES)),
        "performedPeriod": {"start": when, "end": when},
        "reasonCode": [_concept(_SNOMED, *chance.choice(_CONDITIONS))],
    }


_RECORDS: Final[dict[str, Callable[[random.Random, str], Resource]]] = {
    "Observation": _observation,
    "Encounter": _encounter,
    "Condition": _condition,
    "Immunization": _immunization,
    "Procedure": _procedure,
}
