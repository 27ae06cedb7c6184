"""What sources state of one person's merges, and how far it is believed. Pure."""

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Final

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Person, Traced
from gateway.journey.identity import Known
from gateway.journey.matching.compare import compared
from gateway.journey.matching.traced import Said, Ties, weigh

# One person under two numbers may have two surnames, and live at two places.
_TELLING: Final = frozenset({"forename", "birth_date", "birth_year", "gender"})


def ties(
    told: Iterable[tuple[str, Sequence[Answer], Sequence[Traced]]],
) -> Ties:
    """What the statements of sources, by id, come to, beside what each answered.

    Whoever did not answer, or states a flag of the person, ties nothing: what is to
    stay unseen teaches nobody.
    """
    return weigh(
        Said(source=source, traced=each)
        for source, answers, traced in told
        if answers and not any(flag.present for a in answers for flag in a.flags)
        for each in traced
    )


def contradicted(known: Known, people: Iterable[Person]) -> frozenset[Identifier]:
    """The NHS numbers that statements join, and under which two people are described.

    A number is sometimes replaced because it was somebody else's.
    """
    by_number: dict[str, list[Person]] = {}
    for each in people:
        numbers = [i.value for i in each.identifiers if i.system == nhs_number.SYSTEM]
        if len(numbers) == 1:
            by_number.setdefault(numbers[0], []).append(each)
    told = sorted(known.numbers & by_number.keys())
    return frozenset(
        Identifier(nhs_number.SYSTEM, number)
        for pair in combinations(told, 2)
        if any(_differ(*two) for two in product(*(by_number[n] for n in pair)))
        for number in pair
    )


def _differ(one: Person, other: Person) -> bool:
    return any(
        level == "differs" and field in _TELLING
        for field, (level, _) in compared(one, other).items()
    )


def strange(known: Known) -> frozenset[Identifier]:
    """What contested statements name, and is not known to be the person's."""
    return known.ties.doubted - known.identifiers.every
