"""The atoms of a view: one for each thing it demands, each with its words."""

from functools import reduce

import pytest

from policies.analysis.atoms import EVERY_DUTY, atoms, phrased
from policies.obligations import AXES, FULL_VIEW, View

VIEWS = {
    "hide_fields": (View(hide_fields=frozenset({"person.name"})), "person.name hidden"),
    "mask_fields": (
        View(mask_fields=frozenset({("person.birth_date", "partial")})),
        "person.birth_date masked (partial)",
    ),
    "date_grain": (View(date_grain="day"), "dates to the day"),
    "max_age_days": (View(max_age_days=365), "nothing older than 365 days"),
    "min_count": (View(min_count=8), "no count below 8"),
    "row_filters": (View(row_filters=frozenset({"ndo"})), "people with ndo left out"),
    "no_onward": (View(no_onward=True), "not to be passed on"),
    "retain_seconds": (View(retain_seconds=0), "kept for 0 seconds at most"),
    "notify": (View(notify=frozenset({"owner"})), "owner told"),
    "justify": (View(justify=True), "a reason given"),
}


def test_every_axis_has_its_words():
    assert set(VIEWS) == set(AXES)


@pytest.mark.parametrize("axis", AXES)
def test_one_demand_is_one_atom_in_words(axis):
    view, words = VIEWS[axis]
    assert atoms(view) == ((axis, view),)
    assert phrased(view) == words
    assert view.axes <= EVERY_DUTY


def test_the_atoms_of_a_view_make_it_up():
    whole = reduce(View.meet, (view for view, _ in VIEWS.values()))
    more = whole.meet(View(hide_fields=frozenset({"person.address"})))
    assert len(atoms(more)) == len(AXES) + 1
    assert reduce(View.meet, (each for _, each in atoms(more))) == more
    assert phrased(more).startswith("person.address hidden, person.name hidden, ")


def test_no_demand_is_no_atom():
    assert atoms(FULL_VIEW) == ()
    assert phrased(FULL_VIEW) == "all of it"
