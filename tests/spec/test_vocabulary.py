"""The closed lists: the leaves' own copies agree, and every code has its place."""

import itertools
from typing import get_args

import pytest

from adapters import vocabulary
from adapters.conformance.declared import PRECISIONS
from adapters.moment import Precision
from policies import vocabulary as policies_vocabulary

EXPECTED = {
    ("ed_attendance", "acute"): "encounters",
    ("ambulance_call", "ambulance"): "ambulance",
    ("encounter", "mental-health"): "mental-health",
    ("condition", "mental-health"): "mental-health",
    ("medication", "mental-health"): "medications",
    ("immunisation", "community"): "medications",
    ("allergy", "social-care"): "allergies",
    ("death", "ambulance"): "demographics",
    ("community_contact", "acute"): "community",
    ("other", "primary-care"): "encounters",
    ("other", "social-care"): "social-care",
}


def test_both_leaves_list_the_same_categories():
    assert frozenset(policies_vocabulary.CATEGORIES) == vocabulary.CATEGORIES


@pytest.mark.parametrize(
    ("kind", "sector"),
    sorted(itertools.product(vocabulary.KINDS, vocabulary.SECTORS)),
)
def test_every_kind_has_a_category_in_every_sector(kind, sector):
    assert vocabulary.category_of(kind, sector) in vocabulary.CATEGORIES


@pytest.mark.parametrize(("where", "category"), list(EXPECTED.items()))
def test_a_sectors_category_wins_but_over_safety(where, category):
    assert vocabulary.category_of(*where) == category


def test_a_source_holds_the_categories_of_its_kinds():
    kinds = frozenset({"medication", "encounter"})
    held = vocabulary.categories_of(kinds, "mental-health")
    assert held == {"medications", "mental-health"}


def test_every_category_is_some_kinds():
    assert set(vocabulary.KINDS.values()) == vocabulary.CATEGORIES


def test_precisions_are_one_list():
    assert frozenset(get_args(Precision)) == PRECISIONS


def test_every_caveat_is_explained_in_a_sentence():
    assert all(len(meaning) > 20 for meaning in vocabulary.CAVEATS.values())
