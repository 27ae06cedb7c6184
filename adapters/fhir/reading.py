"""A page of FHIR read: every resource of it accounted for, none of it guessed.

A resource ends as one of: event, person, supporting, unmapped, rejected with a
reason, outcome, duplicate. Their sum is the number of resources, always.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.contract import Event
from adapters.fhir import clinical, contacts, medicines, resources, results
from adapters.fhir.elements import (
    BROKEN,
    Bundle,
    Entry,
    Meta,
    OperationOutcome,
    Resource,
    is_present,
)
from adapters.fhir.events import Maker
from adapters.fhir.opening import Opened, opened, type_of
from adapters.fhir.references import Index, Scope, Unresolvable
from adapters.fhir.resources import Patient
from adapters.fhir.sketch import Sketch
from adapters.fhir.stu3 import is_stu3, refused
from adapters.fhir.tables import STU3_TYPES, SUPPORTING
from adapters.fhir.whole import WholeEntry
from adapters.moment import read_iso

Draw = Callable[[Any, Index], Sketch]
_Given = msgspec.Raw | Resource
# A type's name, a resource raw or decoded, and where in its Bundle it stands.
_Record = tuple[str, _Given, int]

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
_PATIENT: Final = msgspec.json.Decoder(Patient)
_OUTCOME: Final = msgspec.json.Decoder(OperationOutcome)
_KEPT_CONTEXT: Final = frozenset({"Organization", "Medication"})


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
    page = opened(body, scope.json_depth)
    bundle = page.bundle
    reading = Reading(caveats=page.caveats, bundle=bundle, as_of=_stamp(bundle.meta))
    _Pass(reading, scope, page).read(known)
    return reading


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

    def __init__(self, reading: Reading, scope: Scope, page: Opened) -> None:
        self._reading = reading
        self._entries = page.entries
        self._index = Index(scope)
        self._maker = Maker(self._index, page.written)
        self._seen: dict[tuple[str, str | None], Event] = {}
        self._further: set[Event] = set()  # those whose id another has had before

    def read(self, known: Iterable[Patient]) -> None:
        for patient in known:
            self._index.add_patient(patient, None)
        reading = self._reading
        records: list[_Record] = []
        for position, entry in enumerate(self._entries):
            resource = entry.resource
            if resource is None or (
                isinstance(resource, msgspec.Raw) and not is_present(resource)
            ):
                continue
            reading.resources += 1
            try:
                name = _name(resource)
                mode = entry.search
                is_match = mode is None or mode.mode != "include"
                if is_match and name in _MAPPED:
                    records.append((name, resource, position))
                else:
                    self._place(name, entry, is_match=is_match)
            except BROKEN:
                reading.rejected["unreadable"] += 1
        reading.matches += len(records)
        for record in records:
            self._record(*record)

    def _place(
        self, name: str | None, entry: Entry | WholeEntry, *, is_match: bool
    ) -> None:
        """Find the place of a resource that no event is made of."""
        reading = self._reading
        resource: Any = entry.resource
        is_raw = isinstance(resource, msgspec.Raw)
        if name == "OperationOutcome":
            outcome = _OUTCOME.decode(resource) if is_raw else resource
            reading.outcomes[_severity(outcome)] += 1
            return
        reading.matches += is_match
        if name == "Patient":
            patient = _PATIENT.decode(resource) if is_raw else resource
            self._patient(patient, entry.full_url, is_match=is_match)
        elif name in SUPPORTING or name in _MAPPED:
            if name in _KEPT_CONTEXT:
                self._index.add_context(name, resource, full_url=entry.full_url)
            reading.supporting[name] += 1
        elif name in STU3_TYPES:
            raise refused()
        else:
            reading.unmapped[name or "no type"] += 1

    def _patient(
        self, patient: Patient, full_url: str | None, *, is_match: bool
    ) -> None:
        if is_stu3("Patient", patient):
            raise refused()
        _, doubt = self._index.add_patient(patient, full_url)
        if doubt:
            self._reading.caveats.append(doubt)
        if patient.modifier_extension or patient.implicit_rules:
            self._reading.caveats.append("modifier_not_understood")
        if is_match:
            self._reading.persons.append(patient)
        else:
            self._reading.supporting["Patient"] += 1

    def _record(self, name: str, given: _Given, position: int) -> None:
        reading = self._reading
        decoder, draw = _MAPPED[name]
        try:
            record = decoder.decode(given) if isinstance(given, msgspec.Raw) else given
            if is_stu3(name, record):
                raise refused()
            sketch = draw(record, self._index)
            event = self._maker.event(name, sketch, record=record, position=position)
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
            if earlier == event or event in self._further:
                self._reading.duplicates += 1
                return
            self._further.add(event)
            # Two records under one id that differ: both are shown, and it is said.
            self._reading.caveats.append("duplicate_record")
        self._reading.events.append(event)


def _name(resource: _Given) -> str | None:
    if isinstance(resource, msgspec.Raw):
        return type_of(resource)
    return type(resource).__name__


def _severity(outcome: OperationOutcome) -> str:
    """The gravest severity an OperationOutcome reports."""
    given = {issue.severity for issue in outcome.issue or ()}
    for grave in ("fatal", "error"):
        if grave in given:
            return grave
    return "warning"
