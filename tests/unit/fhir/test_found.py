"""What a search asked and what came of it, held against each other."""

import json

import pytest

from adapters.fhir import Scope, read_bundle
from adapters.fhir.found import Found, Question, unborne
from tests.fhir_asking import condition, patient

BASE = "http://127.0.0.1/fhir"
ASKED = (
    ("patient", "Patient/p0"),
    ("_count", "20"),
    ("date", "ge2024-02-29"),
    ("date", "lt2024-04-02"),
)
SELF = "patient=Patient/p0&_count=20&date=ge2024-02-29&date=lt2024-04-02"


def page(*records, own=SELF, total=None, modes=()):
    entries = [{"resource": one} for one in records]
    for entry, mode in zip(entries, modes, strict=False):
        entry["search"] = {"mode": mode}
    links = [{"relation": "self", "url": f"{BASE}/Condition?{own}"}] if own else []
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": entries,
    }
    if total is not None:
        bundle["total"] = total
    return read_bundle(json.dumps(bundle).encode(), Scope(base=BASE))


def said(*pages, parameters=ASKED, **question):
    asked = Question(name="Condition", parameters=parameters, **question)
    return list(unborne(Found(question=asked, pages=list(pages))))


ONE, TWO, THREE = (condition(f"c{nth}") for nth in range(3))
MEDICINE = {"resourceType": "Medication", "id": "m"}


def test_as_many_as_were_counted_by_what_was_asked_is_nothing_to_say():
    assert said(page(ONE, TWO, total=2)) == []
    assert said(page(ONE, TWO)) == []
    assert said(page(ONE, total=3), page(TWO, THREE, total=3)) == []


def test_fewer_than_were_counted_is_cut_short():
    assert said(page(ONE, total=2)) == ["truncated"]
    assert said(page(ONE, total=2), page(total=3)) == ["truncated"]


def test_what_came_twice_is_counted_once():
    """Catches pages that overlap, by which a lost record was made up for."""
    assert said(page(ONE, TWO, total=3), page(TWO, total=3)) == ["truncated"]
    assert said(page(ONE, ONE, total=2)) == ["truncated"]


@pytest.mark.parametrize("modes", [("match", "include"), ()])
def test_what_comes_along_makes_up_for_nothing(modes):
    """Catches an include that is not marked as one, and hides a lost record."""
    assert said(page(ONE, MEDICINE, total=2, modes=modes)) == ["truncated"]
    assert said(page(ONE, MEDICINE, total=1, modes=modes)) == []


def test_a_record_that_cannot_be_read_has_come():
    assert said(page(ONE, condition("bad", code=7), total=2)) == []


def test_more_than_were_counted_is_a_count_that_shows_nothing():
    assert said(page(ONE, TWO, total=1)) == ["total_differs"]
    assert said(page(ONE, total=1), page(TWO, total=1)) == ["total_differs"]


@pytest.mark.parametrize("kind", ["estimate", "none"])
def test_a_count_its_server_does_not_stand_by_is_not_compared(kind):
    own = f"{SELF}&_total={kind}"
    assert said(page(ONE, own=own, total=5)) == []
    assert said(page(ONE, TWO, own=own, total=1)) == []
    assert said(page(ONE, own=f"{SELF}&_total=accurate", total=5)) == ["truncated"]


def test_a_patient_found_is_counted_too():
    asked = (("identifier", "s|v"),)
    found = page(patient(), own="identifier=s%7Cv", total=1)
    assert said(found, parameters=asked) == []


def test_all_that_an_operation_counts_is_compared():
    asked = (("_type", "Condition,Flag"), ("_count", "20"))
    own = "_type=Condition%2CFlag&_count=20"
    whole = page(patient(), ONE, MEDICINE, own=own, total=3)
    assert said(whole, parameters=asked, operation="Patient/p0/$everything") == []
    short = page(patient(), ONE, own=own, total=3)
    assert said(short, parameters=asked, operation="Patient/p0/$everything") == [
        "truncated"
    ]


@pytest.mark.parametrize(
    "own",
    [
        None,
        "_count=20",
        "patient=Patient/p0&_count=20",
        "patient=Patient/p0&date=ge2024-02-29",
        "patient=Patient/p0&date=lt2024-04-02&date=lt2024-04-02",
        "patient=Patient/p0&date=2024-02-29&date=lt2024-04-02",
        "patient=Patient/p0&date=ge2024-02-28&date=lt2024-04-02",
        "patient:missing=Patient/p0&date=ge2024-02-29&date=lt2024-04-02x&date=1",
        "date=ge2024-02-29&date=lt2024-04-02",
    ],
)
def test_a_filter_the_self_link_does_not_repeat_is_unconfirmed(own):
    assert said(page(ONE, own=own)) == ["filter_unconfirmed"]


@pytest.mark.parametrize(
    "own",
    [
        "date=lt2024-04-02&date=ge2024-02-29&patient=p0",
        "subject=Patient/p0&date=ge2024-02-29&date=lt2024-04-02",
        "subject:Patient=p0&date=ge2024-02-29&date=lt2024-04-02",
        "patient=Patient%2Fp0&date=ge2024-02-29T00:00:00Z&date=lt2024-04-02T00:00:00Z",
    ],
)
def test_a_filter_repeated_in_the_servers_own_way_is_confirmed(own):
    assert said(page(ONE, own=own)) == []


def test_a_modifier_that_was_dropped_is_no_confirmation():
    """Catches `date:missing` answered as `date`, which asks for something else."""
    asked = (("patient", "Patient/p0"), ("date:missing", "true"))
    assert said(page(own="patient=p0&date:missing=true"), parameters=asked) == []
    assert said(page(own="patient=p0&date=true"), parameters=asked) == [
        "filter_unconfirmed"
    ]
    assert said(page(own="patient=p0&date:missing=1"), parameters=asked) == []
