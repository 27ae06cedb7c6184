"""Is this the same person? A score, a grade, and what it rests on. Never a value.

NHS numbers that differ are two people whatever else agrees, unless a source stated
that one became the other. Demographics only ever tie what no number tells of.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier, Person, Traced
from gateway.journey.matching.compare import Levels, compared
from gateway.journey.matching.traced import are_one
from gateway.journey.matching.weights import OTHERS, Chances, chances

# HL7's match-grade, of FHIR's Patient/$match.
Grade = Literal["certain", "probable", "possible", "certainly-not"]

_CERTAIN: Final = 0.999
_AGREEING: Final = frozenset({"exact", "form", "near"})


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From which probability (0 to 1) a record is linked, and possibly the person's."""

    linked: float = 0.99
    possible: float = 0.5


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """How sure it is that two descriptions are of one person (`score`, 0 to 1).

    `agreed` and `differed` name fields of a person, never what stands in them.
    """

    score: float
    grade: Grade
    agreed: tuple[str, ...] = ()
    differed: tuple[str, ...] = ()

    @property
    def is_linked(self) -> bool:
        """Whether it is sure enough to tie a record to the person."""
        return self.grade in {"certain", "probable"}


def match(
    known: Person,
    other: Person,
    *,
    thresholds: Thresholds | None = None,
    traced: Sequence[Traced] = (),
) -> Match:
    """How `other`, a source's own description, matches the person as `known`.

    `traced` is what sources stated of merges; without it numbers that differ are
    certainly not one person. A grade of probable or better wants a forename and a
    date of birth that agree, and a surname or a postcode besides: never one alone.
    """
    bounds = thresholds or Thresholds()
    mine, theirs = _numbers(known), _numbers(other)
    if len(mine | theirs) > 1 and not are_one(mine | theirs, traced):
        return Match(score=0.0, grade="certainly-not", differed=("nhs_number",))
    levels = compared(known, other)
    if mine and theirs:
        return _by_number(levels, bounds)
    return _graded(levels, probability(levels), bounds)


def probability(levels: Levels) -> float:
    """That both are one person, given how their fields agree.

    Bayes' rule over four explanations, which exclude each other: the person, one of
    all the strangers there are, a relative of the household, a twin. Fields are taken
    for independent within each. Source: Fellegi and Sunter 1969.
    """
    likely = list(OTHERS)
    for field, (level, surname) in levels.items():
        told: Chances = chances(field, level, surname=surname)
        likely = [each * part for each, part in zip(likely, told, strict=True)]
    return likely[0] / sum(likely)


def _numbers(person: Person) -> frozenset[Identifier]:
    return frozenset(
        each for each in person.identifiers if each.system == nhs_number.SYSTEM
    )


def _by_number(levels: Levels, bounds: Thresholds) -> Match:
    """The number ties them, unless all that is told of the person is another's."""
    agreed, differed = _fields(levels)
    strange = {"forename", "birth_date"} <= set(differed)
    if strange and probability(levels) < bounds.possible:
        return Match(
            score=0.0,
            grade="certainly-not",
            agreed=("nhs_number", *agreed),
            differed=differed,
        )
    return Match(
        score=1.0, grade="certain", agreed=("nhs_number", *agreed), differed=differed
    )


def _graded(levels: Levels, score: float, bounds: Thresholds) -> Match:
    agreed, differed = _fields(levels)
    if score >= bounds.linked and _is_enough(levels):
        grade: Grade = "certain" if score >= _CERTAIN else "probable"
    elif score >= bounds.possible and len(agreed) > 1:
        grade = "possible"
    else:
        grade = "certainly-not"
    return Match(score=score, grade=grade, agreed=agreed, differed=differed)


def _is_enough(levels: Levels) -> bool:
    """Whether enough was compared and agrees for a score to tie anything."""
    agreed, _ = _fields(levels)
    return {"forename", "birth_date"} <= set(agreed) and bool(
        {"surname", "postcode"} & set(agreed)
    )


def _fields(levels: Levels) -> tuple[tuple[str, ...], tuple[str, ...]]:
    agreed = tuple(field for field, (level, _) in levels.items() if level in _AGREEING)
    differed = tuple(
        field for field, (level, _) in levels.items() if level == "differs"
    )
    return agreed, differed


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Of one source's candidates: which one is linked, and how many more may be.

    `linked` is a place in the sequence that was chosen from.
    """

    linked: int | None
    possible: int
    how: Match | None = None


def choose(matches: Sequence[Match]) -> Chosen:
    """Which of a source's candidates is the person.

    Two that are both sure enough are two people that nothing tells apart: neither is
    linked, both may be the person's.
    """
    linked = [place for place, each in enumerate(matches) if each.is_linked]
    possible = sum(each.grade == "possible" for each in matches)
    if len(linked) == 1:
        place = linked[0]
        return Chosen(linked=place, possible=possible, how=matches[place])
    return Chosen(linked=None, possible=possible + len(linked))
