"""Obligations only ever add up."""

import pytest

from policies.obligations import AXES, FULL_VIEW, View, able

PAIRS = [
    ("hide_fields", frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"})),
    ("date_grain", "day", "month", "month"),
    ("max_age_days", 365, 1825, 365),
    ("min_count", 5, 8, 8),
    ("row_filters", frozenset({"a"}), frozenset(), frozenset({"a"})),
    ("no_onward", True, False, True),
    ("retain_seconds", None, 0, 0),
    ("notify", frozenset({"owner"}), frozenset({"patient"}), {"owner", "patient"}),
    ("justify", False, True, True),
    (
        "mask_fields",
        frozenset({("a", "partial"), ("b", "full")}),
        frozenset({("a", "full")}),
        frozenset({("a", "full"), ("b", "full")}),
    ),
]


def test_every_axis_is_tried():
    assert {pair[0] for pair in PAIRS} == set(AXES)


@pytest.mark.parametrize(("axis", "one", "other", "met"), PAIRS)
def test_two_views_meet_on_each_axis_in_the_stricter(axis, one, other, met):
    first, second = View(**{axis: one}), View(**{axis: other})
    assert getattr(first.meet(second), axis) == met
    assert first.meet(second) == second.meet(first)
    assert first.meet(second).axes == {axis}
    assert FULL_VIEW.more_permissive(first.meet(second))
    assert not first.meet(second).at_least_as_permissive(FULL_VIEW)


def test_a_partial_mask_is_wider_than_a_full_one():
    partial = View(mask_fields=frozenset({("a", "partial")}))
    full = View(mask_fields=frozenset({("a", "full")}))
    assert partial.more_permissive(full)
    assert not full.at_least_as_permissive(partial)
    assert not full.more_permissive(full)


def test_each_who_is_to_be_told_is_demanded_apart():
    view = View(notify=frozenset({"owner", "privacy-officer"}), justify=True)
    assert view.demanded == {"notify:owner", "notify:privacy-officer", "justify"}
    assert FULL_VIEW.demanded == frozenset()


def test_to_be_able_to_notify_is_to_be_able_to_tell_anybody():
    everybody = {"notify:owner", "notify:patient", "notify:privacy-officer"}
    assert able(frozenset({"notify", "justify"})) >= everybody | {"justify"}
    some = frozenset({"notify:owner", "justify"})
    assert able(some) == some
