"""How likely each kind of agreement is, under each of four explanations.

Fellegi and Sunter's m and u, with more than one u: a record that looks like the
person's may also be a stranger's, a relative's at the same address, or a twin's, and
those do not agree by chance alone. The sources of the figures stand in
docs/linkage.md; those marked "set here" come from no publication and are cautious.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Level = Literal["exact", "form", "near", "part", "differs"]
Field = Literal["forename", "surname", "birth_date", "birth_year", "gender", "postcode"]


class Chances(NamedTuple):
    """How often a pair agrees so, were the record about: the person, or not."""

    same: float
    stranger: float
    relative: float
    twin: float


# People whose record might be found, were nothing known: an integrated care system
# (Cambridgeshire and Peterborough, 2018; Cardinal et al. 2023).
POPULATION: Final = 852_523
# How many others each explanation offers for one person. A pair of twins is born in
# about 1.5 % of maternities (ONS, birth characteristics); a relative of the same
# household who may be in the same source: set here.
OTHERS: Final = Chances(same=1.0, stranger=POPULATION, relative=1.5, twin=0.03)

# Column `same`: Cardinal et al. 2023, the mean of both genders; how many of those who
# moved stayed in the district is set here. Column `stranger`: names by the conservative
# u of the CMS patient matching specification 3.4.0 (table 3); dates over 30 years of
# birth, `near` as two parts of three (Cardinal et al.); postcodes set here, at more
# people to each than there are on average. Columns `relative` and `twin`: set here.
_TABLES: Final[Mapping[Field, Mapping[Level, Chances]]] = MappingProxyType(
    {
        "forename": {
            "exact": Chances(0.9775, 0.02, 0.02, 0.002),
            "form": Chances(0.0078, 0.005, 0.02, 0.001),
            "near": Chances(0.0087, 0.01, 0.01, 0.03),
            "differs": Chances(0.006, 0.965, 0.95, 0.967),
        },
        "surname": {
            "exact": Chances(0.9567, 0.005, 0.8, 0.97),
            "near": Chances(0.0083, 0.005, 0.05, 0.02),
            "differs": Chances(0.035, 0.99, 0.15, 0.01),
        },
        "birth_date": {
            "exact": Chances(0.99508, 0.0001, 0.0001, 0.99),
            "near": Chances(0.00459, 0.0064, 0.003, 0.009),
            "differs": Chances(0.00033, 0.9935, 0.9969, 0.001),
        },
        "birth_year": {
            "part": Chances(0.997, 0.0333, 0.03, 0.999),
            "differs": Chances(0.003, 0.9667, 0.97, 0.001),
        },
        "gender": {
            "exact": Chances(0.9967, 0.5, 0.5, 0.65),
            "differs": Chances(0.0033, 0.5, 0.5, 0.35),
        },
        "postcode": {
            "exact": Chances(0.6903, 0.0001, 0.6, 0.75),
            "near": Chances(0.0097, 0.0035, 0.02, 0.02),
            "part": Chances(0.05, 0.03, 0.08, 0.08),
            "differs": Chances(0.25, 0.9664, 0.3, 0.15),
        },
    }
)
# A surname that one in a hundred bears says less, and one that hardly anybody does,
# more. The commonest in Great Britain is borne by about 1.2 % (Smith).
COMMON_SURNAME: Final = Chances(0.9567, 0.0125, 0.8, 0.97)
USUAL_SURNAME: Final = Chances(0.9567, 0.002, 0.8, 0.97)
COMMON_SURNAMES: Final = frozenset(
    {
        *("smith", "jones", "taylor", "brown", "williams", "wilson", "johnson"),
        *("davies", "davis", "patel", "robinson", "wright", "thompson", "evans"),
        *("walker", "white", "roberts", "green", "hall", "wood", "jackson"),
        *("clarke", "clark", "thomas", "hughes", "lewis", "harris", "khan", "ali"),
        *("ahmed", "hussain", "begum", "singh", "kaur", "akhtar", "shah", "mohammed"),
        *("miller", "martin", "cooper", "hill", "ward", "turner", "carter", "moore"),
        *("morris", "king", "baker", "harrison", "morgan", "allen", "james", "scott"),
        *("li", "wang", "chen", "zhang", "nguyen", "kumar", "bibi", "islam", "uddin"),
    }
)


def chances(field: Field, level: Level, *, surname: str | None = None) -> Chances:
    """The four likelihoods of one field's level; `surname` is the one agreed on."""
    if surname is not None:
        return COMMON_SURNAME if surname in COMMON_SURNAMES else USUAL_SURNAME
    return _TABLES[field][level]


def levels(field: Field) -> Mapping[Level, Chances]:
    """Every level of a field: each column adds up to 1."""
    return _TABLES[field]
