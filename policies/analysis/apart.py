"""The lines in which two sets differ, whoever states them and under whatever name."""

from collections.abc import Hashable, Iterable

from policies.compile import PolicySet, bits
from policies.lines import Line

# Dimensions in which most lines miss each other; a line that tests none meets all.
_PARTING: tuple[str, ...] = ("categories", "roles", "purposes", "modes")


def lines_apart(one: PolicySet, other: PolicySet) -> tuple[int, int]:
    """Masks of each set's lines that the other lacks, or has in another order."""
    first, second = _keys(one, other), _keys(other, one)
    apart = misplaced(first, second)
    return _mask(first, apart), _mask(second, apart)


def touched(one: PolicySet, other: PolicySet) -> list[Line]:
    """The lines themselves, of either set: elsewhere both answer alike."""
    masks = lines_apart(one, other)
    return [
        each.lines[index]
        for each, mask in zip((one, other), masks, strict=True)
        for index in bits(mask)
    ]


def misplaced(one: Iterable[Hashable], other: Iterable[Hashable]) -> set[Hashable]:
    """What only one sequence has, or what stands elsewhere among what both have.

    Of any two that have changed places, one at least is among them.
    """
    first, second = dict.fromkeys(one), dict.fromkeys(other)
    kept = [each for each in first if each in second]
    there = [each for each in second if each in first]
    moved = {each for each, instead in zip(kept, there, strict=True) if each != instead}
    return moved | (first.keys() ^ second.keys())


def could_meet(line: Line, others: Iterable[Line]) -> bool:
    """Whether a line may hold where one of these does; false only if it never can."""
    return any(
        all(
            name not in line.accepts
            or name not in other.accepts
            or not line.accepts[name].isdisjoint(other.accepts[name])
            for name in _PARTING
        )
        for other in others
    )


def _keys(one: PolicySet, other: PolicySet) -> list[Hashable]:
    """A line's name where the other set has the very same, else its content."""
    there = {line.authority: line for line in other.lines}
    return [
        line.authority if there.get(line.authority) == line else _content(line)
        for line in one.lines
    ]


def _content(line: Line) -> Hashable:
    return (
        line.effect,
        frozenset(line.accepts.items()),
        line.view,
        line.signed,
        line.begins,
        line.ends,
        line.honours,
        line.requires,
        line.cleared,
        line.labels_any,
        line.flags_any,
    )


def _mask(keys: list[Hashable], apart: set[Hashable]) -> int:
    return sum(1 << index for index, each in enumerate(keys) if each in apart)
