"""Whom a message is about: identifiers by assigning authority, and demographics.

Source: HL7 v2.8, 3.4.2 (PID) and 2A.3.14 (CX).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters import nhs_number
from adapters.contract import Identifier, Person
from adapters.hl7v2.message import Element, Message, Segment
from adapters.hl7v2.times import Clock
from adapters.mapping.cells import plain
from adapters.moment import Moment

_LIST: Final = 3  # PID-3, the patient identifier list; PID-2 is what it was before 2.3
# Types of the source's own numbers, if one is said. Source: HL7 table 0203.
_OWN: Final = frozenset({None, "MR", "MRN", "PI", "PT"})
_PRIOR: Final = (1, 4)  # MRG-1, the prior list; MRG-4, what it was before 2.3


@dataclass(frozen=True, slots=True)
class Named:
    """The identifiers a segment names, and how many NHS numbers fail their check."""

    identifiers: tuple[Identifier, ...]  # in the order named, each once
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class Naming:
    """The identifier systems of one source, by who assigns them."""

    systems: Mapping[str, str]
    key: str

    def of_patient(self, message: Message) -> Named:
        """Whom the message is about: its first PID."""
        return self._of(message.one("PID"), (_LIST, 2))

    def of_others(self, message: Message) -> tuple[Identifier, ...]:
        """Whom its other PIDs name, where two people are linked or parted."""
        others = list(message.every("PID"))[1:]
        return tuple(i for pid in others for i in self._of(pid, (_LIST, 2)).identifiers)

    def of_prior(self, message: Message) -> Named:
        """Whom its MRG segments name: who was known by these before."""
        found = [self._of(mrg, _PRIOR) for mrg in message.every("MRG")]
        return Named(
            tuple(i for each in found for i in each.identifiers),
            sum(each.invalid for each in found),
        )

    def anchor(self, identifiers: Sequence[Identifier]) -> Identifier | None:
        """The one to know a person by: the source's key, else what comes first."""
        return min(identifiers, key=self._rank, default=None)

    def _rank(self, identifier: Identifier) -> tuple[bool, bool]:
        # Of the source's own numbers the one named first is the one in use.
        system = identifier.system
        return system != self.key, system != nhs_number.SYSTEM

    def _of(self, segment: Segment | None, numbers: tuple[int, int]) -> Named:
        if segment is None:
            return Named(())
        first, fallback = numbers
        elements = list(segment.each(first)) or list(segment.each(fallback))
        found: dict[Identifier, None] = {}
        invalid = 0
        for element in elements:
            value, system = element.text(), self._system(element)
            if value is None or system is None:
                continue
            value = plain(value)
            if system == nhs_number.SYSTEM:
                normal = nhs_number.normalise(value)
                invalid += normal is None
                value = normal or ""
            if value:
                found[Identifier(system, value)] = None
        return Named(tuple(found), invalid)

    def _system(self, element: Element) -> str | None:
        authority = element.text(4), element.text(4, 2), element.text(5)
        known = [self.systems[a] for a in authority if a and a in self.systems]
        if known:
            return known[0]
        # One of another type, such as a passport's, is not the source's own.
        is_own = element.text(4) is None and element.text(5) in _OWN
        return self.systems.get("") if is_own else None


@dataclass(slots=True)
class Demographics:
    """What a source says of a person, message after message.

    An empty field changes nothing; one with two quotation marks takes away.
    """

    name: str | None = None
    birth_date: Moment | None = None
    gender: str | None = None
    postcode: str | None = None
    died: Moment | None = None
    is_dead: bool = False

    def __repr__(self) -> str:
        return "Demographics()"

    def hear(self, message: Message, clock: Clock) -> None:
        """Takes in what the message's first PID says."""
        pid = message.one("PID")
        if pid is None:
            return
        self.name = _said(pid, 5, _name(pid), known=self.name)
        self.gender = _said(pid, 8, pid.text(8), known=self.gender)
        self.postcode = _said(pid, 11, pid.text(11, 5), known=self.postcode)
        born = clock.day(pid.text(7))
        self.birth_date = None if pid.is_deleted(7) else born or self.birth_date
        self._hear_of_death(pid, clock)

    def _hear_of_death(self, pid: Segment, clock: Clock) -> None:
        when, _ = clock.at(pid, 29)
        indicator = pid.text(30)
        if pid.is_deleted(29) or pid.is_deleted(30) or indicator == "N":
            self.died, self.is_dead = None, False
        if when is not None or indicator == "Y":
            self.died, self.is_dead = when or self.died, True

    def forget(self) -> None:
        """Nothing is known any more: the source deleted the person."""
        self.name = self.gender = self.postcode = None
        self.birth_date = self.died = None
        self.is_dead = False

    def person(self, identifiers: frozenset[Identifier]) -> Person:
        return Person(
            identifiers=identifiers,
            name=self.name,
            birth_date=self.birth_date,
            gender=self.gender,
            postcode=self.postcode,
        )


def _said(
    pid: Segment, number: int, said: str | None, *, known: str | None
) -> str | None:
    return None if pid.is_deleted(number) else said or known


def _name(pid: Segment) -> str | None:
    """Given names before the family name, as the other kinds of source tell it."""
    first = next(pid.each(5), None)
    return (plain(" ".join(_words(first))) or None) if first is not None else None


def _words(name: Element) -> Iterator[str]:
    for component in (2, 3, 1):
        if (word := name.text(component)) is not None:
            yield word
