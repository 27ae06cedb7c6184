"""One FHIR record read, and what tests ask of the event it becomes."""

import json

from adapters.contract import Identifier
from adapters.fhir import Scope, read_bundle
from tests.people import number

NHS = "https://fhir.nhs.uk/Id/nhs-number"
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
ME = {"identifier": {"system": NHS, "value": number(0)}}


# Types that call their subject a patient.
_PATIENTS = frozenset({"AllergyIntolerance", "Immunization", "EpisodeOfCare"})


def read(record, **scope):
    reading = read_bundle(json.dumps(record).encode(), Scope(**scope))
    assert (reading.accounted, reading.resources) == (1, 1)
    return reading


def event(kind, *, sector="acute", **fields):
    who = "patient" if kind in _PATIENTS else "subject"
    record = {"resourceType": kind, "id": "x1", who: ME, **fields}
    (found,) = read(record, sector=sector).events
    assert found.subject == {Identifier(NHS, number(0))}
    return found


def told(found):
    return [(d.element, d.value, d.unit) for d in found.detail]


def concept(text, *codes):
    return {"text": text, "coding": [{"system": "urn:s", "code": c} for c in codes]}
