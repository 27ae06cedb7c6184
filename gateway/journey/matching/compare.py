"""How far two descriptions agree, field by field; a field either lacks says nothing."""

import re
from datetime import date
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from adapters.contract import Person
from adapters.moment import Moment
from gateway.journey.matching.short_forms import are_forms_of_one
from gateway.journey.matching.weights import Field, Level
from gateway.journey.matching.written_name import Written, read_name

# Winkler's own bound for names that may be one name written twice is 0.88; forenames
# are short, and Jayden is not Kayden (0.89).
_CLOSE_FORENAME: Final = 0.92
_CLOSE_SURNAME: Final = 0.92
# Dates that stand where a date of birth is not known, in published extracts.
_DEFAULTS: Final = frozenset(
    {(1800, 1, 1), (1801, 1, 1), (1802, 1, 1), (1900, 1, 1), (1901, 1, 1)}
)
_GENDERS: Final = {
    "male": "male",
    "m": "male",
    "1": "male",
    "female": "female",
    "f": "female",
    "2": "female",
}
_POSTCODE: Final = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(\d)([A-Z]{2})")

Levels = dict[Field, tuple[Level, str | None]]


def compared(one: Person, other: Person) -> Levels:
    """The level of each field that both tell, and the surname they agree on."""
    found: Levels = {}
    if one.name and other.name:
        found |= _names(read_name(one.name), read_name(other.name))
    if one.birth_date and other.birth_date:
        found |= _births(one.birth_date, other.birth_date)
    left, right = _gender(one.gender), _gender(other.gender)
    if left and right:
        found["gender"] = ("exact" if left == right else "differs", None)
    here, there = _postcode(one.postcode), _postcode(other.postcode)
    if here and there:
        found["postcode"] = (_postcodes(here, there), None)
    return found


def _names(one: Written, other: Written) -> Levels:
    found: Levels = {}
    if one.forenames and other.forenames:
        found["forename"] = (_forenames(one.forenames, other.forenames), None)
    if one.surnames and other.surnames:
        level = _surnames(one.surnames, other.surnames)
        agreed = one.surnames[0] if level == "exact" else None
        found["surname"] = (level, agreed)
    if _is_swapped(one, other) and found["surname"][0] == "differs":
        # Each stands in the other's place: the same words, and told less surely.
        return {"forename": ("near", None), "surname": ("near", None)}
    return found


def _is_swapped(one: Written, other: Written) -> bool:
    return bool(
        one.forenames
        and one.surnames
        and one.forenames[:1] == other.surnames[-1:]
        and one.surnames[-1:] == other.forenames[:1]
    )


@lru_cache(maxsize=4096)
def _forenames(one: tuple[str, ...], other: tuple[str, ...]) -> Level:
    """By the first of each. `form`: one is a known short form of the other.

    A second name in use is only near: brothers and sisters bear each other's.
    """
    first, second = one[0], other[0]
    if first == second:
        return "exact" if len(first) > 1 else "near"
    if are_forms_of_one(first, second):
        return "form"
    if _is_initial(first, second) or first in other[1:] or second in one[1:]:
        return "near"
    alike = JaroWinkler.similarity(first, second)
    return "near" if alike >= _CLOSE_FORENAME else "differs"


def _is_initial(one: str, other: str) -> bool:
    return min(len(one), len(other)) == 1 and one[0] == other[0]


@lru_cache(maxsize=4096)
def _surnames(one: tuple[str, ...], other: tuple[str, ...]) -> Level:
    """A surname that is one part of a double-barrelled one is near."""
    if one == other:
        return "exact"
    if set(one) & set(other):
        return "near"
    alike = JaroWinkler.similarity("".join(one), "".join(other))
    return "near" if alike >= _CLOSE_SURNAME else "differs"


def _births(one: Moment, other: Moment) -> Levels:
    left, right = _day(one), _day(other)
    if left in _DEFAULTS or right in _DEFAULTS:
        return {}
    if _is_only_a_year(one) or _is_only_a_year(other):
        # A first of January is often a year that a form wanted a day for.
        same = left[0] == right[0]
        return {"birth_year": ("part" if same else "differs", None)}
    return {"birth_date": (_dates(left, right), None)}


def _day(moment: Moment) -> tuple[int, int, int]:
    """The day as it was written, in the offset that the source gave."""
    written: date = moment.at.date()
    return written.year, written.month, written.day


def _is_only_a_year(moment: Moment) -> bool:
    return moment.precision in {"year", "month"} or _day(moment)[1:] == (1, 1)


def _dates(one: tuple[int, int, int], other: tuple[int, int, int]) -> Level:
    """Near: day and month exchanged, or one digit wrong, or two neighbours swapped.

    Not where the tens of the year differ: a father and a son may share the rest.
    """
    if one == other:
        return "exact"
    if one[0] == other[0] and one[1:] == other[:0:-1]:
        return "near"
    written = [f"{year:04d}{month:02d}{day:02d}" for year, month, day in (one, other)]
    if written[0][:3] != written[1][:3]:
        return "differs"
    apart = DamerauLevenshtein.distance(written[0], written[1], score_cutoff=1)
    return "near" if apart == 1 else "differs"


def _gender(text: str | None) -> str | None:
    return _GENDERS.get(text.strip().casefold()) if text else None


def _postcode(text: str | None) -> tuple[str, str, str] | None:
    """Outward code, sector and unit; None where it is none, or of no place (ZZ99)."""
    if not text:
        return None
    found = _POSTCODE.fullmatch("".join(text.split()).upper())
    if found is None or found[1].startswith("ZZ"):
        return None
    return found[1], found[2], found[3]


def _postcodes(one: tuple[str, str, str], other: tuple[str, str, str]) -> Level:
    if one == other:
        return "exact"
    if one[:2] == other[:2]:
        return "near"
    return "part" if one[0] == other[0] else "differs"
