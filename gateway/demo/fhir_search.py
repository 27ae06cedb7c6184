"""FHIR R4 search over resources in memory: which of them match, and what was asked.

Only what a small server needs: `_id`, `identifier` and `patient.identifier` tokens,
`patient` and `subject` references, and one date parameter for each type.
Source: HL7 FHIR R4, Search (http://hl7.org/fhir/R4/search.html).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from adapters.moment import Moment, read_iso

Resource = dict[str, Any]
Parameters = Sequence[tuple[str, str]]

DATES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "AllergyIntolerance": ("date", ("recordedDate",)),
    "Appointment": ("date", ("start",)),
    "CarePlan": ("date", ("period",)),
    "CareTeam": ("date", ("period",)),
    "Composition": ("date", ("date",)),
    "Condition": ("onset-date", ("onsetDateTime", "onsetPeriod")),
    "DiagnosticReport": ("date", ("effectiveDateTime", "effectivePeriod")),
    "DocumentReference": ("date", ("date",)),
    "Encounter": ("date", ("period",)),
    "EpisodeOfCare": ("date", ("period",)),
    "Flag": ("date", ("period",)),
    "Immunization": ("date", ("occurrenceDateTime",)),
    "MedicationAdministration": (
        "effective-time",
        ("effectiveDateTime", "effectivePeriod"),
    ),
    "MedicationDispense": ("whenhandedover", ("whenHandedOver",)),
    "MedicationRequest": ("authoredon", ("authoredOn",)),
    "MedicationStatement": ("effective", ("effectiveDateTime", "effectivePeriod")),
    "Observation": ("date", ("effectiveDateTime", "effectivePeriod")),
    "Procedure": ("date", ("performedDateTime", "performedPeriod")),
    "ServiceRequest": ("authored", ("authoredOn",)),
}
TYPES: Final = frozenset({"Patient", *DATES})
_BY_PERSON: Final = ("patient", "subject", "patient.identifier", "subject.identifier")
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


class Misasked(Exception):
    """A search that cannot be understood; `code` is an issue type of FHIR."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def known_parameters(resource_type: str) -> frozenset[str]:
    if resource_type == "Patient":
        return frozenset({"_id", "identifier"})
    return frozenset({"_id", "_include", *_BY_PERSON, DATES[resource_type][0]})


@dataclass(frozen=True, slots=True)
class Holdings:
    """A server's resources, found by type and by the patient they are about."""

    by_type: dict[str, list[Resource]] = field(repr=False)
    by_patient: dict[tuple[str, str], list[Resource]] = field(repr=False)
    patients: dict[str, Resource] = field(repr=False)

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> "Holdings":
        by_type: dict[str, list[Resource]] = defaultdict(list)
        by_patient: dict[tuple[str, str], list[Resource]] = defaultdict(list)
        for resource in resources:
            kind = str(resource["resourceType"])
            by_type[kind].append(resource)
            if (patient := about(resource)) is not None:
                by_patient[kind, patient].append(resource)
        patients = {str(p["id"]): p for p in by_type["Patient"]}
        return cls(dict(by_type), dict(by_patient), patients)

    def search(self, resource_type: str, parameters: Parameters) -> list[Resource]:
        """The resources of a type that match every parameter, in the order held.

        Parameters must be of `known_parameters`. Misasked if a value is malformed.
        """
        found = self._candidates(resource_type, parameters)
        for name, value in parameters:
            matches = self._test(resource_type, name, value)
            found = [resource for resource in found if matches(resource)]
        return found

    def read(self, resource_type: str, resource_id: str) -> Resource | None:
        held = self.by_type.get(resource_type, [])
        return next((r for r in held if r["id"] == resource_id), None)

    def _candidates(self, resource_type: str, parameters: Parameters) -> list[Resource]:
        for name, value in parameters:
            if name in _BY_PERSON:
                wanted = self._people(name, value)
                return [r for p in wanted for r in self._about(resource_type, p)]
        return self.by_type.get(resource_type, [])

    def _about(self, resource_type: str, patient: str) -> list[Resource]:
        return self.by_patient.get((resource_type, patient), [])

    def _people(self, name: str, value: str) -> list[str]:
        if name.endswith(".identifier"):
            wanted = [_token(one) for one in _split(value, ",")]
            people = self.patients.values()
            return [p["id"] for p in people if any(_has(p, token) for token in wanted)]
        return [_patient_id(one) for one in _split(value, ",")]

    def _test(
        self, resource_type: str, name: str, value: str
    ) -> Callable[[Resource], bool]:
        if name == "_id":
            ids = frozenset(_split(value, ","))
            return lambda resource: resource["id"] in ids
        if name == "_include":
            return lambda _: True  # nothing held refers to what could be included
        if name == "identifier":
            tokens = [_token(one) for one in _split(value, ",")]
            return lambda resource: any(_has(resource, token) for token in tokens)
        if name in _BY_PERSON:
            people = frozenset(self._people(name, value))
            return lambda resource: about(resource) in people
        spans = DATES[resource_type][1]
        ranges = [_DateTest.of(one) for one in _split(value, ",")]
        return lambda resource: any(
            test.holds(*span) for test in ranges for span in _spans(resource, spans)
        )


def about(resource: Resource) -> str | None:
    """The id of the patient that a resource is about, or None."""
    actors = [p.get("actor", {}) for p in resource.get("participant", ())]
    named = [resource.get("subject") or {}, resource.get("patient") or {}, *actors]
    for who in named:
        kind, _, patient = str(who.get("reference", "")).partition("/")
        if kind == "Patient":
            return patient
    return None


def _patient_id(reference: str) -> str:
    """The id in `id`, `Patient/id` or an absolute URL ending in it."""
    before, _, last = reference.rpartition("/")
    if not last or (before and before.rpartition("/")[2] != "Patient"):
        raise Misasked("value", "A patient is named by Patient/ and its id.")
    return last


def _token(text: str) -> tuple[str | None, str]:
    """`system|value`, `|value` (no system) or `value` (any); None is any system."""
    parts = _split(text, "|")
    if len(parts) > 2 or not parts[-1]:
        raise Misasked("value", "An identifier is searched as system|value.")
    return (parts[0] if len(parts) == 2 else None), parts[-1]


def _has(resource: Resource, token: tuple[str | None, str]) -> bool:
    system, value = token
    return any(
        one.get("value") == value and system in {None, one.get("system", "")}
        for one in resource.get("identifier", ())
    )


def _split(text: str, separator: str) -> list[str]:
    r"""Parts of a search value, where `\,` `\|` `\$` and `\\` stand for themselves."""
    parts, part, escaped = [], "", False
    for letter in text:
        if escaped or letter not in {"\\", separator}:
            keep = "\\" if escaped and separator == "," and letter != "," else ""
            part, escaped = part + keep + letter, False
        elif letter == "\\":
            escaped = True
        else:
            parts.append(part)
            part = ""
    return [*parts, part]


@dataclass(frozen=True, slots=True)
class _DateTest:
    """One date of a search: its prefix, and the first and last instant it can mean."""

    prefix: str
    low: datetime
    high: datetime

    @classmethod
    def of(cls, text: str) -> "_DateTest":
        prefix, rest = (text[:2], text[2:]) if text[:1].isalpha() else ("eq", text)
        if prefix not in {"eq", "ge", "gt", "le", "lt"}:
            raise Misasked("not-supported", "Dates take eq, ge, gt, le and lt here.")
        moment = _moment(rest)
        if moment is None:
            raise Misasked("value", "A date is searched as YYYY-MM-DD.")
        return cls(prefix, moment.at, moment.latest)

    def holds(self, low: datetime, high: datetime) -> bool:
        """Whether a resource of the time [low, high) matches."""
        match self.prefix:
            case "ge":
                return high > self.low
            case "gt":
                return high > self.high
            case "le":
                return low < self.high
            case "lt":
                return low < self.low
            case _:
                return self.low <= low and high <= self.high


def _spans(
    resource: Resource, elements: tuple[str, ...]
) -> Iterator[tuple[datetime, datetime]]:
    for element in elements:
        held = resource.get(element)
        period = held if isinstance(held, dict) else {"start": held, "end": held}
        start, end = _moment(period.get("start")), _moment(period.get("end"))
        if start is not None:
            yield start.at, _END_OF_TIME if end is None else end.latest


def _moment(text: str | None) -> Moment | None:
    try:
        read = read_iso(text) if text else None
    except ValueError:
        return None
    return read[0] if read else None
