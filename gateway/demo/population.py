"""The residents: who lives here, and which story each of them has."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from random import Random
from typing import Final

from adapters import nhs_number
from gateway.demo.chronicle import Resident
from gateway.demo.dates import chance
from gateway.demo.stories import STORIES, Story

STAR: Final = "shared-by-all"
_STAR_AGE: Final = 83

# Families are two halves of no real name; the postcode area QZ does not exist.
_FIRST_HALVES: Final = (
    "Amber", "Brindle", "Calder", "Dunna", "Elder", "Fenni", "Gorse", "Hazel",
    "Ivel", "Junip", "Kestra", "Larken", "Merro", "Nettle", "Orris", "Pendle",
)  # fmt: skip
_SECOND_HALVES: Final = (
    "wick", "thorne", "beck", "holm", "ley", "combe", "garth", "shaw", "mere", "stow",
)  # fmt: skip
_GIVEN: Final = {
    "female": ("Ada", "Beryl", "Chandra", "Dilys", "Edie", "Farah", "Grace", "Hana"),
    "male": ("Arun", "Basil", "Cyril", "Dafydd", "Emeka", "Frank", "Gwilym", "Hugo"),
}
# The shares of the stories, one place for each.
_HUNDRED: Final = tuple(story for story in STORIES for _ in range(story.share))
_STREETS: Final = ("Example Street", "Sample Lane", "Invented Way", "Model Close")


def numbers(first: int = 999_000_100) -> Iterator[str]:
    """Valid NHS numbers of the 999 range, which is never issued to anyone.

    Ten digits, the last a Modulus 11 check. Source: NHS Data Dictionary.
    """
    for nine in range(first, 999_999_999):
        weighted = sum(int(d) * (10 - n) for n, d in enumerate(str(nine)))
        check = (11 - weighted % 11) % 11
        if check < 10 and (valid := nhs_number.normalise(f"{nine}{check}")):
            yield valid


def residents(seed: int, today: date, *, count: int) -> tuple[Resident, ...]:
    """`count` residents; the first is the one whom all six organisations know."""
    gaps = chance(seed, "numbers")
    issued = islice(numbers(), None, None, gaps.randint(3, 9))
    return tuple(
        _resident(number, next(issued), today=today, draw=chance(seed, "who", number))
        for number in range(count)
    )


def story_of(name: str) -> Story | None:
    """The story of that name; None for the star's, which is no one else's."""
    return next((story for story in STORIES if story.name == name), None)


def _resident(number: int, issued: str, *, today: date, draw: Random) -> Resident:
    # The shares are dealt, not drawn, so that a small population has every story.
    story = _dealt(number)
    gender = (story.gender if story else "female") or draw.choice(("female", "male"))
    youngest, oldest = story.ages if story else (_STAR_AGE, _STAR_AGE)
    days = draw.randint(youngest * 365 + 20, oldest * 365 + 360)
    return Resident(
        number=number,
        nhs_number=issued,
        family=draw.choice(_FIRST_HALVES) + draw.choice(_SECOND_HALVES),
        given=draw.choice(_GIVEN[gender]),
        gender=gender,
        birth_date=today - timedelta(days=days),
        address=f"{draw.randint(1, 140)} {draw.choice(_STREETS)} (synthetic)",
        postcode=f"QZ{draw.randint(1, 9)} {draw.randint(1, 9)}ZZ",
        story=story.name if story else STAR,
    )


def _dealt(number: int) -> Story | None:
    # 37 and 100 share no divisor: each hundred residents gets each share once.
    return _HUNDRED[number * 37 % 100] if number else None
