"""The surgery's and the hospital's records as FHIR R4 resources (plain JSON values)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from adapters import nhs_number
from adapters.moment import LONDON, localise
from gateway.demo.chronicle import AT, Coded, Entry, Place, Record, Resident, When

Resource = dict[str, Any]

_SNOMED: Final = "http://snomed.info/sct"
_ODS: Final = "https://fhir.nhs.uk/Id/ods-organization-code"
_ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_UCUM: Final = "http://unitsofmeasure.org"
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ALLERGY: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"

_ENCOUNTER_CLASS: Final = {
    "gp_consultation": ("AMB", "ambulatory"),
    "ed_attendance": ("EMER", "emergency"),
    "inpatient_spell": ("IMP", "inpatient encounter"),
    "day_case": ("SS", "short stay"),
}
_APPOINTMENT_STATUS: Final = {
    "planned": "booked",
    "did-not-attend": "noshow",
    "finished": "fulfilled",
}


def patient(resident: Resident, place: Place) -> Resource:
    """The person as one place knows them; marked as test data (HTEST)."""
    known: list[Resource] = [
        {"system": nhs_number.SYSTEM, "value": resident.nhs_number, "use": "official"},
        {"system": AT[place].local_system, "value": resident.local_id(place)},
    ]
    return {
        "resourceType": "Patient",
        "id": patient_id(resident, place),
        "meta": {"tag": [{"system": _ACT_REASON, "code": "HTEST"}]},
        "identifier": known,
        "active": True,
        "name": [
            {"use": "official", "family": resident.family, "given": [resident.given]}
        ],
        "gender": resident.gender,
        "birthDate": resident.birth_date.isoformat(),
        "address": [{"line": [resident.address], "postalCode": resident.postcode}],
    }


def patient_id(resident: Resident, place: Place) -> str:
    return f"{AT[place].record_prefix}-patient-{resident.number + 1}"


def resource(entry: Entry) -> Resource:
    """An entry of the surgery or the hospital as the resource such systems keep."""
    record = entry.record
    made = _BY_KIND[record.kind](record, _reference(entry))
    return {
        "resourceType": made.pop("resourceType"),
        "id": entry.record_id,
        "meta": _meta(record),
        **{key: value for key, value in made.items() if value is not None},
    }


def _reference(entry: Entry) -> Resource:
    return {"reference": f"Patient/{patient_id(entry.resident, entry.record.place)}"}


def _meta(record: Record) -> Resource:
    meta: Resource = {
        "versionId": "1",
        "tag": [{"system": _ACT_REASON, "code": "HTEST"}],
    }
    if record.label is not None:
        meta["security"] = [{"system": _ACT_CODE, "code": record.label}]
    return meta


def _encounter(record: Record, subject: Resource) -> Resource:
    code, display = _ENCOUNTER_CLASS.get(record.kind, ("AMB", "ambulatory"))
    place = record.about or record.place
    return {
        "resourceType": "Encounter",
        "status": "in-progress" if record.status == "active" else record.status,
        "class": {"system": _ACT_CODE, "code": code, "display": display},
        "type": [{"text": record.title}],
        "subject": subject,
        "period": _period(record),
        "reasonCode": None if record.code is None else [_concept(record.code)],
        "serviceProvider": _organisation(place),
    }


def _appointment(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "Appointment",
        "status": _APPOINTMENT_STATUS.get(record.status, record.status),
        "description": record.title,
        "start": _instant(record.start),
        "end": _instant(record.end),
        "participant": [{"actor": subject, "status": "accepted"}],
    }


def _clinic(record: Record, subject: Resource) -> Resource:
    # A clinic that took place is an encounter; one that did not is only a booking.
    kept = record.status in {"finished", "entered-in-error"}
    return (_encounter if kept else _appointment)(record, subject)


def _condition(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "code": _concept(record.code),
        "subject": subject,
        "onsetDateTime": _text(record.start),
    }


def _medication(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "status": record.status,
        "intent": "order",
        "medicationCodeableConcept": _concept(record.code),
        "subject": subject,
        "authoredOn": _text(record.start),
        "dosageInstruction": [{"text": fact.value} for fact in record.facts] or None,
    }


def _allergy(record: Record, patient: Resource) -> Resource:
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": _ALLERGY, "code": "active"}]},
        "code": _concept(record.code),
        "patient": patient,
        "recordedDate": _text(record.start),
    }


def _observation(record: Record, subject: Resource) -> Resource:
    fact = record.facts[0]
    quantity: Resource = {"value": float(fact.value)}
    if fact.unit is not None:
        quantity |= {"unit": fact.unit, "system": _UCUM, "code": "mm[Hg]"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": _concept(record.code),
        "subject": subject,
        "effectiveDateTime": _text(record.start),
        "valueQuantity": quantity,
    }


def _immunisation(record: Record, patient: Resource) -> Resource:
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": _concept(record.code),
        "patient": patient,
        "occurrenceDateTime": _text(record.start),
    }


def _document(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "description": record.title,
        "subject": subject,
        "date": _instant(record.start),
        "content": [
            {"attachment": {"contentType": "text/plain", "title": record.title}}
        ],
    }


def _referral(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "status": "completed",
        "intent": "order",
        "code": _concept(record.code),
        "subject": subject,
        "authoredOn": _text(record.start),
    }


def _procedure(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": _concept(record.code),
        "subject": subject,
        "performedDateTime": _text(record.start),
    }


def _report(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": _concept(record.code),
        "subject": subject,
        "effectiveDateTime": _text(record.start),
        "conclusion": record.facts[0].value,
    }


def _flag(record: Record, subject: Resource) -> Resource:
    return {
        "resourceType": "Flag",
        "status": "inactive",
        "code": _concept(record.code),
        "subject": subject,
        "period": _period(record),
    }


_BY_KIND: Final[dict[str, Callable[[Record, Resource], Resource]]] = {
    "gp_consultation": _encounter,
    "ed_attendance": _encounter,
    "inpatient_spell": _encounter,
    "day_case": _encounter,
    "outpatient_appointment": _clinic,
    "gp_appointment": _appointment,
    "condition": _condition,
    "medication": _medication,
    "allergy": _allergy,
    "observation": _observation,
    "immunisation": _immunisation,
    "document": _document,
    "referral": _referral,
    "procedure": _procedure,
    "diagnostic_report": _report,
    "flag": _flag,
}


def _organisation(place: Place) -> Resource:
    own = AT[place]
    return {"identifier": {"system": _ODS, "value": own.ods}, "display": own.name}


def _concept(code: Coded | None) -> Resource | None:
    if code is None:
        return None
    if code.code is None:
        return {"text": code.display}
    coding = {"system": _SNOMED, "code": code.code, "display": code.display}
    return {"coding": [coding], "text": code.display}


def _period(record: Record) -> Resource | None:
    ends = {"start": _text(record.start), "end": _text(record.end)}
    return {key: value for key, value in ends.items() if value is not None} or None


def _text(when: When | None) -> str | None:
    """A FHIR dateTime as precise as what was written down; clocks with an offset."""
    if when is None:
        return None
    match when.precision:
        case "year":
            return f"{when.at.year:04d}"
        case "month":
            return f"{when.at.year:04d}-{when.at.month:02d}"
        case "day":
            return when.at.date().isoformat()
        case "minute" | "second":
            return _zoned(when.at)


def _instant(when: When | None) -> str | None:
    """A FHIR instant, which knows no lesser precision, always in UTC."""
    if when is None:
        return None
    return localise(when.at, LONDON)[0].astimezone(UTC).isoformat()


def _zoned(naive: datetime) -> str:
    return localise(naive, LONDON)[0].isoformat()
