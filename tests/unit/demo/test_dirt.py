"""The demo's dirt is there, in the amounts stated, and never on the star's events."""

from collections import Counter
from datetime import UTC, date

import pytest

from adapters.moment import LONDON, localise
from gateway.demo import dirt
from gateway.demo.chronicle import AT, Place
from gateway.demo.dates import clock_change
from gateway.demo.telling import tell

TODAY = date(2026, 11, 23)
CHRONICLE = tell(7, TODAY)
ENTRIES = CHRONICLE.entries


def test_the_same_seed_and_day_tell_the_same_chronicle():
    assert tell(7, TODAY) == CHRONICLE
    assert tell(7, date(2026, 11, 24)) != CHRONICLE
    assert tell(8, TODAY) != CHRONICLE


def test_five_hundred_people_hold_thousands_of_records():
    assert len(CHRONICLE.residents) == 500
    assert all(len(CHRONICLE.at(place)) > 300 for place in Place)


def test_record_ids_are_their_own_at_each_place():
    ids = Counter((e.record.place, e.record_id) for e in ENTRIES)
    assert set(ids.values()) == {1}
    for entry in ENTRIES:
        assert entry.record_id.startswith(AT[entry.record.place].record_prefix)


def test_numbers_are_missing_in_the_stated_share():
    rows = [e for e in ENTRIES if e.record.place not in {Place.GP, Place.ACUTE}]
    missing = sum(entry.nhs_number is None for entry in rows)
    assert 0.05 < missing / len(rows) < 0.2
    assert all(
        entry.nhs_number == entry.resident.nhs_number
        for entry in ENTRIES
        if entry.record.place in {Place.GP, Place.ACUTE}
    )


def test_a_row_without_its_number_can_still_be_reached():
    numbered: dict[tuple[int, Place], bool] = {}
    for entry in ENTRIES:
        number, place = entry.resident.number, entry.record.place
        whole = entry.nhs_number == entry.resident.nhs_number
        if not whole:
            by_local = entry.local_id and numbered.get((number, place))
            assert by_local or entry.hospital_number == entry.resident.local_id(
                Place.ACUTE
            )
        numbered[number, place] = numbered.get((number, place), False) or whole


def test_placeholders_stand_for_many_people():
    for placeholder in dirt.PLACEHOLDERS:
        shared = {e.resident.number for e in ENTRIES if e.nhs_number == placeholder}
        assert len(shared) > 5


def test_one_hospital_number_was_typed_for_ten_rows():
    typed = [e for e in ENTRIES if e.hospital_number == dirt.UNKNOWN_HOSPITAL_NUMBER]
    assert len(typed) == dirt.UNKNOWN_PATIENTS
    assert len({e.resident.number for e in typed}) > 1
    assert all(e.nhs_number == e.resident.nhs_number for e in typed)


def test_some_records_end_before_they_start():
    backwards = [
        e
        for e in ENTRIES
        if e.record.start and e.record.end and e.record.end.at < e.record.start.at
    ]
    assert len(backwards) == dirt.REVERSED


def test_some_visits_have_no_date():
    undated = [e for e in ENTRIES if e.record.start is None]
    assert len(undated) == dirt.UNDATED
    assert {e.record.kind for e in undated} == {"community_contact"}


def test_some_records_were_entered_in_error():
    wrong = [e for e in ENTRIES if e.record.status == "entered-in-error"]
    assert len(wrong) == dirt.IN_ERROR


def test_some_records_are_under_a_label_nobody_is_cleared_for():
    labelled = [e.record.label for e in ENTRIES if e.record.label]
    assert labelled == ["STD"] * dirt.RESTRICTED


def test_some_were_truly_admitted_twice_on_one_day():
    days = Counter(
        (e.resident.number, e.record.start.at.date())
        for e in ENTRIES
        if e.record.kind == "inpatient_spell" and e.record.start
    )
    assert sum(count > 1 for count in days.values()) >= dirt.SAME_DAY


@pytest.mark.parametrize(
    ("month", "caveat"), [(10, "ambiguous_time"), (3, "impossible_time")]
)
def test_calls_came_in_the_nights_the_clocks_change(month, caveat):
    night = clock_change(TODAY.year - 1, month)
    times = [e.record.start.at for e in CHRONICLE.at(Place.AMBULANCE) if e.record.start]
    calls = [at for at in times if at.date() == night and at.hour == 1]
    assert len(calls) >= dirt.NIGHT_CALLS
    assert {localise(call, LONDON)[1] for call in calls} == {caveat}


def test_clocks_change_on_the_last_sunday():
    assert clock_change(2025, 3) == date(2025, 3, 30)
    assert clock_change(2025, 10) == date(2025, 10, 26)
    assert clock_change(2024, 3) == date(2024, 3, 31)


def test_the_star_keeps_clean_but_for_the_missing_numbers():
    rows = CHRONICLE.of(CHRONICLE.star)
    assert all(e.record.start is not None and not e.record.label for e in rows)
    assert all(e.record.status != "entered-in-error" for e in rows)
    assert sum(e.nhs_number is None for e in rows) > 5
    assert not {e.nhs_number for e in rows} & set(dirt.PLACEHOLDERS)


def test_a_small_population_has_the_dirt_it_can_bear():
    small = tell(7, TODAY, people=40)
    undated = sum(entry.record.start is None for entry in small.entries)
    assert 0 < undated <= dirt.UNDATED


def test_entries_and_records_show_no_value():
    entry = CHRONICLE.of(CHRONICLE.star)[0]
    for shown in (repr(entry), repr(entry.record)):
        assert CHRONICLE.star.nhs_number not in shown
        assert CHRONICLE.star.family not in shown


def test_everything_happened_in_the_lives_of_living_clocks():
    times = [e.record.start.at for e in ENTRIES if e.record.start]
    assert all(localise(t, LONDON)[0].astimezone(UTC).year > 2015 for t in times)
