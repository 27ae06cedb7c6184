"""A page decoded in one go says what it says when read resource by resource."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Unreadable
from adapters.fhir import Scope, read_bundle
from adapters.fhir.opening import opened
from adapters.fhir.tables import STU3_TYPES, SUPPORTING, TYPES
from adapters.fhir.whole import NAMES, whole
from tests.fhir_reading import concept
from tests.people import number

SCOPE = Scope(base="https://z9a01.example.test/fhir")
# No type of R4 or STU3, so that a page with it is never decoded in one go.
UNHEARD_OF = {"resource": {"resourceType": "UnheardOf", "id": "u1"}}
ME = {"reference": "Patient/p0"}
PATIENT = {
    "resourceType": "Patient",
    "id": "p0",
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number(0)}],
}
WHEN = "2024-03-09T14:05:00Z"


def page(entries, **fields):
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return json.dumps({**bundle, **fields}).encode()


def record(name, **fields):
    return {"resourceType": name, "id": "r1", "subject": ME, "patient": ME, **fields}


RESOURCES = st.builds(
    lambda name, more: record(name, **more),
    st.sampled_from([*TYPES, "Organization", "Medication", "Claim", "Bundle"]),
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from([None, "r2", number(0), "a b"]),
            "status": st.sampled_from(["active", "final", "not-done", None]),
            "code": st.sampled_from([concept("Blood\u0007", "c1"), concept(None, "c")]),
            "period": st.just({"start": WHEN, "end": "2024-03-09"}),
            "effectiveDateTime": st.sampled_from([WHEN, "2024-03", "soon", ""]),
            "_effectiveDateTime": st.just({"url": "data-absent-reason"}),
            "valueQuantity": st.sampled_from([{"value": 7.1}, {"value": "x"}, {}]),
            "subject": st.sampled_from([{"reference": "resource:0"}, None]),
            "modifierExtension": st.just([{"url": "urn:s"}]),
            "implicitRules": st.just("urn:rules"),
            "meta": st.just({"versionId": "2", "security": [{"code": "R"}]}),
            "medicationReference": st.just({"reference": "Medication/r1"}),
            "serviceProvider": st.just({"reference": "Organization/r1"}),
            "contained": st.just([{"resourceType": "Medication", "id": "m"}]),
        },
    ),
)
ENTRIES = st.builds(
    lambda resource, mode: {"resource": resource, "search": {"mode": mode}},
    st.one_of(RESOURCES, st.just(PATIENT), st.none()),
    st.sampled_from(["match", "include", None]),
)


def told(reading):
    counted = (reading.supporting, reading.rejected, reading.outcomes)
    people = [(one.id, one.identifier) for one in reading.persons]
    return reading.events, people, counted, reading.duplicates, sorted(reading.caveats)


@given(st.lists(ENTRIES, max_size=6))
def test_a_page_reads_the_same_in_one_go_and_piece_by_piece(entries):
    """Catches the seeded defect of asking another entry for a record's bytes."""
    in_one_go, piecewise = page(entries), page([*entries, UNHEARD_OF])
    assert whole(in_one_go) is not None
    assert whole(piecewise) is None
    one, other = read_bundle(in_one_go, SCOPE), read_bundle(piecewise, SCOPE)
    assert told(one) == told(other)
    assert one.resources + 1 == other.resources == other.accounted
    assert other.unmapped - one.unmapped == {"UnheardOf": 1}


def test_every_type_of_r4_has_one_place_and_none_of_stu3_has():
    assert len(NAMES) == len(set(NAMES)) == 146  # as many as R4 has
    assert not set(NAMES) & STU3_TYPES
    assert {*TYPES, *SUPPORTING, "Patient", "OperationOutcome"} <= set(NAMES)


def test_each_type_is_decoded_in_one_go():
    entries = [{"resource": {"resourceType": name, "id": "x"}} for name in NAMES]
    decoded = whole(page(entries))
    assert decoded is not None
    names = [type(one.resource).__name__ for one in decoded.entry or ()]
    assert names == list(NAMES)


def test_one_bad_record_costs_itself_and_no_more():
    good, bad = record("Flag", code=concept("Falls", "f")), record("Flag", code=7)
    body = page([{"resource": good}, {"resource": bad}])
    assert whole(body) is None
    reading = read_bundle(body, SCOPE)
    assert [event.title for event in reading.events] == ["Falls"]
    assert reading.rejected == {"unreadable": 1}


def test_what_is_not_a_bundle_is_not_taken_for_one():
    assert whole(b'{"resourceType":"Patient","entry":[]}') is None
    assert whole(b'{"entry":[]}') is None
    first_word = b'{"resourceType":"Patient","id":"p","resourceType":"Bundle"}'
    assert [one.id for one in read_bundle(first_word, SCOPE).persons] == ["p"]


def test_a_bundle_whose_type_comes_last_is_one():
    body = page([{"resource": PATIENT}])
    turned = json.dumps(dict(reversed(json.loads(body).items()))).encode()
    assert told(read_bundle(turned, SCOPE)) == told(read_bundle(body, SCOPE))


@pytest.mark.parametrize("more", [[], [UNHEARD_OF]])
@pytest.mark.parametrize("name", ["Flag", "Claim", "Patient", "OperationOutcome"])
def test_a_profile_of_stu3_is_refused_by_name_wherever_it_stands(name, more):
    meta = {"profile": [None, "https://fhir.nhs.uk/STU3/StructureDefinition/X"]}
    body = page([{"resource": record(name, meta=meta)}, *more])
    with pytest.raises(Unreadable, match="STU3"):
        read_bundle(body, SCOPE)


def test_a_bundle_of_a_page_keeps_no_entry_alive():
    found = opened(page([{"resource": PATIENT}], total=1), 64)
    assert (found.bundle.type, found.bundle.total) == ("searchset", 1)
    assert found.bundle.entry is None
    assert len(found.entries) == 1
    assert number(0) not in repr(found)
