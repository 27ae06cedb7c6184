"""FHIR STU3 written as R4, field by field and from one table.

What R4 has no place for is told beside the record, as details. A negation becomes
R4's word for it, and what the source wrote is told: it is never shown as plain fact.
Source: the definitions of STU3 (3.0.2) and R4 (4.0.1), the profiles of GP Connect
structured records and of the e-Referral Service.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters.contract import Code, Detail
from adapters.fhir.elements import Concept, Element, Note, Reference
from adapters.fhir.extensions import Extended, flattened
from adapters.fhir.references import record_named
from adapters.fhir.sketch import from_concepts, from_text
from adapters.fhir.stu3 import is_r4, refused

Fields = dict[str, msgspec.Raw]
# A step changes the fields in place and yields what is to be told beside them.
Step = Callable[[Fields], Iterable[Detail]]

_FIELDS: Final = msgspec.json.Decoder(Fields)
_SEVERAL: Final = msgspec.json.Decoder(list[Fields])
_FLAG: Final = msgspec.json.Decoder(bool | None)
_WORD: Final = msgspec.json.Decoder(str | None)
_CONCEPT: Final = msgspec.json.Decoder(Concept | None)
_CONCEPTS: Final = msgspec.json.Decoder(tuple[Concept, ...] | Concept | None)
_EXTENSIONS: Final = msgspec.json.Decoder(tuple[Extended, ...] | None)
_REFERENCES: Final = msgspec.json.Decoder(tuple[Reference, ...] | None)
_ERROR: Final = "entered-in-error"


class _Related(Element, frozen=True, gc=False):
    type: str | None = None
    target: Reference | None = None


class _Explanation(Element, frozen=True, gc=False):
    reason: tuple[Concept, ...] | None = None
    reason_not_given: tuple[Concept, ...] | None = None


class _Protocol(Element, frozen=True, gc=False):
    dose_sequence: int | None = None


_RELATED: Final = msgspec.json.Decoder(tuple[_Related, ...] | None)
_EXPLANATION: Final = msgspec.json.Decoder(_Explanation | None)
_PROTOCOLS: Final = msgspec.json.Decoder(tuple[_Protocol, ...] | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A record as R4 would have it: its type, its bytes, and what else it says."""

    name: str
    written: bytes = field(repr=False)
    told: tuple[Detail, ...] = field(repr=False)


def translated(name: str, written: msgspec.Raw | bytes) -> Translated:
    """An STU3 record as an R4 one; a type that both write alike is only looked at.

    Raises what is in BROKEN for a field of the wrong shape, and Unreadable (`r4`)
    for a record that is of R4 already.
    """
    fields = _FIELDS.decode(written)
    if is_r4(name, fields):
        raise refused("STU3")
    told = tuple(detail for step in _STEPS.get(name, ()) for detail in step(fields))
    if name in READ_AS:
        fields["resourceType"] = _raw(READ_AS[name])
    return Translated(
        name=READ_AS.get(name, name), written=msgspec.json.encode(fields), told=told
    )


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _word(fields: Fields, name: str) -> str | None:
    return _WORD.decode(fields[name]) if name in fields else None


def _moved(old: str, new: str) -> Step:
    """The same thing under the name that R4 has for it."""

    def step(fields: Fields) -> Iterator[Detail]:
        if old in fields:
            fields[new] = fields.pop(old)
        yield from ()

    return step


def _listed(old: str, new: str) -> Step:
    """What R4 may have several of."""

    def step(fields: Fields) -> Iterator[Detail]:
        if old in fields:
            fields[new] = msgspec.Raw(b"[" + bytes(fields.pop(old)) + b"]")
        yield from ()

    return step


def _said(name: str, element: str) -> Step:
    """Concepts that R4 has no place for, or we none in R4's."""

    def step(fields: Fields) -> Iterator[Detail]:
        if name in fields:
            yield from from_concepts(element, _CONCEPTS.decode(fields[name]))

    return step


def _written(name: str, element: str) -> Step:
    def step(fields: Fields) -> Iterator[Detail]:
        yield from from_text(element, _word(fields, name))

    return step


def _negated(flag: str, reason: str | None = None) -> Step:
    """A flag that turns the record round is R4's status `not-done`.

    A record entered in error stays that, for it says nothing at all.
    """

    def step(fields: Fields) -> Iterator[Detail]:
        if flag in fields and _FLAG.decode(fields.pop(flag)):
            yield from _turned(fields, "not-done", by=flag)
        if reason is not None and reason in fields:
            given = _CONCEPTS.decode(fields[reason])
            yield from from_concepts("status_reason", given)

    return step


def _turned(fields: Fields, word: str, *, by: str) -> Iterator[Detail]:
    status = _word(fields, "status")
    yield Detail(element="negation", value=f"{by}, with status {status or 'not said'}")
    if status != _ERROR:
        fields["status"] = _raw(word)


_TAKEN: Final = {
    "y": "yes",
    "n": "no",
    "unk": "not known",
    "na": "does not apply",
}
_TAKEN_SYSTEM: Final = "http://hl7.org/fhir/medication-statement-taken"


def _taken(fields: Fields) -> Iterator[Detail]:
    """Whether a medicine was taken: `n` is R4's status `not-taken`.

    A word that is no answer leaves the status unknown, lest a "no" be missed.
    """
    word = _word(fields, "taken")
    fields.pop("taken", None)
    if word is None:
        return
    code = Code(system=_TAKEN_SYSTEM, code=word)
    yield Detail(element="taken", value=_TAKEN.get(word, word), code=code)
    if word == "n":
        yield from _turned(fields, "not-taken", by="taken n")
    elif word not in _TAKEN and _word(fields, "status") != _ERROR:
        fields["status"] = _raw("unknown")


def _doses(name: str) -> Step:
    """A dose stands beside its text in STU3, and in a list of its own in R4."""

    def step(fields: Fields) -> Iterator[Detail]:
        if name in fields:
            dosages = _SEVERAL.decode(fields[name])
            for dosage in dosages:
                dose = {
                    new: dosage.pop(old) for old, new in _DOSES.items() if old in dosage
                }
                if dose:
                    dosage["doseAndRate"] = _raw([dose])
            fields[name] = _raw(dosages)
        yield from ()

    return step


_DOSES: Final = {
    "doseSimpleQuantity": "doseQuantity",
    "doseQuantity": "doseQuantity",
    "doseRange": "doseRange",
}


def _comment(fields: Fields) -> Iterator[Detail]:
    comment = _word(fields, "comment")
    fields.pop("comment", None)
    if comment:
        fields["note"] = _raw([Note(text=comment)])
    yield from ()


def _related(fields: Fields) -> Iterator[Detail]:
    """How an observation bears on others: a replacement, a doubt, a part."""
    if "related" not in fields:
        return
    for one in _RELATED.decode(fields.pop("related")) or ():
        named = record_named(one.target.reference) if one.target else None
        said = " ".join(word for word in (one.type or "related to", named) if word)
        yield Detail(element="related", value=said)


def _explained(fields: Fields) -> Iterator[Detail]:
    if "explanation" in fields:
        told = _EXPLANATION.decode(fields["explanation"]) or _Explanation()
        yield from from_concepts("reason", told.reason)
        yield from from_concepts("status_reason", told.reason_not_given)


def _protocol(fields: Fields) -> Iterator[Detail]:
    if "vaccinationProtocol" in fields:
        given = _PROTOCOLS.decode(fields.pop("vaccinationProtocol")) or ()
        doses = [one.dose_sequence for one in given if one.dose_sequence is not None]
        fields["protocolApplied"] = _raw([{"doseNumberPositiveInt": n} for n in doses])
    yield from ()


def _extensions(fields: Fields) -> Mapping[str, Extended]:
    """The extensions of the NHS by their short names."""
    if "extension" not in fields:
        return {}
    return flattened(_EXTENSIONS.decode(fields["extension"]) or ())


def _extended(**elements: str) -> Step:
    """Extensions to tell, by their short name without its dots."""

    def step(fields: Fields) -> Iterator[Detail]:
        found = _extensions(fields)
        for name, element in elements.items():
            one = found.get(name)
            if one is None:
                continue
            if one.value_codeable_concept is not None:
                yield from from_concepts(element, one.value_codeable_concept)
            elif one.value_coding is not None:
                concept = Concept(coding=(one.value_coding,))
                yield from from_concepts(element, concept)
            else:
                yield from from_text(element, one.text)

    return step


def _vaccine(fields: Fields) -> Iterator[Detail]:
    """GP Connect leaves the vaccine unknown and says in an extension what was done."""
    found = _extensions(fields)
    if "DateRecorded" in found and (when := found["DateRecorded"].text):
        fields["recorded"] = _raw(when)
    done = found.get("VaccinationProcedure")
    concept = done.value_codeable_concept if done else None
    if concept is None:
        return
    vaccine = (
        _CONCEPT.decode(fields["vaccineCode"]) if "vaccineCode" in fields else None
    )
    if vaccine is None or _is_null(vaccine):
        fields["vaccineCode"] = _raw(concept)
    else:
        yield from from_concepts("procedure", concept)


def _is_null(concept: Concept) -> bool:
    """Whether it only says that it is not known, or nothing at all."""
    if concept.text:
        return False
    return all("NullFlavor" in (coding.system or "") for coding in concept.codes)


def _ended(fields: Fields) -> Iterator[Detail]:
    """GP Connect tells in an extension when an allergy ended."""
    end = _extensions(fields).get("AllergyIntoleranceEndendDate")
    if end is not None and end.text:
        period = {"end": end.text}
        start = _word(fields, "onsetDateTime")
        fields.pop("onsetDateTime", None)
        fields["onsetPeriod"] = _raw({"start": start, **period} if start else period)
    yield from ()


def _linked(name: str) -> Step:
    """Records this one belongs to, told so that nobody counts one thing twice."""

    def step(fields: Fields) -> Iterator[Detail]:
        if name in fields:
            for one in _REFERENCES.decode(fields[name]) or ():
                yield from from_text("based_on", record_named(one.reference))

    return step


def _requested(fields: Fields) -> Iterator[Detail]:
    """What a referral asks for: the service, else the specialty; all are told."""
    if "serviceRequested" in fields:
        wanted = msgspec.json.decode(fields["serviceRequested"], type=list[msgspec.Raw])
        if wanted:
            fields["code"] = wanted[0]
        yield from _said("serviceRequested", "service")(fields)
    if "specialty" in fields:
        fields.setdefault("code", fields["specialty"])
        yield from _said("specialty", "specialty")(fields)


_DATED_BY: Final = ("eReferralPathwayStart", "ClinicalInfoFirstSubmitted")


def _dated(fields: Fields) -> Iterator[Detail]:
    """The e-Referral Service dates a referral in extensions alone."""
    if fields.keys() & {"authoredOn", "occurrenceDateTime", "occurrencePeriod"}:
        return
    found = _extensions(fields)
    for name in _DATED_BY:
        if name in found and (when := found[name].text):
            fields["authoredOn"] = _raw(when)
            yield Detail(element="dated_by", value=name)
            return


def _is_a(what: str) -> Step:
    def step(_: Fields) -> Iterator[Detail]:
        yield Detail(element="record", value=what)

    return step


# The types that R4 calls something else, or made one of.
READ_AS: Final[Mapping[str, str]] = {
    "ReferralRequest": "ServiceRequest",
    "ProcedureRequest": "ServiceRequest",
}
_STEPS: Final[Mapping[str, tuple[Step, ...]]] = {
    "Encounter": (_moved("reason", "reasonCode"),),
    "Appointment": (_moved("reason", "reasonCode"), _linked("incomingReferral")),
    "ReferralRequest": (
        _is_a("request for a referral"),
        _requested,
        _dated,
        _listed("type", "category"),
        _written("description", "description"),
        _extended(ReferralPriority="priority", ReferralStatestate="state"),
    ),
    "ProcedureRequest": (_is_a("request for a procedure"),),
    "Condition": (
        _moved("assertedDate", "recordedDate"),
        _extended(ProblemSignificance="significance"),
    ),
    "AllergyIntolerance": (
        _moved("assertedDate", "recordedDate"),
        _ended,
        _extended(AllergyIntoleranceEndreasonEnded="reason_ended"),
    ),
    "Procedure": (_negated("notDone", "notDoneReason"),),
    "MedicationRequest": (
        _doses("dosageInstruction"),
        _extended(
            PrescriptionType="prescription",
            MedicationStatusReasonstatusReason="status_reason",
            MedicationStatusReasonstatusChangeDate="status_changed",
        ),
    ),
    "MedicationStatement": (
        _taken,
        _doses("dosage"),
        _extended(
            PrescribingAgency="prescribed_at",
            MedicationStatementLastIssueDate="last_issued",
        ),
    ),
    "MedicationDispense": (
        _negated("notDone", "notDoneReasonCodeableConcept"),
        _doses("dosageInstruction"),
    ),
    "MedicationAdministration": (_negated("notGiven", "reasonNotGiven"),),
    "Immunization": (
        _moved("date", "occurrenceDateTime"),
        _negated("notGiven"),
        _explained,
        _protocol,
        _vaccine,
    ),
    "Observation": (_comment, _related),
    "DiagnosticReport": (_moved("codedDiagnosis", "conclusionCode"),),
    "DocumentReference": (
        _listed("class", "category"),
        _moved("indexed", "date"),
    ),
    "Composition": (_listed("class", "category"),),
}
