"""A page of FHIR read: every resource of it accounted for, none of it guessed.

A resource ends as one of: event, person, supporting, unmapped, rejected with a
reason, outcome, duplicate. Their sum is the number of resources, always.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.contract import Event
from adapters.errors import Unreadable
from adapters.fhir import clinical, contacts, medicines, resources, results
from adapters.fhir.depth import is_deeper
from adapters.fhir.elements import (
    NOTHING,
    Bundle,
    Entry,
    Meta,
    OperationOutcome,
    Resource,
    Typed,
    is_present,
)
from adapters.fhir.events import MODIFIER, Maker
from adapters.fhir.references import Index, Scope, Unresolvable
from adapters.fhir.resources import Patient
from adapters.fhir.sketch import Sketch
from adapters.fhir.tables import STU3_TYPES, SUPPORTING
from adapters.moment import read_iso

Draw = Callable[[Any, Index], Sketch]

_DRAWN: Final[dict[type[Resource], Draw]] = {
    resources.Encounter: contacts.encounter,
    resources.Appointment: contacts.appointment,
    resources.ServiceRequest: contacts.service_request,
    resources.EpisodeOfCare: contacts.episode_of_care,
    resources.CarePlan: contacts.care_plan,
    resources.CareTeam: contacts.care_team,
    resources.Condition: clinical.condition,
    resources.Procedure: clinical.procedure,
    resources.Flag: clinical.flag,
    resources.AllergyIntolerance: clinical.allergy,
    resources.Immunization: clinical.immunisation,
    resources.MedicationRequest: medicines.request,
    resources.MedicationStatement: medicines.statement,
    resources.MedicationDispense: medicines.dispense,
    resources.MedicationAdministration: medicines.administration,
    resources.Observation: results.observation,
    resources.DiagnosticReport: results.diagnostic_report,
    resources.DocumentReference: results.document_reference,
    resources.Composition: results.composition,
}
_MAPPED: Final[dict[str, tuple[msgspec.json.Decoder[Any], Draw]]] = {
    kind.__name__: (msgspec.json.Decoder(kind), draw) for kind, draw in _DRAWN.items()
}
_BUNDLE: Final = msgspec.json.Decoder(Bundle)
_TYPED: Final = msgspec.json.Decoder(Typed)
_PATIENT: Final = msgspec.json.Decoder(Patient)
_OUTCOME: Final = msgspec.json.Decoder(OperationOutcome)
_TYPE_FIRST: Final = re.compile(rb'\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"\s*[,}]')
_KEPT_CONTEXT: Final = frozenset({"Organization", "Medication"})
_CONTROLS: Final = bytes(one for one in range(32) if one not in b"\t\n\r")

# A resource as it came, or decoded already; and where in its Bundle it stands.
_Record = tuple[str, msgspec.Raw | Resource, int]


@dataclass(slots=True, kw_only=True)
class Reading:
    """What became of a page's resources.

    `matches` are the resources the server says match, by which a total is checked;
    `errors` the OperationOutcomes that report an error.
    """

    events: list[Event] = field(default_factory=list, repr=False)
    persons: list[Patient] = field(default_factory=list, repr=False)
    supporting: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    resources: int = 0
    matches: int = 0
    caveats: list[str] = field(default_factory=list)
    bundle: Bundle | None = field(default=None, repr=False)
    as_of: datetime | None = None

    @property
    def accounted(self) -> int:
        """How many resources have a place; it must equal `resources`."""
        counters = (self.supporting, self.unmapped, self.rejected, self.outcomes)
        return (
            len(self.events)
            + len(self.persons)
            + self.duplicates
            + sum(counter.total() for counter in counters)
        )


def read_bundle(body: bytes, scope: Scope, known: Iterable[Patient] = ()) -> Reading:
    """A Bundle of any type, or one bare resource, turned into events.

    `known` are patients read before, to whom its records may refer. Raises
    Unreadable: `unreadable` (not JSON, not UTF-8, not FHIR, too deep), `xml` or
    `stu3`; a single bad resource is counted in `rejected` instead.
    """
    page = _plain(body)
    caveats: list[str] = []
    try:
        bundle = _opened(page)
    except Unreadable:
        cleaned = page.translate(None, delete=_CONTROLS)
        if cleaned == page:
            raise
        page, caveats = cleaned, ["control_characters"]
        bundle = _opened(page)
    if is_deeper(page, scope.json_depth):
        raise _unreadable("is nested too deeply")
    entries = bundle.entry or ()
    if isinstance(bundle, WholeBundle):
        refuse_profiles(page, _metas(bundle))
        written = Written(page)
    else:
        if PROFILE.encode() in page:
            refuse_profiles(page, _metas_told(bundle))
        written = Written(page, tuple(entry.resource for entry in bundle.entry or ()))
    reading = Reading(caveats=caveats, bundle=bare(bundle), as_of=_stamp(bundle.meta))
    _Pass(reading, scope, written).read(entries, known)
    return reading


def _unreadable(what: str, reason: str = "unreadable") -> Unreadable:
    return Unreadable(reason, f"the source's reply {what}. Report it to the source.")


def _plain(body: bytes) -> bytes:
    """UTF-8 without its BOM. Other encodings are refused, never guessed."""
    page = body.removeprefix(b"\xef\xbb\xbf")
    # UTF-16 is full of NULs, which must not be taken for strays.
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in page[:2]:
        raise _unreadable("is not UTF-8")
    first = page[:256].lstrip()[:9].lower()
    if first.startswith((b"<!doctype", b"<html")):
        raise _unreadable("is a web page")
    if first.startswith(b"<"):
        raise _unreadable("is XML, which is not read yet", "xml")
    return page


def _opened(page: bytes) -> Bundle | WholeBundle:
    first = _TYPE_FIRST.match(page)
    if first is None or first[1] == b"Bundle":
        bundle = whole(page)
        if bundle is not None:
            return bundle
    try:
        if type_of(page) == "Bundle":
            return _BUNDLE.decode(page)
        # A page is read to its end, whatever it turns out to be.
        typed = _TYPED.decode(page).resource_type
    except BROKEN:
        raise _unreadable("is not JSON that can be read as FHIR") from None
    if typed is None:
        raise _unreadable("is JSON but not FHIR: it names no resource type")
    return Bundle(entry=(Entry(resource=msgspec.Raw(page)),))


def type_of(raw: bytes | msgspec.Raw) -> str | None:
    """The resource type, None where it names none. Raises what is in BROKEN."""
    # Nearly everybody writes the type first; the whole is read only where not.
    if found := _TYPE_FIRST.match(raw):
        return str(found[1], "ascii")
    return _TYPED.decode(raw).resource_type


def _metas(bundle: Bundle) -> Iterator[Meta | None]:
    yield bundle.meta
    for entry in bundle.entry or ():
        try:
            yield _TYPED.decode(entry.resource).meta
        except BROKEN:
            continue  # none there, or rejected, and counted, where records are read


def _stamp(meta: Meta | None) -> datetime | None:
    if meta is None or not meta.last_updated:
        return None
    try:
        read = read_iso(meta.last_updated)
    except ValueError:
        return None
    return read[0].at if read else None


class _Pass:
    """One pass over the entries: context first, then records that refer to it."""

    def __init__(self, reading: Reading, scope: Scope, *, has_modifiers: bool) -> None:
        self._reading = reading
        self._index = Index(scope)
        self._maker = Maker(self._index, has_modifiers=has_modifiers)
        self._seen: dict[tuple[str, str | None], Event] = {}

    def read(self, entries: Iterable[Entry], known: Iterable[Patient]) -> None:
        for patient in known:
            self._index.add_patient(patient, None)
        records: list[tuple[str, msgspec.Raw]] = []
        for entry in entries:
            raw = entry.resource
            if not is_present(raw):
                continue
            self._reading.resources += 1
            try:
                self._sort(entry, raw, records)
            except BROKEN:
                self._reading.rejected["unreadable"] += 1
        for name, raw in records:
            self._record(name, raw)

    def _sort(
        self, entry: Entry, raw: msgspec.Raw, records: list[tuple[str, msgspec.Raw]]
    ) -> None:
        reading = self._reading
        name = type_of(raw)
        mode = entry.search.mode if entry.search else None
        if name == "OperationOutcome":
            reading.outcomes[_severity(raw)] += 1
            return
        if mode != "include":
            reading.matches += 1
        if name == "Patient":
            self._patient(entry, raw, is_match=mode != "include")
        elif name in SUPPORTING or (mode == "include" and name in _MAPPED):
            if name in _KEPT_CONTEXT:
                self._index.add_context(name, raw, full_url=entry.full_url)
            reading.supporting[name] += 1
        elif name in _MAPPED:
            records.append((name, raw))
        elif name in STU3_TYPES:
            raise stu3()
        else:
            reading.unmapped[name or "no type"] += 1

    def _patient(self, entry: Entry, raw: msgspec.Raw, *, is_match: bool) -> None:
        patient = _PATIENT.decode(raw)
        if _is_stu3(patient):
            raise stu3()
        _, doubt = self._index.add_patient(patient, entry.full_url)
        if doubt:
            self._reading.caveats.append(doubt)
        if patient.modifier_extension or patient.implicit_rules:
            self._reading.caveats.append("modifier_not_understood")
        if is_match:
            self._reading.persons.append(patient)
        else:
            self._reading.supporting["Patient"] += 1

    def _record(self, name: str, raw: msgspec.Raw) -> None:
        reading = self._reading
        decoder, draw = _MAPPED[name]
        try:
            record = decoder.decode(raw)
            if _is_stu3(record):
                raise stu3()
            sketch = draw(record, self._index)
            event = self._maker.event(name, sketch, record=record, raw=raw)
        except Unresolvable:
            reading.rejected["unresolvable_subject"] += 1
        except BROKEN:
            reading.rejected["unreadable"] += 1
        except ValueError:
            reading.rejected["not_a_number"] += 1
        else:
            self._keep(event)

    def _keep(self, event: Event) -> None:
        key = event.record_id, event.version
        earlier = self._seen.setdefault(key, event)
        if earlier is not event:
            if earlier == event:
                self._reading.duplicates += 1
                return
            # Two records under one id that differ: both are shown, and it is said.
            self._reading.caveats.append("duplicate_record")
        self._reading.events.append(event)


def _is_stu3(record: Resource) -> bool:
    kind = type(record)
    for name in _STU3_FIELDS.get(kind, ()):
        found = getattr(record, name)
        if found is not None and found is not NOTHING:
            return True
    return kind in _STU3_STATUS and isinstance(
        getattr(record, "clinical_status", None), str
    )


def _severity(raw: msgspec.Raw) -> str:
    """The gravest severity an OperationOutcome reports."""
    given = {issue.severity for issue in _OUTCOME.decode(raw).issue or ()}
    for grave in ("fatal", "error"):
        if grave in given:
            return grave
    return "warning"
