"""What a record says, before its times, subject and labels are settled.

Each resource type has one small function that draws a sketch; all sketches become
events in the same way (`events.py`).
"""

from typing import Final

import msgspec

from adapters.contract import Code, Detail
from adapters.fhir.elements import (
    Concept,
    Period,
    Quantity,
    Range,
    Ratio,
    Reference,
    number,
)
from adapters.fhir.tables import NEGATIONS, STATUSES

Concepts = tuple[Concept, ...]
Dated = tuple[str, str | None]


class Sketch(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """`starts` are the times a record could go by, the most telling first.

    A time that the record does not tell stands there as None.
    """

    kind: str
    concept: Concept | None = None
    title: str | None = None  # where it is not the concept's
    prefix: str | None = None  # what turns the meaning round: "Refuted", "Not done"
    status: str = "unknown"
    is_untranslated: bool = False  # the status is a word outside its value set
    about: Reference | None = None
    starts: tuple[Dated, ...] = ()
    end: str | None = None
    recorded: str | None = None
    keeper: Reference | None = None
    codes: tuple[Code, ...] | None = None  # where they are not the concept's
    labels: tuple[Code, ...] = ()
    kind_code: str | None = None
    detail: tuple[Detail, ...] = ()
    caveats: tuple[str, ...] = ()  # what the drawing itself came to doubt

    def __repr__(self) -> str:
        return f"Sketch({self.kind})"


# One Detail serves every record with the same status word.
_STATUS_WORDS: Final[dict[str, dict[str, tuple[str, Detail]]]] = {
    name: {
        word: (status, Detail(element="status", value=word))
        for word, status in words.items()
    }
    for name, words in STATUSES.items()
}


def status_of(name: str, word: str | None) -> tuple[str, bool, tuple[Detail, ...]]:
    """Our status, whether the word was outside the type's own list, and the word."""
    if word is None:
        return "unknown", False, ()
    known = _STATUS_WORDS[name].get(word)
    if known is None:
        return "unknown", True, (Detail(element="status", value=word),)
    return known[0], False, (known[1],)


def negation(word: str | None) -> str | None:
    return NEGATIONS.get(word) if word else None


def from_concept(element: str, concept: Concept | None) -> tuple[Detail, ...]:
    if concept is None:
        return ()
    value = concept.text or concept.plain
    if value is None:
        return ()
    code = concept.coding[0] if concept.coding else None
    return (Detail(element=element, value=value, code=code),)


def from_concepts(
    element: str, concepts: Concepts | Concept | None
) -> tuple[Detail, ...]:
    if concepts is None:
        return ()
    if isinstance(concepts, Concept):
        return from_concept(element, concepts)
    if len(concepts) == 1:
        return from_concept(element, concepts[0])
    return tuple(d for concept in concepts for d in from_concept(element, concept))


def from_text(element: str, text: str | None) -> tuple[Detail, ...]:
    return (Detail(element=element, value=text),) if text else ()


def from_quantity(element: str, quantity: Quantity | None) -> tuple[Detail, ...]:
    """A number with its unit; the digits are the source's own."""
    value = number(quantity)
    if quantity is None or value is None:
        return ()
    return (Detail(element=element, value=value, unit=quantity.unit or quantity.code),)


def from_range(element: str, given: Range | None) -> tuple[Detail, ...]:
    if given is None:
        return ()
    low, high = number(given.low), number(given.high)
    if low is None and high is None:
        return from_text(element, given.text)
    if high is None:
        value = f"at least {low}"
    else:
        value = f"at most {high}" if low is None else f"{low} to {high}"
    units = (q.unit or q.code for q in (given.low, given.high) if q)
    unit = next((one for one in units if one), None)
    return (Detail(element=element, value=value, unit=unit),)


def from_ratio(element: str, ratio: Ratio | None) -> tuple[Detail, ...]:
    if ratio is None:
        return ()
    above, below = number(ratio.numerator), number(ratio.denominator)
    if above is None or below is None:
        return ()
    units = [q.unit or q.code for q in (ratio.numerator, ratio.denominator) if q]
    unit = "/".join(u for u in units if u) or None
    return (Detail(element=element, value=f"{above}/{below}", unit=unit),)


def first_code(concept: Concept | str | None) -> str | None:
    """The code of a concept, or the older plain word in its place."""
    if concept is None or isinstance(concept, str):
        return concept
    for coding in concept.coding or ():
        if coding.code:
            return coding.code
    return None


def start_of(period: Period | None) -> str | None:
    return period.start if period is not None else None


def end_of(period: Period | None) -> str | None:
    return period.end if period is not None else None


def first_plain(concepts: Concepts | None) -> Concept | None:
    """The first that says something a person can read."""
    for concept in concepts or ():
        if concept.text or concept.plain:
            return concept
    return None


def all_codes(concepts: Concepts | None) -> tuple[Code, ...]:
    if not concepts:
        return ()
    if len(concepts) == 1:
        return concepts[0].coding or ()
    return tuple(coding for concept in concepts for coding in concept.codes)
