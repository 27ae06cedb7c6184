"""Every FHIR file of the real-shaped data: read, accounted for, or refused by name."""

import json
from collections import Counter
from pathlib import Path

import pytest

from adapters.errors import Unreadable
from adapters.fhir import Reading, Scope, read_bundle
from adapters.vocabulary import CAVEATS, KINDS, STATUSES
from tests.corpus import corpus

pytestmark = pytest.mark.corpus
FAMILIES = [
    "fhir-edge-candle",
    "fhir-edge-google-gateway",
    "fhir-edge-microsoft",
    "fhir-edge-validator-cases",
    "fhir-hl7-r4-official-examples",
    "fhir-large",
    "fhir-nhs-bars",
    "fhir-nhs-ers",
    "fhir-nhs-immunisation",
    "fhir-nhs-misc",
    "fhir-nhs-pds",
    "fhir-nhsengland-iops",
    "fhir-nhsengland-iops-json",
    "fhir-stu3-gpconnect",
    "fhir-synthea-bulk-ndjson",
    "fhir-synthea-r4-transaction",
    "fhir-synthea-r4-v3-uscore",
    "fhir-ukcore-json",
    "fhir-ukcore-xml",
]
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
                reading = read_bundle(body, Scope())
            except Unreadable as error:
                refused[error.reason] += 1
                continue
            read += 1
            check(reading)
            assert reading.resources in {resources_in(body), reading.accounted}
    assert set(refused) <= {"unreadable", "xml", "stu3"}
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
