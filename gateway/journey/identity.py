"""Is this record about the person who was asked for? Never by hope.

An NHS number decides first; then the identifiers asked by; then those that
sources which answered taught us. Numbers that differ never merge, unless sources
state that they are one person's, and none of them says otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers
from gateway.journey.matching.traced import NO_TIES, Ties

Subject = frozenset[Identifier]


class Link(msgspec.Struct, frozen=True, gc=False):
    """How a record was tied to the person, and how sure that is (0 to 1).

    Where demographics alone tie it: its grade, and the names of what agreed. Where a
    source's statement does: the id of that source, and when it says it happened.
    """

    method: str
    confidence: float
    grade: str | None = None
    agreed: tuple[str, ...] = ()
    source: str | None = None
    at: datetime | None = None


BY_NHS_NUMBER: Final = Link("nhs_number", 1.0)
BY_IDENTIFIER: Final = Link("identifier", 1.0)
# Another source vouched that this local identifier is the same person's.
BY_LEARNED: Final = Link("learned_identifier", 0.95)
# The record names nobody; the source gave it in answer to a question about one person.
BY_SOURCE: Final = Link("source_assertion", 0.9)
BY_DEMOGRAPHICS: Final = "demographics"
# A source stated that the number, or the identifier, is this person's too.
BY_SUPERSEDED: Final = "superseded_number"
BY_MERGED: Final = "merged_identifier"
_STATED: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of who the person is, while sources are being asked.

    `disputed` are the systems in which sources disagree: they link nobody.
    `split` are those of them that tell people apart (an NHS number, a person key),
    and the asked-for system itself where a source says so: what was asked by reaches
    more than one person, and so links nothing at all. `tied` are identifiers of one
    source that demographics alone lead to, by `tie`; of that source alone. `ties` are
    what sources stated of merges, and `same` what stands for each identifier that is
    one of several of its system.
    """

    asked: Identifiers
    nhs_number: str | None = field(default=None, repr=False)
    learned: frozenset[Identifier] = frozenset()
    disputed: frozenset[str] = frozenset()
    split: frozenset[str] = frozenset()
    tied: frozenset[Identifier] = frozenset()
    tie: Link | None = None
    ties: Ties = NO_TIES
    same: Mapping[Identifier, Identifier] = field(default_factory=dict, repr=False)

    @property
    def identifiers(self) -> Identifiers:
        """Everything the person may be asked by now."""
        others = self.asked.others | self.learned
        own = Identifiers(nhs_number=self.nhs_number, others=others).every
        joined = frozenset(i for i, stands in self.same.items() if stands in own)
        return Identifiers(nhs_number=self.nhs_number, others=others | (joined - own))

    @property
    def numbers(self) -> frozenset[str]:
        """The NHS numbers that are the person's: one, but for what sources state."""
        every = self.identifiers.every
        return frozenset(i.value for i in every if i.system == nhs_number.SYSTEM)

    def plain(self, subject: Subject) -> Subject:
        """A subject with one identifier in place of several that are one person's."""
        if not self.same:
            return subject
        return frozenset(self.same.get(each, each) for each in subject)


def first_known(asked: Identifiers) -> Known:
    """What is known before anyone has answered."""
    return Known(asked=asked, nhs_number=asked.nhs_number)


def ambiguous(asked: Identifiers) -> Known:
    """What is known once a source says that several people are reached by `asked`."""
    systems = _systems(asked.every)
    return Known(asked=asked, disputed=systems, split=systems)


def learn(
    asked: Identifiers,
    subjects: Iterable[Subject],
    keys: frozenset[str],
    *,
    ties: Ties = NO_TIES,
) -> Known:
    """What the subjects of answered sources teach about the person asked for.

    `subjects` are one set per record or header; those about somebody else teach
    nothing. `keys` are the systems in which a source keeps one value per person.
    `ties` are what sources stated of merges.
    """
    start = Known(asked=asked, ties=ties, same=ties.for_one(asked.every))
    told = frozenset(start.plain(each) for each in (*subjects, *ties.across()))
    plain = replace(asked, others=start.plain(asked.others))
    known = _learned(plain, told, keys)
    if asked.nhs_number is None and known.nhs_number is not None:
        # A number learned vouches for more than what was asked by.
        numbered = replace(plain, nhs_number=known.nhs_number)
        known = _learned(numbered, told, keys)
    return replace(known, asked=asked, ties=ties, same=start.same)


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
    found = _link(known, subject)
    if found is not None or not subject or not known.same:
        return found
    if _link(known, known.plain(subject)) is None:
        return None
    return _by_statement(known, subject)


def _by_statement(known: Known, subject: Subject) -> Link:
    """Which statement ties a record, an NHS number's first."""
    replaced = min(
        subject & known.same.keys(),
        key=lambda i: (i.system != nhs_number.SYSTEM, i.system, i.value),
    )
    said = known.ties.on(replaced)
    is_number = replaced.system == nhs_number.SYSTEM
    method = BY_SUPERSEDED if is_number else BY_MERGED
    return Link(method, _STATED, source=said.source, at=said.traced.at)


def _link(known: Known, subject: Subject | None) -> Link | None:
    if known.split:
        return None
    if not subject:
        return known.tie or BY_SOURCE
    numbers = {each.value for each in subject if each.system == nhs_number.SYSTEM}
    if numbers and known.nhs_number is not None:
        return BY_NHS_NUMBER if numbers == {known.nhs_number} else None
    if subject & known.asked.others:
        return BY_IDENTIFIER
    if _systems(known.asked.others) & _systems(subject):
        return None
    ours = subject & (known.learned | known.tied)
    others = _systems(subject - ours) & _systems(known.learned | known.tied)
    found = known.tie if ours & known.tied else BY_LEARNED
    return found if ours and not others else None


def _systems(identifiers: Iterable[Identifier]) -> frozenset[str]:
    return frozenset(each.system for each in identifiers)


def names_another(known: Known, header: Subject) -> bool:
    """Whether a source's own header for its answer is about somebody else."""
    told = known.plain(header)
    numbers = {each.value for each in told if each.system == nhs_number.SYSTEM}
    if numbers and known.nhs_number is not None:
        return known.nhs_number not in numbers
    return bool(header) and link(known, header) is None


def askings(known: Known, fresh: frozenset[Identifier]) -> list[Identifiers]:
    """The questions by which to ask for what is fresh, as few as may be.

    One NHS number a question; one that a statement joined goes alone, since a source
    may take whoever has it for somebody else than who has the rest.
    """
    joined = [
        each
        for each in sorted(fresh, key=lambda i: i.value)
        if each.system == nhs_number.SYSTEM and each.value != known.nhs_number
    ]
    rest = only(fresh - frozenset(joined))
    alone = [only(frozenset({each})) for each in joined]
    return [rest, *alone] if rest.every else alone


def only(identifiers: frozenset[Identifier]) -> Identifiers:
    """The person, asked for by these identifiers alone."""
    numbers = [each.value for each in identifiers if each.system == nhs_number.SYSTEM]
    return Identifiers(
        nhs_number=numbers[0] if numbers else None,
        others=frozenset(e for e in identifiers if e.system != nhs_number.SYSTEM),
    )
