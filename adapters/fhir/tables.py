"""What each FHIR type is called here: its kinds, how it is searched, its statuses.

Source: vocabulary §3 and §4; FHIR R4 search parameters and value sets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

# The versions of FHIR a source may declare that it speaks.
Version = Literal["R4", "STU3"]

# The kind that a mapping to the closed list gives is decided elsewhere for Encounter
# and Appointment, whose kind depends on the sector; these are all they may become.
_ENCOUNTERS: Final = (
    "ed_attendance",
    "inpatient_spell",
    "day_case",
    "encounter",
)
VISITS: Final[Mapping[str, str]] = {
    "primary-care": "gp_consultation",
    "acute": "outpatient_appointment",
    "community": "community_contact",
    "mental-health": "mental_health_contact",
}
BOOKINGS: Final[Mapping[str, str]] = {
    "primary-care": "gp_appointment",
    "acute": "outpatient_appointment",
}
# v3-ActCode, and the words that older servers write in its place.
CLASSES: Final[Mapping[str, str]] = {
    "EMER": "ed_attendance",
    "EMERGENCY": "ed_attendance",
    "IMP": "inpatient_spell",
    "INPATIENT": "inpatient_spell",
    "INPATIENT ENCOUNTER": "inpatient_spell",
    "ACUTE": "inpatient_spell",
    "INPATIENT ACUTE": "inpatient_spell",
    "NONAC": "inpatient_spell",
    "INPATIENT NON-ACUTE": "inpatient_spell",
    "SS": "day_case",
    "SHORT STAY": "day_case",
    "AMB": "visit",
    "AMBULATORY": "visit",
    "OUTPATIENT": "visit",
    "VR": "visit",
    "VIRTUAL": "visit",
    "HH": "visit",
    "HOME HEALTH": "visit",
    "HOME": "visit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """How one type is asked for, and which of our kinds it can become.

    `date` is the search parameter that agrees with our start, so that a filter by
    it never hides what belongs; records without that date are asked for apart.
    """

    kinds: tuple[str, ...]
    patient: str = "patient"
    date: str | None = None
    include: str | None = None


TYPES: Final[Mapping[str, Searched]] = {
    "Encounter": Searched(kinds=_ENCOUNTERS, date="date"),
    "Appointment": Searched(kinds=("appointment",), date="date"),
    "ServiceRequest": Searched(kinds=("referral",)),
    "EpisodeOfCare": Searched(kinds=("episode_of_care",), date="date"),
    "Condition": Searched(kinds=("condition",)),
    "Procedure": Searched(kinds=("procedure",), date="date"),
    "Flag": Searched(kinds=("flag",)),
    "AllergyIntolerance": Searched(kinds=("allergy",)),
    "MedicationRequest": Searched(
        kinds=("medication",), include="MedicationRequest:medication"
    ),
    "MedicationStatement": Searched(
        kinds=("medication",), include="MedicationStatement:medication"
    ),
    "MedicationDispense": Searched(
        kinds=("medication",), include="MedicationDispense:medication"
    ),
    "MedicationAdministration": Searched(
        kinds=("medication",), include="MedicationAdministration:medication"
    ),
    "Immunization": Searched(kinds=("immunisation",), date="date"),
    "Observation": Searched(kinds=("observation",), date="date"),
    "DiagnosticReport": Searched(kinds=("diagnostic_report",), date="date"),
    "DocumentReference": Searched(kinds=("document",)),
    "Composition": Searched(kinds=("document",)),
    "CarePlan": Searched(kinds=("care_plan",)),
    "CareTeam": Searched(kinds=("care_team",)),
}
# What R4 made one type of, STU3 still has as two.
_REQUESTS: Final[Mapping[str, Searched]] = {
    "ReferralRequest": Searched(kinds=("referral",)),
    "ProcedureRequest": Searched(kinds=("referral",)),
}
SEARCHED: Final[Mapping[str, Searched]] = {**TYPES, **_REQUESTS}
TYPES_OF: Final[Mapping[Version, tuple[str, ...]]] = {
    "R4": tuple(TYPES),
    "STU3": tuple(name for name in SEARCHED if name != "ServiceRequest"),
}


def kinds_of(name: str, sector: str) -> frozenset[str]:
    """Every kind that records of a type may become in a source of this sector."""
    if name == "Appointment":
        return frozenset({BOOKINGS.get(sector, "appointment")})
    if name != "Encounter":
        return frozenset(SEARCHED[name].kinds)
    if sector == "ambulance":
        return frozenset({"ambulance_attendance", "ambulance_conveyance"})
    return frozenset({*_ENCOUNTERS, VISITS.get(sector, "encounter")})


# Referenced context: it explains events and is none.
SUPPORTING: Final = frozenset(
    {
        "Account",
        "BodyStructure",
        "Device",
        "Endpoint",
        "HealthcareService",
        "Location",
        "Medication",
        "MessageHeader",
        "Organization",
        "OrganizationAffiliation",
        "Practitioner",
        "PractitionerRole",
        "Provenance",
        "RelatedPerson",
        "Schedule",
        "Slot",
        "Specimen",
        "Substance",
    }
)
# Types that exist in STU3 and no longer in R4.
STU3_TYPES: Final = frozenset(
    {
        "BodySite",
        "DataElement",
        "DeviceComponent",
        "EligibilityRequest",
        "EligibilityResponse",
        "ExpansionProfile",
        "ImagingManifest",
        "ProcedureRequest",
        "ProcessRequest",
        "ProcessResponse",
        "ReferralRequest",
        "Sequence",
        "ServiceDefinition",
    }
)

# Types that R4 has and STU3 had not yet.
R4_TYPES: Final = frozenset(
    {
        "BiologicallyDerivedProduct",
        "BodyStructure",
        "CatalogEntry",
        "ChargeItemDefinition",
        "CoverageEligibilityRequest",
        "CoverageEligibilityResponse",
        "DeviceDefinition",
        "EventDefinition",
        "Evidence",
        "EvidenceVariable",
        "ExampleScenario",
        "ImmunizationEvaluation",
        "InsurancePlan",
        "Invoice",
        "MedicationKnowledge",
        "MolecularSequence",
        "ObservationDefinition",
        "OrganizationAffiliation",
        "ResearchDefinition",
        "ResearchElementDefinition",
        "ServiceRequest",
        "SpecimenDefinition",
        "TerminologyCapabilities",
        "VerificationResult",
    }
)
# In STU3 a List groups what a practice shows together; its records stand beside it.
SUPPORTING_STU3: Final = (SUPPORTING - R4_TYPES) | {"BodySite", "List"}

_REQUEST: Final = {
    "draft": "planned",
    "active": "active",
    "on-hold": "on-hold",
    "revoked": "cancelled",
    "completed": "finished",
    "ended": "finished",
    "cancelled": "cancelled",
    "stopped": "finished",
    "suspended": "on-hold",  # STU3
}
_CLINICAL: Final = {
    "active": "active",
    "recurrence": "active",
    "relapse": "active",
    "inactive": "finished",
    "remission": "finished",
    "resolved": "finished",
}
_DONE: Final = {
    "preparation": "planned",
    "in-progress": "active",
    "on-hold": "on-hold",
    "not-done": "cancelled",
    "stopped": "finished",
    "completed": "finished",
    "suspended": "on-hold",  # STU3
    "aborted": "finished",  # STU3
}
_RESULT: Final = {
    "registered": "active",
    "partial": "active",
    "preliminary": "active",
    "specimen-in-process": "active",
    "final": "finished",
    "amended": "finished",
    "corrected": "finished",
    "appended": "finished",
    "cancelled": "cancelled",
}
_DOCUMENT: Final = {
    "registered": "active",
    "partial": "active",
    "preliminary": "active",
    "current": "finished",
    "superseded": "finished",
    "final": "finished",
    "amended": "finished",
    "corrected": "finished",
    "appended": "finished",
    "deprecated": "finished",
    "cancelled": "cancelled",
}
_EVERYWHERE: Final = {"entered-in-error": "entered-in-error", "unknown": "unknown"}
STATUSES: Final[Mapping[str, Mapping[str, str]]] = {
    name: {**words, **_EVERYWHERE}
    for name, words in {
        "Encounter": {
            "planned": "planned",
            "arrived": "active",
            "triaged": "active",
            "in-progress": "active",
            "onleave": "active",
            "on-hold": "on-hold",
            "discharged": "active",
            "finished": "finished",
            "completed": "finished",
            "cancelled": "cancelled",
            "discontinued": "finished",
        },
        "Appointment": {
            "proposed": "planned",
            "pending": "planned",
            "booked": "planned",
            "waitlist": "planned",
            "arrived": "active",
            "checked-in": "active",
            "fulfilled": "finished",
            "cancelled": "cancelled",
            "noshow": "did-not-attend",
        },
        "ServiceRequest": _REQUEST,
        "EpisodeOfCare": {
            "planned": "planned",
            "waitlist": "planned",
            "active": "active",
            "onhold": "on-hold",
            "finished": "finished",
            "cancelled": "cancelled",
        },
        "Condition": _CLINICAL,
        "AllergyIntolerance": _CLINICAL,
        "Procedure": _DONE,
        "Flag": {"active": "active", "inactive": "finished"},
        "MedicationRequest": _REQUEST,
        "MedicationStatement": {
            **_REQUEST,
            "intended": "planned",
            "not-taken": "cancelled",
            "recorded": "unknown",
        },
        "MedicationDispense": {
            **_DONE,
            "cancelled": "cancelled",
            "declined": "cancelled",
        },
        "MedicationAdministration": _DONE,
        "Immunization": {"completed": "finished", "not-done": "cancelled"},
        "Observation": _RESULT,
        "DiagnosticReport": _RESULT,
        "DocumentReference": _DOCUMENT,
        "Composition": _DOCUMENT,
        "CarePlan": _REQUEST,
        "CareTeam": {
            "proposed": "planned",
            "active": "active",
            "suspended": "on-hold",
            "inactive": "finished",
        },
    }.items()
}
# Words of a status that turn the record's meaning round, said first in its title.
NEGATIONS: Final[Mapping[str, str]] = {
    "not-done": "Not done",
    "not-taken": "Not taken",
    "declined": "Declined",
}
# The same for what is thought of a condition or an allergy.
VERIFICATIONS: Final[Mapping[str, str]] = {
    "refuted": "Refuted",
    "unconfirmed": "Unconfirmed",
    "provisional": "Provisional",
    "differential": "Possible",
    "presumed": "Presumed",
}
