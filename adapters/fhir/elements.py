"""The FHIR data types, with only the fields that are used; others are ignored.

Every field may be null or missing: what a record must hold is judged where it is
turned into an event, so that one bad element costs its record and no more.
"""

import re
from typing import Final

import msgspec

from adapters.contract import Code

# Everything msgspec raises for bytes that are not what they should be.
BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
NOTHING: Final = msgspec.Raw()  # where the field is not there at all
_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STARTS: Final = frozenset({*(b"%d" % digit for digit in range(10)), b"-"})
_ABSENT: Final = frozenset({b"", b"null"})


class Element(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The ground of all data types: camel case outside, snake case inside."""

    def __repr__(self) -> str:
        return type(self).__name__


class Concept(Element, frozen=True, gc=False):
    text: str | None = None
    coding: tuple[Code, ...] | None = None

    @property
    def codes(self) -> tuple[Code, ...]:
        return self.coding or ()

    @property
    def plain(self) -> str | None:
        """What a person would read: its text, else the first display, else a code."""
        if self.text:
            return self.text
        if not self.coding:
            return None
        for coding in self.coding:
            if coding.display:
                return coding.display
        for coding in self.coding:
            if coding.code:
                return coding.code
        return None


class Period(Element, frozen=True, gc=False):
    start: str | None = None
    end: str | None = None


class Identification(Element, frozen=True, gc=False):
    """FHIR's Identifier; named apart from the contract's."""

    system: str | None = None
    value: str | None = None
    use: str | None = None


class Reference(Element, frozen=True, gc=False):
    reference: str | None = None
    identifier: Identification | None = None
    display: str | None = None


class Quantity(Element, frozen=True, gc=False):
    # Raw keeps the digits as given: 7.10 is more precise than 7.1.
    value: msgspec.Raw = NOTHING
    unit: str | None = None
    code: str | None = None
    comparator: str | None = None


class Range(Element, frozen=True, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None
    text: str | None = None


class Ratio(Element, frozen=True, gc=False):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Note(Element, frozen=True, gc=False):
    text: str | None = None


class Meta(Element, frozen=True, gc=False):
    version_id: str | None = None
    last_updated: str | None = None
    profile: tuple[str | None, ...] | None = None
    security: tuple[Code, ...] | None = None


class DoseAndRate(Element, frozen=True, gc=False):
    dose_quantity: Quantity | None = None
    dose_range: Range | None = None


class Dosage(Element, frozen=True, gc=False):
    """Dosage, and MedicationAdministration.dosage, which has `dose` itself."""

    text: str | None = None
    route: Concept | None = None
    method: Concept | None = None
    site: Concept | None = None
    as_needed_boolean: bool | None = None
    dose_and_rate: tuple[DoseAndRate, ...] | None = None
    dose: Quantity | None = None


class Name(Element, frozen=True, gc=False):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: tuple[str | None, ...] | None = None


class Address(Element, frozen=True, gc=False):
    use: str | None = None
    postal_code: str | None = None


class Extension(Element, frozen=True, gc=False):
    url: str | None = None


class Resource(Element, frozen=True, gc=False, kw_only=True):
    """What every resource has that matters here."""

    id: str | None = None
    meta: Meta | None = None
    implicit_rules: str | None = None
    contained: tuple[msgspec.Raw, ...] | None = None


class Entry(Element, frozen=True, gc=False):
    """One entry of a Bundle; its resource is decoded by its own type, and alone."""

    full_url: str | None = None
    resource: msgspec.Raw = NOTHING
    search: "Search | None" = None


class Search(Element, frozen=True, gc=False):
    mode: str | None = None


class Link(Element, frozen=True, gc=False):
    relation: str | None = None
    url: str | None = None


class Bundle(Element, frozen=True, gc=False):
    resource_type: str | None = None
    type: str | None = None
    total: int | None = None
    meta: Meta | None = None
    link: tuple[Link, ...] | None = None
    entry: tuple[Entry, ...] | None = None


class Typed(Element, frozen=True, gc=False):
    """The least that can be asked of a resource: which type, and which id."""

    resource_type: str | None = None
    id: str | None = None
    meta: Meta | None = None


class Issue(Element, frozen=True, gc=False):
    severity: str | None = None
    code: str | None = None
    details: Concept | None = None


class OperationOutcome(Element, frozen=True, gc=False):
    issue: tuple[Issue, ...] | None = None


def is_present(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in _ABSENT


def number(quantity: Quantity | None) -> str | None:
    """The digits as the source gave them, with its comparator, or None.

    ValueError where the value is no number.
    """
    if quantity is None:
        return None
    digits = bytes(quantity.value)
    # What starts as a number is one, else its record would not have been read.
    if digits[:1] not in _STARTS:
        if digits in _ABSENT:
            return None
        # Some servers quote their numbers; the digits are still the digits.
        digits = digits.strip(b'"')
        if _NUMBER.fullmatch(digits) is None:
            message = "a quantity's value is not a number"
            raise ValueError(message)
    text = str(digits, "ascii")
    return f"{quantity.comparator}{text}" if quantity.comparator else text
