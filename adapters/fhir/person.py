"""The server's Patients as the contract's person, checked against who was asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from adapters import nhs_number
from adapters.contract import (
    Candidate,
    FlagState,
    Identifier,
    Identifiers,
    Person,
    day_of_birth,
)
from adapters.fhir.references import Scope, identified
from adapters.fhir.resources import Patient
from adapters.fhir.times import Times

# v3-Confidentiality: restricted and very restricted.
_SENSITIVE: Final = frozenset({"R", "V"})
_ESCAPES: Final = str.maketrans({"\\": "\\\\", ",": "\\,", "|": "\\|", "$": "\\$"})


def question_for(
    person: Identifiers, systems: Sequence[str], placeholders: frozenset[str]
) -> str | None:
    """The value of an identifier search: `system|value,…`, escaped as FHIR asks.

    None where the person has no identifier of a system the server knows.
    """
    tokens = [
        f"{system.translate(_ESCAPES)}|{identifier.value.translate(_ESCAPES)}"
        for system in systems
        for identifier in sorted(person.every, key=lambda one: (one.system, one.value))
        if identifier.system == current(system) and identifier.value not in placeholders
    ]
    return ",".join(tokens) or None


def question_by_birth(described: Person, count: int) -> tuple[tuple[str, str], ...]:
    """The parameters of a search for people alike; none where that cannot be asked.

    By the surname's last word, which is what a source may have filed it under.
    """
    born = day_of_birth(described)
    before, comma, _ = (described.name or "").partition(",")
    words = before.split() if comma else before.split()[1:]
    if born is None or not words:
        return ()
    return (
        ("birthdate", born.isoformat()),
        ("family", words[-1].translate(_ESCAPES)),
        ("_count", str(count)),
    )


def candidates(
    patients: Iterable[Patient], born: date, scope: Scope, *, as_of: datetime
) -> Iterator[Candidate]:
    """Those of the Patients who were born on a day, each record once."""
    seen: set[str] = set()
    for patient in patients:
        person = person_of((patient,), scope)
        if person is None or day_of_birth(person) != born:
            continue
        if patient.id not in seen:
            yield Candidate(person=person, flags=flags_of((patient,), as_of))
        seen |= {patient.id} if patient.id else set()


def current(system: str) -> str:
    """Both published NHS number systems are one."""
    return nhs_number.SYSTEM if system in nhs_number.SYSTEMS else system


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Patients found: who may be the person asked for, and who says otherwise."""

    same: tuple[Patient, ...] = field(default=(), repr=False)
    others: tuple[Patient, ...] = field(default=(), repr=False)
    caveats: tuple[str, ...] = ()


def matched(
    patients: Sequence[Patient], asked: Identifiers, placeholders: frozenset[str]
) -> Matched:
    """Which Patients are the person asked for, by what they say of themselves.

    One that tells another number is somebody else, whatever else agrees. One that
    tells nothing to compare (a restricted record may hide its numbers) is taken at
    the server's word if it is the only one. An identifier that reaches people who
    differ links nobody, and neither does a Patient of several NHS numbers.
    """
    own = {
        id(one): identified(one.identifier or (), placeholders)[0] for one in patients
    }
    others = [p for p in patients if _contradicts(own[id(p)], asked)]
    rest = [p for p in patients if p not in others]
    shared = {
        identifier
        for identifier in asked.others
        if _differ([p for p in patients if identifier in own[id(p)]], own)
    }
    linking = asked.every - shared
    same = [p for p in rest if own[id(p)] & linking]
    if not same:
        # Who has the number asked for and contradicts it has another besides.
        numbers = {i for i in asked.every if i.system == nhs_number.SYSTEM}
        shared |= {i for i in numbers if any(i in own[id(p)] for p in others)}
    caveats = ["shared_identifier"] * len(shared)
    if not same and not shared and len(patients) == 1:
        return Matched(same=tuple(rest), others=tuple(others))
    # What came and does not belong: the filter was not heeded, or leads astray.
    if not shared:
        caveats += ["filter_ignored"] * (len(patients) - len(same))
    return Matched(
        same=tuple(same),
        others=() if shared else tuple(others),
        caveats=tuple(caveats),
    )


def _differ(
    patients: Sequence[Patient], own: Mapping[int, frozenset[Identifier]]
) -> bool:
    """Whether these may be several people: by NHS number, else by birth date.

    Two of whom nothing tells that they are one are taken for two.
    """
    numbers = {
        one.value
        for patient in patients
        for one in own[id(patient)]
        if one.system == nhs_number.SYSTEM
    }
    births = {patient.birth_date for patient in patients if patient.birth_date}
    if len(patients) < 2 or len(numbers) > 1 or len(births) > 1:
        return len(patients) > 1
    every_born = all(patient.birth_date for patient in patients)
    return not (every_born or _all_numbered(patients, own))


def _all_numbered(
    patients: Sequence[Patient], own: Mapping[int, frozenset[Identifier]]
) -> bool:
    return all(
        any(one.system == nhs_number.SYSTEM for one in own[id(patient)])
        for patient in patients
    )


def _contradicts(own: frozenset[Identifier], asked: Identifiers) -> bool:
    numbers = {one.value for one in own if one.system == nhs_number.SYSTEM}
    if asked.nhs_number is not None and numbers:
        return numbers != {asked.nhs_number}
    if own & asked.every:
        return False
    systems = {one.system for one in asked.every}
    return any(one.system in systems for one in own)


def person_of(patients: Sequence[Patient], scope: Scope) -> Person | None:
    """The person these Patients are; demographics of the first that tells them."""
    if not patients:
        return None
    identifiers: set[Identifier] = set()
    for patient in patients:
        own, _ = identified(patient.identifier or (), scope.placeholders)
        identifiers |= own
        if not own and patient.id:
            identifiers.add(Identifier(f"{scope.base}/Patient", patient.id))
    times = Times(scope.zone)
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
