"""Medicines ordered, stated, supplied and given: one kind, and which of them said."""

from adapters.contract import Detail
from adapters.fhir.elements import Concept, Dosage, DoseAndRate
from adapters.fhir.references import Index
from adapters.fhir.resources import (
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    Prescribed,
)
from adapters.fhir.sketch import (
    Dated,
    Sketch,
    end_of,
    from_concept,
    from_concepts,
    from_quantity,
    from_range,
    from_text,
    negation,
    start_of,
    status_of,
)

_WHICH = {
    name: Detail(element="record", value=word)
    for name, word in {
        "MedicationRequest": "order",
        "MedicationStatement": "statement",
        "MedicationDispense": "supply",
        "MedicationAdministration": "administration",
    }.items()
}


def request(record: MedicationRequest, index: Index) -> Sketch:
    return _medication(
        record,
        index,
        starts=(("authoredOn", record.authored_on),),
        recorded=record.authored_on,
        detail=(
            *from_text("intent", record.intent),
            *_doses(record.dosage_instruction),
        ),
    )


def statement(record: MedicationStatement, index: Index) -> Sketch:
    return _medication(
        record,
        index,
        starts=(
            ("effective", record.effective_date_time),
            ("effective", start_of(record.effective_period)),
            ("dateAsserted", record.date_asserted),
        ),
        recorded=record.date_asserted,
        detail=_doses(record.dosage),
    )


def dispense(record: MedicationDispense, index: Index) -> Sketch:
    return _medication(
        record,
        index,
        starts=(
            ("whenHandedOver", record.when_handed_over),
            ("whenPrepared", record.when_prepared),
        ),
        recorded=None,
        detail=(
            *from_quantity("quantity", record.quantity),
            *_doses(record.dosage_instruction),
        ),
    )


def administration(record: MedicationAdministration, index: Index) -> Sketch:
    return _medication(
        record,
        index,
        starts=(
            ("effective", record.effective_date_time),
            ("effective", start_of(record.effective_period)),
        ),
        recorded=None,
        detail=_doses((record.dosage,) if record.dosage else ()),
    )


def _medication(
    record: Prescribed,
    index: Index,
    *,
    starts: tuple[Dated, ...],
    recorded: str | None,
    detail: tuple[Detail, ...],
) -> Sketch:
    name = type(record).__name__
    status, odd, word = status_of(name, record.status)
    concept, shown = _medicine(record, index)
    prefix = negation(record.status)
    if isinstance(record, MedicationRequest) and record.do_not_perform:
        prefix = "Do not give"
    end = None
    if isinstance(record, MedicationStatement | MedicationAdministration):
        end = end_of(record.effective_period)
    return Sketch(
        kind="medication",
        concept=concept,
        title=shown or "Medicine, not named",
        prefix=prefix,
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=starts,
        end=end,
        recorded=recorded,
        detail=(
            _WHICH[name],
            *word,
            *from_concepts("category", record.category),
            *from_concepts("reason", record.reason_code),
            *detail,
        ),
    )


def _medicine(record: Prescribed, index: Index) -> tuple[Concept | None, str | None]:
    """The medicine's code where it is told, and what else names it."""
    if record.medication_codeable_concept is not None:
        return record.medication_codeable_concept, None
    named = record.medication_reference
    if named is None:
        return None, None
    found = (
        index.medication(named.reference, record.contained) if named.reference else None
    )
    return found, named.display


def _doses(dosages: tuple[Dosage, ...] | None) -> tuple[Detail, ...]:
    return tuple(detail for dosage in dosages or () for detail in _dose(dosage))


def _dose(dosage: Dosage) -> tuple[Detail, ...]:
    return (
        *from_text("dosage", dosage.text),
        *(d for one in dosage.dose_and_rate or () for d in _amount(one)),
        *from_quantity("dose", dosage.dose),
        *from_concept("route", dosage.route),
        *from_concept("method", dosage.method),
        *from_concept("site", dosage.site),
        *(from_text("as_needed", "true") if dosage.as_needed_boolean else ()),
    )


def _amount(given: DoseAndRate) -> tuple[Detail, ...]:
    return (
        *from_quantity("dose", given.dose_quantity),
        *from_range("dose", given.dose_range),
    )
