"""The demo's residents: synthetic, valid, repeatable."""

from datetime import date
from itertools import islice

import pytest

from adapters import nhs_number
from gateway.demo.chronicle import Place
from gateway.demo.population import STAR, numbers, residents, story_of
from gateway.demo.stories import STORIES

TODAY = date(2026, 11, 23)
EVERYONE = residents(7, TODAY, count=500)


def test_every_number_is_valid_of_the_999_range_and_its_own():
    issued = [resident.nhs_number for resident in EVERYONE]
    assert all(nhs_number.normalise(n) == n and n.startswith("999") for n in issued)
    assert len(set(issued)) == 500


def test_numbers_skip_nine_digits_without_a_check_digit():
    issued = list(islice(numbers(999_000_100), 200))
    nines = [int(number[:9]) for number in issued]
    assert nines == sorted(nines)
    assert nines[-1] - nines[0] > 199  # a check digit of ten is no digit


def test_numbers_end_with_the_range():
    assert list(numbers(999_999_999)) == []


def test_local_identifiers_belong_to_one_person_at_each_place():
    for place in Place:
        local = {resident.local_id(place) for resident in EVERYONE}
        assert len(local) == 500


def test_the_hospital_number_is_what_the_ambulance_learns():
    resident = EVERYONE[3]
    assert resident.local_id(Place.AMBULANCE) == resident.local_id(Place.ACUTE)


def test_the_same_seed_gives_the_same_residents_and_another_others():
    assert residents(7, TODAY, count=50) == EVERYONE[:50]
    assert residents(8, TODAY, count=50) != EVERYONE[:50]


def test_every_story_befalls_its_share():
    counts = {story.name: 0 for story in STORIES}
    for resident in EVERYONE[1:]:
        counts[resident.story] += 1
    for story in STORIES:
        assert abs(counts[story.name] - 5 * story.share) <= 1
    assert sum(story.share for story in STORIES) == 100


def test_a_resident_is_of_the_age_and_gender_of_the_story():
    for resident in EVERYONE[1:]:
        story = story_of(resident.story)
        assert story is not None
        age = (TODAY - resident.birth_date).days / 365.25
        assert story.ages[0] - 1 < age < story.ages[1] + 1
        assert story.gender in {None, resident.gender}


def test_the_first_is_the_one_worth_asking_for():
    assert EVERYONE[0].story == STAR
    assert story_of(STAR) is None


def test_addresses_say_that_they_are_synthetic():
    assert all("(synthetic)" in resident.address for resident in EVERYONE)
    assert all(resident.postcode.startswith("QZ") for resident in EVERYONE)


def test_a_resident_shows_no_value_of_theirs():
    shown = repr(EVERYONE[0])
    assert shown == "Resident(0)"


@pytest.mark.parametrize("place", list(Place))
def test_a_local_identifier_is_no_nhs_number(place):
    assert nhs_number.normalise(EVERYONE[5].local_id(place)) is None
