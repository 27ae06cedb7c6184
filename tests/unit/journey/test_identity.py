"""Who a record is about, by every way it can name a person."""

import pytest

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers
from gateway.journey.identity import (
    BY_IDENTIFIER,
    BY_LEARNED,
    BY_NHS_NUMBER,
    BY_SOURCE,
    ambiguous,
    first_known,
    learn,
    link,
    names_another,
    only,
)
from tests.houses import ANN, BOB
from tests.people import LOCAL, OLD, PLACEHOLDER, number

ANNS_NUMBER = Identifier(nhs_number.SYSTEM, number(0))
BOBS_NUMBER = Identifier(nhs_number.SYSTEM, number(1))
ANNS_LOCAL = Identifier(LOCAL, "L-0000")
BOBS_LOCAL = Identifier(LOCAL, "L-0001")
OLD_NUMBER = Identifier(OLD, "O-1")
WARD = Identifier("urn:test:ward", "7")

BY_NUMBER = Identifiers(nhs_number=number(0))
BY_OLD = Identifiers(others=frozenset({OLD_NUMBER}))


def named(*identifiers):
    return frozenset(identifiers)


def taught(asked, *subjects, keys=()):
    return learn(asked, subjects, frozenset(keys))


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (named(ANNS_NUMBER), BY_NHS_NUMBER),
        (named(ANNS_NUMBER, BOBS_LOCAL), BY_NHS_NUMBER),
        (named(BOBS_NUMBER), None),
        (named(BOBS_NUMBER, OLD_NUMBER), None),
        (named(ANNS_NUMBER, BOBS_NUMBER), None),
        (named(WARD), None),
        (named(), BY_SOURCE),
        (None, BY_SOURCE),
    ],
)
def test_a_number_asked_by_decides_first(subject, expected):
    assert link(first_known(BY_NUMBER), subject) == expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (named(OLD_NUMBER), BY_IDENTIFIER),
        (named(OLD_NUMBER, WARD), BY_IDENTIFIER),
        (named(Identifier(OLD, "O-2")), None),
        (named(Identifier(OLD, "O-2"), ANNS_LOCAL), None),
        (named(ANNS_LOCAL), BY_LEARNED),
        (named(BOBS_LOCAL), None),
        (named(ANNS_LOCAL, BOBS_LOCAL), None),
        (named(WARD), None),
        (named(BOBS_NUMBER, OLD_NUMBER), None),
        (named(ANNS_NUMBER), BY_NHS_NUMBER),
    ],
)
def test_without_a_number_asked_by_identifiers_decide(subject, expected):
    known = taught(BY_OLD, named(OLD_NUMBER, ANNS_NUMBER, ANNS_LOCAL))
    assert link(known, subject) == expected


def test_what_stands_beside_the_number_is_learned():
    known = taught(BY_NUMBER, named(ANNS_NUMBER, ANNS_LOCAL), named(BOBS_NUMBER, WARD))
    assert known.learned == {ANNS_LOCAL}
    assert known.disputed == frozenset()
    assert known.identifiers == ANN


def test_the_number_itself_is_learned_when_asked_by_another_identifier():
    known = taught(BY_OLD, named(OLD_NUMBER, ANNS_NUMBER))
    assert known.nhs_number == number(0)
    assert known.identifiers.every == {OLD_NUMBER, ANNS_NUMBER}


def test_a_second_value_of_the_asked_system_is_not_believed():
    known = taught(BY_OLD, named(OLD_NUMBER, Identifier(OLD, "O-2")))
    assert known.identifiers == BY_OLD


def test_a_system_in_which_sources_differ_links_nobody():
    known = taught(
        BY_NUMBER, named(ANNS_NUMBER, ANNS_LOCAL), named(ANNS_NUMBER, BOBS_LOCAL)
    )
    assert (known.learned, known.disputed) == (frozenset(), {LOCAL})
    assert link(known, named(ANNS_LOCAL)) is None
    assert link(known, named(ANNS_NUMBER, ANNS_LOCAL)) == BY_NHS_NUMBER


@pytest.mark.parametrize(
    ("one", "other", "keys"),
    [(ANNS_NUMBER, BOBS_NUMBER, ()), (ANNS_LOCAL, BOBS_LOCAL, (LOCAL,))],
)
def test_an_identifier_that_reaches_two_people_links_nothing_at_all(one, other, keys):
    known = taught(
        BY_OLD, named(OLD_NUMBER, one), named(OLD_NUMBER, other, WARD), keys=keys
    )
    assert known.split == {one.system}
    assert (known.nhs_number, known.learned) == (None, frozenset())
    for subject in (named(OLD_NUMBER), named(OLD_NUMBER, one), None, named()):
        assert link(known, subject) is None


def test_a_key_that_splits_does_not_leave_one_of_the_numbers_standing():
    known = taught(
        BY_OLD,
        named(OLD_NUMBER, ANNS_LOCAL, ANNS_NUMBER),
        named(OLD_NUMBER, BOBS_LOCAL),
        keys=(LOCAL,),
    )
    assert known.nhs_number is None
    assert link(known, named(OLD_NUMBER, ANNS_LOCAL, ANNS_NUMBER)) is None


def test_a_system_that_does_not_tell_people_apart_splits_nobody():
    known = taught(BY_OLD, named(OLD_NUMBER, WARD), named(OLD_NUMBER, ANNS_LOCAL))
    assert known.split == frozenset()
    assert link(known, named(OLD_NUMBER)) == BY_IDENTIFIER


def test_what_a_source_calls_shared_links_nothing():
    known = ambiguous(BY_OLD)
    assert known.identifiers == BY_OLD
    assert link(known, named(OLD_NUMBER)) is None
    assert link(known, None) is None


def test_a_placeholder_beside_the_number_is_unlearned_when_another_has_it_too():
    known = taught(
        BY_NUMBER, named(ANNS_NUMBER, PLACEHOLDER), named(BOBS_NUMBER, PLACEHOLDER)
    )
    assert known.learned == frozenset()
    assert known.disputed == {OLD}
    assert link(known, named(PLACEHOLDER)) is None


def test_a_learned_identifier_that_leads_to_two_numbers_links_nobody():
    known = taught(
        BY_OLD,
        named(OLD_NUMBER, ANNS_LOCAL),
        named(ANNS_LOCAL, ANNS_NUMBER),
        named(ANNS_LOCAL, BOBS_NUMBER),
    )
    assert known.learned == frozenset()
    assert link(known, named(ANNS_LOCAL, ANNS_NUMBER)) is None


def test_learned_identifiers_that_lead_apart_link_nobody():
    known = taught(
        BY_OLD,
        named(OLD_NUMBER, ANNS_LOCAL, WARD),
        named(ANNS_LOCAL, ANNS_NUMBER),
        named(WARD, BOBS_NUMBER),
    )
    assert known.learned == frozenset()
    assert known.disputed == {LOCAL, WARD.system}


def test_learned_identifiers_that_lead_to_one_number_stand():
    known = taught(
        BY_OLD, named(OLD_NUMBER, ANNS_LOCAL), named(ANNS_LOCAL, ANNS_NUMBER)
    )
    assert known.learned == {ANNS_LOCAL}
    # What was learned teaches no further: a chain is as weak as each of its links.
    assert known.nhs_number is None
    assert link(known, named(ANNS_LOCAL, ANNS_NUMBER)) == BY_LEARNED


def test_a_learned_identifier_beside_another_value_of_the_asked_system_is_dropped():
    known = taught(
        BY_OLD,
        named(OLD_NUMBER, ANNS_LOCAL),
        named(ANNS_LOCAL, Identifier(OLD, "O-2")),
    )
    assert known.learned == frozenset()


@pytest.mark.parametrize(
    ("header", "is_anothers"),
    [
        (named(), False),
        (named(ANNS_NUMBER), False),
        (named(ANNS_NUMBER, BOBS_NUMBER), False),
        (named(BOBS_NUMBER), True),
        (named(BOBS_LOCAL), True),
        (named(ANNS_LOCAL), False),
    ],
)
def test_a_header_tells_whose_answer_it_is(header, is_anothers):
    known = taught(BY_NUMBER, named(ANNS_NUMBER, ANNS_LOCAL))
    assert names_another(known, header) is is_anothers


def test_a_person_asked_for_by_some_identifiers_keeps_the_number_apart():
    assert only(ANN.every) == ANN
    assert only(named(OLD_NUMBER)) == BY_OLD


def test_no_repr_shows_a_value():
    known = taught(BY_OLD, named(OLD_NUMBER, ANNS_NUMBER, ANNS_LOCAL))
    shown = repr(known) + repr(BOB)
    for value in (number(0), number(1), "O-1", "L-0000", "L-0001"):
        assert value not in shown
