"""A population whose records are labelled with whom they are truly about.

Six sources describe the same invented people, each with the errors that were measured
in real ones; the rates and where they come from stand beside them. Nothing here is of
a person: numbers are of the 999 range, the postcode area QZ does not exist.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import islice
from random import Random
from typing import Final

from adapters import nhs_number
from adapters.contract import Identifier, Person
from bench.linkage_errors import (
    MEASURED,
    NONE,
    Rates,
    Someone,
    described,
    postcode,
    typed,
)
from bench.linkage_names import FEMALE, MALE, SURNAMES
from gateway.demo.population import numbers

SOURCES: Final = (
    "gp",
    "ambulance",
    "acute",
    "community",
    "mental-health",
    "social-care",
)
_LOCAL: Final = "urn:throughline:bench:"
_TODAY: Final = date(2026, 3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What one source says of someone, and whom it is truly about."""

    truth: int = field(repr=False)
    source: str
    person: Person
    number: str | None = field(repr=False)  # a valid one, theirs or not


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Everybody, and every record of them, by source."""

    people: tuple[Someone, ...]
    records: tuple[Described, ...]


def population(seed: int, *, people: int, rates: Rates = MEASURED) -> Labelled:
    """At least `people` people and their records in six sources; equal seeds, equal."""
    everyone = tuple(_everyone(Random(seed), people))  # noqa: S311 - not for secrets
    told = tuple(
        record
        for nth, source in enumerate(SOURCES)
        for record in _told(everyone, source, rates, draw=_drawn(seed, nth))
    )
    return Labelled(people=everyone, records=told)


def _drawn(seed: int, nth: int) -> Random:
    return Random(seed * 1_000 + nth + 1)  # noqa: S311 - not for secrets


def _everyone(draw: Random, people: int) -> Iterator[Someone]:
    issued = islice(numbers(), None, None, 7)
    names, weights = SURNAMES
    made = household = 0
    while made < people:
        household += 1
        lives = postcode(draw)
        surname = draw.choices(names, cum_weights=weights)[0]
        for one in _household(draw, surname):
            yield replace(
                one,
                id=made,
                postcode=lives,
                number=next(issued),
                household=household,
            )
            made += 1


def _household(draw: Random, surname: str) -> Iterator[Someone]:
    """One or two adults and their children: in one birth of 67 there are twins.

    One son in twenty has his father's forename (set here).
    """
    adults = [_one(draw, surname, "male", ages=(22, 92))]
    if draw.random() < 0.6:
        adults.append(_one(draw, surname, "female", ages=(22, 92)))
    yield from adults
    youngest = min(_TODAY.year - each.born.year for each in adults)
    for _ in range(draw.choices((0, 1, 2, 3), (50, 22, 20, 8))[0]):
        gender = draw.choice(("male", "female"))
        child = _one(draw, surname, gender, ages=(0, max(1, min(youngest - 19, 45))))
        if gender == "male" and draw.random() < 0.05:
            child = replace(child, forename=adults[0].forename, like="namesake")
        if draw.random() < 0.015:
            yield replace(child, like="twin")
            other = child
            while other.forename == child.forename:
                other = _one(draw, surname, draw.choice((gender, "male", "female")))
            yield replace(other, born=child.born, like="twin")
        else:
            yield child


def _one(
    draw: Random, surname: str, gender: str, *, ages: tuple[int, int] = (0, 90)
) -> Someone:
    pool = MALE if gender == "male" else FEMALE
    weights = [1 / (6 + nth) for nth in range(len(pool))]
    first, second = draw.choices(pool, weights)[0], draw.choices(pool, weights)[0]
    days = draw.randint(ages[0] * 365 + 1, ages[1] * 365 + 365)
    return Someone(
        id=0,
        forename=first,
        second=second,
        surname=surname,
        gender=gender,
        born=_TODAY - timedelta(days=days),
        postcode="",
        number="",
        household=0,
    )


def _told(
    everyone: Sequence[Someone], source: str, rates: Rates, *, draw: Random
) -> Iterator[Described]:
    # Rates are of two descriptions that differ: the practice's is taken for the truth.
    made = NONE if source == "gp" else rates
    for one in everyone:
        if source != "gp" and draw.random() < 0.4:
            continue  # not everybody is known everywhere
        number = one.number
        if source != "gp":
            number = _number(draw, one, everyone, rates=rates, source=source)
        valid = nhs_number.normalise(number)
        local = Identifier(f"{_LOCAL}{source}", f"{source}-{one.id}")
        named = {local, Identifier(nhs_number.SYSTEM, valid)} if valid else {local}
        person = described(one, made, draw).with_identifiers(frozenset(named))
        yield Described(truth=one.id, source=source, person=person, number=valid)


def _number(
    draw: Random,
    one: Someone,
    everyone: Sequence[Someone],
    *,
    rates: Rates,
    source: str,
) -> str:
    missing = rates.missing_number[0 if source == "ambulance" else 1]
    chance = draw.random()
    if chance < missing:
        return ""
    if chance < missing + rates.mistyped_number:
        return typed(draw, one.number)
    if chance < missing + rates.mistyped_number + rates.anothers_number:
        near = [e for e in everyone[max(0, one.id - 3) : one.id + 4] if e != one]
        return draw.choice(near).number  # the next in the list, often of the family
    return one.number
