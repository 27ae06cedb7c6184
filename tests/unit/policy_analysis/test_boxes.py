"""Boxes are sets of points: held here to the sets themselves, point by point."""

import random
from itertools import product

import pytest

from policies.analysis.boxes import Budget, Space, TooManyBoxes

VALUES = {"colour": ("red", "green", "blue"), "size": ("s", "l"), "shape": ("o", "x")}
SPACE = Space(VALUES)
POINTS = list(product(*VALUES.values()))
RANDOM = random.Random(7)  # noqa: S311 - a choice of points, not a secret


def points(box):
    kept = SPACE.values(box)
    return {
        point
        for point in POINTS
        if all(each in kept[name] for name, each in zip(VALUES, point, strict=True))
    }


def some_box():
    return SPACE.box(
        {
            name: {v for v in held if RANDOM.random() < 0.7}
            for name, held in VALUES.items()
        }
    )


def test_the_full_box_holds_every_point():
    assert points(SPACE.full) == set(POINTS)
    assert SPACE.box({}) == SPACE.full


def test_a_box_is_empty_when_one_dimension_is():
    assert SPACE.is_empty(SPACE.box({"size": ()}))
    assert SPACE.is_empty(SPACE.box({"size": ("unheard of",)}))
    assert not SPACE.is_empty(SPACE.box({"size": ("s",)}))


def test_a_dimension_without_values_leaves_nothing():
    space = Space({"colour": ("red",), "size": ()})
    assert space.is_empty(space.full)
    assert space.outside_all(space.full, [], Budget()) == []
    assert space.values(space.full) == {"colour": ("red",), "size": ()}


def test_what_lies_outside_is_disjoint_and_exact():
    for _ in range(300):
        box, others = some_box(), [some_box() for _ in range(3)]
        left = SPACE.outside_all(box, others, Budget())
        found = [points(each) for each in left]
        assert sum(map(len, found)) == len(set().union(*found))
        assert set().union(*found) == points(box).difference(*map(points, others))


def test_merging_makes_fewer_boxes_of_the_same_points():
    whole = some_box()
    pieces = [
        SPACE.box({"colour": (colour,), "size": (size,)})
        for colour, size in product(VALUES["colour"], VALUES["size"])
    ]
    assert SPACE.merged(pieces) == [SPACE.full]
    left = SPACE.outside_all(SPACE.full, [whole], Budget())
    merged = SPACE.merged(left)
    assert len(merged) <= len(left)
    assert set().union(*map(points, merged)) == set(POINTS) - points(whole)


def test_a_dimension_can_be_freed_or_freed_where_it_keeps_a_value():
    red = SPACE.box({"colour": ("red",), "size": ("s",)})
    assert SPACE.freed(red, "colour") == SPACE.box({"size": ("s",)})
    assert SPACE.anywhere(red, "colour", "red") == SPACE.box({"size": ("s",)})
    assert SPACE.is_empty(SPACE.anywhere(red, "colour", "blue"))
    assert SPACE.is_empty(SPACE.anywhere(red, "colour", "unheard of"))


def test_a_budget_ends():
    budget = Budget(2)
    budget.spend()
    budget.spend()
    with pytest.raises(TooManyBoxes):
        budget.spend()
    with pytest.raises(TooManyBoxes):
        SPACE.outside_all(SPACE.full, [SPACE.box({"size": ("s",)})], Budget(0))
