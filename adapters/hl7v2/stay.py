"""What came of one visit: the stays it was made of, and the wards of each.

Messages are folded in their order, without those that were taken back later, so that a
cancellation undoes exactly what it cancels, and what follows stands as if it had not
been. Source: HL7 v2.8, 3.3 and 3.4.7.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.hl7v2 import trigger
from adapters.hl7v2.acts import Act
from adapters.hl7v2.message import Message, Segment
from adapters.hl7v2.record import Manner, Record, words
from adapters.hl7v2.visits import UNNUMBERED, Visit, made_id, not_taken_back, shown_id
from adapters.moment import Moment

_WITH_WARDS: Final = frozenset({"inpatient_spell", "inpatient_episode"})
_NOW, _BEFORE = 3, 6  # PV1: where the patient is, and where before
_OVER: Final = frozenset({"finished", "cancelled", "entered-in-error"})
# PV1 fields told as they stand, by what they are called here.
_TOLD: Final = {10: "service", 14: "admission_source", 36: "discharge_disposition"}


@dataclass(slots=True)
class _Stay:
    """A stay, and the wards of it."""

    record: Record
    wards: list[Record] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.record.status in _OVER


@dataclass(slots=True)
class Folding:
    """One visit, message after message."""

    visit: Visit
    manner: Manner
    _stays: list[_Stay] = field(default_factory=list)
    _taken_back: list[Record] = field(default_factory=list)

    def records(self) -> list[Record]:
        """The stays and ward stays of the visit."""
        acts, gone = not_taken_back(self.visit.acts)
        for place, act in enumerate(acts):
            if place not in gone:
                self._hear(act)
            elif act.trigger in trigger.TRANSFERS:
                self._keep_cancelled(act)
            elif act.trigger in trigger.BEGINS | trigger.PLANS:
                self._hear(act)
        found = [r for stay in self._stays for r in (stay.record, *stay.wards)]
        return [*found, *self._taken_back]

    def _hear(self, act: Act) -> None:
        pv1 = act.message.one("PV1")
        if pv1 is None:
            return
        stay = self._stay(act, pv1)
        self._update(stay, act, pv1)
        if stay.record.status == "unknown" and act.trigger in trigger.PRESENT:
            stay.record.status = "active"
        self._do(stay, act, pv1)
        if stay.wards:
            stay.wards[0].start = stay.record.start  # the first begins with the stay
            if not stay.is_over and stay.wards[-1].status not in _OVER:
                stay.wards[-1].status = stay.record.status
        stay.record.touched_by(act, self.manner.clock)
        stay.record.tell("status", act.trigger)

    def _do(self, stay: _Stay, act: Act, pv1: Segment) -> None:
        """What the trigger event itself does."""
        name, record = act.trigger, stay.record
        if name in trigger.BEGINS | trigger.CHANGES_CLASS:
            self._begin(stay, act, pv1)
        elif name in trigger.PLANS:
            self._plan(record, act)
        elif name in trigger.TRANSFERS:
            self._transfer(stay, act, pv1)
        elif name in trigger.ENDS:
            told = record.note(self.manner.clock.at(pv1, 45))
            self._end(stay, told or self._occurred(record, act))
        elif name in trigger.CANCELS:
            self._cancel(stay, name)
        elif name in trigger.LEAVES | trigger.RETURNS:
            record.status = "on-hold" if name in trigger.LEAVES else "active"
        elif name in trigger.DELETES_VISIT:
            self._close_all(stay, "entered-in-error")

    def _stay(self, act: Act, pv1: Segment) -> _Stay:
        """The stay the act is about: the last one, or a new one."""
        last = self._stays[-1] if self._stays else None
        kind = self._kind(pv1)
        begins = act.trigger in trigger.BEGINS | trigger.CHANGES_CLASS
        changes = last is not None and kind not in {None, last.record.kind}
        if last is not None and begins and changes and not self._is_open_plan(last):
            if not last.is_over:
                self._end(last, self._occurred(last.record, act))
            return self._opened(act, pv1)
        if last is None or (begins and self._is_another(last, pv1)):
            return self._opened(act, pv1)
        return last

    def _is_open_plan(self, stay: _Stay) -> bool:
        return stay.record.status == "planned"

    def _is_another(self, last: _Stay, pv1: Segment) -> bool:
        """Whether a second beginning is another stay, not the same told again."""
        began = self.manner.clock.at(pv1, 44)[0]
        if self.visit.token != UNNUMBERED or began == last.record.start:
            return last.is_over and began not in {None, last.record.start}
        return True

    def _opened(self, act: Act, pv1: Segment) -> _Stay:
        kind = self._kind(pv1) or "encounter"
        nth = len(self._stays) + 1
        record = Record(kind=kind, record_id=self._id(act, pv1, nth))
        self._stays.append(_Stay(record))
        return self._stays[-1]

    def _id(self, act: Act, pv1: Segment, nth: int) -> str:
        more = () if nth == 1 else (str(nth),)
        number = pv1.text(19)
        if number is not None:
            return shown_id(number, *more)
        owner = self.visit.owner
        began = "" if self.visit.token != UNNUMBERED else str(act.order[0])
        return made_id(owner.system, owner.value, self.visit.token, began, *more)

    def _kind(self, pv1: Segment) -> str | None:
        written = pv1.text(2)
        if written is None:
            return None
        kind = self.manner.classes.get(written) or self.manner.classes.get(
            written.upper(), "encounter"
        )
        return self.manner.outpatient if kind == "outpatient" else kind

    def _update(self, stay: _Stay, act: Act, pv1: Segment) -> None:
        """What any message about the visit says of it: empty fields change nothing."""
        record = stay.record
        self._classify(stay, pv1)
        if pv1.is_deleted(44):
            record.start = None
        elif act.trigger not in trigger.PLANS:
            began = record.note(self.manner.clock.at(pv1, 44))
            # Under one number, a later stay may still be told when the first began.
            if began is not None and all(
                began != stay.record.start for stay in self._stays[:-1]
            ):
                record.start = began
        if pv1.is_deleted(45):
            self._reopen(stay)
        elif act.trigger not in trigger.CANCELS:
            ended = record.note(self.manner.clock.at(pv1, 45))
            if ended is not None:
                self._end(stay, ended)
        for number, element in _TOLD.items():
            if pv1.is_deleted(number):
                record.detail.pop(element, None)
            record.tell(element, pv1.text(number))
        record.title = words(act.message.one("PV2"), 3) or record.title
        self._locate(stay, act, pv1)

    def _classify(self, stay: _Stay, pv1: Segment) -> None:
        written, kind = pv1.text(2), self._kind(pv1)
        if kind is None or written is None:
            return
        stay.record.kind, stay.record.kind_code = kind, written
        known = {written, written.upper()} & self.manner.classes.keys()
        stay.record.caveats.discard("untranslated_code")
        if not known:
            stay.record.caveats.add("untranslated_code")

    def _locate(self, stay: _Stay, act: Act, pv1: Segment) -> None:
        """The place as it is said now; who moves, moves by a transfer alone."""
        place = _place(pv1, _NOW)
        stay.record.tell("location", place)
        if place is None or stay.record.kind not in _WITH_WARDS:
            return
        if act.trigger in trigger.PLANS | trigger.TRANSFERS:
            return
        if not stay.wards:
            self._enter(stay, act, pv1, place=_NOW)
        else:
            _put(stay.wards[-1], pv1, _NOW)

    def _enter(self, stay: _Stay, act: Act, pv1: Segment, *, place: int) -> Record:
        """A ward stay begins at the place that a field tells."""
        number = str(len(stay.wards) + 1)
        ward = Record(
            kind="ward_stay",
            record_id=f"{stay.record.record_id}/ward/{number}",
            status=stay.record.status,
        )
        _put(ward, pv1, place)
        ward.touched_by(act, self.manner.clock)
        stay.wards.append(ward)
        return ward

    def _begin(self, stay: _Stay, act: Act, pv1: Segment) -> None:
        record = stay.record
        was_planned = record.status == "planned"
        if record.status not in {"finished", "on-hold"}:
            record.status = "active"
        is_told = pv1.text(44) is not None
        if record.start is None or (was_planned and not is_told):
            record.start = self._occurred(record, act)
        if stay.wards and not stay.is_over:
            stay.wards[-1].status = record.status

    def _plan(self, record: Record, act: Act) -> None:
        record.status = "planned"
        expected = record.note(self.manner.clock.at(act.message.one("PV2"), 8))
        admitted = record.note(self.manner.clock.at(act.message.one("PV1"), 44))
        record.start = expected or admitted or record.start

    def _transfer(self, stay: _Stay, act: Act, pv1: Segment) -> None:
        if stay.record.kind not in _WITH_WARDS or pv1.text(_NOW) is None:
            return
        at = self._occurred(stay.record, act)
        if not stay.wards and pv1.text(_BEFORE) is not None:
            self._enter(stay, act, pv1, place=_BEFORE)
        if stay.wards and stay.wards[-1].title == pv1.text(_NOW):
            _put(stay.wards[-1], pv1, _NOW)  # another bed of the same ward
            return
        if stay.wards:
            stay.wards[-1].end, stay.wards[-1].status = at, "finished"
        self._enter(stay, act, pv1, place=_NOW).start = at

    def _keep_cancelled(self, act: Act) -> None:
        """A transfer that was taken back: shown as cancelled, and nothing else."""
        pv1, stay = act.message.one("PV1"), self._stays[-1] if self._stays else None
        if pv1 is None or stay is None or stay.record.kind not in _WITH_WARDS:
            return
        number = made_id(str(act.order), act.message.control or "")
        ward = Record(
            kind="ward_stay",
            record_id=f"{stay.record.record_id}/ward/{number}",
            status="cancelled",
        )
        ward.start = self._occurred(ward, act)
        _put(ward, pv1, _NOW)
        ward.touched_by(act, self.manner.clock)
        self._taken_back.append(ward)

    def _end(self, stay: _Stay, at: Moment | None) -> None:
        stay.record.status = "finished"
        stay.record.end = at or stay.record.end
        if stay.wards and stay.wards[-1].status not in _OVER - {"finished"}:
            stay.wards[-1].end, stay.wards[-1].status = stay.record.end, "finished"

    def _reopen(self, stay: _Stay) -> None:
        stay.record.end = None
        if stay.record.status == "finished":
            stay.record.status = "active"
        if stay.wards:
            stay.wards[-1].end, stay.wards[-1].status = None, stay.record.status

    def _cancel(self, stay: _Stay, name: str) -> None:
        if name in trigger.OF_THE_WHOLE:
            self._close_all(stay, "cancelled")
        elif name == "A13":
            self._reopen(stay)
        elif name in {"A52", "A53"}:
            stay.record.status = "active" if name == "A52" else "on-hold"

    def _close_all(self, stay: _Stay, status: str) -> None:
        for record in (stay.record, *stay.wards):
            record.status = status

    def _occurred(self, record: Record, act: Act) -> Moment | None:
        """When it happened as the event segment says: else when it was recorded."""
        return _event_time(act.message, record, self.manner)


def _event_time(message: Message, record: Record, manner: Manner) -> Moment | None:
    event = message.one("EVN")
    for number in (6, 2):
        if (moment := record.note(manner.clock.at(event, number))) is not None:
            return moment
    return None


def _place(pv1: Segment, number: int) -> str | None:
    """A place in words: point of care, room, bed, facility.

    Source: HL7 v2.8, 2A.3.53 (PL).
    """
    parts = [pv1.text(number, component) for component in (1, 2, 3, 4)]
    return ", ".join(part for part in parts if part) or None


def _put(ward: Record, pv1: Segment, number: int) -> None:
    ward.title = pv1.text(number) or ward.title
    ward.tell("location", _place(pv1, number))


def records_of(visits: Sequence[Visit], manner: Manner) -> list[Record]:
    """What came of each visit."""
    return [record for visit in visits for record in Folding(visit, manner).records()]
