"""Messages of the index as acts of people: read again, repeats left out, in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.hl7v2.index import Reading, Stored
from adapters.hl7v2.linking import Linking, Order, Said
from adapters.hl7v2.message import Message
from adapters.hl7v2.patient import Naming

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CIRCLE: Final = 200  # people a merge may lead to, and to others from there


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One message about one person."""

    stored: Stored
    message: Message
    anchor: Identifier
    subject: tuple[Identifier, ...]
    prior: tuple[Identifier, ...]
    invalid: int

    @property
    def order(self) -> Order:
        return self.stored.order

    @property
    def at(self) -> datetime:
        """When it happened as far as the message says; else when it arrived."""
        return _EPOCH + timedelta(microseconds=self.stored.order[0])

    @property
    def is_adt(self) -> bool:
        return self.message.type == "ADT"

    @property
    def trigger(self) -> str:
        return self.message.trigger

    @property
    def numbers(self) -> frozenset[str]:
        """The NHS numbers it names that pass their check: more than one is an error."""
        system = nhs_number.SYSTEM
        return frozenset(i.value for i in self.subject if i.system == system)


def in_order(acts: Iterable[Act]) -> list[Act]:
    """By when they happened, then by the sender's sequence, then as they arrived."""
    return sorted(acts, key=_order)


def _order(act: Act) -> Order:
    return act.order


@dataclass(slots=True, kw_only=True)
class Circle:
    """Everyone a question may be about, and whoever they were merged with or from.

    `acts` are by whom the messages know their person.
    """

    reading: Reading
    naming: Naming
    limit: int  # messages about one person
    acts: dict[Identifier, list[Act]]
    linking: Linking
    is_cut: bool = False
    repeated: int = 0
    reused: int = 0

    @classmethod
    def of(
        cls,
        anchors: Iterable[Identifier],
        reading: Reading,
        naming: Naming,
        *,
        limit: int,
    ) -> "Circle":
        """Those known by `anchors`, and on from them by every merge."""
        acts: dict[Identifier, list[Act]] = {}
        circle = cls(
            reading=reading,
            naming=naming,
            limit=limit,
            acts=acts,
            linking=Linking(lambda anchor: numbers_of(acts.get(anchor, ()))),
        )
        links: dict[Order, Act] = {}
        waiting = sorted(set(anchors), key=_written)
        while waiting and len(acts) < _CIRCLE:
            anchor = waiting.pop()
            if anchor in acts:
                continue
            acts[anchor] = circle._load(anchor)
            found = circle._links(anchor)
            links |= found
            named = {i for act in found.values() for i in circle.named_by(act)}
            waiting += sorted(named - acts.keys(), key=_written)
        circle.is_cut |= bool(waiting)
        for act in in_order(links.values()):
            circle.linking.hear(circle._said(act))
        return circle

    def named_by(self, act: Act) -> set[Identifier]:
        """By what a message that merges or moves knows its two people."""
        return {act.anchor, *self._prior(act)}

    def _links(self, anchor: Identifier) -> dict[Order, Act]:
        """The messages that merge or part whoever is known by this."""
        named = {i for act in self.acts[anchor] for i in act.subject} | {anchor}
        own = (i for i in named if i.system != nhs_number.SYSTEM)
        found = (self._act(s) for i in own for s in self.reading.links(i, self.limit))
        return {act.order: act for act in found if act is not None}

    def _prior(self, act: Act) -> tuple[Identifier, ...]:
        """By what the person is known whom a message names as a prior one.

        By the source's own key; without one, by the only key that goes with what it
        names. An identifier of several people leads to none of them.
        """
        keys = tuple(filter(self._is_key, act.prior))
        if keys:
            return keys
        others = [i for i in act.prior if i.system != nhs_number.SYSTEM]
        found = [self.reading.anchors(each, 2) or {each} for each in others]
        return tuple(next(iter(each)) for each in found if len(each) == 1)

    def _said(self, act: Act) -> Said:
        system = nhs_number.SYSTEM
        return Said(
            order=act.order,
            at=act.at,
            trigger=act.trigger,
            anchor=act.anchor,
            subject=act.subject,
            prior=self._prior(act),
            replaced=tuple(i.value for i in act.prior if i.system == system),
        )

    def person(self, identifier: Identifier) -> frozenset[Identifier]:
        """By which keys whoever this one stands for is known, before and after."""
        current = self.linking.current(identifier)
        return frozenset(a for a in self.acts if self.linking.current(a) == current)

    def _is_key(self, identifier: Identifier) -> bool:
        return identifier.system == self.naming.key

    def _load(self, anchor: Identifier) -> list[Act]:
        stored = self.reading.of(anchor, self.limit + 1)
        self.is_cut |= len(stored) > self.limit
        acts = filter(None, map(self._act, stored[: self.limit]))
        return self._once(in_order(acts))

    def _act(self, stored: Stored) -> Act | None:
        message = Message.parse(stored.text)
        subject = self.naming.of_patient(message)
        anchor = self.naming.anchor(subject.identifiers)
        if anchor is None:
            return None
        prior = self.naming.of_prior(message)
        others = self.naming.of_others(message)
        return Act(
            stored=stored,
            message=message,
            anchor=anchor,
            subject=subject.identifiers,
            prior=(*prior.identifiers, *others),
            invalid=subject.invalid,
        )

    def _once(self, acts: Sequence[Act]) -> list[Act]:
        """Each message once, however often it was sent.

        One whose id another message has too is kept, and counted.
        """
        kept: list[Act] = []
        contents: dict[tuple[str, str], bytes] = {}
        seen: set[tuple[object, ...]] = set()
        for act in acts:
            one = act.stored
            # Without an id of its own, what is sent later is another message.
            own = one.control if one.control is not None else act.order[0]
            same = (one.sender, own, one.type, one.digest, one.part)
            if same in seen:
                self.repeated += 1
                continue
            seen.add(same)
            kept.append(act)
            if one.control is not None:
                first = contents.setdefault((one.sender, one.control), one.digest)
                self.reused += first != one.digest
        return kept


def numbers_of(acts: Sequence[Act]) -> frozenset[str]:
    """The NHS number a person is known by: the last one named."""
    return next((a.numbers for a in reversed(acts) if a.numbers), frozenset())


def _written(identifier: Identifier) -> tuple[str, str]:
    return identifier.system, identifier.value
