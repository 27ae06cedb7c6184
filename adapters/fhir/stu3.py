"""How a record of FHIR STU3 gives itself away, and its refusal by name.

STU3 gives the same words other meanings, so it is never guessed at.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Final

from adapters.errors import Unreadable
from adapters.fhir import resources
from adapters.fhir.elements import Resource

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


def _told(
    kind: type[Resource], names: tuple[str, ...]
) -> tuple[Callable[[Resource], object], object]:
    """How to read these fields at once, and what is read where none is told."""
    read = attrgetter(*names)
    return read, read(kind())


_READ: Final = {kind.__name__: _told(kind, names) for kind, names in _FIELDS.items()}
_STATUS: Final = frozenset({"Condition", "AllergyIntolerance"})
# Every profile of the NHS in STU3 says so in its name.
PROFILE: Final = "/STU3/"


def is_stu3(name: str, record: Resource) -> bool:
    """Whether a record of the type so named has a field that only STU3 has."""
    if name in _READ:
        read, untold = _READ[name]
        if read(record) != untold:
            return True
    return name in _STATUS and isinstance(getattr(record, "clinical_status", None), str)


def refused() -> Unreadable:
    """The error to raise."""
    message = "the source speaks FHIR STU3, which is not read yet. Ask it for R4."
    return Unreadable("stu3", message)
