"""NHS numbers: what is one, how it may be written, and what only looks like one."""

import json

import pytest

from adapters.nhs_number import SYSTEM, SYSTEMS, normalise, passes, standardise
from tests.corpus import corpus
from tests.people import number


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("9995260182", "9995260182"),
        ("999 526 0182", "9995260182"),
        ("999-526-0182", "9995260182"),
        (" 9995260182 ", "9995260182"),
        ("9995260183", None),  # the check digit
        ("999526018", None),
        ("99952601820", None),
        ("99 9526 0182", None),
        ("0000000000", None),
        ("9999999999", None),
        ("$nhs-number", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_a_number_is_ten_digits_that_pass_however_they_are_spaced(written, meant):
    assert normalise(written) == meant


def test_both_published_systems_are_known_and_one_is_current():
    assert SYSTEM in SYSTEMS
    assert len(SYSTEMS) == 2


def test_synthetic_people_have_numbers_of_their_own_in_the_unissued_range():
    numbers = [number(nth) for nth in range(50)]
    assert len(set(numbers)) == 50
    assert all(n.startswith("999") and normalise(n) == n for n in numbers)


def test_digits_of_other_scripts_are_no_number():
    assert normalise("".join(chr(0x660 + int(d)) for d in "9995260182")) is None


def test_a_number_of_any_nation_is_a_number():
    # Begins as a Scottish number does, with no such day: still Modulus 11.
    assert normalise("1600080812") == "1600080812"


@pytest.mark.corpus
def test_every_published_vector_is_decided_as_published():
    vectors = json.loads(corpus("nhs-number", "vectors.json").read_text())
    assert [normalise(n) for n in vectors["valid"]] == vectors["valid"]
    assert {normalise(n) for n in vectors["invalid"]} == {None}
    for written, digits in vectors["standardise"]:
        assert (standardise(written or "") or "") == digits


@pytest.mark.corpus
def test_every_number_found_in_published_files_falls_on_its_side():
    harvested = json.loads(corpus("nhs-number", "harvested.json").read_text())
    assert all(passes(standardise(n) or "") for n in harvested["valid"])
    placeholders = [n for n in harvested["valid"] if normalise(n) is None]
    assert placeholders == ["9999999999"]
    assert {normalise(n) for n in harvested["invalid_as_published"]} == {None}
