"""How FHIR STU3 and R4 tell themselves apart, and the refusal of the other by name.

They give the same words different meanings, so neither is ever guessed at: a source
file declares which one its source speaks.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Final

import msgspec

from adapters.errors import Unreadable
from adapters.fhir import resources
from adapters.fhir.elements import Resource
from adapters.fhir.tables import Version

# Fields that R4 does not have, or has as something other than a plain word.
_FIELDS: Final[dict[type[Resource], tuple[str, ...]]] = {
    resources.Patient: ("animal",),
    resources.Appointment: ("incoming_referral",),
    resources.Condition: ("asserted_date",),
    resources.AllergyIntolerance: ("asserted_date",),
    resources.Procedure: ("not_done",),
    resources.MedicationRequest: ("context", "definition"),
    resources.MedicationStatement: ("taken",),
    resources.MedicationDispense: ("not_done",),
    resources.MedicationAdministration: ("not_given",),
    resources.Immunization: ("not_given",),
    resources.Observation: ("related", "comment"),
    resources.DiagnosticReport: ("coded_diagnosis",),
    resources.DocumentReference: ("indexed",),
    resources.CarePlan: ("definition",),
}
# Fields that STU3 does not have, by the names they are written with. Some of them
# tell a record's time, status or negation, which would be missed.
_R4_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(fields)
    for name, fields in {
        "Appointment": ("cancelationReason", "reasonCode", "basedOn"),
        "Condition": ("recordedDate", "encounter"),
        "AllergyIntolerance": ("recordedDate", "encounter"),
        "Procedure": ("statusReason", "encounter", "performedString"),
        "MedicationRequest": ("doNotPerform", "statusReason", "encounter"),
        "MedicationStatement": ("statusReason",),
        "MedicationDispense": ("statusReasonCodeableConcept",),
        "MedicationAdministration": ("statusReason",),
        "Immunization": ("occurrenceDateTime", "occurrenceString", "statusReason"),
        "Observation": ("encounter", "hasMember", "derivedFrom", "effectiveInstant"),
        "DiagnosticReport": ("encounter", "conclusionCode", "resultsInterpreter"),
        "DocumentReference": ("date", "category"),
        "CarePlan": ("created", "instantiatesCanonical"),
    }.items()
}


def _told(
    kind: type[Resource], names: tuple[str, ...]
) -> tuple[Callable[[Resource], object], object]:
    """How to read these fields at once, and what is read where none is told."""
    read = attrgetter(*names)
    return read, read(kind())


_READ: Final = {kind.__name__: _told(kind, names) for kind, names in _FIELDS.items()}
_STATUS: Final = frozenset({"Condition", "AllergyIntolerance"})
# Every profile of the NHS in STU3 says so in its name; those of R4 mostly do.
PROFILE: Final = "/STU3/"
FOREIGN_PROFILES: Final[Mapping[Version, tuple[str, ...]]] = {
    "R4": (PROFILE,),
    "STU3": ("/UKCore-", "/R4/"),
}


def is_stu3(name: str, record: Resource) -> bool:
    """Whether a record of the type so named has a field that only STU3 has."""
    if name in _READ:
        read, untold = _READ[name]
        if read(record) != untold:
            return True
    return name in _STATUS and isinstance(getattr(record, "clinical_status", None), str)


def is_r4(name: str, fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a record, as it is written, has a field or shape that only R4 has."""
    if _R4_FIELDS.get(name, frozenset()) & fields.keys():
        return True
    return name in _STATUS and bytes(fields.get("clinicalStatus", b""))[:1] == b"{"


def is_foreign(version: Version, profiles: Iterable[str | None]) -> bool:
    """Whether one of a record's profiles is of the version that is not declared."""
    return any(
        mark in profile
        for profile in profiles
        if profile
        for mark in FOREIGN_PROFILES[version]
    )


def refused(declared: Version = "R4") -> Unreadable:
    """The error to raise where a record is of the version that is not declared."""
    if declared == "STU3":
        message = "the source speaks FHIR R4, and its file says STU3."
        return Unreadable("r4", f"{message} Leave `version` out of the file.")
    message = "the source speaks FHIR STU3, which its file does not say."
    return Unreadable("stu3", f'{message} Put `version = "STU3"` into it.')
