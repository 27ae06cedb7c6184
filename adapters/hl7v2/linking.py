"""Who is who by the source's own word: merges, changes of number, links, and undoings.

Nothing is rewritten: what messages say together is worked out for each question, so
that what was merged and is parted again stands exactly as before. Two numbers of a
person that differ are never merged, whatever a message says.
Source: HL7 v2.8, 3.5 and 3.6 (which events merge what into what).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Final, Literal

from adapters import nhs_number
from adapters.contract import Identifier, Traced
from adapters.hl7v2 import trigger

_STEPS: Final = 1000  # a chain of merges is never as long

Order = tuple[int, ...]
How = Literal["merged", "unmerged", "superseded", "renumbered"]
NumbersOf = Callable[[Identifier], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one message says about who is who."""

    order: Order
    at: datetime
    trigger: str
    anchor: Identifier  # of whom PID-3 names
    subject: tuple[Identifier, ...]
    prior: tuple[Identifier, ...]  # by which people are known; no NHS number
    # NHS numbers that are named as prior ones.
    replaced: tuple[str, ...] = field(default=(), repr=False)

    @property
    def numbers(self) -> set[str]:
        """The NHS numbers of whom PID-3 names."""
        system = nhs_number.SYSTEM
        return {each.value for each in self.subject if each.system == system}


@dataclass(slots=True)
class Linking:
    """Which identifiers are one person's, as it stands after each message heard.

    `numbers_of` gives the NHS number a person is known by in the source.
    """

    numbers_of: NumbersOf
    history: list[Traced] = field(default_factory=list)
    disputed: set[Identifier] = field(default_factory=set)
    _into: dict[Identifier, Identifier] = field(default_factory=dict)
    # NHS numbers of which it was said that another replaced them.
    _replaced: set[tuple[Identifier, Identifier]] = field(default_factory=set)
    _before: list[tuple[Order, dict[Identifier, Identifier]]] = field(
        default_factory=list
    )

    def hear(self, said: Said) -> None:
        """Takes in one message; they are heard in their order."""
        self._before.append((said.order, dict(self._into)))
        if said.trigger in trigger.MOVES:
            return  # visits go from one to the other; the people stay two
        if said.trigger in trigger.UNLINKS:
            self._part(said)
            return
        self._join(said)
        self._replace(said)

    def _join(self, said: Said) -> None:
        how: How = "superseded" if said.trigger in trigger.RENUMBERS else "merged"
        for prior in dict.fromkeys(said.prior):
            target = _counterpart(prior, said)
            if target is None or target == prior:
                continue
            if (last := self._step_to(prior, target)) is not None:
                # The merge the other way round: what it undoes was no merge.
                self._undo(last, prior, said.at)
                self.disputed |= {prior, target}
            elif self.current(prior) == self.current(target):
                continue
            elif self._differ(prior, target, said):
                self.disputed |= {prior, target}
            else:
                self._into[prior] = target
                self.disputed -= {prior, target}
                self._tell(prior, target, how=how, at=said.at)

    def current(self, identifier: Identifier) -> Identifier:
        """What an identifier is known as now."""
        return _followed(identifier, self._into)

    def were_one(self, one: Identifier, other: Identifier, order: Order) -> bool:
        """Whether two were the same person when the message of this order came."""
        into = self._into
        for since, before in self._before:
            if order < since:
                into = before
                break
        return _followed(one, into) == _followed(other, into)

    def _part(self, said: Said) -> None:
        for before, after in self._numbers_named(said):
            self._restore(before, after, said.at)
            self._restore(after, before, said.at)
        for other, one in product(said.prior, said.subject):
            if self.current(other) != self.current(one):
                continue
            if self._step_to(one, other) is not None:
                self._undo(other, self._into[other], said.at)
            elif self._step_to(other, one) is not None:
                self._undo(one, self._into[one], said.at)
            else:
                # Both were merged into a third: which of them that is, nobody said.
                self._undo(other, self._into[other], said.at)
                self._undo(one, self._into[one], said.at)
                self.disputed |= {other, one}

    def _step_to(self, wanted: Identifier, start: Identifier) -> Identifier | None:
        """What was merged into `wanted` itself, on the way there from `start`."""
        for _ in range(_STEPS):
            further = self._into.get(start)
            if further is None or further == wanted:
                return start if further is not None else None
            start = further
        return None

    def _undo(self, prior: Identifier, target: Identifier, at: datetime) -> None:
        del self._into[prior]
        self._tell(prior, target, how="unmerged", at=at)

    def _replace(self, said: Said) -> None:
        """Tells of NHS numbers that are no longer in use.

        Where two records become one, those of two people may have: that a message names
        another number is no word that both are one person's.
        """
        is_said = said.trigger in trigger.RENUMBERS and not self._is_disputed(said)
        for before, after in self._numbers_named(said):
            if self._restore(after, before, said.at):
                continue
            how: How = "superseded" if is_said else "renumbered"
            self._tell(before, after, how=how, at=said.at)
            if is_said:
                self._replaced.add((before, after))

    def _is_disputed(self, said: Said) -> bool:
        return any(each in self.disputed for each in (*said.prior, *said.subject))

    def _numbers_named(self, said: Said) -> list[tuple[Identifier, Identifier]]:
        """Each NHS number named as a prior one, with each other that is in use."""
        system = nhs_number.SYSTEM
        return [
            (Identifier(system, prior), Identifier(system, number))
            for prior in said.replaced
            for number in sorted(said.numbers - {prior})
        ]

    def _restore(self, before: Identifier, after: Identifier, at: datetime) -> bool:
        """Whether it was said that one replaced the other: then that is undone."""
        if (before, after) not in self._replaced:
            return False
        self._replaced.remove((before, after))
        self._tell(before, after, how="unmerged", at=at)
        return True

    def _differ(self, one: Identifier, other: Identifier, said: Said) -> bool:
        """Whether both have an NHS number, and not the same."""
        named = {*said.replaced, *said.numbers}
        return len(self._numbers(one) | self._numbers(other) | named) > 1

    def _numbers(self, identifier: Identifier) -> set[str]:
        person = self.current(identifier)
        same = {i for i in self._into if self.current(i) == person} | {person}
        numbers = [self.numbers_of(each) for each in same | {identifier}]
        return set[str]().union(*numbers)

    def _tell(
        self, prior: Identifier, target: Identifier, *, how: How, at: datetime
    ) -> None:
        self.history.append(Traced(from_=prior, to=target, how=how, at=at))


def _followed(identifier: Identifier, into: dict[Identifier, Identifier]) -> Identifier:
    for _ in range(_STEPS):
        further = into.get(identifier)
        if further is None:
            break
        identifier = further
    return identifier


def _counterpart(prior: Identifier, said: Said) -> Identifier | None:
    """What a prior identifier became: of its own system, else what people go by."""
    same = [each for each in said.subject if each.system == prior.system]
    if prior in same:
        return None
    return same[0] if same else said.anchor
