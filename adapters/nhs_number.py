"""NHS numbers: ten digits, the last a Modulus 11 check, under either published URI."""

import operator
import re
import struct
from collections.abc import Sequence
from typing import Final

SYSTEM: Final = "https://fhir.nhs.uk/Id/nhs-number"
SYSTEMS: Final = frozenset({SYSTEM, "http://fhir.nhs.net/Id/nhs-number"})

_WRITTEN: Final = re.compile(
    r"\d{10}|\d{3} \d{3} \d{4}|\d{3}-\d{3}-\d{4}", flags=re.ASCII
)

# The same within other text, whatever stands around it but a digit.
_WITHIN: Final = re.compile(
    r"(?<!\d)(?=(\d{10}|\d{3} \d{3} \d{4}|\d{3}-\d{3}-\d{4})(?!\d))", flags=re.ASCII
)

_WEIGHTS: Final = tuple(range(10, 0, -1))
_EQUAL: Final = frozenset(digit * 10 for digit in "0123456789")


def normalise(text: str) -> str | None:
    """Ten digits if `text` is an NHS number, spaced 3-3-4 or hyphened, else None.

    Ten equal digits pass the check and name nobody: they are placeholders.
    Source: NHS Data Dictionary, NHS NUMBER.
    """
    digits = standardise(text)
    if digits is None or len(set(digits)) == 1:
        return None
    return digits if passes(digits) else None


def is_within(text: str) -> bool:
    """Whether an NHS number stands anywhere in a text, as `normalise` reads one."""
    return any(normalise(found) is not None for found in _WITHIN.findall(text))


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
    # ASCII codes for digits: 48 x 55 more, which is a multiple of 11 itself.
    weighed: int = sum(map(operator.mul, digits.encode("ascii"), _WEIGHTS))
    return weighed % 11 == 0


def is_plain(text: str) -> bool:
    """Whether it is written as ten digits and nothing else."""
    return len(text) == 10 and text.isdecimal() and text.isascii()


def failing(plain: Sequence[str]) -> frozenset[str]:
    """Those of many plain numbers that `normalise` refuses.

    All are weighed together: the digits of one place, of every number, are one long
    integer of 16 bits a number. The digits' ASCII codes add 48 x 55 to each sum,
    which is a multiple of 11 itself, and no sum outgrows its 16 bits.
    """
    digits = "".join(plain).encode("ascii")
    total, size = 0, 2 * len(plain)
    for place in range(10):
        spread = bytearray(size)
        spread[::2] = digits[place::10]
        total += int.from_bytes(spread, "little") * (10 - place)
    sums = struct.unpack(f"<{len(plain)}H", total.to_bytes(size, "little"))
    wrong = {each for each in set(sums) if each % 11}
    found = {n for n, each in zip(plain, sums, strict=True) if each in wrong}
    return frozenset(found | _EQUAL.intersection(plain))
