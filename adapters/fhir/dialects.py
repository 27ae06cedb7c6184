"""What each version of FHIR calls its types, and how its records are drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters.fhir import clinical, contacts, medicines, resources, results
from adapters.fhir.elements import Resource
from adapters.fhir.references import Index
from adapters.fhir.sketch import Sketch
from adapters.fhir.stu3 import is_stu3, refused
from adapters.fhir.tables import (
    R4_TYPES,
    STU3_TYPES,
    SUPPORTING,
    SUPPORTING_STU3,
    TYPES_OF,
    Version,
)
from adapters.fhir.translation import READ_AS, translated

Draw = Callable[[Any, Index], Sketch]
Given = msgspec.Raw | Resource  # a resource, raw or decoded

_DRAWN: Final[dict[type[Resource], Draw]] = {
    resources.Encounter: contacts.encounter,
    resources.Appointment: contacts.appointment,
    resources.ServiceRequest: contacts.service_request,
    resources.EpisodeOfCare: contacts.episode_of_care,
    resources.CarePlan: contacts.care_plan,
    resources.CareTeam: contacts.care_team,
    resources.Condition: clinical.condition,
    resources.Procedure: clinical.procedure,
    resources.Flag: clinical.flag,
    resources.AllergyIntolerance: clinical.allergy,
    resources.Immunization: clinical.immunisation,
    resources.MedicationRequest: medicines.request,
    resources.MedicationStatement: medicines.statement,
    resources.MedicationDispense: medicines.dispense,
    resources.MedicationAdministration: medicines.administration,
    resources.Observation: results.observation,
    resources.DiagnosticReport: results.diagnostic_report,
    resources.DocumentReference: results.document_reference,
    resources.Composition: results.composition,
}
_MAPPED: Final[dict[str, tuple[msgspec.json.Decoder[Any], Draw]]] = {
    kind.__name__: (msgspec.json.Decoder(kind), draw) for kind, draw in _DRAWN.items()
}


def _drawn_r4(name: str, given: Given, index: Index) -> tuple[Resource, Sketch]:
    decoder, draw = _MAPPED[name]
    record = decoder.decode(given) if isinstance(given, msgspec.Raw) else given
    if is_stu3(name, record):
        raise refused("R4")
    return record, draw(record, index)


def _drawn_stu3(name: str, given: Given, index: Index) -> tuple[Resource, Sketch]:
    own = translated(name, msgspec.json.encode(given))
    decoder, draw = _MAPPED[own.name]
    record: Resource = decoder.decode(own.written)
    sketch = draw(record, index)
    if own.told:
        detail = (*sketch.detail, *own.told)
        sketch = msgspec.structs.replace(sketch, detail=detail)
    return record, sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`mapped` types become events; `foreign` ones only the other version has.

    `drawn` reads a record of a mapped type and draws its sketch. It raises what is
    in BROKEN, ValueError, and Unreadable for a record of the other version.
    """

    version: Version
    mapped: frozenset[str]
    supporting: frozenset[str]
    foreign: frozenset[str]
    drawn: Callable[[str, Given, Index], tuple[Resource, Sketch]]


DIALECTS: Final[Mapping[Version, Dialect]] = {
    "R4": Dialect(
        version="R4",
        mapped=frozenset(_MAPPED),
        supporting=SUPPORTING,
        foreign=STU3_TYPES,
        drawn=_drawn_r4,
    ),
    "STU3": Dialect(
        version="STU3",
        mapped=(frozenset(_MAPPED) | frozenset(READ_AS)) & frozenset(TYPES_OF["STU3"]),
        supporting=SUPPORTING_STU3,
        foreign=R4_TYPES,
        drawn=_drawn_stu3,
    ),
}
