"""Laws of demographic matching, over descriptions of every kind.

Each law names a seeded defect that it catches.
"""

from datetime import date

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters import nhs_number
from adapters.contract import Identifier, Person
from adapters.moment import read_iso
from gateway.journey.matching.match import Thresholds, choose, match
from tests.people import number


def at(text):
    read = read_iso(text)
    assert read is not None
    return read[0]


NUMBERS = [Identifier(nhs_number.SYSTEM, number(nth)) for nth in range(2)]
LOCALS = [Identifier("urn:test:local", f"l{nth}") for nth in range(2)]

days = st.dates(min_value=date(1920, 1, 1)).map(lambda day: at(day.isoformat()))
people = st.builds(
    Person,
    identifiers=st.frozensets(st.sampled_from([*NUMBERS, *LOCALS]), max_size=2),
    name=st.none()
    | st.sampled_from(
        ["Ada Smith", "SMITH, Ada", "Smith Ada", "A Smith", "Adam Smith", "Ada Jones"]
    )
    | st.text(max_size=20),
    birth_date=st.none()
    | st.sampled_from(["1956-03-12", "1956-12-03", "1956", "1900-01-01"]).map(at)
    | days,
    gender=st.none() | st.sampled_from(["male", "female", "other", "M", ""]),
    postcode=st.none()
    | st.sampled_from(["QZ1 4AB", "QZ14AB", "QZ1 5AB", "ZZ99 3VZ"])
    | st.text(max_size=8),
)
bounds = st.builds(
    lambda low, more: Thresholds(possible=low, linked=low + (1 - low) * more),
    st.floats(0, 1),
    st.floats(0, 1),
)


def numbers_of(person):
    return {each for each in person.identifiers if each.system == nhs_number.SYSTEM}


@given(one=people, other=people, within=bounds)
def test_numbers_that_differ_never_match(one, other, within):
    """Caught: a perfect score that outweighs a number that differs."""
    found = match(one, other, thresholds=within)
    if len(numbers_of(one) | numbers_of(other)) > 1:
        assert found.grade == "certainly-not"


@given(one=people, other=people, within=bounds)
def test_who_is_compared_with_whom_makes_no_difference(one, other, within):
    """Caught: a first name that is looked for among the other's alone."""
    there = match(one, other, thresholds=within)
    back = match(other, one, thresholds=within)
    assert (there.score, there.grade) == (back.score, back.grade)
    assert set(there.agreed) == set(back.agreed)


@given(one=people, other=people, within=bounds)
def test_nothing_is_tied_by_one_field_alone(one, other, within):
    """Caught: a date of birth that ties two people of one day."""
    found = match(one, other, thresholds=within)
    assert 0 <= found.score <= 1
    if found.is_linked and "nhs_number" not in found.agreed:
        assert {"forename", "birth_date"} <= set(found.agreed)
        assert {"surname", "postcode"} & set(found.agreed)


@given(one=people, other=people)
def test_a_bound_that_is_raised_never_ties_more(one, other):
    """Caught: a comparison with the bound that is turned round."""
    loose = match(one, other, thresholds=Thresholds(linked=0.9))
    strict = match(one, other, thresholds=Thresholds(linked=0.9999))
    assert loose.is_linked or not strict.is_linked


@given(one=people, within=bounds)
def test_two_of_one_description_are_never_told_apart(one, within):
    """Caught: the first of two equal candidates taken for the person."""
    bare = msgspec.structs.replace(one, identifiers=frozenset())
    twice = [match(one, bare, thresholds=within)] * 2
    assert choose(twice).linked is None
