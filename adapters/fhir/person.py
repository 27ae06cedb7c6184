"""The server's Patients as the contract's person, checked against who was asked for."""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final

from adapters import nhs_number
from adapters.contract import FlagState, Identifier, Identifiers, Person
from adapters.fhir.references import identified
from adapters.fhir.resources import Patient
from adapters.fhir.times import Times

# v3-Confidentiality: restricted and very restricted.
_SENSITIVE: Final = frozenset({"R", "V"})
_ESCAPES: Final = str.maketrans({"\\": "\\\\", ",": "\\,", "|": "\\|", "$": "\\$"})


def question_for(person: Identifiers, systems: Sequence[str]) -> str | None:
    """The value of an identifier search: `system|value,…`, escaped as FHIR asks.

    None where the person has no identifier of a system the server knows.
    """
    tokens = [
        f"{system.translate(_ESCAPES)}|{identifier.value.translate(_ESCAPES)}"
        for system in systems
        for identifier in sorted(person.every, key=lambda one: (one.system, one.value))
        if identifier.system == current(system)
    ]
    return ",".join(tokens) or None


def current(system: str) -> str:
    """Both published NHS number systems are one."""
    return nhs_number.SYSTEM if system in nhs_number.SYSTEMS else system


def agreeing(
    patients: Iterable[Patient], asked: Identifiers
) -> tuple[list[Patient], list[Patient]]:
    """Patients who may be the person asked for, and those who say they are not.

    A Patient that tells no identifier of a system asked by contradicts nothing: a
    restricted record may hide its numbers. One that tells another number is
    somebody else, whatever else agrees.
    """
    same: list[Patient] = []
    others: list[Patient] = []
    for patient in patients:
        own, _ = identified(patient.identifier or ())
        (others if _contradicts(own, asked) else same).append(patient)
    return same, others


def _contradicts(own: frozenset[Identifier], asked: Identifiers) -> bool:
    numbers = {one.value for one in own if one.system == nhs_number.SYSTEM}
    if asked.nhs_number is not None and numbers:
        return numbers != {asked.nhs_number}
    if own & asked.every:
        return False
    systems = {one.system for one in asked.every}
    return any(one.system in systems for one in own)


def person_of(patients: Sequence[Patient], base: str, zone: tzinfo) -> Person | None:
    """The person these Patients are; demographics of the first that tells them."""
    if not patients:
        return None
    identifiers: set[Identifier] = set()
    for patient in patients:
        own, _ = identified(patient.identifier or ())
        identifiers |= own
        if not own and patient.id:
            identifiers.add(Identifier(f"{base}/Patient", patient.id))
    times = Times(zone)
    births = (times.read(p.birth_date)[0] for p in patients if p.birth_date)
    return Person(
        identifiers=frozenset(identifiers),
        name=next((name for p in patients if (name := _name(p))), None),
        birth_date=next((birth for birth in births if birth), None),
        gender=next((p.gender for p in patients if p.gender), None),
        postcode=next((code for p in patients if (code := _postcode(p))), None),
    )


def _name(patient: Patient) -> str | None:
    names = [name for name in patient.name or () if name.use not in {"old", "maiden"}]
    names.sort(key=lambda name: name.use not in {"official", "usual", None})
    for name in names:
        parts = (*(given for given in name.given or () if given), name.family)
        if written := name.text or " ".join(part for part in parts if part):
            return written
    return None


def _postcode(patient: Patient) -> str | None:
    addresses = [one for one in patient.address or () if one.use != "old"]
    addresses.sort(key=lambda one: one.use != "home")
    return next((one.postal_code for one in addresses if one.postal_code), None)


def flags_of(patients: Iterable[Patient], as_of: datetime) -> tuple[FlagState, ...]:
    """`sensitive-record` where a Patient is labelled restricted; silence is no no."""
    labels = {
        label.code
        for patient in patients
        for label in (patient.meta.security if patient.meta else None) or ()
    }
    if labels & _SENSITIVE:
        return (FlagState(flag="sensitive-record", present=True, as_of=as_of),)
    return ()
