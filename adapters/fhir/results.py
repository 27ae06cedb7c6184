"""Observations, reports and documents: what was found, and where it is written."""

from adapters.contract import Code, Detail
from adapters.fhir.elements import Period, Range, Reference, is_present
from adapters.fhir.references import Index
from adapters.fhir.resources import (
    Composition,
    DiagnosticReport,
    DocumentContext,
    DocumentReference,
    Measured,
    Observation,
    ReferenceRange,
)
from adapters.fhir.sketch import (
    Sketch,
    all_codes,
    end_of,
    from_concept,
    from_concepts,
    from_quantity,
    from_range,
    from_ratio,
    from_text,
    start_of,
    status_of,
)


def observation(record: Observation, _: Index) -> Sketch:
    status, odd, word = status_of("Observation", record.status)
    return Sketch(
        kind="observation",
        concept=record.code,
        title="Observation",
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(
            ("effective", record.effective_date_time),
            ("effective", start_of(record.effective_period)),
            ("effective", record.effective_instant),
            ("issued", record.issued),
        ),
        end=end_of(record.effective_period),
        recorded=record.issued,
        detail=word + _measured(record) + _circumstances(record),
    )


def _measured(record: Observation | Measured) -> tuple[Detail, ...]:
    """value[x], why it is absent, and what it was held to mean."""
    if record.value_quantity is not None:
        value = from_quantity("value", record.value_quantity)
    elif record.value_codeable_concept is not None:
        value = from_concept("value", record.value_codeable_concept)
    else:
        value = _seldom_measured(record)
    if record.data_absent_reason is None and record.interpretation is None:
        return value
    return (
        *value,
        *from_concept("data_absent_reason", record.data_absent_reason),
        *from_concepts("interpretation", record.interpretation),
    )


def _seldom_measured(record: Observation | Measured) -> tuple[Detail, ...]:
    told = record.value_string or record.value_date_time or record.value_time
    if told:
        return from_text("value", told)
    if record.value_boolean is not None:
        return (Detail(element="value", value=str(record.value_boolean).lower()),)
    if record.value_integer is not None:
        return (Detail(element="value", value=str(record.value_integer)),)
    if record.value_period is not None:
        return from_text("value", _written(record.value_period))
    if is_present(record.value_sampled_data) or is_present(record.value_attachment):
        return (Detail(element="value", value="not shown here: see the source"),)
    return from_range("value", record.value_range) or from_ratio(
        "value", record.value_ratio
    )


def _written(period: Period) -> str:
    return f"{period.start or '…'} to {period.end or '…'}"


def _circumstances(record: Observation) -> tuple[Detail, ...]:
    if not (
        record.method
        or record.body_site
        or record.component
        or record.reference_range
        or record.note
    ):
        return ()
    return (
        *from_concept("method", record.method),
        *from_concept("body_site", record.body_site),
        *(d for one in record.component or () for d in _component(one)),
        *(d for one in record.reference_range or () for d in _usual(one)),
        # What was written beside a result often says how far it can be relied on.
        *(d for one in record.note or () for d in from_text("note", one.text)),
    )


def _component(part: Measured) -> tuple[Detail, ...]:
    """Each finding of a part, under the part's own code and name."""
    named = from_concept("component", part.code)
    code = named[0].code if named else None
    name = named[0].value if named else "component"
    return tuple(
        Detail(
            element="component"
            if found.element == "value"
            else f"component_{found.element}",
            value=f"{name}: {found.value}",
            unit=found.unit,
            code=code,
        )
        for found in _measured(part)
    )


def _usual(given: ReferenceRange) -> tuple[Detail, ...]:
    return from_range("reference_range", Range(given.low, given.high, given.text))


def diagnostic_report(record: DiagnosticReport, _: Index) -> Sketch:
    status, odd, word = status_of("DiagnosticReport", record.status)
    return Sketch(
        kind="diagnostic_report",
        concept=record.code,
        title="Diagnostic report",
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(
            ("effective", record.effective_date_time),
            ("effective", start_of(record.effective_period)),
            ("issued", record.issued),
        ),
        end=end_of(record.effective_period),
        recorded=record.issued,
        detail=(
            *word,
            *from_concepts("category", record.category),
            *from_text("conclusion", record.conclusion),
            *from_concepts("conclusion", record.conclusion_code),
        ),
    )


def document_reference(record: DocumentReference, _: Index) -> Sketch:
    status, odd, word = status_of("DocumentReference", record.status)
    context = record.context if isinstance(record.context, DocumentContext) else None
    period = context.period if context else None
    if record.doc_status == "entered-in-error":
        status = record.doc_status
    attachments = [one.attachment for one in record.content or () if one.attachment]
    return Sketch(
        kind="document",
        concept=record.type,
        title=record.description or "Document",
        status=status,
        is_untranslated=odd,
        about=record.subject,
        starts=(
            ("date", record.created),
            ("date", record.date),
            ("context", start_of(period)),
        ),
        recorded=record.date,
        keeper=record.custodian,
        labels=all_codes(record.security_label),
        detail=(
            *word,
            *from_text("document_status", record.doc_status),
            *from_concepts("category", record.category),
            *(d for one in attachments for d in from_text("format", one.content_type)),
            *(d for one in attachments for d in from_text("name", one.title)),
        ),
    )


def composition(record: Composition, _: Index) -> Sketch:
    status, odd, word = status_of("Composition", record.status)
    return Sketch(
        kind="document",
        concept=record.type,
        title=record.title or "Document",
        status=status,
        is_untranslated=odd,
        about=_only(record.subject),
        starts=(("date", record.date),),
        recorded=record.date,
        keeper=record.custodian,
        labels=(Code(code=record.confidentiality),) if record.confidentiality else (),
        detail=(
            *word,
            *from_concepts("category", record.category),
            *from_text("name", record.title),
        ),
    )


def _only(subject: Reference | tuple[Reference, ...] | None) -> Reference | None:
    if subject is None or isinstance(subject, Reference):
        return subject
    return subject[0] if len(subject) == 1 else None
