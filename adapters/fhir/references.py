"""Whom and what a record refers to, in each of the ways FHIR writes it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from urllib.parse import unquote

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.fhir.elements import Concept, Identification, Reference, Resource, Typed
from adapters.fhir.resources import Medication, Organization, Patient
from adapters.moment import LONDON

ODS_SYSTEMS: Final = frozenset(
    {
        "https://fhir.nhs.uk/Id/ods-organization-code",
        "http://fhir.nhs.net/Id/ods-organization-code",
        "https://fhir.nhs.uk/Id/ods-site-code",
    }
)
_RELATIVE: Final = re.compile(r"(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/?#\s]+)")
_ABSOLUTE: Final = re.compile(
    r"(?P<base>https?://[^?#\s]+)/(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/?#\s]+)"
)
_CONDITIONAL: Final = re.compile(
    r"(?:.*/)?(?P<type>[A-Z][A-Za-z]+)\?identifier=(?P<system>[^|&]*)\|(?P<value>[^&]+)"
)
_VERSION: Final = re.compile(r"/_history/[^/]*$")
_URN: Final = re.compile(r"urn:(?:uuid|oid):[0-9A-Za-z.-]+")

_TYPED: Final = msgspec.json.Decoder(Typed)
_PATIENT: Final = msgspec.json.Decoder(Patient)
_ORGANISATION: Final = msgspec.json.Decoder(Organization)
_MEDICATION: Final = msgspec.json.Decoder(Medication)

Subject = tuple[frozenset[Identifier] | None, str | None]
Contained = tuple[msgspec.Raw, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What of the source bears on how its records are read."""

    sector: str = "other"
    zone: tzinfo = LONDON
    base: str = ""  # without a slash at its end; empty where records have no server
    ods_systems: frozenset[str] = ODS_SYSTEMS
    labels: frozenset[str] = frozenset()
    placeholders: frozenset[str] = frozenset()  # values that identify nobody
    json_depth: int = 64


class Unresolvable(ValueError):
    """A record names whom it is about in a way that cannot be read."""


def identified(
    given: Iterable[Identification], placeholders: frozenset[str] = frozenset()
) -> tuple[frozenset[Identifier], int]:
    """The usable identifiers, and how many NHS numbers among them are invalid.

    A superseded NHS number (`use` old) identifies nobody any more; a hospital's own
    old number still leads to the record it was merged into.
    """
    usable: set[Identifier] = set()
    invalid = 0
    for one in given:
        if not one.system or not one.value or one.value in placeholders:
            continue
        if one.system not in nhs_number.SYSTEMS:
            usable.add(Identifier(one.system, one.value))
            continue
        if one.use == "old":
            continue
        digits = nhs_number.normalise(one.value)
        if digits is None:
            invalid += 1
        else:
            usable.add(Identifier(nhs_number.SYSTEM, digits))
    return frozenset(usable), invalid


class Index:
    """Where references lead within one reading, and to the patients known before."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._people: dict[str, Subject] = {}
        self._context: dict[str, msgspec.Raw | Resource] = {}
        self._organisations: dict[str, str | None] = {}
        self._followed: dict[str, Subject] = {}  # what each reference led to

    def add_patient(self, patient: Patient, full_url: str | None) -> Subject:
        subject = self._subject_of(patient)
        for key in self._keys("Patient", patient.id, full_url):
            self._people[key] = subject
        self._followed.clear()
        return subject

    def add_context(
        self, kind: str, record: msgspec.Raw | Resource, *, full_url: str | None
    ) -> None:
        """Keep an Organization or a Medication for those that refer to it."""
        named = record if isinstance(record, Resource) else _TYPED.decode(record)
        for key in self._keys(kind, named.id, full_url):
            self._context[key] = record
        self._organisations.clear()

    def _keys(self, kind: str, own: str | None, full_url: str | None) -> set[str]:
        keys = {full_url} if full_url else set[str]()
        if own:
            keys.add(f"{kind}/{own}")
            if self.scope.base:
                keys.add(f"{self.scope.base}/{kind}/{own}")
        return keys

    def _subject_of(self, patient: Patient) -> Subject:
        found, invalid = self._identified(patient.identifier)
        caveat = "invalid_number" if invalid else None
        if not found and patient.id:
            found = frozenset({Identifier(f"{self.scope.base}/Patient", patient.id)})
        return found or None, caveat

    def _identified(
        self, given: tuple[Identification, ...] | None
    ) -> tuple[frozenset[Identifier], int]:
        return identified(given or (), self.scope.placeholders)

    def subject(self, about: Reference | None, contained: Contained) -> Subject:
        """The identifiers of whom a record is about, None if it names nobody.

        A person who cannot be found by the reference is named by the reference
        itself, so that the record is never taken for somebody else's.
        Raises Unresolvable where the reference is not one.
        """
        if about is None:
            return None, None
        text = about.reference
        if about.identifier is None:
            if text in self._followed:
                return self._followed[text]
            return self._referred(text, contained)
        own, invalid = self._identified((about.identifier,))
        caveat = "invalid_number" if invalid else None
        if text is None:
            return own or None, caveat
        named, also = self._referred(text, contained)
        return (own | (named or frozenset())) or None, caveat or also

    def _referred(self, text: str | None, contained: Contained) -> Subject:
        if not text:
            return None, None
        if text[0] == "#":
            return self._contained_patient(text[1:], contained)
        known = self._people.get(text) or self._follow(text)
        self._followed[text] = known
        return known

    def _follow(self, text: str) -> Subject:
        plain = _VERSION.sub("", text)
        if plain in self._people:
            return self._people[plain]
        if found := _CONDITIONAL.fullmatch(plain):
            given = Identification(unquote(found["system"]), unquote(found["value"]))
            own, invalid = self._identified((given,))
            return own or None, "invalid_number" if invalid else None
        if found := _ABSOLUTE.fullmatch(plain):
            here = f"{found['type']}/{found['id']}"
            if self.scope.base in {"", found["base"]} and here in self._people:
                return self._people[here]
            system = f"{found['base']}/{found['type']}"
            return frozenset({Identifier(system, found["id"])}), None
        if found := _RELATIVE.fullmatch(plain):
            system = f"{self.scope.base}/{found['type']}"
            return frozenset({Identifier(system, found["id"])}), None
        if _URN.fullmatch(plain):
            return frozenset({Identifier("urn:ietf:rfc:3986", plain)}), None
        message = "whom the record is about cannot be read"
        raise Unresolvable(message)

    def _contained_patient(self, own: str, contained: Contained) -> Subject:
        for raw in contained or ():
            typed = _TYPED.decode(raw)
            if typed.id == own and typed.resource_type == "Patient":
                found, invalid = self._identified(_PATIENT.decode(raw).identifier)
                return found or None, "invalid_number" if invalid else None
        message = "the record is about somebody it does not contain"
        raise Unresolvable(message)

    def organisation(
        self, keeper: Reference | None, contained: Contained
    ) -> str | None:
        """The ODS code of an organisation referred to, where there is one."""
        if keeper is None:
            return None
        if keeper.identifier is not None:
            return self._ods_code((keeper.identifier,))
        text = keeper.reference
        if text is None:
            return None
        if text[:1] == "#":
            return self._ods_code(self._organisation_identifiers(text, contained))
        if text not in self._organisations:
            given = self._organisation_identifiers(text, None)
            self._organisations[text] = self._ods_code(given)
        return self._organisations[text]

    def _ods_code(self, given: tuple[Identification, ...]) -> str | None:
        for one in given:
            if one.system in self.scope.ods_systems and one.value:
                return one.value.strip().upper()
        return None

    def _organisation_identifiers(
        self, text: str, contained: Contained
    ) -> tuple[Identification, ...]:
        if named := _CONDITIONAL.fullmatch(text):
            return (Identification(unquote(named["system"]), unquote(named["value"])),)
        found = self._resource("Organization", text, contained)
        if isinstance(found, msgspec.Raw):
            found = _ORGANISATION.decode(found)
        return (found.identifier or ()) if isinstance(found, Organization) else ()

    def medication(self, text: str, contained: Contained) -> Concept | None:
        """The code of a Medication referred to, where it came along."""
        found = self._resource("Medication", text, contained)
        if isinstance(found, msgspec.Raw):
            found = _MEDICATION.decode(found)
        return found.code if isinstance(found, Medication) else None

    def _resource(
        self, kind: str, text: str, contained: Contained
    ) -> msgspec.Raw | Resource | None:
        if not text.startswith("#"):
            return self._context.get(_VERSION.sub("", text))
        for raw in contained or ():
            typed = _TYPED.decode(raw)
            if typed.id == text[1:] and typed.resource_type == kind:
                return raw
        return None
