"""What a source is read for, by its source file and its sector."""

from typing import Final

from adapters.hl7v2.record import Manner
from adapters.hl7v2.settings import (
    CLASSES,
    Hl7v2File,
    appointment_kind,
    outpatient_kind,
)
from adapters.hl7v2.times import Clock
from adapters.vocabulary import categories_of

_KINDS: Final[dict[str, frozenset[str]]] = {
    "ADT": frozenset({"encounter", "ward_stay", "death"}),  # and those of the classes
    "ORU": frozenset({"diagnostic_report", "observation"}),
    "MDM": frozenset({"document"}),
    "REF": frozenset({"referral"}),
    "VXU": frozenset({"immunisation"}),
    "PPR": frozenset({"condition"}),
    "AL1": frozenset({"allergy"}),
    "DG1": frozenset({"condition"}),
    "PR1": frozenset({"procedure"}),
    "OBX": frozenset({"observation"}),
}


def manner(settings: Hl7v2File, sector: str, clock: Clock) -> Manner:
    """How messages become events."""
    return Manner(
        clock=clock,
        classes=CLASSES | settings.classes,
        outpatient=outpatient_kind(sector),
        appointment=appointment_kind(sector),
        reads=frozenset(settings.reads),
    )


def held(settings: Hl7v2File, sector: str) -> frozenset[str]:
    """The categories the source can tell of: those of what is read, and no others."""
    kinds: set[str] = set()
    for each in settings.reads:
        kinds |= _KINDS.get(each, frozenset())
    if "ADT" in settings.reads:
        classes = {*CLASSES.values(), *settings.classes.values()} - {"outpatient"}
        kinds |= classes | {outpatient_kind(sector)}
    if "SIU" in settings.reads:
        kinds.add(appointment_kind(sector))
    return categories_of(frozenset(kinds), sector)
