"""The resource types of a journey, with only the fields that are used.

Fields marked STU3 are read only to see that a record is of that older version: it
gives the same words other meanings, so it is refused by name and never guessed at.
"""

import msgspec

from adapters.contract import Code
from adapters.fhir.elements import (
    NOTHING,
    Address,
    Concept,
    Dosage,
    Element,
    Extension,
    Identification,
    Name,
    Note,
    Period,
    Quantity,
    Range,
    Ratio,
    Reference,
    Resource,
)

Concepts = tuple[Concept, ...]
References = tuple[Reference, ...]


class Patient(Resource, frozen=True, gc=False, kw_only=True):
    identifier: tuple[Identification, ...] | None = None
    name: tuple[Name, ...] | None = None
    birth_date: str | None = None
    gender: str | None = None
    address: tuple[Address, ...] | None = None
    modifier_extension: tuple[Extension, ...] | None = None
    animal: msgspec.Raw = NOTHING  # STU3
    link: msgspec.Raw = NOTHING
    # Ours, by a name no record has: the server it stood on, where not the one asked.
    home: str | None = msgspec.field(name="(home)", default=None)


class Stay(Element, frozen=True, gc=False):
    """Encounter.hospitalization, or R5's admission."""

    destination: Reference | None = None
    admit_source: Concept | None = None
    discharge_disposition: Concept | None = None


class Encounter(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    class_: Code | Concepts | str | None = msgspec.field(name="class", default=None)
    type: Concepts | None = None
    service_type: msgspec.Raw = NOTHING
    subject: Reference | None = None
    period: Period | None = None
    reason_code: Concepts | None = None
    hospitalization: Stay | None = None
    service_provider: Reference | None = None
    reason: msgspec.Raw = NOTHING  # STU3


class AppointmentParticipant(Element, frozen=True, gc=False):
    actor: Reference | None = None
    status: str | None = None


class Appointment(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    service_type: Concepts | None = None
    specialty: Concepts | None = None
    appointment_type: Concept | None = None
    reason_code: Concepts | None = None
    cancelation_reason: Concept | None = None
    description: str | None = None
    start: str | None = None
    end: str | None = None
    created: str | None = None
    participant: tuple[AppointmentParticipant, ...] | None = None
    incoming_referral: msgspec.Raw = NOTHING  # STU3


class ServiceRequest(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    intent: str | None = None
    category: Concepts | None = None
    priority: str | None = None
    do_not_perform: bool | None = None
    code: Concept | None = None
    subject: Reference | None = None
    authored_on: str | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    requester: Reference | None = None
    reason_code: Concepts | None = None


class EpisodeOfCare(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    type: Concepts | None = None
    patient: Reference | None = None
    period: Period | None = None
    managing_organization: Reference | None = None


class Condition(Resource, frozen=True, gc=False, kw_only=True):
    clinical_status: Concept | str | None = None
    verification_status: Concept | str | None = None
    category: Concepts | None = None
    severity: Concept | None = None
    code: Concept | None = None
    body_site: Concepts | None = None
    subject: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    onset_string: str | None = None
    onset_age: Quantity | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_string: str | None = None
    recorded_date: str | None = None
    asserted_date: str | None = None  # STU3


class Procedure(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    status_reason: Concept | None = None
    category: Concept | Concepts | None = None
    code: Concept | None = None
    subject: Reference | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    performed_string: str | None = None
    reason_code: Concepts | None = None
    body_site: Concepts | None = None
    outcome: Concept | None = None
    not_done: bool | None = None  # STU3


class Flag(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    category: Concepts | Concept | None = None
    code: Concept | None = None
    subject: Reference | None = None
    period: Period | None = None


class Reaction(Element, frozen=True, gc=False):
    manifestation: Concepts | None = None
    severity: str | None = None


class AllergyIntolerance(Resource, frozen=True, gc=False, kw_only=True):
    clinical_status: Concept | str | None = None
    verification_status: Concept | str | None = None
    type: str | Concept | None = None
    category: tuple[str | None, ...] | None = None
    criticality: str | None = None
    code: Concept | None = None
    patient: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    recorded_date: str | None = None
    reaction: tuple[Reaction, ...] | None = None
    asserted_date: str | None = None  # STU3


class Medication(Resource, frozen=True, gc=False, kw_only=True):
    code: Concept | None = None


class Prescribed(Resource, frozen=True, gc=False, kw_only=True):
    """What the four medication types share."""

    status: str | None = None
    category: Concept | Concepts | None = None
    medication_codeable_concept: Concept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    reason_code: Concepts | None = None
    context: Reference | None = None  # also R4, in statement, dispense, administration
    based_on: References | None = None


class MedicationRequest(Prescribed, frozen=True, gc=False, kw_only=True):
    intent: str | None = None
    do_not_perform: bool | None = None
    authored_on: str | None = None
    dosage_instruction: tuple[Dosage, ...] | None = None
    definition: msgspec.Raw = NOTHING  # STU3


class MedicationStatement(Prescribed, frozen=True, gc=False, kw_only=True):
    effective_date_time: str | None = None
    effective_period: Period | None = None
    date_asserted: str | None = None
    dosage: tuple[Dosage, ...] | None = None
    taken: str | None = None  # STU3


class MedicationDispense(Prescribed, frozen=True, gc=False, kw_only=True):
    when_prepared: str | None = None
    when_handed_over: str | None = None
    authorizing_prescription: References | None = None
    quantity: Quantity | None = None
    dosage_instruction: tuple[Dosage, ...] | None = None
    not_done: bool | None = None  # STU3


class MedicationAdministration(Prescribed, frozen=True, gc=False, kw_only=True):
    effective_date_time: str | None = None
    effective_period: Period | None = None
    dosage: Dosage | None = None
    not_given: bool | None = None  # STU3


class Dose(Element, frozen=True, gc=False):
    dose_number_positive_int: int | None = None
    dose_number_string: str | None = None


class Immunization(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    status_reason: Concept | None = None
    vaccine_code: Concept | None = None
    patient: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_string: str | None = None
    recorded: str | None = None
    site: Concept | None = None
    route: Concept | None = None
    dose_quantity: Quantity | None = None
    lot_number: str | None = None
    protocol_applied: tuple[Dose, ...] | None = None
    not_given: bool | None = None  # STU3


class Measured(Element, frozen=True, gc=False, kw_only=True):
    """The value[x] and its reasons, in Observation and in its components."""

    code: Concept | None = None
    value_quantity: Quantity | None = None
    value_codeable_concept: Concept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None
    value_range: Range | None = None
    value_ratio: Ratio | None = None
    value_date_time: str | None = None
    value_time: str | None = None
    value_period: Period | None = None
    value_sampled_data: msgspec.Raw = NOTHING
    value_attachment: msgspec.Raw = NOTHING
    data_absent_reason: Concept | None = None
    interpretation: Concepts | Concept | None = None


class ReferenceRange(Element, frozen=True, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None
    text: str | None = None


class Observation(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    code: Concept | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    effective_instant: str | None = None
    issued: str | None = None
    value_quantity: Quantity | None = None
    value_codeable_concept: Concept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None
    value_range: Range | None = None
    value_ratio: Ratio | None = None
    value_date_time: str | None = None
    value_time: str | None = None
    value_period: Period | None = None
    value_sampled_data: msgspec.Raw = NOTHING
    value_attachment: msgspec.Raw = NOTHING
    data_absent_reason: Concept | None = None
    interpretation: Concepts | Concept | None = None
    note: tuple[Note, ...] | None = None
    body_site: Concept | None = None
    method: Concept | None = None
    reference_range: tuple[ReferenceRange, ...] | None = None
    component: tuple[Measured, ...] | None = None
    related: msgspec.Raw = NOTHING  # STU3
    comment: str | None = None  # STU3


class DiagnosticReport(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    category: Concepts | Concept | None = None
    code: Concept | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    issued: str | None = None
    conclusion: str | None = None
    conclusion_code: Concepts | None = None
    coded_diagnosis: msgspec.Raw = NOTHING  # STU3


class DocumentContext(Element, frozen=True, gc=False):
    period: Period | None = None


class Attachment(Element, frozen=True, gc=False):
    content_type: str | None = None
    title: str | None = None


class Content(Element, frozen=True, gc=False):
    attachment: Attachment | None = None


class DocumentReference(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    doc_status: str | None = None
    type: Concept | None = None
    category: Concepts | None = None
    subject: Reference | None = None
    date: str | None = None
    description: str | None = None
    custodian: Reference | None = None
    security_label: Concepts | None = None
    content: tuple[Content, ...] | None = None
    context: DocumentContext | tuple[Reference, ...] | None = None
    created: str | None = None  # STU3: when the document itself was made
    indexed: str | None = None  # STU3


class Composition(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    type: Concept | None = None
    category: Concepts | None = None
    subject: Reference | References | None = None
    date: str | None = None
    title: str | None = None
    confidentiality: str | None = None
    custodian: Reference | None = None


class CarePlan(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    intent: str | None = None
    category: Concepts | None = None
    title: str | None = None
    subject: Reference | None = None
    period: Period | None = None
    created: str | None = None
    definition: msgspec.Raw = NOTHING  # STU3


class CareTeam(Resource, frozen=True, gc=False, kw_only=True):
    status: str | None = None
    category: Concepts | None = None
    name: str | None = None
    subject: Reference | None = None
    period: Period | None = None
    managing_organization: References | None = None


class Organization(Resource, frozen=True, gc=False, kw_only=True):
    identifier: tuple[Identification, ...] | None = None
    name: str | None = None
