"""Problems, procedures, flags, allergies and immunisations."""

from adapters.contract import Detail
from adapters.fhir.elements import Concept
from adapters.fhir.references import Index
from adapters.fhir.resources import (
    AllergyIntolerance,
    Condition,
    Flag,
    Immunization,
    Procedure,
)
from adapters.fhir.sketch import (
    Sketch,
    end_of,
    first_code,
    from_concept,
    from_concepts,
    from_quantity,
    from_text,
    negation,
    start_of,
    status_of,
)
from adapters.fhir.tables import VERIFICATIONS

_Verified = tuple[str, bool, str | None, tuple[Detail, ...]]


def _verified(
    name: str, clinical: Concept | str | None, verification: Concept | str | None
) -> _Verified:
    """Status, whether its word is unknown, the word that turns it round, details."""
    status, odd, word = status_of(name, first_code(clinical))
    belief = first_code(verification)
    if belief == "entered-in-error":
        status = belief
    prefix = VERIFICATIONS.get(belief) if belief else None
    return status, odd, prefix, (*word, *from_text("verification", belief))


def condition(record: Condition, _: Index) -> Sketch:
    status, odd, prefix, words = _verified(
        "Condition", record.clinical_status, record.verification_status
    )
    return Sketch(
        kind="condition",
        concept=record.code,
        title="Condition",
        prefix=prefix,
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(
            ("onset", record.onset_date_time),
            ("onset", start_of(record.onset_period)),
            ("recordedDate", record.recorded_date),
        ),
        end=record.abatement_date_time or end_of(record.abatement_period),
        recorded=record.recorded_date,
        detail=(
            *words,
            *from_concepts("category", record.category),
            *from_concept("severity", record.severity),
            *from_concepts("body_site", record.body_site),
            *from_text("onset", record.onset_string),
            *from_quantity("onset_age", record.onset_age),
            *from_text("abatement", record.abatement_string),
        ),
    )


def procedure(record: Procedure, _: Index) -> Sketch:
    status, odd, word = status_of("Procedure", record.status)
    return Sketch(
        kind="procedure",
        concept=record.code,
        title="Procedure",
        prefix=negation(record.status),
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(
            ("performed", record.performed_date_time),
            ("performed", start_of(record.performed_period)),
        ),
        end=end_of(record.performed_period),
        detail=(
            *word,
            *from_concept("status_reason", record.status_reason),
            *from_concepts("category", record.category),
            *from_concepts("reason", record.reason_code),
            *from_concepts("body_site", record.body_site),
            *from_concept("outcome", record.outcome),
            *from_text("performed", record.performed_string),
        ),
    )


def flag(record: Flag, _: Index) -> Sketch:
    status, odd, word = status_of("Flag", record.status)
    return Sketch(
        kind="flag",
        concept=record.code,
        title="Flag",
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(("period", start_of(record.period)),),
        end=end_of(record.period),
        detail=(*word, *from_concepts("category", record.category)),
    )


def allergy(record: AllergyIntolerance, _: Index) -> Sketch:
    status, odd, prefix, words = _verified(
        "AllergyIntolerance", record.clinical_status, record.verification_status
    )
    reactions = record.reaction or ()
    return Sketch(
        kind="allergy",
        concept=record.code,
        title="Allergy or intolerance",
        prefix=prefix,
        status=status,
        is_untranslated=odd,
        about=record.patient,
        starts=(
            ("onset", record.onset_date_time),
            ("onset", start_of(record.onset_period)),
            ("recordedDate", record.recorded_date),
        ),
        end=end_of(record.onset_period),
        recorded=record.recorded_date,
        detail=(
            *words,
            *from_text("type", first_code(record.type)),
            *(d for one in record.category or () for d in from_text("category", one)),
            *from_text("criticality", record.criticality),
            *(
                d
                for one in reactions
                for d in (
                    *from_concepts("reaction", one.manifestation),
                    *from_text("reaction_severity", one.severity),
                )
            ),
        ),
    )


def immunisation(record: Immunization, _: Index) -> Sketch:
    status, odd, word = status_of("Immunization", record.status)
    doses = record.protocol_applied or ()
    return Sketch(
        kind="immunisation",
        concept=record.vaccine_code,
        title="Immunisation",
        prefix=negation(record.status),
        status=status,
        is_untranslated=odd,
        about=record.patient,
        starts=(
            ("occurrence", record.occurrence_date_time),
            ("recorded", record.recorded),
        ),
        recorded=record.recorded,
        detail=(
            *word,
            *from_concept("status_reason", record.status_reason),
            *from_text("occurrence", record.occurrence_string),
            *from_quantity("dose", record.dose_quantity),
            *from_concept("site", record.site),
            *from_concept("route", record.route),
            *from_text("lot_number", record.lot_number),
            *(
                Detail(element="dose_number", value=number)
                for one in doses
                if (
                    number := one.dose_number_string
                    or str(one.dose_number_positive_int or "")
                )
            ),
        ),
    )
