"""How a record of FHIR STU3 gives itself away, and its refusal by name.

STU3 gives the same words other meanings, so it is never guessed at.
"""

from collections.abc import Iterable
from typing import Final

from adapters.errors import Unreadable
from adapters.fhir import resources
from adapters.fhir.elements import NOTHING, Meta, Resource

# Fields that R4 does not have, or has as something other than a plain word.
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    kind.__name__: names
    for kind, names in {
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
    }.items()
}
_STATUS: Final = (resources.Condition, resources.AllergyIntolerance)
# Every profile of the NHS in STU3 says so in its name.
PROFILE: Final = "/STU3/"
_WRITTEN: Final = PROFILE.encode()


def is_stu3(name: str, record: Resource) -> bool:
    """Whether a record of the type so named has a field that only STU3 has."""
    for field in _FIELDS.get(name, ()):
        found = getattr(record, field)
        if found is not None and found is not NOTHING:
            return True
    return isinstance(record, _STATUS) and isinstance(record.clinical_status, str)


def refused() -> Unreadable:
    """The error to raise."""
    message = "the source speaks FHIR STU3, which is not read yet. Ask it for R4."
    return Unreadable("stu3", message)


def refuse_profiles(page: bytes, metas: Iterable[Meta | None]) -> None:
    """Raise it where one of the profiles claimed is of STU3."""
    for meta in metas:
        if meta is None or meta.profile is None:
            continue
        for profile in meta.profile:
            if profile and PROFILE in profile and _WRITTEN in page:
                raise refused()
