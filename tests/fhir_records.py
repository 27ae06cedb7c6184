"""Events written as FHIR R4 resources, such that reading them gives the events back.

Only what FHIR has a place for in a source of the acute sector: KINDS.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from adapters.contract import Code, Event, Identifier
from adapters.fhir.tables import NEGATIONS, STATUSES
from adapters.moment import Moment

Record = dict[str, Any]

ODS: Final = "https://fhir.nhs.uk/Id/ods-organization-code"
_CLASSES: Final = {
    "ed_attendance": "EMER",
    "inpatient_spell": "IMP",
    "day_case": "SS",
    "outpatient_appointment": "AMB",
}


def resources(events: Sequence[Event]) -> list[Record]:
    """The Patients the events are about, and a resource for each event."""
    patients: dict[frozenset[Identifier], Record] = {}
    records = []
    for event in events:
        subject = event.subject or frozenset()
        if subject not in patients:
            patients[subject] = _patient(len(patients), subject)
        records.append(_resource(event, patients[subject]["id"]))
    return [*patients.values(), *records]


def record_id(event: Event) -> str:
    """What the record is called where ids are per type: `Condition/asthma`."""
    return f"{_TYPES[event.kind][0]}/{event.record_id}"


def _patient(nth: int, subject: frozenset[Identifier]) -> Record:
    named = sorted(subject, key=lambda i: (i.system, i.value))
    return {
        "resourceType": "Patient",
        "id": f"p-{nth}",
        # No two people here were born on one day, so that Patients can be told apart
        # who have no number.
        "birthDate": f"{1930 + nth}-06-15",
        "identifier": [{"system": i.system, "value": i.value} for i in named],
    }


def _resource(event: Event, patient: str) -> Record:
    name, write = _TYPES[event.kind]
    record = {
        "resourceType": name,
        "id": event.record_id,
        "meta": {
            "versionId": event.version,
            "security": [{"code": label} for label in sorted(event.labels)],
        },
        **write(event, {"reference": f"Patient/{patient}"}),
        **_status(name, event.status),
    }
    return _without_nothing(record)


def _status(name: str, status: str) -> Record:
    """The type's own word for a status; where it has none, its first word."""
    # A negation is told in the title too, which would not be the event's own.
    words = {k: v for k, v in STATUSES[name].items() if k not in NEGATIONS}
    word = next(
        (own for own, ours in words.items() if ours == status), next(iter(words))
    )
    if name not in {"Condition", "AllergyIntolerance"}:
        return {"status": word}
    if status == "entered-in-error":
        return {"verificationStatus": {"coding": [{"code": status}]}}
    return {"clinicalStatus": {"coding": [{"code": word}]}}


def _without_nothing(record: Record) -> Record:
    """FHIR has no nulls and no empty lists."""
    kept: Record = {}
    for key, value in record.items():
        inner = _without_nothing(value) if isinstance(value, dict) else value
        if inner not in (None, [], {}):
            kept[key] = inner
    return kept


def _text(moment: Moment | None) -> str | None:
    return moment.text if moment else None


def _period(event: Event) -> Record:
    return {"start": _text(event.start), "end": _text(event.end)}


def _concept(event: Event) -> Record:
    return {"text": event.title, "coding": [_coding(code) for code in event.codes]}


def _coding(code: Code) -> Record:
    return {"system": code.system, "code": code.code, "display": code.display}


def _keeper(event: Event) -> Record:
    return {"identifier": {"system": ODS, "value": event.organisation}}


def _encounter(event: Event, patient: Record) -> Record:
    keeper = _keeper(event) if event.organisation else None
    return {
        "class": {"code": _CLASSES[event.kind]},
        "type": [_concept(event)],
        "subject": patient,
        "period": _period(event),
        "serviceProvider": keeper,
    }


def _episode(event: Event, patient: Record) -> Record:
    return {"type": [_concept(event)], "patient": patient, "period": _period(event)}


def _plan(event: Event, patient: Record) -> Record:
    return {"title": event.title, "subject": patient, "period": _period(event)}


def _team(event: Event, patient: Record) -> Record:
    return {"name": event.title, "subject": patient, "period": _period(event)}


def _flag(event: Event, patient: Record) -> Record:
    return {"code": _concept(event), "subject": patient, "period": _period(event)}


def _observation(event: Event, patient: Record) -> Record:
    record = _of("code", when="effectiveDateTime")(event, patient)
    for detail in event.detail:
        number = float(detail.value or "nan")
        record["valueQuantity"] = {"value": number, "unit": detail.unit}
    return record


def _of(
    concept: str, *, when: str, recorded: str | None = None, about: str = "subject"
) -> Callable[[Event, Record], Record]:
    def write(event: Event, patient: Record) -> Record:
        record = {concept: _concept(event), about: patient, when: _text(event.start)}
        return record | ({recorded: _text(event.recorded)} if recorded else {})

    return write


_TYPES: Final[dict[str, tuple[str, Callable[[Event, Record], Record]]]] = {
    **dict.fromkeys(_CLASSES, ("Encounter", _encounter)),
    "referral": ("ServiceRequest", _of("code", when="authoredOn")),
    "episode_of_care": ("EpisodeOfCare", _episode),
    "condition": (
        "Condition",
        _of("code", when="onsetDateTime", recorded="recordedDate"),
    ),
    "procedure": ("Procedure", _of("code", when="performedDateTime")),
    "flag": ("Flag", _flag),
    "allergy": (
        "AllergyIntolerance",
        _of("code", when="onsetDateTime", about="patient"),
    ),
    "medication": (
        "MedicationStatement",
        _of("medicationCodeableConcept", when="effectiveDateTime"),
    ),
    "immunisation": (
        "Immunization",
        _of("vaccineCode", when="occurrenceDateTime", about="patient"),
    ),
    "observation": ("Observation", _observation),
    "diagnostic_report": ("DiagnosticReport", _of("code", when="effectiveDateTime")),
    "document": ("DocumentReference", _of("type", when="date")),
    "care_plan": ("CarePlan", _plan),
    "care_team": ("CareTeam", _team),
}
KINDS: Final = frozenset(_TYPES)
