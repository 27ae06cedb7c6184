"""The areas of a GP practice's structured record, and what each of them brings.

Source: GP Connect, Access Record: Structured, GetStructuredRecord operation 1.x.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A part of the record: how it is asked for, and what it brings.

    `lists` are the codes of the Lists that come with it, also where it is empty.
    """

    parameter: str
    types: tuple[str, ...]
    lists: tuple[str, ...]
    parts: tuple[str, ...] = ()  # what is to be included that by default is not


AREAS: Final = (
    Area(
        parameter="includeAllergies",
        types=("AllergyIntolerance",),
        lists=("886921000000105", "1103671000000101"),
        parts=("includeResolvedAllergies",),
    ),
    Area(
        parameter="includeMedication",
        types=("MedicationRequest", "MedicationStatement"),
        lists=("933361000000108",),
        parts=("includePrescriptionIssues",),
    ),
    Area(
        parameter="includeConsultations",
        types=("Encounter",),
        lists=("1149501000000101",),
    ),
    Area(
        parameter="includeProblems",
        types=("Condition",),
        lists=("717711000000103",),
    ),
    Area(
        parameter="includeImmunisations",
        types=("Immunization",),
        lists=("1102181000000102",),
        parts=("includeNotGiven",),
    ),
    Area(
        parameter="includeUncategorisedData",
        types=("Observation",),
        lists=("826501000000100",),
    ),
    Area(
        parameter="includeInvestigations",
        types=("DiagnosticReport", "Observation"),
        lists=("887191000000108",),
    ),
    Area(
        parameter="includeReferrals",
        types=("ReferralRequest",),
        lists=("792931000000107",),
    ),
    Area(
        parameter="includeDiaryEntries",
        types=("ProcedureRequest",),
        lists=("714311000000108",),
    ),
)
TYPES: Final = tuple(dict.fromkeys(name for area in AREAS for name in area.types))
