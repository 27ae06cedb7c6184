"""Bookings that SIU messages tell of.

Source: HL7 v2.8, 10.3 (trigger events), 10.6.3 (SCH), 4.5.4 (TQ1) and 10.6.4 (AIS).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from adapters.hl7v2.acts import Act
from adapters.hl7v2.message import Message, Segment
from adapters.hl7v2.record import Manner, Record, codes, words
from adapters.hl7v2.visits import made_id, shown_id
from adapters.moment import Moment

# What a trigger event leaves no doubt about.
_BY_TRIGGER: Final = {
    "S15": "cancelled",
    "S16": "cancelled",  # discontinued
    "S17": "entered-in-error",  # deleted: it should never have been booked
    "S26": "did-not-attend",
}
# What SCH-25 says of the others. Source: HL7 table 0278.
_BY_WORD: Final = {
    "PENDING": "planned",
    "WAITLIST": "planned",
    "BOOKED": "planned",
    "OVERBOOK": "planned",
    "BLOCKED": "planned",
    "STARTED": "active",
    "ARRIVED": "active",
    "COMPLETE": "finished",
    "COMPLETED": "finished",
    "CANCELLED": "cancelled",
    "CANCELED": "cancelled",
    "DC": "cancelled",
    "DELETED": "entered-in-error",
    "NOSHOW": "did-not-attend",
}


def records_of(acts: Iterable[Act], manner: Manner) -> list[Record]:
    """The bookings, each as its last message leaves it."""
    found: dict[str, Record] = {}
    for act in acts:
        booking = act.message.one("SCH")
        if act.message.type != "SIU" or booking is None:
            continue
        record_id = _id(booking, act)
        record = found.get(record_id)
        if record is None:
            record = Record(kind=manner.appointment, record_id=record_id)
            found[record_id] = record
        _hear(record, act, manner)
    return list(found.values())


def _id(booking: Segment, act: Act) -> str:
    """By the filler's number: else the placer's: else it is known by its time alone."""
    number = booking.text(2) or booking.text(1)
    if number is not None:
        return shown_id(number)
    start = next(_starts(act.message), "")
    return made_id(act.anchor.system, act.anchor.value, "booking", start)


def _hear(record: Record, act: Act, manner: Manner) -> None:
    message = act.message
    booking = next(message.every("SCH"))
    start = _first(_starts(message), record, manner)
    if start is not None:
        record.start, record.end = start, None
    record.end = _first(_ends(message), record, manner) or record.end
    written = booking.text(25) or booking.text(25, 2)
    said = _BY_WORD.get((written or "").upper().replace(" ", ""), "planned")
    record.status = _BY_TRIGGER.get(message.trigger, said)
    record.tell("status", written or message.trigger)
    service = message.one("AIS")
    named = words(service, 3) or words(booking, 8) or words(booking, 7)
    record.title = named or record.title
    record.codes = (codes(service, 3) if service is not None else ()) or record.codes
    record.tell("reason", words(booking, 7))
    record.tell("location", _location(message))
    record.touched_by(act, manner.clock)


def _first(written: Iterable[str], record: Record, manner: Manner) -> Moment | None:
    """The first of these that is a time; what is odd about it is noted."""
    for text in written:
        if (moment := record.note(manner.clock.read(text))) is not None:
            return moment
    return None


def _starts(message: Message) -> Iterator[str]:
    """Where a booking says when it begins, best first: SCH-11 is what it was once."""
    places = (
        ("TQ1", 7, 1),
        ("AIS", 4, 1),
        ("AIP", 6, 1),
        ("AIL", 6, 1),
        ("SCH", 11, 4),
    )
    return _written(message, places)


def _ends(message: Message) -> Iterator[str]:
    return _written(message, (("TQ1", 8, 1), ("SCH", 11, 5)))


def _written(message: Message, places: Iterable[tuple[str, int, int]]) -> Iterator[str]:
    for name, number, component in places:
        for segment in message.every(name):
            if (text := segment.text(number, component)) is not None:
                yield text


def _location(message: Message) -> str | None:
    place = message.one("AIL")
    if place is None:
        return None
    parts = [place.text(3, component) for component in (1, 2, 4)]
    return ", ".join(part for part in parts if part) or None
