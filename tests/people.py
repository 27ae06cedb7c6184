"""Synthetic people: NHS numbers of the 999 range, which is never issued."""

from itertools import count, islice

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers

LOCAL = "urn:throughline:test:local"
OLD = "urn:throughline:test:old-number"

# Shared by everybody who has no old number: it may link nobody.
PLACEHOLDER = Identifier(OLD, "TO-FOLLOW")


def number(nth: int) -> str:
    """The nth valid NHS number of the 999 range, counted from 0."""
    valid = (
        digits
        for stem in count()
        for check in range(10)
        if nhs_number.normalise(digits := f"999{stem:06d}{check}")
    )
    return next(islice(valid, nth, None))


def person(nth: int, *, numbered: bool = True) -> Identifiers:
    """The nth person, by local identifier and, if numbered, by NHS number."""
    local = Identifier(LOCAL, f"L-{nth:04d}")
    return Identifiers(
        nhs_number=number(nth) if numbered else None, others=frozenset({local})
    )
