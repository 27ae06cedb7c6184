"""From what the index holds to an answer: whose it is, and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Final

from adapters import nhs_number
from adapters.contract import (
    Answer,
    Caveat,
    Event,
    Identifier,
    Identifiers,
    Person,
    Query,
    Traced,
    tally,
)
from adapters.hl7v2 import appointments, clinical, results, stay
from adapters.hl7v2 import trigger as triggers
from adapters.hl7v2.acts import Act, Circle, in_order, numbers_of
from adapters.hl7v2.index import Reading, Standing
from adapters.hl7v2.narrowing import narrowed
from adapters.hl7v2.patient import Demographics, Naming
from adapters.hl7v2.record import Manner, Record
from adapters.hl7v2.visits import Visits, made_id

_SEVERAL: Final = 50  # people behind one identifier, at which it is a placeholder


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What of a source every answer needs."""

    naming: Naming
    manner: Manner
    sector: str
    held: frozenset[str]
    records: int  # messages about one person, at most


@dataclass(slots=True, kw_only=True)
class _Told:
    """What is told of the people found, on its way to an answer."""

    events: dict[tuple[str, str], Event] = field(default_factory=dict)
    identifiers: set[Identifier] = field(default_factory=set)
    demographics: Demographics = field(default_factory=Demographics)
    caveats: list[str] = field(default_factory=list)
    is_known: bool = False


@dataclass(slots=True)
class Asking:
    """One question, put to the index as it stands."""

    source: Source
    reading: Reading

    def answer(
        self, query: Query, standing: Standing, *, as_of: datetime, notes: Sequence[str]
    ) -> Answer:
        """Everything about the person asked for, within the question's bounds."""
        told = self._told(query.person)
        kept, left_out = narrowed(told.events.values(), query, self.source.sector)
        caveats = tally([*notes, *told.caveats, *left_out])
        if standing.rejected:
            caveats = _with(caveats, Caveat("rows_rejected", standing.rejected))
        person: Person | None = None
        if told.is_known:
            person = told.demographics.person(frozenset(told.identifiers))
        return Answer(
            events=kept,
            person=person,
            as_of=as_of,
            held=self.source.held,
            caveats=caveats,
        )

    def trace(self, person: Identifiers) -> tuple[Traced, ...]:
        """What the source said of any of these: merged, parted, replaced."""
        circle, _, _ = self._found(person)
        # Whoever was ever known so: also by a number that was replaced since.
        reached = {a for i in person.every for a in self.reading.anchors(i, _SEVERAL)}
        reached |= person.every
        people = {
            a for each in reached & circle.acts.keys() for a in circle.person(each)
        }
        named = person.every | people | {i for a in people for i in _named(circle, a)}
        said = [t for t in circle.linking.history if {t.from_, t.to} & named]
        told = {(each.from_, each.to) for each in said}
        renumbered = (t for each in people for t in _renumbered(circle.acts[each]))
        said += [each for each in renumbered if (each.from_, each.to) not in told]
        return tuple(sorted(said, key=_by_time))

    def _told(self, asked: Identifiers) -> _Told:
        circle, wanted, shared = self._found(asked)
        told = _Told(caveats=["shared_identifier"] * shared)
        visits = Visits(circle.linking)
        every = in_order(a for acts in circle.acts.values() for a in acts)
        for act in every:
            visits.hear(act)
        for current in sorted(wanted, key=_written):
            self._tell(current, circle, visits, asked=asked, told=told)
        told.caveats += ["duplicate_record"] * circle.repeated
        told.caveats += ["message_id_reused"] * circle.reused
        told.caveats += ["truncated"] * circle.is_cut
        return told

    def _tell(
        self,
        current: Identifier,
        circle: Circle,
        visits: Visits,
        *,
        asked: Identifiers,
        told: _Told,
    ) -> None:
        """One person: everything their messages say, under whom they name now."""
        people = circle.person(current)
        acts = in_order(a for each in people for a in circle.acts[each])
        subject = self._subject(circle, people, acts=acts, asked=asked)
        manner = self.source.manner
        records = [
            *(stay.records_of(visits.of(people), manner) if self._reads("ADT") else ()),
            *(appointments.records_of(acts, manner) if self._reads("SIU") else ()),
            *results.records_of(acts, manner),
            *clinical.records_of(acts, manner),
        ]
        for act in acts:
            if act.is_adt and act.trigger in triggers.DELETES_PERSON:
                told.demographics.forget()
            else:
                told.demographics.hear(act.message, manner.clock)
        records += _death(current, told.demographics) if self._reads("ADT") else ()
        for record in records:
            # Two records of one id are two, and neither is lost.
            while (record.kind, record.record_id) in told.events:
                record.record_id = made_id(record.record_id, "again")
            told.events[record.kind, record.record_id] = record.event(subject)
        told.identifiers |= subject - self._shared(subject, people)
        told.caveats += self._of_person(circle, people, acts)
        told.is_known = told.is_known or bool(acts)

    def _reads(self, kind: str) -> bool:
        return kind in self.source.manner.reads

    def _of_person(
        self, circle: Circle, people: frozenset[Identifier], acts: Sequence[Act]
    ) -> list[str]:
        """Caveats about one person."""
        manner = self.source.manner
        unread = sum(act.message.type not in manner.reads for act in acts)
        unread += sum(clinical.unread(act, manner) for act in acts)
        numbers = {act.numbers for act in acts if act.numbers}
        return [
            *["unmapped"] * unread,
            *["invalid_number"] * sum(act.invalid for act in acts),
            *["merge_disputed"] * bool(people & circle.linking.disputed),
            *["number_changed"] * (len(numbers) > 1),
        ]

    def _found(self, asked: Identifiers) -> tuple[Circle, frozenset[Identifier], int]:
        """The people asked for, by what they are known as now.

        And how many identifiers were left out, since they reach several people.
        """
        naming = self.source.naming
        reached: dict[Identifier, frozenset[Identifier]] = {}
        for each in asked.every:
            reached[each] = self.reading.anchors(each, _SEVERAL + 1)
            if each.system == naming.key:
                reached[each] |= {each}
        few = {i: a for i, a in reached.items() if len(a) <= _SEVERAL}
        circle = Circle.of(
            frozenset[Identifier]().union(*few.values()),
            self.reading,
            naming,
            limit=self.source.records,
        )
        shared = len(reached) - len(few)
        wanted: set[Identifier] = set()
        for each, anchors in few.items():
            owners = self._owners(each, anchors, circle)
            if each.system != naming.key and self._are_several(owners):
                shared += 1
            else:
                wanted |= owners
        return circle, frozenset(wanted), shared

    def _owners(
        self, identifier: Identifier, anchors: Iterable[Identifier], circle: Circle
    ) -> set[Identifier]:
        """Who is known by an identifier now. Of two NHS numbers the later counts."""
        current = circle.linking.current
        people = {current(anchor) for anchor in anchors if anchor in circle.acts}
        people |= {current(identifier)} if identifier in circle.acts else set()
        found = {each for each in people if _has_acts(circle, each)}
        if identifier.system != nhs_number.SYSTEM:
            return found
        return {p for p in found if identifier.value in _numbers(circle, p)}

    def _are_several(self, people: Iterable[Identifier]) -> bool:
        return sum(each.system == self.source.naming.key for each in people) > 1

    def _subject(
        self,
        circle: Circle,
        people: frozenset[Identifier],
        *,
        acts: Sequence[Act],
        asked: Identifiers,
    ) -> frozenset[Identifier]:
        """Whom the source now says its records of these are about.

        Whoever asked by a number that was merged away is told it, in place of the
        one in use: two of one system in one subject would be two people's.
        """
        current = circle.linking.current
        named = {current(i) for act in acts for i in act.subject}
        named = {i for i in named if i.system != nhs_number.SYSTEM}
        named |= {Identifier(nhs_number.SYSTEM, n) for n in numbers_of(acts)}
        own = {each for each in asked.every if each in people}
        systems = {each.system for each in own}
        return frozenset(own | {i for i in named if i.system not in systems})

    def _shared(
        self, subject: frozenset[Identifier], people: frozenset[Identifier]
    ) -> set[Identifier]:
        """Those of the identifiers by which others are known too: they link nobody."""
        naming = self.source.naming
        shared = set()
        for each in subject:
            if each.system == naming.key:
                continue
            others = self.reading.anchors(each, len(people) + _SEVERAL) - people
            keyed = {other for other in others if other.system == naming.key}
            if each.system == nhs_number.SYSTEM:
                keyed = {other for other in keyed if self._is_theirs(each, other)}
            shared |= {each} if keyed else set()
        return shared

    def _is_theirs(self, number: Identifier, anchor: Identifier) -> bool:
        circle = Circle.of(
            (anchor,), self.reading, self.source.naming, limit=self.source.records
        )
        return number.value in _numbers(circle, circle.linking.current(anchor))


def _has_acts(circle: Circle, current: Identifier) -> bool:
    return any(circle.acts[each] for each in circle.person(current))


def _numbers(circle: Circle, current: Identifier) -> frozenset[str]:
    """The NHS number of somebody and whoever was merged into them."""
    if current.system == nhs_number.SYSTEM:
        return frozenset({current.value})
    people = circle.person(current)
    return numbers_of(in_order(a for each in people for a in circle.acts[each]))


def _named(circle: Circle, anchor: Identifier) -> set[Identifier]:
    return {i for act in circle.acts[anchor] for i in act.subject}


def _renumbered(acts: Sequence[Act]) -> list[Traced]:
    """Each time the source gave one person another NHS number than before.

    The one before may have been somebody else's: nobody said that both are theirs.
    """
    found: list[Traced] = []
    known: frozenset[str] = frozenset()
    for act in acts:
        for before, after in product(known - act.numbers, act.numbers - known):
            found.append(
                Traced(
                    from_=Identifier(nhs_number.SYSTEM, before),
                    to=Identifier(nhs_number.SYSTEM, after),
                    how="renumbered",
                    at=act.at,
                )
            )
        known = act.numbers or known
    return found


def _death(current: Identifier, demographics: Demographics) -> list[Record]:
    if not demographics.is_dead:
        return []
    own = made_id(current.system, current.value, "death")
    record = Record(kind="death", record_id=own, status="finished")
    record.start = demographics.died
    return [record]


def _with(caveats: Sequence[Caveat], more: Caveat) -> tuple[Caveat, ...]:
    return tuple(sorted((*caveats, more), key=_code))


def _code(caveat: Caveat) -> str:
    return caveat.code


def _by_time(traced: Traced) -> tuple[datetime, str, str]:
    return traced.at, traced.from_.value, traced.how


def _written(identifier: Identifier) -> tuple[str, str]:
    return identifier.system, identifier.value
