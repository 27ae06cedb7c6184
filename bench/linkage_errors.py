"""What a source makes of a person: the errors that were measured in real records.

The rates stand with where they come from; "set here" means that none was found.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Final, TypeVar

from adapters.contract import Identifier, Person
from adapters.moment import Moment, start_of_day
from bench.linkage_names import FEMALE, MALE, SHORT, SURNAMES

_Told = TypeVar("_Told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often a source's description differs from the person's (shares of records).

    `changed` is of women and of men; `missing_number` of ambulance and of the others.
    """

    typed_forename: float = 0.0087  # Cardinal 2023: another spelling, same sound
    other_form: float = 0.0078  # the same: the first two letters agree
    other_forename: float = 0.006  # the same: no agreement
    typed_surname: float = 0.0083  # the same, both kinds of part agreement
    changed: tuple[float, float] = (0.0567, 0.0134)  # the same: no agreement
    typed_birth: float = 0.00459  # the same: two parts of three agree
    other_birth: float = 0.00033  # the same: no agreement
    wrong_gender: float = 0.0033  # the same
    moved: float = 0.30  # the same: another postcode
    typed_postcode: float = 0.0097  # the same: the sector agrees
    swapped_names: float = 0.002  # set here
    missing_field: float = 0.01  # set here; of each of date, gender, postcode
    # Pass marks of the NHS Number coverage dashboards (2011): 90 % A&E, 97 % others.
    missing_number: tuple[float, float] = (0.10, 0.03)
    # csv-nhs-crosssector-synthetic: 703 of 19,921 rows hold a number that is invalid.
    mistyped_number: float = 0.0353
    # PICANet against HESID (BMJ Open 2015): 0.2 % of pairs joined were two people.
    anothers_number: float = 0.002


MEASURED: Final = Rates()
# Names disagreed in 12 % and 18 % of a cohort between two collections (ALSPAC, IJPDS
# 2389), postcodes in 53 % of hospital records (HES against PDS, Harron 2017).
HARSH: Final = replace(
    MEASURED,
    typed_forename=0.04,
    other_form=0.06,
    other_forename=0.02,
    typed_surname=0.05,
    changed=(0.22, 0.04),
    moved=0.53,
)

NONE: Final = Rates(
    typed_forename=0,
    other_form=0,
    other_forename=0,
    typed_surname=0,
    changed=(0, 0),
    typed_birth=0,
    other_birth=0,
    wrong_gender=0,
    moved=0,
    typed_postcode=0,
    swapped_names=0,
    missing_field=0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """One invented person, as they truly are; `like` says whom they resemble."""

    id: int
    forename: str
    second: str
    surname: str
    gender: str
    born: date
    postcode: str
    number: str
    household: int
    like: str = ""  # twin, namesake


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A description in the making."""

    name: str
    born: date | None
    gender: str | None
    postcode: str | None

    def with_identifiers(self, identifiers: frozenset[Identifier]) -> Person:
        """As an adapter would give it."""
        born = Moment(start_of_day(self.born), "day") if self.born else None
        return Person(
            identifiers=identifiers,
            name=self.name,
            birth_date=born,
            gender=self.gender,
            postcode=self.postcode,
        )


def described(one: Someone, rates: Rates, draw: Random) -> Telling:
    """The person, with this source's errors."""
    first, last = _forename(draw, one, rates), _surname(draw, one, rates)
    if draw.random() < rates.swapped_names:
        first, last = last, first
    told = f"{first} {one.second} {last}" if draw.random() < 0.5 else f"{first} {last}"
    upper = draw.random() < 0.3
    return Telling(
        name=told.upper() if upper else told,
        born=_kept(draw, rates, _born(draw, one.born, rates)),
        gender=_kept(draw, rates, _gender(draw, one, rates)),
        postcode=_kept(draw, rates, _place(draw, one, rates)),
    )


def _kept(draw: Random, rates: Rates, value: _Told) -> _Told | None:
    return None if draw.random() < rates.missing_field else value


def _forename(draw: Random, one: Someone, rates: Rates) -> str:
    chance = draw.random()
    if (chance := chance - rates.typed_forename) < 0:
        return typed(draw, one.forename)
    if (chance := chance - rates.other_form) < 0:
        return SHORT.get(one.forename, one.second)
    if chance < rates.other_forename:
        return draw.choice(MALE if one.gender == "male" else FEMALE)
    return one.forename


def _surname(draw: Random, one: Someone, rates: Rates) -> str:
    chance = draw.random()
    if (chance := chance - rates.typed_surname) < 0:
        return typed(draw, one.surname)
    if chance < rates.changed[0 if one.gender == "female" else 1]:
        names, weights = SURNAMES
        other = draw.choices(names, cum_weights=weights)[0]
        return f"{one.surname}-{other}" if draw.random() < 0.2 else other
    return one.surname


def typed(draw: Random, text: str) -> str:
    """One key wrong, one left out, or two exchanged."""
    at = draw.randrange(len(text) - 1)
    kinds = "0123456789" if text.isdecimal() else "aeiourstnlm"
    match draw.randrange(3):
        case 0:
            return text[:at] + draw.choice(kinds) + text[at + 1 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _born(draw: Random, born: date, rates: Rates) -> date:
    chance = draw.random()
    if (chance := chance - rates.other_birth) < 0:
        return born - timedelta(days=draw.randint(400, 9_000))
    if chance >= rates.typed_birth:
        return born
    if draw.random() < 0.4 and born.day <= 12:
        return born.replace(month=born.day, day=born.month)
    parts = {"year": born.year - draw.choice((1, 2, 10, -1)), "day": 1 + born.day % 28}
    which = draw.choice(("year", "day"))
    return born.replace(**{"day": min(born.day, 28), which: parts[which]})


def _gender(draw: Random, one: Someone, rates: Rates) -> str:
    if draw.random() < rates.wrong_gender:
        return "female" if one.gender == "male" else "male"
    return one.gender


def _place(draw: Random, one: Someone, rates: Rates) -> str:
    chance = draw.random()
    if (chance := chance - rates.moved) < 0:
        return postcode(draw)
    if chance < rates.typed_postcode:
        return one.postcode[:-1] + draw.choice("ABDEFGHJ")
    return one.postcode


def postcode(draw: Random) -> str:
    unit = f"{draw.choice('ABDEFGHJLN')}{draw.choice('ABDEFG')}"
    return f"QZ{draw.randint(1, 12)} {draw.randint(1, 5)}{unit}"
