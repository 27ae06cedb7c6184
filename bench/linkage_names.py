"""Names for an invented population, as common and as alike as real ones are."""

from itertools import accumulate
from typing import Final

from gateway.journey.matching.weights import COMMON_SURNAMES

_WOMEN: Final = """
Margaret Susan Patricia Elizabeth Jennifer Catherine Christine Barbara Rebecca
Jacqueline Victoria Deborah Samantha Sarah Emma Claire Olivia Amelia Isla Ava Fatima
Aisha Maryam Priya Anjali Charlotte Emily Jessica Sophie Grace Abigail Alice Ruby
Chloe Megan Hannah Lucy Joanne Helen Karen Julie Nicola Michelle Zoe Siân Zoë Chloë
Niamh Agnieszka Oksana Wei Mei Adaeze Ngozi
"""
_MEN: Final = """
David John Michael Peter Robert William James Christopher Andrew Stephen Richard
Anthony Thomas Daniel Matthew Joseph Edward Alexander Benjamin Samuel Nicholas
Mohammed Ali Hassan Omar Arjun Rohan Jack Harry Oliver George Noah Charlie Jacob
Alfie Oscar Leo Archie Henry Joshua Ethan Max Paul Mark Kevin Gary Brian Keith José
Tomáš Piotr Łukasz Chidi Emeka Jun Hao
"""
_FAMILIAR: Final = """
Margaret Maggie Susan Sue Patricia Pat Elizabeth Liz Jennifer Jenny Catherine Kate
Christine Chris Barbara Babs Rebecca Becky Jacqueline Jackie Victoria Vicky Emily Em
Deborah Debbie Samantha Sam Charlotte Lottie Joanne Jo David Dave John Jack Michael
Mick Robert Bob William Bill James Jim Christopher Chris Andrew Andy Stephen Steve
Richard Dick Anthony Tony Thomas Tom Daniel Dan Matthew Matt Joseph Joe Edward Ted
Alexander Sandy Benjamin Ben Samuel Sam Nicholas Nick
"""
FEMALE: Final = tuple(_WOMEN.split())
MALE: Final = tuple(_MEN.split())
SHORT: Final = dict(zip(_FAMILIAR.split()[::2], _FAMILIAR.split()[1::2], strict=True))
_STARTS: Final = "Al Bar Cal Dun El Fen Gar Hol Ing Kel Lang Mar Nor Os Pen Quil"
_MIDDLES: Final = "a bur chen der en for gan hal in ker lin mer nes or ris ver"
_ENDS: Final = "by combe dale field garth ham ley mere shaw stock thorpe wick"


def surnames() -> tuple[list[str], list[float]]:
    """Names and their running weights: the commonest is borne by about 1.2 %."""
    common = [name.title() for name in sorted(COMMON_SURNAMES)]
    rare = [
        f"{start}{middle}{end}"
        for start in _STARTS.split(" ")
        for middle in _MIDDLES.split(" ")
        for end in _ENDS.split(" ")
    ]
    weights = [0.012 / (1 + nth / 9) for nth in range(len(common))]
    left = 1 - sum(weights)
    return common + rare, list(accumulate(weights + [left / len(rare)] * len(rare)))


SURNAMES: Final = surnames()
