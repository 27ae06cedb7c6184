"""Medicines ordered, stated, supplied and given: one kind, and which of them said."""

from adapters.contract import Detail
from adapters.fhir.elements import Concept, Dosage, DoseAndRate
from adapters.fhir.references import UNRESOLVED, Index
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

# What a request is short of an order: what may become one.
_PLANS = frozenset({"plan", "proposal", "option"})
_PLAN = Detail(element="record", value="plan")
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
    concept, shown, doubts = _medicine(record, index)
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
            _which(record),
            *word,
            *_links(record, index),
            *from_concepts("category", record.category),
            *from_concepts("reason", record.reason_code),
            *detail,
        ),
        caveats=doubts,
    )


def _which(record: Prescribed) -> Detail:
    if isinstance(record, MedicationRequest) and record.intent in _PLANS:
        return _PLAN
    return _WHICH[type(record).__name__]


def _links(record: Prescribed, index: Index) -> tuple[Detail, ...]:
    """The plan or order this belongs to, so that one medicine is not counted twice."""
    given = record.based_on or ()
    if isinstance(record, MedicationDispense):
        given = (*given, *(record.authorizing_prescription or ()))
    return tuple(d for one in given for d in from_text("based_on", index.linked(one)))


def _medicine(
    record: Prescribed, index: Index
) -> tuple[Concept | None, str | None, tuple[str, ...]]:
    """The medicine's code where it is told, what else names it, and what is amiss."""
    if record.medication_codeable_concept is not None:
        return record.medication_codeable_concept, None, ()
    named = record.medication_reference
    if named is None:
        return None, None, ()
    if not named.reference:
        return None, named.display, ()
    found = index.medication(named.reference, record.contained)
    return found, named.display, () if found else (UNRESOLVED,)


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
