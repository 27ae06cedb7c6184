"""Is this record about the person who was asked for? Never by hope.

An NHS number decides first; then the identifiers asked by; then those that
sources which answered taught us. Numbers that differ never merge.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
    `split` are those of them that tell people apart (an NHS number, a person key),
    and the asked-for system itself where a source says so: what was asked by reaches
    more than one person, and so links nothing at all.
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


def ambiguous(asked: Identifiers) -> Known:
    """What is known once a source says that several people are reached by `asked`."""
    systems = _systems(asked.every)
    return Known(asked=asked, disputed=systems, split=systems)


def learn(
    asked: Identifiers, subjects: Iterable[Subject], keys: frozenset[str]
) -> Known:
    """What the subjects of answered sources teach about the person asked for.

    `subjects` are one set per record or header; those about somebody else teach
    nothing. `keys` are the systems in which a source keeps one value per person.
    """
    told = frozenset(subjects)
    known = _learned(asked, told, keys)
    if asked.nhs_number is None and known.nhs_number is not None:
        # A number learned vouches for more than what was asked by.
        numbered = replace(asked, nhs_number=known.nhs_number)
        return replace(_learned(numbered, told, keys), asked=asked)
    return known


def _learned(
    asked: Identifiers, told: frozenset[Subject], keys: frozenset[str]
) -> Known:
    found = _vouched_for(asked, told)
    disputed = frozenset(system for system, values in found.items() if len(values) > 1)
    telling = keys | {nhs_number.SYSTEM}
    if asked.nhs_number is None and disputed & telling:
        return Known(asked=asked, disputed=disputed, split=disputed & telling)
    taught = {
        system: next(iter(values))
        for system, values in found.items()
        if system not in disputed
    }
    number = taught.pop(nhs_number.SYSTEM, None)
    candidates = frozenset(taught.values())
    settled = asked.every | candidates | ({number} if number else frozenset())
    astray = _astray(candidates, told, telling | _systems(asked.every), settled=settled)
    return Known(
        asked=asked,
        nhs_number=asked.nhs_number or (number.value if number else None),
        learned=candidates - astray,
        disputed=disputed | _systems(astray),
    )


def _vouched_for(
    asked: Identifiers, told: Iterable[Subject]
) -> dict[str, set[Identifier]]:
    """By system, what stands beside the identifiers asked by, theirs excepted."""
    start = first_known(asked)
    own = _systems(asked.every)
    found: dict[str, set[Identifier]] = {}
    for subject in told:
        if link(start, subject) is not None:
            for each in subject:
                if each.system not in own:
                    found.setdefault(each.system, set()).add(each)
    return found


def _astray(
    candidates: frozenset[Identifier],
    told: Iterable[Subject],
    telling: frozenset[str],
    *,
    settled: frozenset[Identifier],
) -> frozenset[Identifier]:
    """The candidates that lead to somebody else: placeholders, or given out twice.

    `settled` are the person's own. Where they name none in a telling system,
    candidates that lead to several values there lead to several people.
    """
    reached: dict[str, dict[Identifier, set[Identifier]]] = {}
    for subject in told:
        for each in subject & candidates:
            for other in subject:
                if other.system in telling and other.system != each.system:
                    there = reached.setdefault(other.system, {})
                    there.setdefault(each, set()).add(other)
    astray: set[Identifier] = set()
    for system, leads in reached.items():
        own = {each for each in settled if each.system == system}
        people = set.union(*leads.values())
        if not own and len(people) > 1:
            astray |= leads.keys()
        elif own:
            astray |= {each for each, there in leads.items() if not there <= own}
    return frozenset(astray)


def link(known: Known, subject: Subject | None) -> Link | None:
    """How a record of this subject is tied to the person; None: it is not theirs."""
    if known.split:
        return None
    if not subject:
        return BY_SOURCE
    numbers = {each.value for each in subject if each.system == nhs_number.SYSTEM}
    if numbers and known.nhs_number is not None:
        return BY_NHS_NUMBER if numbers == {known.nhs_number} else None
    if subject & known.asked.others:
        return BY_IDENTIFIER
    if _systems(known.asked.others) & _systems(subject):
        return None
    ours = subject & known.learned
    others = _systems(subject - ours) & _systems(known.learned)
    return BY_LEARNED if ours and not others else None


def _systems(identifiers: Iterable[Identifier]) -> frozenset[str]:
    return frozenset(each.system for each in identifiers)


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
