"""From the bytes of a feed to what its index keeps: each message, or why it is none."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from adapters.hl7v2 import trigger
from adapters.hl7v2.framing import Bad, Decoding, Framed, Frames, Readable
from adapters.hl7v2.index import Entry
from adapters.hl7v2.message import Malformed, Message, Segment
from adapters.hl7v2.patient import Naming
from adapters.hl7v2.times import Clock

_SEQUENCES: Final = 1 << 40  # larger numbers order nothing
# From here on the segments of a booking are about every patient it names.
_OF_EVERYONE: Final = "RGS"


class Stopped(Exception):
    """The intake was told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Reads messages as one source file says, until told to `stop`."""

    decoding: Decoding
    naming: Naming
    clock: Clock
    reads: frozenset[str]
    message_bytes: int
    stop: threading.Event = field(default_factory=threading.Event)

    def read(self, stream: Readable, *, arrived: datetime) -> Iterator[Entry | Bad]:
        """Every message of a stream, in order; `arrived` orders those without a time.

        Stopped if told to.
        """
        for framed in Frames(stream, message_bytes=self.message_bytes):
            if self.stop.is_set():
                raise Stopped
            if isinstance(framed, Bad):
                yield framed
            else:
                yield from self.take(framed, arrived=arrived)

    def take(self, framed: Framed, *, arrived: datetime) -> Iterator[Entry | Bad]:
        """One message, as an entry for each person it is about, or why it is none."""
        decoded = self.decoding.text(framed)
        if isinstance(decoded, Bad):
            yield decoded
            return
        text, cleaned = decoded
        try:
            parts = self._parts(Message.parse(text))
        except Malformed as malformed:
            yield Bad(framed.number, framed.line, malformed.reason, malformed.segment)
            return
        # Sent again, a message has a header of its own; what it says is the same.
        said = text.partition("\r")[2].encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(said).digest()
        whole = _Whole(framed, digest, cleaned, _microseconds(arrived))
        for number, part in enumerate(parts):
            yield self._entry(whole, number, part)

    def _parts(self, message: Message) -> list[Message]:
        """The message, parted by person. Malformed if it names none and should."""
        parts = list(_parted(message))
        if message.type in self.reads and message.trigger not in trigger.OF_NOBODY:
            for part in parts:
                if not self.naming.of_patient(part).identifiers:
                    raise Malformed("no_identifier", "PID")
        return parts

    def _entry(self, whole: "_Whole", number: int, part: Message) -> Entry:
        subject, prior = self.naming.of_patient(part), self.naming.of_prior(part)
        kind = f"{part.type}^{part.trigger}"
        return Entry(
            number=whole.framed.number,
            part=number,
            at=self._at(part) or whole.arrived,
            sequence=_sequence(part.header),
            type=kind,
            is_link=part.type == "ADT" and part.trigger in trigger.RELATES,
            cleaned=whole.cleaned,
            sender=part.sender,
            control=part.control,
            digest=whole.digest,
            text=part.text,
            anchor=self.naming.anchor(subject.identifiers),
            subject=frozenset(subject.identifiers),
            # The second of two who are linked is no other name of the first.
            prior=frozenset((*prior.identifiers, *self.naming.of_others(part))),
        )

    def _at(self, part: Message) -> int | None:
        """When it happened as far as the message says: its event's time, or its own."""
        for segment, number in ((part.one("EVN"), 2), (part.header, 7)):
            moment, _ = self.clock.at(segment, number)
            if moment is not None:
                return _microseconds(moment.at)
        return None


@dataclass(frozen=True, slots=True)
class _Whole:
    """What the parts of one message have in common."""

    framed: Framed
    digest: bytes
    cleaned: bool
    arrived: int


def _microseconds(at: datetime) -> int:
    since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _sequence(header: Segment) -> int:
    written = header.whole(13)
    number = int(written) if written.isdecimal() and written.isascii() else 0
    return number if number < _SEQUENCES else 0


def _parted(message: Message) -> Iterator[Message]:
    """The message for each person it is about; most are about one.

    What stands before the first PID is about everyone, and so are the resources of a
    booking. Two people who are linked or parted stay together; several visits that
    are moved are parted.
    """
    places = [n for n, each in enumerate(message.segments) if each.name == "PID"]
    kind = message.trigger if message.type == "ADT" else ""
    if kind in trigger.LINKS | trigger.UNLINKS:
        yield message
    elif len(places) > 1:
        yield from _by_person(message, places)
    elif kind in trigger.MOVES | trigger.RENAMES_VISIT | trigger.MERGES:
        yield from _by_prior(message)
    else:
        yield message


def _by_person(message: Message, places: list[int]) -> Iterator[Message]:
    segments = message.segments
    names = [each.name for each in segments]
    end = len(segments)
    if message.type == "SIU" and _OF_EVERYONE in names:
        end = max(names.index(_OF_EVERYONE), places[-1])
    for start, stop in zip(places, [*places[1:], end], strict=True):
        yield message.only(
            [*segments[: places[0]], *segments[start:stop], *segments[end:]]
        )


def _by_prior(message: Message) -> Iterator[Message]:
    segments = message.segments
    places = [n for n, each in enumerate(segments) if each.name == "MRG"]
    if len(places) < 2:
        yield message
        return
    for start, stop in zip(places, [*places[1:], len(segments)], strict=True):
        yield message.only([*segments[: places[0]], *segments[start:stop]])
