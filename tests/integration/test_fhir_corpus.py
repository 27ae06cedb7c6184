"""Every FHIR file of the real-shaped data: read, accounted for, or refused by name."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from adapters.errors import Unreadable
from adapters.fhir import Reading, Scope, read_bundle
from adapters.vocabulary import CAVEATS, KINDS, STATUSES
from tests.corpus import corpus
from tests.fhir_corpus import (
    BOM,
    FAMILIES,
    Outcome,
    Row,
    desk,
    offer,
    offer_json,
    outcomes,
    refusal,
    version_of,
)

pytestmark = pytest.mark.corpus
# Families that hold STU3: the events of their files, and files that report an error.
STU3 = {
    "fhir-stu3-gpconnect": (841, 8),
    "fhir-nhs-ers": (54, 15),
    "fhir-large": (617, 0),
}
REASONS = {"unreadable", "unresolvable_subject", "not_a_number"}


def pages(file: Path) -> list[bytes]:
    body = file.read_bytes()
    if file.suffix != ".ndjson":
        return [body]
    return [line for line in body.splitlines() if line.strip()]


def files(family: str) -> list[Path]:
    found = sorted(corpus(family).rglob("*"))
    return [f for f in found if f.suffix in {".json", ".xml", ".ndjson"}]


def check(reading: Reading) -> None:
    assert reading.accounted == reading.resources
    assert set(reading.rejected) <= REASONS
    assert set(reading.caveats) <= set(CAVEATS)
    for event in reading.events:
        assert event.kind in KINDS
        assert event.status in STATUSES
        assert event.title.strip()
        assert set(event.caveats) <= set(CAVEATS)


def resources_in(body: bytes) -> int | None:
    """How many resources a page has by the standard library; None if not JSON."""
    try:
        page = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(page, dict) or not isinstance(page.get("resourceType"), str):
        return None
    if page["resourceType"] != "Bundle":
        return 1
    entries = page.get("entry") or []
    return sum(isinstance(e, dict) and e.get("resource") is not None for e in entries)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_file_is_accounted_for_or_refused_by_name(family):
    refused: Counter[str] = Counter()
    read = 0
    for file in files(family):
        for body in pages(file):
            try:
                reading = read_bundle(body, Scope(version=version_of(file)))
            except Unreadable as error:
                refused[error.reason] += 1
                continue
            read += 1
            check(reading)
            assert reading.resources in {resources_in(body), reading.accounted}
    assert set(refused) <= {"unreadable", "xml", "stu3"}
    if family in STU3:
        assert not refused
    assert read + refused.total() > 0


def test_xml_is_refused_as_xml_and_gp_connect_as_stu3():
    for file in files("fhir-ukcore-xml"):
        with pytest.raises(Unreadable) as caught:
            read_bundle(file.read_bytes(), Scope())
        assert caught.value.reason == "xml"
    (record,) = [file for file in files("fhir-large") if b"/STU3/" in file.read_bytes()]
    with pytest.raises(Unreadable, match="STU3"):
        read_bundle(record.read_bytes(), Scope())


def test_what_is_not_json_is_unreadable():
    """The oracle is the standard library: no file it refuses may be half-read."""
    for family in FAMILIES:
        for file in files(family):
            if file.suffix != ".json":
                continue
            try:
                json.loads(file.read_bytes().decode("utf-8-sig"))
            except ValueError:
                try:
                    reading = read_bundle(file.read_bytes(), Scope())
                except Unreadable:
                    continue
                assert reading.rejected or reading.caveats, file.name


@pytest.mark.parametrize(
    ("family", "type_names"),
    [
        ("fhir-synthea-r4-transaction", {"Encounter", "Condition", "Observation"}),
        ("fhir-synthea-r4-v3-uscore", {"Encounter", "Condition", "Observation"}),
    ],
)
def test_each_synthetic_patients_records_are_all_about_that_patient(family, type_names):
    for file in files(family):
        reading = read_bundle(file.read_bytes(), Scope())
        if not reading.persons:
            continue
        subjects = {event.subject for event in reading.events}
        assert len(subjects) == 1
        assert None not in subjects
        given = json.loads(file.read_bytes())["entry"]
        expected = Counter(e["resource"]["resourceType"] for e in given)
        came = Counter(event.record_id.split("/")[0] for event in reading.events)
        assert {n: came[n] for n in type_names} == {n: expected[n] for n in type_names}
        assert reading.rejected.total() == 0


def check_answer(outcome: Outcome) -> None:
    """Nothing on the page is missing from the answer, nor from what it says."""
    assert outcome.answer is not None
    assert outcome.reading is not None
    reading, said = outcome.reading, outcome.caveats
    assert reading.accounted == reading.resources == outcome.offered.resources
    came = Counter(event.record_id for event in outcome.answer.events)
    assert came == Counter(event.record_id for event in reading.events)
    assert said.get("unmapped", 0) == reading.unmapped.total()
    unresolved = reading.rejected["unresolvable_subject"]
    assert said.get("unresolved_reference", 0) == unresolved
    assert said.get("unreadable_record", 0) == reading.rejected.total() - unresolved
    assert said.get("duplicate_record", 0) >= reading.duplicates
    grave = reading.outcomes["fatal"] + reading.outcomes["error"]
    assert said.get("outcome_reported", 0) == grave
    assert set(said) <= set(CAVEATS)
    # It is asked about somebody, so nobody else may be given as that person.
    assert outcome.answer.person is not None
    assert outcome.answer.person.identifiers & outcome.offered.person.every


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_resource_offered_is_in_the_answer_or_told_in_it(family, tmp_path):
    """The sums hold for each file, counted apart by the standard library."""
    row = Row()
    async with desk(tmp_path) as at:
        async for _, outcome in outcomes(corpus(family), at):
            row.add(outcome)
            if outcome.refused is None:
                check_answer(outcome)
    assert row.files == len(files(family)) - (family == "fhir-edge-validator-cases")
    assert row.unaccounted == 0
    assert set(row.rejected) <= REASONS
    named = {"xml", "stu3", "not JSON", "not FHIR", "outcome_reported"}
    assert set(row.refused) <= named
    assert row.asked_by.total() + row.refused.total() == row.files
    if family in STU3:
        assert (row.events, row.refused.total()) == STU3[family]
        assert set(row.refused) <= {"outcome_reported"}
        assert not row.rejected


@pytest.mark.parametrize("family", FAMILIES)
def test_no_record_that_names_somebody_is_taken_for_whoever_was_asked(family):
    """Whom it names stands in its event, or that this leads nowhere is said."""
    for file in files(family):
        for body in pages(file):
            try:
                named = naming_somebody(body)
                reading = read_bundle(body, Scope(version=version_of(file)))
            except (Unreadable, ValueError, RecursionError):
                continue
            for event in reading.events:
                if event.subject is None and event.record_id in named:
                    said = {"unresolved_reference", "invalid_number"}
                    assert said & set(event.caveats), file.name


# Where STU3 keeps when a thing began, the most telling first.
WHEN = {
    "Immunization": ("date",),
    "Condition": ("onsetDateTime", "assertedDate"),
    "AllergyIntolerance": ("onsetDateTime", "assertedDate"),
    "Observation": ("effectiveDateTime", "issued"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("dateAsserted",),
    "DocumentReference": ("created", "indexed"),
    "ProcedureRequest": ("authoredOn", "occurrenceDateTime"),
    "Appointment": ("start",),
}


@pytest.mark.parametrize("family", sorted(STU3))
def test_a_record_of_stu3_begins_when_it_says(family):
    """Each time read apart, by the standard library."""
    compared = 0
    for file in files(family):
        if version_of(file) == "R4":
            continue
        reading = read_bundle(file.read_bytes(), Scope(version="STU3"))
        page = json.loads(file.read_bytes().decode("utf-8-sig"))
        entries = page.get("entry") or [{"resource": page}]
        held = [entry["resource"] for entry in entries if "resource" in entry]
        when = {
            f"{one['resourceType']}/{one.get('id')}": next(
                (one[name] for name in WHEN[one["resourceType"]] if name in one), None
            )
            for one in held
            if one["resourceType"] in WHEN
            and not {"effectivePeriod", "onsetPeriod", "occurrencePeriod"} & set(one)
        }
        for event in reading.events:
            is_second_best = any(d.value == "recorded" for d in event.detail)
            if event.record_id in when and not is_second_best:
                compared += 1
                began = event.start.text if event.start else None
                written = when[event.record_id]
                assert _same_time(began, written), (file.name, event.kind)
    assert compared > {"fhir-nhs-ers": 10}.get(family, 100)


def _same_time(read: str | None, written: str | None) -> bool:
    if read is None or written is None or len(written) <= 10:
        return read == written
    began, told = datetime.fromisoformat(read), datetime.fromisoformat(written)
    # A time without a zone is London's, and keeps its clock's reading.
    return began == told if told.tzinfo else began.replace(tzinfo=None) == told


def naming_somebody(body: bytes) -> set[str]:
    """`Type/id` of the records whose subject has a reference, by the standard library.

    ValueError where two records of a page share their name.
    """
    page = json.loads(body.decode("utf-8-sig"))
    if not isinstance(page, dict):
        return set()
    entries = page.get("entry") or [{"resource": page}]
    found = [e["resource"] for e in entries if isinstance(e.get("resource"), dict)]
    names = [f"{one.get('resourceType')}/{one.get('id')}" for one in found]
    if len(set(names)) < len(names):
        raise ValueError
    return {
        name
        for name, one in zip(names, found, strict=True)
        for role in ("subject", "patient")
        if isinstance(one.get(role), dict) and one[role].get("reference")
    }


async def test_the_adapter_refuses_what_is_not_json_and_xml_by_name(tmp_path):
    refused: Counter[str] = Counter()
    async with desk(tmp_path) as at:
        for file in (f for family in FAMILIES for f in files(family)):
            offered = offer(file)
            if offered.is_json:
                continue
            outcome = await at.outcome(offered)
            assert isinstance(outcome.refused, Unreadable), file.name
            assert outcome.answer is None
            is_xml = file.suffix == ".xml"
            assert refusal(outcome) in ({"xml"} if is_xml else {"xml", "not JSON"})
            refused[refusal(outcome)] += 1
    assert refused["not JSON"] == 14


async def test_a_file_the_validator_finds_no_error_in_is_read_whole(tmp_path):
    """The oracle is HL7's validator; a source's own report of an error is told."""
    family = corpus("fhir-edge-validator-cases")
    verdicts = json.loads((family / "_verdicts.json").read_bytes())
    judged = 0
    async with desk(tmp_path) as at:
        for name, given in verdicts.items():
            offered = offer(family / name)
            faults = [verdict.get("errors") for verdict in given]
            if any(errors != 0 for errors in faults) or not offered.is_json:
                continue
            judged += 1
            outcome = await at.outcome(offered)
            if outcome.refused is not None:
                assert refusal(outcome) == "outcome_reported", name
                continue
            assert outcome.reading is not None
            assert not outcome.reading.rejected, name
    assert judged > 80


async def test_a_byte_order_mark_costs_no_record(tmp_path):
    marked = [f for f in files("fhir-edge-microsoft") if f.read_bytes()[:3] == BOM]
    assert len(marked) > 20
    async with desk(tmp_path) as at:
        for file in marked:
            outcome = await at.outcome(offer(file))
            bare = await at.outcome(offer_json(file.read_bytes()[3:]))
            assert (outcome.refused is None) == (bare.refused is None)
            if outcome.answer is not None:
                assert bare.answer is not None
                assert outcome.answer.events == bare.answer.events
