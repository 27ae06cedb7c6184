"""What a kind declares of itself is what is loaded into it."""

import msgspec
import pytest

from adapters.conformance import (
    POPULATION,
    Carries,
    Gap,
    Population,
    never,
    notimpl,
    notyet,
)
from adapters.conformance.population import ADA, NUMBERS
from adapters.nhs_number import normalise


@pytest.mark.parametrize(
    ("carries", "left_out"),
    [
        (Carries(), set()),
        (Carries(undated=False), {"undated-1", "undated-2"}),
        (
            Carries(precisions=frozenset({"day", "month", "second", "year"})),
            {"to-the-minute"},
        ),
    ],
)
def test_what_there_is_no_room_for_is_not_loaded(carries, left_out):
    events = POPULATION.events
    assert {e.record_id for e in events if not carries.has_room_for(e)} == left_out


def test_a_kind_of_event_that_is_not_carried_is_not_loaded():
    carries = Carries(kinds=frozenset({"condition"}))
    kept = {e.kind for e in POPULATION.events if carries.has_room_for(e)}
    assert kept == {"condition"}


@pytest.mark.parametrize(
    ("gap", "lasting"), [(never, "never"), (notyet, "notyet"), (notimpl, "notimpl")]
)
def test_a_gap_says_how_lasting_it_is_and_why(gap, lasting):
    assert gap("it cannot tell") == Gap(lasting, "it cannot tell")


def test_by_person_each_record_names_all_that_its_person_is_known_by():
    told = {e.record_id: e.subject for e in POPULATION.by_person().events}
    assert told["ada-by-key"] == told["asthma"]
    assert ADA.every <= (told["ada-by-key"] or set())
    assert all(normalise(i.value) is None for i in told["chloe-1"] or ())


def test_by_person_a_record_that_names_nobody_stays_nobodys():
    lost = msgspec.structs.replace(POPULATION.events[0], subject=None)
    (told,) = Population(events=(lost,)).by_person().events
    assert told.subject is None


def test_everybody_in_the_population_has_a_number_that_was_never_issued():
    assert all(n.startswith("999") and normalise(n) == n for n in NUMBERS)
