"""Linkage by demographics over a labelled population; the bench has a larger one."""

import pytest

from bench.linkage import evaluate
from bench.linkage_errors import HARSH, MEASURED
from bench.linkage_population import SOURCES, population

PEOPLE = 2_500


@pytest.fixture(scope="module")
def measured():
    return population(11, people=PEOPLE, rates=MEASURED)


def test_everybody_is_described_by_their_practice_and_by_some_of_five_others(measured):
    assert len(measured.people) >= PEOPLE
    assert {each.source for each in measured.records} == set(SOURCES)
    known = [each.truth for each in measured.records if each.source == "gp"]
    assert sorted(known) == [each.id for each in measured.people]
    assert any(each.like == "twin" for each in measured.people)
    assert any(each.like == "namesake" for each in measured.people)


def test_records_lack_a_number_as_often_as_the_rates_say(measured):
    others = [each for each in measured.records if each.source != "gp"]
    without = sum(each.number is None for each in others) / len(others)
    lack = (MEASURED.missing_number[0] + 4 * MEASURED.missing_number[1]) / 5
    assert without == pytest.approx(lack + MEASURED.mistyped_number, abs=0.02)


def test_what_is_linked_is_right_and_more_is_found_than_by_exact_agreement(measured):
    found = evaluate(measured)
    assert found.linked.precision == 1.0
    assert found.possible.precision > 0.99
    assert found.linked.recall > 0.85 > found.exact.recall
    assert found.possible.recall > 0.94


def test_with_every_number_hidden_hardly_anybody_is_taken_for_another(measured):
    found = evaluate(measured, hidden=True)
    assert found.linked.precision > 0.999
    assert found.linked.recall > 0.85
    assert found.told_apart("anybody")[2] == 0
    for kind in ("a twin", "a namesake of their father", "a housemate"):
        looked, doubted, linked = found.told_apart(kind)
        assert looked > 0
        assert linked <= 2
        assert linked <= doubted < looked


def test_numbers_that_differ_are_never_merged_in_any_population(measured):
    for told in (measured, population(12, people=PEOPLE, rates=HARSH)):
        found = evaluate(told)
        assert found.across_numbers > 2_000
        assert found.merged_across == 0
        assert found.kept_apart > 0  # the rule is what keeps them apart


def test_harsher_errors_lose_links_and_make_no_wrong_ones():
    found = evaluate(population(13, people=PEOPLE, rates=HARSH))
    assert found.linked.precision == 1.0
    assert 0.6 < found.linked.recall < 0.85


def test_one_seed_makes_one_population():
    once, again = (population(5, people=60) for _ in range(2))
    assert once == again
    assert once != population(6, people=60)
