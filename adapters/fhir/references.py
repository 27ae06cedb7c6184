"""Whom and what a record refers to, in each of the ways FHIR writes it.

A reference is resolved by fullUrl, then by type and id within the server it stands on,
then among what the record contains, then by identifier; a version is no part of it.
What cannot be resolved is a stated state, `unresolved_reference`:

- A subject that is well named, only not here, is named by the reference itself, and
  so is never the person asked for merely because the server sent the record.
- A subject that cannot be read, or that leads to people who may be several, is nobody
  we can tell. Its record is not shown, but counted.
- A contained Patient without identifiers, and an identifier of nobody, name nobody:
  the record is the source's own assertion, and says so.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final
from urllib.parse import unquote

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.fhir.elements import Concept, Identification, Reference, Resource, Typed
from adapters.fhir.resources import Medication, Organization, Patient
from adapters.fhir.tables import Version
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
LONGEST: Final = 16  # an NHS number, its spaces or hyphens and all
_NONE: Final = frozenset[Identifier]()
UNRESOLVED: Final = "unresolved_reference"
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
    version: Version = "R4"


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


def _plain(reference: str) -> str:
    """Without its version; the letters of a UUID may be large or small."""
    if reference.startswith("urn:"):
        return reference.lower()
    return _VERSION.sub("", reference)


def record_named(reference: str | None) -> str | None:
    """`Type/id` of a relative reference; None for any other, or an NHS number."""
    found = _RELATIVE.fullmatch(_plain(reference or ""))
    if found is None or is_number(found["id"]):
        return None
    return found[0]


def is_number(own: str) -> bool:
    """Whether a record's id is an NHS number, which must never be shown."""
    return 10 <= len(own) <= LONGEST and nhs_number.normalise(own) is not None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A Patient by whom a key is taken; `subject` None where several take it."""

    own: str | None
    subject: Subject | None = field(repr=False)

    def known(self) -> Subject:
        if self.subject is None:
            message = "whom the record is about may be several people"
            raise Unresolvable(message)
        return self.subject

    def and_also(self, other: "_Placed") -> "_Placed":
        """The key taken twice: by one person, as far as can be told, or by several.

        Numbers that differ are both kept, so that the record is seen to be wrong.
        """
        if self.subject is None or other.subject is None or self == other:
            return self if self.subject is None else other
        mine, theirs = self.subject[0] or _NONE, other.subject[0] or _NONE
        is_one = self.own is not None and self.own == other.own
        if is_one or mine & theirs or (_numbered(mine) and _numbered(theirs)):
            doubt = self.subject[1] or other.subject[1]
            return _Placed(self.own, ((mine | theirs) or None, doubt))
        return _Placed(None, None)


def _numbered(identifiers: frozenset[Identifier]) -> bool:
    return any(one.system == nhs_number.SYSTEM for one in identifiers)


class Index:
    """Where references lead within one reading, and to the patients known before."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        # Ids of this page's records by their fullUrls, made only if they are needed.
        self.records: Callable[[], Mapping[str, str]] = dict
        self._home: str | None = None
        self._own = {scope.base} - {""}
        self._people: dict[str, _Placed] = {}
        self._bearers: dict[Identifier, _Placed] = {}
        self._context: dict[str, msgspec.Raw | Resource | None] = {}
        self._organisations: dict[str, str | None] = {}
        self._followed: dict[str, Subject] = {}  # what each reference led to

    def call(self, root: str) -> None:
        """Take a root for another name of the source's own."""
        self._own.add(root)

    def know(self, patient: Patient) -> None:
        """Take a patient whom an earlier page told of.

        As the source called itself there, it may call itself here.
        """
        if patient.home is not None:
            self.call(patient.home)
        self.add_patient(patient, None)

    def turn_to(self, home: str | None) -> None:
        """The server on which the records now read stand; None: the source's own.

        What is relative leads there and nowhere else.
        """
        if home != self._home:
            self._home = home
            self._followed.clear()
            self._organisations.clear()

    def add_patient(self, patient: Patient, full_url: str | None) -> Subject:
        """Take a Patient for those that refer to it, and say whom it names."""
        subject = self._subject_of(patient)
        placed = _Placed(patient.id, subject)
        for key in self._keys("Patient", patient.id, full_url):
            earlier = self._people.get(key)
            self._people[key] = earlier.and_also(placed) if earlier else placed
        for one in subject[0] or ():
            bearer = self._bearers.setdefault(one, placed)
            if bearer.own != placed.own:  # an identifier of several leads to none
                self._bearers[one] = _Placed(None, None)
        self._followed.clear()
        return subject

    def add_context(
        self, kind: str, record: msgspec.Raw | Resource, *, full_url: str | None
    ) -> None:
        """Keep an Organization or a Medication for those that refer to it.

        Two that differ under one name are neither: nothing tells which is meant.
        """
        named = record if isinstance(record, Resource) else _TYPED.decode(record)
        for key in self._keys(kind, named.id, full_url):
            is_settled = key not in self._context or _is_same(
                kind, self._context[key], record
            )
            self._context[key] = record if is_settled else None
        self._organisations.clear()

    def _keys(self, kind: str, own: str | None, full_url: str | None) -> set[str]:
        keys = {_plain(full_url)} if full_url else set[str]()
        if own and self._home is not None:
            keys.add(f"{self._home}/{kind}/{own}")
        elif own:
            keys.add(f"{kind}/{own}")
            keys |= {f"{root}/{kind}/{own}" for root in self._own}
        return keys

    def _subject_of(self, patient: Patient) -> Subject:
        found, invalid = self._identified(patient.identifier)
        caveat = "invalid_number" if invalid else None
        if not found and patient.id:
            root = self._home or self.scope.base
            found = frozenset({Identifier(f"{root}/Patient", patient.id)})
        return found or None, caveat

    def _identified(
        self, given: tuple[Identification, ...] | None
    ) -> tuple[frozenset[Identifier], int]:
        return identified(given or (), self.scope.placeholders)

    def subject(self, about: Reference | None, contained: Contained) -> Subject:
        """The identifiers of whom a record is about, None if it names nobody.

        A person who cannot be found by the reference is named by the reference
        itself, so that the record is never taken for somebody else's.
        Raises Unresolvable where nothing tells whom the record is about.
        """
        if about is None:
            return None, None
        text = about.reference
        if about.identifier is None:
            if text in self._followed:
                return self._followed[text]
            return self._referred(text, contained)
        own, doubt = self._bearer(about.identifier)
        if text is None:
            return own, doubt
        try:
            named, also = self._referred(text, contained)
        except Unresolvable:
            if own is None:
                raise
            return own, UNRESOLVED
        if named and doubt == UNRESOLVED:
            doubt = None  # the reference tells what the identifier does not
        return ((own or _NONE) | (named or _NONE)) or None, doubt or also

    def _bearer(self, given: Identification) -> Subject:
        """By an identifier: all that the one Patient who bears it is known by."""
        own, invalid = self._identified((given,))
        for one in own:
            placed = self._bearers.get(one)
            if placed is not None and placed.subject is not None:
                return own | (placed.subject[0] or _NONE), None
        if invalid:
            return own or None, "invalid_number"
        return (own, None) if own else (None, UNRESOLVED)

    def _referred(self, text: str | None, contained: Contained) -> Subject:
        if not text:
            return None, None
        if text[0] == "#":
            return self._contained_patient(text[1:], contained)
        known = self._followed[text] = self._follow(text)
        return known

    def _follow(self, text: str) -> Subject:
        plain = _plain(text)
        if self._home is not None and _RELATIVE.fullmatch(plain):
            plain = f"{self._home}/{plain}"
        placed = self._people.get(plain)
        if placed is None and not self.scope.base and self._home is None:
            # Records that stand on no server may name any as theirs.
            absolute = _ABSOLUTE.fullmatch(plain)
            if absolute is not None:
                placed = self._people.get(f"{absolute['type']}/{absolute['id']}")
        return self._elsewhere(plain) if placed is None else placed.known()

    def _elsewhere(self, plain: str) -> Subject:
        """Who is not on this page, named by whatever the reference says."""
        if found := _CONDITIONAL.fullmatch(unquote(plain)):
            return self._bearer(Identification(found["system"], found["value"]))
        if found := _ABSOLUTE.fullmatch(plain):
            root = self.scope.base if found["base"] in self._own else found["base"]
            return frozenset({Identifier(f"{root}/{found['type']}", found["id"])}), (
                UNRESOLVED
            )
        if found := _RELATIVE.fullmatch(plain):
            system = f"{self.scope.base}/{found['type']}"
            return frozenset({Identifier(system, found["id"])}), UNRESOLVED
        if _URN.fullmatch(plain):
            return frozenset({Identifier("urn:ietf:rfc:3986", plain)}), UNRESOLVED
        message = "whom the record is about cannot be read"
        raise Unresolvable(message)

    def _contained_patient(self, own: str, contained: Contained) -> Subject:
        within: _Placed | None = None
        for raw in contained or ():
            typed = _TYPED.decode(raw)
            if typed.id == own and typed.resource_type == "Patient":
                found, invalid = self._identified(_PATIENT.decode(raw).identifier)
                doubt = "invalid_number" if invalid else None
                placed = _Placed(None, (found or None, doubt))
                within = placed if within is None else within.and_also(placed)
        if within is None:
            message = "the record is about somebody it does not contain"
            raise Unresolvable(message)
        identifiers, doubt = within.known()
        return identifiers, doubt if identifiers or doubt else UNRESOLVED

    def linked(self, to: Reference) -> str | None:
        """`Type/id` of another record of this page or server, to be told as a link."""
        text = to.reference or ""
        plain = _plain(text)
        if found := _ABSOLUTE.fullmatch(plain):
            if found["base"] not in self._own:
                return None
            plain = f"{found['type']}/{found['id']}"
        return record_named(plain) or record_named(self.records().get(plain))

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
        if named := _CONDITIONAL.fullmatch(unquote(text)):
            return (Identification(named["system"], named["value"]),)
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
            plain = _plain(text)
            if self._home is not None and _RELATIVE.fullmatch(plain):
                plain = f"{self._home}/{plain}"
            return self._context.get(plain)
        for raw in contained or ():
            typed = _TYPED.decode(raw)
            if typed.id == text[1:] and typed.resource_type == kind:
                return raw
        return None


def _is_same(
    kind: str, one: msgspec.Raw | Resource | None, other: msgspec.Raw | Resource
) -> bool:
    """Whether two records of context say the same of what is read of them."""
    decoder = _MEDICATION if kind == "Medication" else _ORGANISATION
    first, second = (
        decoder.decode(each) if isinstance(each, msgspec.Raw) else each
        for each in (one, other)
    )
    names = ("code",) if kind == "Medication" else ("identifier",)
    return all(getattr(first, n, None) == getattr(second, n, None) for n in names)
