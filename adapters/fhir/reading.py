"""A page of FHIR read: every resource of it accounted for, none of it guessed.

A resource ends as one of: event, person, supporting, unmapped, rejected with a
reason, outcome, duplicate. Their sum is the number of resources, always.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.contract import Event
from adapters.fhir.dialects import DIALECTS, Given
from adapters.fhir.elements import (
    BROKEN,
    Bundle,
    Meta,
    OperationOutcome,
    Typed,
    is_present,
)
from adapters.fhir.events import Maker
from adapters.fhir.grouped import grouped
from adapters.fhir.opening import Opened, opened, type_of
from adapters.fhir.references import Index, Scope, Unresolvable
from adapters.fhir.resources import Patient
from adapters.fhir.roots import roots_of
from adapters.fhir.stu3 import is_stu3, refused
from adapters.moment import read_iso

# A type's name, a resource raw or decoded, and where in its Bundle it stands.
_Record = tuple[str, Given, int]

_PATIENT: Final = msgspec.json.Decoder(Patient)
_OUTCOME: Final = msgspec.json.Decoder(OperationOutcome)
_TYPED: Final = msgspec.json.Decoder(Typed)
_KEPT_CONTEXT: Final = frozenset({"Organization", "Medication"})


@dataclass(slots=True, kw_only=True)
class Reading:
    """What became of a page's resources.

    `matches` are the resources the server says match, by which a total is checked;
    `lists` the codes of Lists that group them;
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
    lists: set[str] = field(default_factory=set)
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
    Unreadable: `unreadable` (not JSON, not UTF-8, not FHIR, too deep), `xml`, and
    `stu3` or `r4` where it is of the version that the scope does not say; a single
    bad resource is counted in `rejected` instead.
    """
    page = opened(body, scope.json_depth, version=scope.version)
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
        self._dialect = DIALECTS[scope.version]
        self._drawn = self._dialect.drawn
        self._homes: Mapping[int, str] = {}
        self._base = scope.base
        self._index = Index(scope)
        self._index.records = self._records_by_url
        self._maker = Maker(self._index, page.written)
        self._records: list[_Record] = []
        self._lifted = 0  # how many of them stand in another
        self._by_url: dict[str, str] | None = None
        self._seen: dict[tuple[str, str | None], Event] = {}
        self._further: set[Event] = set()  # those whose id another has had before

    def read(self, known: Iterable[Patient]) -> None:
        own = {self._base}
        for patient in known:
            self._index.know(patient)
            own.add(patient.home or "")
        roots = roots_of([entry.full_url for entry in self._entries], own - {""})
        self._homes = roots.homes
        if roots.alias is not None:
            self._index.call(roots.alias)
        reading = self._reading
        mapped, records = self._dialect.mapped, self._records
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
                if is_match and name in mapped:
                    records.append((name, resource, position))
                else:
                    self._place(name, position, is_match=is_match)
            except BROKEN:
                reading.rejected["unreadable"] += 1
        reading.matches += len(records) - self._lifted
        for record in records:
            self._record(*record)

    def _place(self, name: str | None, position: int, *, is_match: bool) -> None:
        """Find the place of a resource that no event is made of."""
        reading, dialect = self._reading, self._dialect
        entry = self._entries[position]
        resource: Any = entry.resource
        is_raw = isinstance(resource, msgspec.Raw)
        if name == "OperationOutcome":
            outcome = _OUTCOME.decode(resource) if is_raw else resource
            reading.outcomes[_severity(outcome)] += 1
            return
        reading.matches += is_match
        if name == "Patient":
            patient = _PATIENT.decode(resource) if is_raw else resource
            self._patient(patient, position, is_match=is_match)
        elif name in dialect.supporting or name in dialect.mapped:
            if name in _KEPT_CONTEXT:
                self._turn_to(position)
                self._index.add_context(name, resource, full_url=entry.full_url)
            if name == "List" and is_match:
                self._list(resource, position)
            reading.supporting[name] += 1
        elif name in dialect.foreign:
            raise refused(dialect.version)
        else:
            reading.unmapped[name or "no type"] += 1

    def _turn_to(self, position: int) -> None:
        if self._homes:
            self._index.turn_to(self._homes.get(position))

    def _patient(self, patient: Patient, position: int, *, is_match: bool) -> None:
        if self._dialect.version == "R4" and is_stu3("Patient", patient):
            raise refused("R4")
        self._turn_to(position)
        _, doubt = self._index.add_patient(patient, self._entries[position].full_url)
        if doubt:
            self._reading.caveats.append(doubt)
        if patient.modifier_extension or patient.implicit_rules:
            self._reading.caveats.append("modifier_not_understood")
        home = self._homes.get(position)
        if patient.home != home:
            patient = msgspec.structs.replace(patient, home=home)
        if is_match:
            self._reading.persons.append(patient)
        else:
            self._reading.supporting["Patient"] += 1

    def _list(self, given: msgspec.Raw, position: int) -> None:
        """What a List warns of, and the records that stand in it and nowhere else."""
        reading, dialect = self._reading, self._dialect
        found = grouped(given)
        reading.caveats += found.caveats
        if found.code is not None:
            reading.lists.add(found.code)
        for name, raw in found.contained:
            if name in dialect.mapped:
                reading.resources += 1
                self._lifted += 1
                self._records.append((name, raw, position))
            elif name not in dialect.supporting and name != "Patient":
                reading.resources += 1
                reading.unmapped[name] += 1

    def _record(self, name: str, given: Given, position: int) -> None:
        reading = self._reading
        if self._homes:
            self._index.turn_to(self._homes.get(position))
        try:
            record, sketch = self._drawn(name, given, self._index)
            event = self._maker.event(name, sketch, record=record, position=position)
        except Unresolvable:
            reading.rejected["unresolvable_subject"] += 1
        except BROKEN:
            reading.rejected["unreadable"] += 1
        except ValueError:
            reading.rejected["not_a_number"] += 1
        else:
            self._keep(event)

    def _records_by_url(self) -> dict[str, str]:
        """`Type/id` of each record whose fullUrl does not show it."""
        if self._by_url is None:
            self._by_url = {}
            for name, given, position in self._records:
                url = self._entries[position].full_url
                own = (
                    _TYPED.decode(given).id
                    if isinstance(given, msgspec.Raw)
                    else given.id
                )
                if url and own:
                    self._by_url[url] = f"{name}/{own}"
        return self._by_url

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


def _name(resource: Given) -> str | None:
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
