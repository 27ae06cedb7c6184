"""What a server's Patients say of each other: which replaced which, and which number.

A link that refers, or says to see also, ties nothing.
Source: HL7 FHIR R4, Patient.link and Identifier.use.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Final, Literal

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers, Traced
from adapters.errors import Unreadable
from adapters.fhir.elements import NOTHING, Element, Reference
from adapters.fhir.references import Scope, identified, record_named
from adapters.fhir.resources import Patient
from adapters.fhir.times import Times

_IDENTIFIERS = frozenset[Identifier]


class PatientLink(Element, frozen=True, gc=False):
    """One link of a Patient to another."""

    other: Reference | None = None
    type: str | None = None


_LINKS: Final = msgspec.json.Decoder(tuple[PatientLink, ...])
# DSTU2 and STU3's first readers wrote `replace` for `replaced-by`.
_FORWARD: Final = frozenset({"replaced-by", "replace"})
_BACK: Final = frozenset({"replaces"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacing:
    """One Patient that another replaced: by what both are known, and since when."""

    before: _IDENTIFIERS = field(repr=False)
    after: _IDENTIFIERS = field(repr=False)
    at: datetime


def links_of(patient: Patient) -> tuple[PatientLink, ...]:
    """The links that say that one Patient replaced another. Unreadable if broken."""
    if patient.link == NOTHING or bytes(patient.link) == b"null":
        return ()
    try:
        found = _LINKS.decode(patient.link)
    except msgspec.DecodeError:
        message = "a Patient's links cannot be read. Report it to the source."
        raise Unreadable("unreadable", message) from None
    return tuple(each for each in found if each.type in _FORWARD | _BACK)


def named(patients: Iterable[Patient], scope: Scope) -> frozenset[str]:
    """The ids of Patients of this server that links lead to."""
    leads = (_id_of(each, scope) for patient in patients for each in links_of(patient))
    return frozenset(each for each in leads if each is not None)


def statements(
    patients: Sequence[Patient], scope: Scope, *, as_of: datetime
) -> tuple[Traced, ...]:
    """All that these Patients say of numbers replaced and records merged.

    `as_of` is when they said so, where they do not say since when. Unreadable
    `unresolved` where a link leads to nobody that can be read, and nothing else is
    said.
    """
    by_id = {each.id: each for each in patients if each.id}
    found: list[Traced] = []
    lost = 0
    for patient in patients:
        at = _at(patient, scope, as_of)
        found += _superseded(patient, scope, at)
        own = _own(patient, scope)
        for each in links_of(patient):
            other = _other(each, by_id, scope)
            if not other or not own:
                lost += 1
                continue
            pair = (own, other) if each.type in _FORWARD else (other, own)
            found += _told(Replacing(before=pair[0], after=pair[1], at=at))
    if lost and not found:
        message = "a Patient is linked to another who cannot be found there."
        raise Unreadable("unresolved", f"{message} Report it to the source.")
    return tuple(dict.fromkeys(sorted(found, key=_by_time)))


def answered_as(
    asked: Identifiers, patients: Sequence[Patient], scope: Scope, *, as_of: datetime
) -> tuple[Traced, ...]:
    """What it says that a server which follows superseded numbers names another.

    Only where it answers with one person, who has one valid number, and not that.
    """
    numbers = [_numbers(_own(each, scope)) for each in patients]
    if asked.nhs_number is None or len(numbers) != 1 or len(numbers[0]) != 1:
        return ()
    before, (after,) = Identifier(nhs_number.SYSTEM, asked.nhs_number), numbers[0]
    if before == after:
        return ()
    return (Traced(from_=before, to=after, how="superseded", at=as_of),)


def _told(replacing: Replacing) -> Iterator[Traced]:
    """One statement for each system that both are known in; else, one in all.

    Several of one system on one Patient are that person's: they lead to one.
    """
    before, after = _by_system(replacing.before), _by_system(replacing.after)
    shared = sorted(before.keys() & after.keys())
    if not shared:
        first, last = _anchor(replacing.before), _anchor(replacing.after)
        yield Traced(from_=first, to=last, how="merged", at=replacing.at)
    for system in shared:
        how: Literal["superseded", "merged"] = (
            "superseded" if system == nhs_number.SYSTEM else "merged"
        )
        last = after[system][0]
        for first in before[system]:
            if first not in after[system]:
                yield Traced(from_=first, to=last, how=how, at=replacing.at)


def _superseded(patient: Patient, scope: Scope, at: datetime) -> Iterator[Traced]:
    """NHS numbers that are marked old: another of the same Patient's replaced them.

    FHIR keeps an old identifier to be searched by, as after two records became one.
    """
    current = _numbers(_own(patient, scope))
    # As if they were in use, to have them checked.
    old = [
        msgspec.structs.replace(each, use=None)
        for each in patient.identifier or ()
        if each.use == "old"
    ]
    before = _numbers(identified(old, scope.placeholders)[0]) - current
    if len(current) == 1:
        for first, last in product(sorted(before, key=_written), current):
            yield Traced(from_=first, to=last, how="superseded", at=at)


def _other(
    link: PatientLink, by_id: Mapping[str, Patient], scope: Scope
) -> _IDENTIFIERS:
    """By what the other Patient of a link is known; nothing where nobody is found."""
    patient = by_id.get(_id_of(link, scope) or "")
    if patient is not None:
        return _own(patient, scope)
    given = link.other.identifier if link.other else None
    return identified((given,) if given else (), scope.placeholders)[0]


def _id_of(link: PatientLink, scope: Scope) -> str | None:
    """The id of a Patient on the same server, unless that is an NHS number."""
    text = (link.other.reference if link.other else None) or ""
    record = record_named(text.removeprefix(f"{scope.base}/"))
    kind, _, own = (record or "").partition("/")
    return own if kind == "Patient" and "," not in own else None


def _own(patient: Patient, scope: Scope) -> _IDENTIFIERS:
    return identified(patient.identifier or (), scope.placeholders)[0]


def _numbers(identifiers: _IDENTIFIERS) -> _IDENTIFIERS:
    return frozenset(e for e in identifiers if e.system == nhs_number.SYSTEM)


def _by_system(identifiers: _IDENTIFIERS) -> dict[str, list[Identifier]]:
    found: dict[str, list[Identifier]] = {}
    for each in sorted(identifiers, key=_written):
        found.setdefault(each.system, []).append(each)
    return found


def _anchor(identifiers: _IDENTIFIERS) -> Identifier:
    return min(_numbers(identifiers) or identifiers, key=_written)


def _at(patient: Patient, scope: Scope, as_of: datetime) -> datetime:
    stamp = patient.meta.last_updated if patient.meta else None
    moment, _ = Times(scope.zone).read(stamp) if stamp else (None, None)
    return moment.at if moment else as_of


def _written(identifier: Identifier) -> tuple[str, str]:
    return identifier.system, identifier.value


def _by_time(traced: Traced) -> tuple[datetime, str, str]:
    return traced.at, traced.from_.value, traced.to.value
