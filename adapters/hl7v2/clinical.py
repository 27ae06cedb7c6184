"""Allergies, problems, procedures, vaccinations, referrals, documents and deaths.

Source: HL7 v2.8, 3.4.6 (AL1), 3.4.8 (IAM), 6.5.2 (DG1), 6.5.4 (PR1), 12.4.2 (PRB),
4A.4.7 (RXA), 11.8.1 (RF1) and 9.6.1 (TXA).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from adapters.hl7v2.acts import Act
from adapters.hl7v2.message import Segment
from adapters.hl7v2.record import Manner, Record, codes, words
from adapters.hl7v2.visits import made_id, shown_id

_DELETED: Final = frozenset({"D", "DE"})
_PROBLEM: Final = {
    "ACTIVE": "active",
    "RESOLVED": "finished",
    "INACTIVE": "finished",
    "COMPLETE": "finished",
    "DELETED": "entered-in-error",
}
_REFERRAL: Final = {"A": "active", "P": "planned", "R": "cancelled", "E": "finished"}
_GIVEN: Final = {
    "CP": "finished",
    "PA": "finished",
    "RE": "cancelled",
    "NA": "cancelled",
}

Read = Callable[[Segment, Act, Manner], Record | None]


def records_of(acts: Iterable[Act], manner: Manner) -> list[Record]:
    """Each as the last message about it leaves it."""
    found: dict[tuple[Read, str], Record] = {}
    for act in acts:
        for reading, record in _told(act, manner):
            record.touched_by(act, manner.clock)
            # A diagnosis and a problem may share a number, and are two.
            found[reading, record.record_id] = record
    return list(found.values())


def _told(act: Act, manner: Manner) -> Iterator[tuple[Read, Record]]:
    for segment in act.message.segments:
        reading = _READ.get(segment.name)
        if reading is None or not _is_read(segment.name, act, manner):
            continue
        record = reading(segment, act, manner)
        if record is not None:
            yield reading, record


def _is_read(name: str, act: Act, manner: Manner) -> bool:
    """Whether this source is read for such segments in such messages."""
    kind = act.message.type or ""
    if name in _OF_ADT:
        return kind == "ADT" and _OF_ADT[name] in manner.reads
    return kind in manner.reads and _TYPES[name] == kind


def unread(act: Act, manner: Manner) -> int:
    """How many of an ADT message's segments could be records, and are not read."""
    if not act.is_adt:
        return 0
    wanted = _OF_ADT | {"OBX": "OBX"}
    found = [wanted[s.name] for s in act.message.segments if s.name in wanted]
    return sum(each not in manner.reads for each in found)


def _own(act: Act, *parts: str | None) -> str:
    """An id of what has none: whose it is, and what."""
    anchor = act.anchor
    return made_id(anchor.system, anchor.value, *(part or "" for part in parts))


def _named(segment: Segment, number: int) -> str | None:
    return segment.text(number) or segment.text(number, 2) or segment.text(number, 5)


def _allergy(segment: Segment, act: Act, manner: Manner) -> Record | None:
    what = _named(segment, 3)
    if what is None:
        return None
    record = Record(kind="allergy", record_id=_own(act, "allergy", what))
    record.title, record.codes = words(segment, 3), codes(segment, 3)
    deleted = segment.name == "IAM" and segment.text(6) in _DELETED
    record.status = "entered-in-error" if deleted else "active"
    record.tell("type", words(segment, 2))
    record.tell("severity", words(segment, 4))
    reactions = [each.text() or "" for each in segment.each(5)]
    record.tell("reaction", ", ".join(filter(None, reactions)) or None)
    when = 6 if segment.name == "AL1" else 11
    record.start = record.note(manner.clock.at(segment, when))
    return record


def _diagnosis(segment: Segment, act: Act, manner: Manner) -> Record | None:
    what = _named(segment, 3) or segment.text(4)
    if what is None:
        return None
    pv1 = act.message.one("PV1")
    visit = pv1.text(19) if pv1 is not None else None
    own = segment.text(20)
    record = Record(
        kind="condition",
        record_id=shown_id(own) if own else _own(act, "diagnosis", visit, what),
    )
    record.title = segment.text(4) or words(segment, 3)
    record.codes = codes(segment, 3)
    deleted = segment.text(21) in _DELETED
    record.status = "entered-in-error" if deleted else "unknown"
    record.tell("type", segment.text(6))
    record.start = record.note(manner.clock.at(segment, 5))
    return record


def _procedure(segment: Segment, act: Act, manner: Manner) -> Record | None:
    what = _named(segment, 3) or segment.text(4)
    if what is None:
        return None
    own, when = segment.text(19), segment.text(5)
    record = Record(
        kind="procedure",
        record_id=shown_id(own) if own else _own(act, "procedure", what, when),
    )
    record.title = segment.text(4) or words(segment, 3)
    record.codes = codes(segment, 3)
    deleted = segment.text(20) in _DELETED
    record.status = "entered-in-error" if deleted else "finished"
    record.start = record.note(manner.clock.at(segment, 5))
    return record


def _problem(segment: Segment, act: Act, manner: Manner) -> Record | None:
    what = _named(segment, 3)
    if what is None:
        return None
    own = segment.text(4)
    record = Record(
        kind="condition",
        record_id=shown_id(own) if own else _own(act, "problem", what),
    )
    record.title, record.codes = words(segment, 3), codes(segment, 3)
    # PRB-14 is the state of the problem; some write it one field too early.
    written = segment.text(14) or segment.text(14, 2) or segment.text(13)
    record.status = _PROBLEM.get((written or "").upper(), "unknown")
    if segment.text(1) in _DELETED:
        record.status = "entered-in-error"
    record.tell("status", written or segment.text(1))
    onset = record.note(manner.clock.at(segment, 16))
    record.start = onset or record.note(manner.clock.at(segment, 7))
    record.end = record.note(manner.clock.at(segment, 9))
    return record


def _vaccination(segment: Segment, act: Act, manner: Manner) -> Record | None:
    what = _named(segment, 5)
    if what is None or what == "998":  # CVX: no vaccine was administered
        return None
    when = segment.text(3)
    record = Record(
        kind="immunisation",
        record_id=_ordered(segment, act) or _own(act, "vaccination", what, when),
    )
    record.title, record.codes = words(segment, 5), codes(segment, 5)
    record.start = record.note(manner.clock.at(segment, 3))
    written = segment.text(20)
    record.status = _GIVEN.get(written or "CP", "unknown")
    if segment.text(21) == "D":
        record.status = "entered-in-error"
    record.tell("status", written)
    if (dose := segment.text(6)) not in {None, "999"}:  # 999: not known
        record.tell("dose", dose, unit=segment.text(7))
    record.tell("lot_number", segment.text(15))
    return record


def _ordered(segment: Segment, act: Act) -> str | None:
    """The filler's number of the order that stands before it."""
    number: str | None = None
    for each in act.message.segments:
        if each is segment:
            break
        if each.name == "ORC":
            number = each.text(3)
        elif each.name == segment.name:
            number = None  # the order before was that one's
    return shown_id(number, _named(segment, 5) or "") if number else None


def _referral(segment: Segment, act: Act, manner: Manner) -> Record | None:
    own = segment.text(6) or segment.text(11)
    started = segment.text(7) or segment.text(9)
    record = Record(
        kind="referral",
        record_id=shown_id(own) if own else _own(act, "referral", started),
    )
    record.title = words(segment, 10) or words(segment, 3)
    record.status = _REFERRAL.get(segment.text(1) or "", "unknown")
    if segment.text(1) == "C" or act.trigger == "I14":
        record.status = "cancelled"
    record.tell("status", words(segment, 1) or act.trigger)
    record.tell("priority", words(segment, 2))
    effective = record.note(manner.clock.at(segment, 7))
    record.start = effective or record.note(manner.clock.at(segment, 9))
    record.end = record.note(manner.clock.at(segment, 8))
    return record


def _document(segment: Segment, act: Act, manner: Manner) -> Record | None:
    own = segment.text(12) or segment.text(12, 3)
    when = segment.text(4) or segment.text(6)
    record = Record(
        kind="document",
        record_id=shown_id(own) if own else _own(act, "document", when),
    )
    record.title = words(segment, 2)
    activity = record.note(manner.clock.at(segment, 4))
    record.start = activity or record.note(manner.clock.at(segment, 6))
    record.status = "entered-in-error" if act.trigger == "T11" else "finished"
    record.tell("status", segment.text(17))
    return record


_OF_ADT: Final = {"AL1": "AL1", "IAM": "AL1", "DG1": "DG1", "PR1": "PR1"}
_TYPES: Final = {"PRB": "PPR", "RXA": "VXU", "RF1": "REF", "TXA": "MDM"}
_READ: Final[dict[str, Read]] = {
    "AL1": _allergy,
    "IAM": _allergy,
    "DG1": _diagnosis,
    "PR1": _procedure,
    "PRB": _problem,
    "RXA": _vaccination,
    "RF1": _referral,
    "TXA": _document,
}
