"""NHS numbers: ten digits, the last a Modulus 11 check, under either published URI."""

import re
from typing import Final

SYSTEM: Final = "https://fhir.nhs.uk/Id/nhs-number"
SYSTEMS: Final = frozenset({SYSTEM, "http://fhir.nhs.net/Id/nhs-number"})

_WRITTEN: Final = re.compile(
    r"\d{10}|\d{3} \d{3} \d{4}|\d{3}-\d{3}-\d{4}", flags=re.ASCII
)


def normalise(text: str) -> str | None:
    """Ten digits if `text` is an NHS number, spaced 3-3-4 or hyphened, else None.

    Ten equal digits pass the check and name nobody: they are placeholders.
    Source: NHS Data Dictionary, NHS NUMBER.
    """
    digits = standardise(text)
    if digits is None or len(set(digits)) == 1:
        return None
    return digits if passes(digits) else None


def standardise(text: str) -> str | None:
    """The ten digits of a number written in one of the three ways, unchecked."""
    written = text.strip()
    if _WRITTEN.fullmatch(written) is None:
        return None
    return written.replace(" ", "").replace("-", "")


def passes(digits: str) -> bool:
    """Whether ten digits pass Modulus 11, whoever issued them.

    The digits weighed 10 to 1 add up to a multiple of 11. No range is refused:
    numbers of every nation, and test numbers, are numbers.
    """
    weighed = sum(
        int(digit) * weight
        for digit, weight in zip(digits, range(10, 0, -1), strict=True)
    )
    return weighed % 11 == 0
