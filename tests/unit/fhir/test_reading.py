"""A page of FHIR: each of its resources has a place, and the sum is the page."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Unreadable
from adapters.fhir import Scope, read_bundle
from tests.fhir_asking import condition, patient


def page(*entries, kind="searchset", **fields):
    return json.dumps(
        {"resourceType": "Bundle", "type": kind, "entry": list(entries), **fields}
    ).encode()


def entry(resource, mode=None, **fields):
    search = {"search": {"mode": mode}} if mode else {}
    return {"resource": resource, **search, **fields}


def outcome(*severities):
    issues = [{"severity": severity} for severity in severities]
    return {"resourceType": "OperationOutcome", "issue": issues}


def test_every_resource_has_a_place():
    organisation = {"resourceType": "Organization", "id": "o"}
    body = page(
        entry(patient()),
        entry(condition()),
        entry(condition()),
        entry(condition("c2"), "include"),
        entry(patient(1), "include"),
        entry(organisation),
        entry({"resourceType": "Claim"}),
        entry({"resourceType": "Bundle", "entry": [entry(condition("c3"))]}),
        entry({"id": "nameless"}),
        entry(condition("c4", code=7)),
        entry(condition("c5", who="resource:0")),
        entry(outcome("warning", "error")),
        entry(outcome("information"), "outcome"),
        entry(7),
        entry(None),
        {},
        {"request": {"method": "DELETE", "url": "Condition/x"}},
    )
    reading = read_bundle(body, Scope())
    assert reading.resources == reading.accounted == 14
    assert [event.record_id for event in reading.events] == ["Condition/c1"]
    assert [person.id for person in reading.persons] == ["p0"]
    assert reading.supporting == {"Condition": 1, "Patient": 1, "Organization": 1}
    assert reading.unmapped == {"Claim": 1, "Bundle": 1, "no type": 1}
    assert reading.rejected == {"unreadable": 2, "unresolvable_subject": 1}
    assert reading.outcomes == {"error": 1, "warning": 1}
    assert (reading.duplicates, reading.matches) == (1, 9)


def test_a_patient_may_come_after_what_refers_to_it():
    body = page(entry(condition()), entry(patient()), kind="transaction")
    reading = read_bundle(body, Scope())
    assert reading.events[0].subject is not None
    (identifier,) = reading.events[0].subject
    assert identifier.value == patient()["identifier"][0]["value"]


def test_two_records_of_one_id_that_differ_are_both_kept_and_said():
    other = condition(code={"text": "Eczema"})
    reading = read_bundle(page(entry(condition()), entry(other)), Scope())
    assert [event.title for event in reading.events] == ["Asthma", "Eczema"]
    assert reading.caveats == ["duplicate_record"]


def test_versions_of_one_record_are_both_kept():
    first = condition(meta={"versionId": "1"})
    second = condition(meta={"versionId": "2"})
    reading = read_bundle(page(entry(first), entry(second), kind="history"), Scope())
    assert [event.version for event in reading.events] == ["1", "2"]
    assert reading.caveats == []


def test_a_bare_resource_is_read_as_one_entry():
    reading = read_bundle(json.dumps(condition()).encode(), Scope())
    assert (reading.resources, len(reading.events)) == (1, 1)


def test_the_type_may_stand_last_and_duplicate_keys_do_not_harm():
    body = json.dumps({**dict(reversed(condition().items()))}).encode()
    assert len(read_bundle(body, Scope()).events) == 1
    twice = body.replace(b'"id"', b'"id": "other", "id"', 1)
    assert len(read_bundle(twice, Scope()).events) == 1


def test_an_invalid_number_of_a_patient_is_said():
    wrong = patient(
        identifier=[{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "1"}]
    )
    reading = read_bundle(page(entry(wrong)), Scope())
    assert (len(reading.persons), reading.caveats) == (1, ["invalid_number"])


def test_a_patient_whose_meaning_may_be_changed_is_said_to_be():
    changed = patient(modifierExtension=[{"url": "urn:x"}])
    assert read_bundle(page(entry(changed)), Scope()).caveats == [
        "modifier_not_understood"
    ]


def test_no_representation_shows_what_a_record_holds():
    body = page(entry(patient(name=[{"family": "Larkin"}])), entry(condition()))
    reading = read_bundle(body, Scope())
    for shown in (reading, reading.bundle, reading.persons, reading.events):
        assert "Larkin" not in repr(shown)
        assert "Asthma" not in repr(shown)
        assert patient()["identifier"][0]["value"] not in repr(shown)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "unreadable"),
        (b"null", "unreadable"),
        (b"[]", "unreadable"),
        (b'"text"', "unreadable"),
        (b"{}", "unreadable"),
        (b"\xff\xfe{\x00}\x00", "unreadable"),
        (b"{\x00}\x00", "unreadable"),
        (b"  <!DOCTYPE html><html>", "unreadable"),
        (b"<Patient xmlns='http://hl7.org/fhir'/>", "xml"),
        (b'{"resourceType":"Bundle","entry":{}}', "unreadable"),
        (b'{"resourceType":"Bundle","type":"\xff"}', "unreadable"),
        (b'{"resourceType":7}', "unreadable"),
        (b"[" * 100_000, "unreadable"),
    ],
)
def test_what_is_no_fhir_json_is_refused_by_name_and_without_its_words(body, reason):
    with pytest.raises(Unreadable) as caught:
        read_bundle(body, Scope())
    assert caught.value.reason == reason


def test_the_depth_that_is_allowed_is_a_setting():
    body = page(entry(condition(extension=[{"extension": [{"extension": []}]}])))
    assert len(read_bundle(body, Scope(json_depth=9)).events) == 1
    with pytest.raises(Unreadable):
        read_bundle(body, Scope(json_depth=8))


def test_a_page_that_cannot_say_when_it_was_made_says_nothing_of_it():
    stamps = ["2024-03-09T10:00:00Z", "2024-02-30", "soon", None]
    read = [
        read_bundle(page(meta={"lastUpdated": stamp}), Scope()).as_of
        for stamp in stamps
    ]
    assert [one.isoformat() if one else None for one in read] == [
        "2024-03-09T10:00:00+00:00",
        None,
        None,
        None,
    ]


WHOLE = page(
    entry(patient()),
    entry(condition(onsetDateTime="2024-03-09", recordedDate="2024-03-10T10:00:00Z")),
    entry({"resourceType": "Claim"}),
)


@given(
    st.integers(0, len(WHOLE) - 1),
    st.integers(0, 255),
    st.sampled_from(["flip", "cut", "repeat"]),
)
def test_a_damaged_page_ends_in_a_reading_or_in_our_own_error(at, byte, how):
    """Catches the seeded defect of letting a decoder's own error out."""
    damaged = {
        "flip": WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :],
        "cut": WHOLE[:at],
        "repeat": WHOLE[:at] + WHOLE[max(at - byte, 0) :],
    }[how]
    try:
        reading = read_bundle(damaged, Scope())
    except Unreadable:
        return
    assert reading.accounted == reading.resources
