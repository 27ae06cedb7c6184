"""Boxes over finite dimensions: some values of each, written as one whole number.

Each dimension is a field of bits, one a value, under a guard bit that is never set in
a box. Meeting two boxes is one AND; that no field is empty is one addition.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

Box = int

MOST_BOXES: Final = 50_000


class TooManyBoxes(Exception):
    """An analysis would take more boxes than it may."""


class Budget:
    """How many boxes an analysis has made, and how many it may."""

    __slots__ = ("most", "spent")

    def __init__(self, most: int = MOST_BOXES) -> None:
        self.most = most
        self.spent = 0

    def spend(self) -> None:
        """Count one box; TooManyBoxes beyond the most."""
        self.spent += 1
        if self.spent > self.most:
            raise TooManyBoxes


class Space:
    """The dimensions and their values, in order; what turns values into boxes."""

    __slots__ = (
        "_carry",
        "_field_at",
        "_guards",
        "_known",
        "_masks",
        "_values",
        "full",
    )

    def __init__(self, values: Mapping[str, Collection[str]]) -> None:
        self._values = {name: tuple(held) for name, held in values.items()}
        self._masks: dict[str, int] = {}
        self._field_at: list[int] = []  # by bit, its dimension's mask
        guards = 0
        for name, held in self._values.items():
            mask = ((1 << len(held)) - 1) << len(self._field_at)
            self._masks[name] = mask
            self._field_at += [mask] * (len(held) + 1)
            guards |= 1 << (len(self._field_at) - 1)
        self.full: Box = sum(self._masks.values())
        # Adding a field's own ones carries into its guard unless the field is empty.
        self._carry = self.full
        self._guards = guards
        self._known: dict[tuple[str, frozenset[str]], Box] = {}

    def box(self, allowed: Mapping[str, Collection[str]]) -> Box:
        """The box of these values; a dimension not named keeps all of its own."""
        box = self.full
        for name, accepted in allowed.items():
            key = (name, frozenset(accepted))
            kept = self._known.get(key)
            if kept is None:
                kept = self._known[key] = self._keeping(*key)
            box &= kept
        return box

    def _keeping(self, name: str, accepted: frozenset[str]) -> Box:
        mask = self._masks[name]
        lowest = (mask & -mask).bit_length() - 1
        bits = sum(
            1 << lowest + index
            for index, value in enumerate(self._values[name])
            if value in accepted
        )
        return self.full & ~mask | bits

    def is_empty(self, box: Box) -> bool:
        """Whether some dimension has no value left."""
        return (box + self._carry) & self._guards != self._guards

    def outside(self, box: Box, other: Box, budget: Budget) -> Iterator[Box]:
        """Disjoint boxes that make up what of a box lies outside another."""
        if self.is_empty(box & other):
            yield box
            return
        beyond = box & ~other
        while beyond:
            budget.spend()
            field = self._field_at[(beyond & -beyond).bit_length() - 1]
            yield box & (~field | beyond)
            box &= ~field | other
            beyond &= ~field

    def outside_all(self, box: Box, others: Iterable[Box], budget: Budget) -> list[Box]:
        """Disjoint boxes that make up what of a box lies outside all the others."""
        left = [] if self.is_empty(box) else [box]
        for other in others:
            if not left:
                break
            left = [
                piece for each in left for piece in self.outside(each, other, budget)
            ]
        return left

    def anywhere(self, box: Box, name: str, value: str) -> Box:
        """The box with every value of a dimension if it keeps this one; else empty."""
        mask = self._masks[name]
        is_kept = (
            value in self._values[name] and box & self.box({name: (value,)}) & mask
        )
        return box | mask if is_kept else 0

    def freed(self, box: Box, name: str) -> Box:
        """The box with every value of a dimension."""
        return box | self._masks[name]

    def values(self, box: Box) -> dict[str, tuple[str, ...]]:
        """The values a box keeps, by dimension."""
        return {name: self._kept(name, box) for name in self._values}

    def merged(self, boxes: Iterable[Box]) -> list[Box]:
        """Fewer boxes, disjoint as before, that make up the same."""
        left = sorted(set(boxes))
        while True:
            count = len(left)
            for mask in self._masks.values():
                alike: dict[int, int] = {}
                for box in left:
                    rest = box & ~mask
                    alike[rest] = alike.get(rest, rest) | box
                left = sorted(alike.values())
            if len(left) == count:
                return left

    def _kept(self, name: str, box: Box) -> tuple[str, ...]:
        mask = self._masks[name]
        lowest = (mask & -mask).bit_length() - 1
        return tuple(
            value
            for index, value in enumerate(self._values[name])
            if box >> lowest + index & 1
        )
