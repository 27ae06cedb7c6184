"""Encounters, appointments, referrals, responsibility: contact between people."""

from adapters.contract import Code
from adapters.fhir.elements import Concept, Reference
from adapters.fhir.references import Index
from adapters.fhir.resources import (
    Appointment,
    CarePlan,
    CareTeam,
    Encounter,
    EpisodeOfCare,
    ServiceRequest,
)
from adapters.fhir.sketch import (
    Sketch,
    all_codes,
    end_of,
    first_plain,
    from_concept,
    from_concepts,
    from_text,
    start_of,
    status_of,
)
from adapters.fhir.tables import BOOKINGS, CLASSES, VISITS

_KIND_TITLES = {
    "ed_attendance": "Emergency department attendance",
    "inpatient_spell": "Inpatient stay",
    "day_case": "Day case",
    "gp_consultation": "General practice consultation",
    "outpatient_appointment": "Outpatient appointment",
    "community_contact": "Community contact",
    "mental_health_contact": "Mental health contact",
    "ambulance_attendance": "Ambulance attendance",
    "ambulance_conveyance": "Ambulance conveyance",
    "gp_appointment": "General practice appointment",
    "appointment": "Appointment",
}


def encounter(record: Encounter, index: Index) -> Sketch:
    status, odd, word = status_of("Encounter", record.status)
    setting = _class_of(record)
    kind = _kind_of(setting, record, index.scope.sector)
    stay = record.hospitalization
    types = record.type or ()
    period = record.period
    return Sketch(
        kind=kind,
        concept=first_plain(types),
        title=_KIND_TITLES.get(kind, "Encounter"),
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(("period", start_of(period)),),
        end=end_of(period),
        keeper=record.service_provider,
        codes=all_codes(types),
        kind_code=setting.code if setting else None,
        detail=(
            *word,
            *(from_text("class", setting.display or setting.code) if setting else ()),
            *from_concepts("reason", record.reason_code),
            *(from_concept("discharge", stay.discharge_disposition) if stay else ()),
            *(from_concept("admitted_from", stay.admit_source) if stay else ()),
        ),
    )


def _class_of(record: Encounter) -> Code | None:
    match record.class_:
        case None:
            return None
        case str() as word:
            return Code(code=word)
        case Code() as coding:
            return coding
        case concepts:
            return next(iter(all_codes(concepts)), None)


def _kind_of(setting: Code | None, record: Encounter, sector: str) -> str:
    if sector == "ambulance":
        stay = record.hospitalization
        conveyed = stay is not None and stay.destination is not None
        return "ambulance_conveyance" if conveyed else "ambulance_attendance"
    if setting is None:
        # GP Connect tells of consultations, and gives them no class.
        return VISITS.get(sector, "encounter") if _is_seen(record) else "encounter"
    meant = CLASSES.get((setting.code or "").upper()) or CLASSES.get(
        (setting.display or "").upper()
    )
    if meant == "visit":
        return VISITS.get(sector, "encounter")
    return meant or "encounter"


def _is_seen(record: Encounter) -> bool:
    profiles = (record.meta.profile if record.meta else None) or ()
    return any("CareConnect-GPC-Encounter" in (one or "") for one in profiles)


def appointment(record: Appointment, index: Index) -> Sketch:
    status, odd, word = status_of("Appointment", record.status)
    kind = BOOKINGS.get(index.scope.sector, "appointment")
    what = next(
        (
            one
            for one in (
                record.appointment_type,
                *(record.service_type or ()),
                *(record.specialty or ()),
            )
            if one and one.plain
        ),
        None,
    )
    return Sketch(
        kind=kind,
        concept=what,
        title=record.description or _KIND_TITLES[kind],
        status=status,
        is_untranslated=odd,
        about=_attending(record),
        starts=(("start", record.start),),
        end=record.end,
        recorded=record.created,
        codes=(
            *all_codes(record.service_type),
            *all_codes(record.specialty),
            *(record.appointment_type.codes if record.appointment_type else ()),
        ),
        detail=(
            *word,
            *from_concepts("service", record.service_type),
            *from_concepts("specialty", record.specialty),
            *from_concepts("reason", record.reason_code),
            *from_concept("cancellation", record.cancelation_reason),
        ),
    )


def _attending(record: Appointment) -> Reference | None:
    """The participant who is a patient; a booking names its people all alike."""
    actors = [one.actor for one in record.participant or () if one.actor]
    for actor in actors:
        if "Patient" in (actor.reference or ""):
            return actor
    for actor in actors:
        system = actor.identifier.system if actor.identifier else None
        if system is not None and system.lower().endswith("nhs-number"):
            return actor
    # A reference that does not show its type may still lead to the patient.
    return next((a for a in actors if (a.reference or "").startswith("urn:")), None)


def service_request(record: ServiceRequest, _: Index) -> Sketch:
    status, odd, word = status_of("ServiceRequest", record.status)
    categories = record.category or ()
    return Sketch(
        kind="referral",
        concept=record.code or first_plain(categories),
        title="Referral",
        prefix="Do not perform" if record.do_not_perform else None,
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(
            ("authoredOn", record.authored_on),
            ("occurrence", record.occurrence_date_time),
            ("occurrence", start_of(record.occurrence_period)),
        ),
        recorded=record.authored_on,
        detail=(
            *word,
            *from_text("intent", record.intent),
            *from_text("priority", record.priority),
            *from_concepts("category", categories),
            *from_concepts("reason", record.reason_code),
            *from_text("wanted", record.occurrence_date_time),
            *from_text("wanted", start_of(record.occurrence_period)),
        ),
    )


def episode_of_care(record: EpisodeOfCare, _: Index) -> Sketch:
    status, odd, word = status_of("EpisodeOfCare", record.status)
    types = record.type or ()
    return Sketch(
        kind="episode_of_care",
        concept=first_plain(types),
        title="Episode of care",
        status=status,
        is_untranslated=odd,
        about=record.patient,
        starts=(("period", start_of(record.period)),),
        end=end_of(record.period),
        keeper=record.managing_organization,
        codes=all_codes(types),
        detail=word,
    )


def care_plan(record: CarePlan, _: Index) -> Sketch:
    status, odd, word = status_of("CarePlan", record.status)
    categories = record.category or ()
    named = [c for c in categories if c.plain]
    return Sketch(
        kind="care_plan",
        # The first category is often only "assess and plan", said by all of them.
        concept=named[-1] if named and not record.title else None,
        title=record.title or "Care plan",
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(
            ("period", start_of(record.period)),
            ("created", record.created),
        ),
        end=end_of(record.period),
        recorded=record.created,
        codes=all_codes(categories),
        detail=(*word, *from_text("intent", record.intent)),
    )


def care_team(record: CareTeam, _: Index) -> Sketch:
    status, odd, word = status_of("CareTeam", record.status)
    named: Concept | None = first_plain(record.category)
    keepers = record.managing_organization or ()
    return Sketch(
        kind="care_team",
        concept=None if record.name else named,
        title=record.name or "Care team",
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(("period", start_of(record.period)),),
        end=end_of(record.period),
        keeper=keepers[0] if keepers else None,
        codes=all_codes(record.category),
        detail=word,
    )
