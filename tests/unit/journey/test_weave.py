"""Order and twins of woven entries, case by case."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.moment import LONDON, Moment
from gateway.journey import weave
from gateway.journey.identity import BY_NHS_NUMBER
from gateway.journey.outcome import Entry
from tests.houses import event, memory, source

A, B, C = (source(f"{ods}.x", memory()) for ods in ("Z9A01", "Z9B02", "Z9C03"))
NOON = "2026-01-05T12:00:00+00:00"


def entry(at, event_):
    return Entry(at, event_, BY_NHS_NUMBER, "encounters", frozenset(), None)


def at_moment(where, record_id, moment):
    made = event(record_id)
    return entry(
        where,
        type(made)(kind=made.kind, record_id=record_id, title="t", start=moment),
    )


def ids(entries):
    return [each.event.record_id for each in entries]


def twins(*entries):
    return {index: set(found) for index, found in weave.pairs(entries).items()}


def test_events_stand_by_instant_whatever_their_zone():
    entries = [
        entry(A, event("later", "2026-01-05T09:30:00+00:00")),
        entry(B, event("earlier", "2026-01-05T10:00:00+01:00")),
    ]
    assert ids(weave.order(entries)) == ["earlier", "later"]


def test_of_one_instant_the_less_precise_stands_first_and_the_undated_last():
    starts = {
        "undated": None,
        "second": "2026-01-01T00:00:00+00:00",
        "minute": "2026-01-01T00:00+00:00",
        "day": "2026-01-01",
        "month": "2026-01",
        "year": "2026",
    }
    entries = [entry(A, event(name, start)) for name, start in starts.items()]
    expected = ["year", "month", "day", "minute", "second", "undated"]
    assert ids(weave.order(entries)) == expected


def test_equal_starts_stand_by_source_and_record():
    entries = [entry(B, event("1")), entry(A, event("2")), entry(A, event("1"))]
    assert [(e.source.id, e.event.record_id) for e in weave.order(entries)] == [
        ("Z9A01.x", "1"),
        ("Z9A01.x", "2"),
        ("Z9B02.x", "1"),
    ]


def test_the_repeated_autumn_hour_is_ordered_by_instant_not_by_the_clock():
    first = datetime(2026, 10, 25, 1, 50, tzinfo=LONDON)
    second = datetime(2026, 10, 25, 1, 10, tzinfo=LONDON, fold=1)
    entries = [
        at_moment(A, "second", Moment(second, "minute")),
        at_moment(A, "first", Moment(first, "minute")),
    ]
    assert ids(weave.order(entries)) == ["first", "second"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({"start": "2026-01-05T12:00+00:00"}, {}, True),
        ({}, {"start": "2026-01-05T13:00:00+01:00"}, True),
        ({}, {"start": "2026-01-05T12:00:01+00:00"}, False),
        ({}, {"kind": "inpatient_spell"}, False),
        ({}, {"status": "entered-in-error"}, False),
        ({"codes": ["1"]}, {"codes": ["1", "2"]}, True),
        ({"codes": ["1"]}, {"codes": ["2"]}, False),
        ({"codes": ["1"]}, {}, True),
        ({"organisation": "Z9B02"}, {"organisation": "Z9B02"}, True),
        ({"organisation": "Z9B02"}, {"organisation": "Z9C03"}, False),
        ({"start": None}, {"start": None}, False),
        ({"start": "2026-01-05"}, {}, False),
        ({"start": "2026-01-05"}, {"start": "2026-01-05"}, False),
        ({"start": "2026-01-05", "codes": ["1"]}, {"codes": ["1"]}, True),
        ({"start": "2026", "codes": ["1"]}, {"codes": ["1"]}, True),
        ({"start": "2025", "codes": ["1"]}, {"codes": ["1"]}, False),
        ({"start": "2026-01-05", "organisation": "Z9B02"}, {}, True),
        ({"start": "2026-01-05"}, {"organisation": "Z9A01"}, True),
        ({"start": "2026-01-05", "organisation": "Z9C03"}, {}, False),
    ],
)
def test_two_records_are_twins_only_with_evidence(one, other, same):
    def made(record_id, changed):
        return event(record_id, **({"start": NOON} | changed))

    left, right = entry(A, made("1", one)), entry(B, made("2", other))
    expected = {0: {1}, 1: {0}} if same else {}
    assert twins(left, right) == expected
    assert twins(right, left) == expected


def test_within_one_source_nothing_is_paired():
    assert twins(entry(A, event("1")), entry(A, event("2"))) == {}


def test_where_two_would_do_neither_is_taken():
    two = entry(A, event("1")), entry(A, event("2"))
    assert twins(*two, entry(B, event("3"))) == {}


def test_three_sources_may_tell_of_one_thing():
    found = twins(*(entry(at, event("1")) for at in (A, B, C)))
    assert found == {0: {1, 2}, 1: {0, 2}, 2: {0, 1}}


def test_a_doubt_in_one_source_leaves_the_other_pairs():
    found = twins(
        entry(A, event("1")),
        entry(B, event("1")),
        entry(C, event("1")),
        entry(C, event("2")),
    )
    assert found == {0: {1}, 1: {0}}


def test_a_crowd_of_overlapping_records_is_not_compared():
    def day_of(n):
        return [
            entry(A, event(f"a{i}", "2026-01-05", codes=[str(i)])) for i in range(n)
        ]

    twin = entry(B, event("b", "2026-01-05", codes=["7"]))
    assert twins(*day_of(50), twin) == {7: {50}, 50: {7}}
    assert twins(*day_of(weave._CROWD), twin) == {}


def test_starts_that_only_touch_do_not_overlap():
    day = entry(A, event("1", "2026-01-05", codes=["1"]))
    midnight = entry(B, event("2", "2026-01-06T00:00:00+00:00", codes=["1"]))
    assert twins(day, midnight) == {}


def test_a_second_holds_its_fractions_no_more():
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    pair = [
        at_moment(A, "1", Moment(start, "second")),
        at_moment(B, "2", Moment(start + timedelta(microseconds=1), "second")),
    ]
    assert twins(*pair) == {}


def test_each_stretch_of_equal_starts_is_ordered_by_itself():
    first, later = "2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z"
    given = [
        entry(B, event("b", first)),
        entry(B, event("d", later)),
        entry(A, event("c", later)),
        entry(A, event("a", first)),
    ]
    assert ids(weave.order(given)) == ["a", "b", "c", "d"]
