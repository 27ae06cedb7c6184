"""Is this record about the person who was asked for? Never by hope.

An NHS number decides first; then the identifiers asked by; then those that
sources which answered taught us. Numbers that differ never merge.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers

Subject = frozenset[Identifier]


class Link(msgspec.Struct, frozen=True, gc=False):
    """How a record was tied to the person, and how sure that is (0 to 1)."""

    method: str
    confidence: float


BY_NHS_NUMBER: Final = Link("nhs_number", 1.0)
BY_IDENTIFIER: Final = Link("identifier", 1.0)
# Another source vouched that this local identifier is the same person's.
BY_LEARNED: Final = Link("learned_identifier", 0.95)
# The record names nobody; the source gave it in answer to a question about one person.
BY_SOURCE: Final = Link("source_assertion", 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of who the person is, while sources are being asked.

    `disputed` are the systems in which sources disagree: they link nobody.
    `split` are those of them that tell people apart (an NHS number, a person key):
    what was asked by reaches more than one person there.
    """

    asked: Identifiers
    nhs_number: str | None = field(default=None, repr=False)
    learned: frozenset[Identifier] = frozenset()
    disputed: frozenset[str] = frozenset()
    split: frozenset[str] = frozenset()

    @property
    def identifiers(self) -> Identifiers:
        """Everything the person may be asked by now."""
        return Identifiers(
            nhs_number=self.nhs_number, others=self.asked.others | self.learned
        )


def first_known(asked: Identifiers) -> Known:
    """What is known before anyone has answered."""
    return Known(asked=asked, nhs_number=asked.nhs_number)


def learn(
    asked: Identifiers, subjects: Iterable[Subject], keys: frozenset[str]
) -> Known:
    """What the subjects of answered sources teach about the person asked for.

    `subjects` are one set per record or header; those about somebody else teach
    nothing. `keys` are the systems in which a source keeps one value per person.
    """
    start = first_known(asked)
    values: dict[str, set[Identifier]] = {}
    for subject in subjects:
        if link(start, subject) is not None:
            for each in subject:
                values.setdefault(each.system, set()).add(each)
    own = {each.system for each in asked.every}
    disputed = frozenset(s for s, found in values.items() if len(found) > 1) - own
    vouched = asked.nhs_number is not None
    telling = keys | {nhs_number.SYSTEM}
    numbers = values.get(nhs_number.SYSTEM, set())
    learned_number = next(iter(numbers)).value if len(numbers) == 1 else None
    learned = frozenset(
        each
        for system, found in values.items()
        if system not in disputed and system != nhs_number.SYSTEM
        for each in found
    )
    return Known(
        asked=asked,
        nhs_number=asked.nhs_number or learned_number,
        learned=learned - asked.others,
        disputed=disputed,
        split=frozenset() if vouched else disputed & telling,
    )


def link(known: Known, subject: Subject | None) -> Link | None:
    """How a record of this subject is tied to the person; None: it is not theirs."""
    if subject is None:
        return BY_SOURCE
    numbers = {each.value for each in subject if each.system == nhs_number.SYSTEM}
    if numbers and known.nhs_number is not None:
        return BY_NHS_NUMBER if numbers == {known.nhs_number} else None
    if known.split & {each.system for each in subject}:
        return None
    if subject & known.asked.others:
        return BY_IDENTIFIER
    if {each.system for each in known.asked.others} & {each.system for each in subject}:
        return None
    return BY_LEARNED if subject & known.learned else None


def names_another(known: Known, header: Subject) -> bool:
    """Whether a source's own header for its answer is about somebody else."""
    numbers = {each.value for each in header if each.system == nhs_number.SYSTEM}
    if numbers and known.nhs_number is not None:
        return known.nhs_number not in numbers
    return bool(header) and link(known, header) is None


def only(identifiers: frozenset[Identifier]) -> Identifiers:
    """The person, asked for by these identifiers alone."""
    numbers = [each.value for each in identifiers if each.system == nhs_number.SYSTEM]
    return Identifiers(
        nhs_number=numbers[0] if numbers else None,
        others=frozenset(e for e in identifiers if e.system != nhs_number.SYSTEM),
    )
