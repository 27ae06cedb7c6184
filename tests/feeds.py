"""Generated events as HL7 v2 messages, with the source file that reads them back.

Carried: kinds of visits (PV1-2 names the kind itself), problems, documents and
referrals, with title, status as far as it has a message, times and subject.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters import nhs_number
from adapters.conformance import FIELDS, Carries
from adapters.contract import Event, Identifier
from adapters.hl7v2 import Hl7v2, build
from adapters.hl7v2.framing import END, START
from adapters.moment import Moment
from adapters.vocabulary import KINDS
from tests.surroundings import in_folder

VISITS = frozenset(
    kind
    for kind, category in KINDS.items()
    if category
    in {"encounters", "ambulance", "community", "mental-health", "social-care"}
) - {"other"}
CARRIES = Carries(
    kinds=VISITS | {"condition", "document", "referral"},
    # The class of a visit stands in kind_code, the message's own id in version.
    fields=FIELDS - {"kind_code", "version", "organisation"},
    subject_of="person",
)
READS = ("ADT", "MDM", "PPR", "REF")
NAMES = {nhs_number.SYSTEM: "NHS"}

_TRIGGERS = {
    "active": "A01",
    "planned": "A05",
    "finished": "A03",
    "cancelled": "A11",
    "on-hold": "A21",
    "entered-in-error": "A23",
}
_PROBLEMS = {"active": "ACTIVE", "finished": "RESOLVED", "entered-in-error": "DELETED"}
_REFERRALS = {"active": "A", "finished": "E", "planned": "P", "cancelled": "R"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a feed is written."""

    marks: str = "|^~\\&"
    line_end: str = "\r"
    encoding: str = "utf-8"
    named: str = "UNICODE UTF-8"
    bom: bool = False
    batch: bool = False
    per_file: int = 1000


PLAIN = Style()
UNUSUAL = Style(marks="#*!?%", line_end="\n", bom=True, batch=True, per_file=3)


def escaped(text: str, marks: str = PLAIN.marks) -> str:
    """Text as it stands in a field. Source: HL7 v2.8, 2.7."""
    escape = marks[3]
    named = dict(zip(marks, "FSRET", strict=True))
    return "".join(
        f"{escape}{named[each]}{escape}" if each in named else each for each in text
    )


def stamp(moment: Moment | None) -> str:
    """A moment as a time stamp, to its own precision and in its own offset."""
    if moment is None:
        return ""
    shapes = {"year": "%Y", "month": "%Y%m", "day": "%Y%m%d"}
    if moment.precision in shapes:
        return f"{moment.at:{shapes[moment.precision]}}"
    shape = "%Y%m%d%H%M%S" if moment.precision == "second" else "%Y%m%d%H%M"
    return f"{moment.at:{shape}%z}"


def authority(system: str) -> str:
    """What this feed calls whoever assigns a system's identifiers."""
    return NAMES.get(system) or system.rpartition(":")[2].upper()


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes segments in one style."""

    style: Style = PLAIN

    def field(self, *components: str | None) -> str:
        mark = self.style.marks[1]
        return mark.join(escaped(c or "", self.style.marks) for c in components).rstrip(
            mark
        )

    def segment(self, name: str, fields: dict[int, str]) -> str:
        last = max(fields, default=0)
        mark = self.style.marks[0]
        return mark.join((name, *(fields.get(n, "") for n in range(1, last + 1))))

    def header(self, kind: str, control: str, fields: dict[int, str]) -> str:
        own = {3: "SENDER", 4: "SITE", 9: self.field(*kind.split("^")), 10: control}
        own |= {11: "P", 12: "2.4", 18: self.style.named}
        numbered = {n - 1: text for n, text in (own | fields).items()}
        return self.segment("MSH", numbered | {1: self.style.marks[1:]})

    def identifiers(self, subject: Sequence[Identifier]) -> str:
        return self.style.marks[2].join(
            self.field(each.value, None, None, authority(each.system))
            for each in sorted(subject, key=lambda i: (i.system, i.value))
        )

    def patient(self, subject: Sequence[Identifier]) -> str:
        return self.segment("PID", {3: self.identifiers(subject)})

    def message(self, *segments: str) -> str:
        return self.style.line_end.join((*segments, ""))


def message_of(event: Event, number: int, style: Style = PLAIN) -> str:
    """The one message that tells of an event."""
    writer = Writer(style)
    kind, segments = _told(event, writer)
    header = writer.header(kind, f"m-{number}", {7: stamp(event.recorded)})
    patient = writer.patient(tuple(event.subject or ()))
    return writer.message(header, *segments[:1], patient, *segments[1:])


def _told(event: Event, writer: Writer) -> tuple[str, list[str]]:
    """The type of message, and its segments: the first stands before the PID."""
    written = {"condition": _problem, "document": _document, "referral": _referral}
    return written.get(event.kind, _visit)(event, writer)


def _problem(event: Event, writer: Writer) -> tuple[str, list[str]]:
    problem = {1: "AD", 3: _word(event, writer), 4: writer.field(event.record_id)}
    problem |= {9: stamp(event.end), 16: stamp(event.start)}
    problem |= {14: _PROBLEMS.get(event.status, "")}
    return "PPR^PC1", ["SFT", writer.segment("PRB", problem)]


def _document(event: Event, writer: Writer) -> tuple[str, list[str]]:
    document = {2: _word(event, writer), 4: stamp(event.start)}
    document |= {12: writer.field(event.record_id)}
    kind = "T11" if event.status == "entered-in-error" else "T02"
    return f"MDM^{kind}", ["EVN", writer.segment("TXA", document)]


def _referral(event: Event, writer: Writer) -> tuple[str, list[str]]:
    referral = {1: _REFERRALS.get(event.status, ""), 10: _word(event, writer)}
    referral |= {6: writer.field(event.record_id), 7: stamp(event.start)}
    referral |= {8: stamp(event.end)}
    return "REF^I12", [writer.segment("RF1", referral)]


def _visit(event: Event, writer: Writer) -> tuple[str, list[str]]:
    visit = {2: writer.field(event.kind), 19: writer.field(event.record_id)}
    visit |= {44: stamp(event.start), 45: stamp(event.end)}
    reason = writer.segment("PV2", {3: _word(event, writer)})
    trigger = _TRIGGERS.get(event.status, "A08")
    return f"ADT^{trigger}", ["EVN", writer.segment("PV1", visit), reason]


def _word(event: Event, writer: Writer) -> str:
    """The title, beside its code where it has one."""
    code = event.codes[0] if event.codes else None
    if code is None:
        return writer.field(None, None, None, None, event.title)
    return writer.field(code.code, code.display, "SCT")


def write_feed(
    folder: Path, events: Sequence[Event], *, key: str, style: Style = PLAIN
) -> Path:
    """Writes `folder`/feed/*.hl7 and `folder`/source.toml; gives the latter."""
    feed = folder / "feed"
    feed.mkdir(parents=True, exist_ok=True)
    told = [e for e in events if e.subject]
    for start in range(0, len(told), style.per_file):
        chosen = told[start : start + style.per_file]
        written = [
            message_of(event, number, style)
            for number, event in enumerate(chosen, start)
        ]
        name = f"messages-{start:06d}.hl7"
        (feed / name).write_bytes(as_file(written, style))
    if not told:
        (feed / "empty.hl7").write_bytes(b"")
    source = folder / "source.toml"
    source.write_text(source_file(events, key=key), "utf-8")
    return source


def as_file(messages: Sequence[str], style: Style = PLAIN) -> bytes:
    """The messages as they lie on disk."""
    end = style.line_end
    whole = "".join(messages)
    if style.batch:
        before = f"FHS{style.marks}{end}BHS{style.marks}{end}"
        mark = style.marks[0]
        whole = f"{before}{whole}BTS{mark}{len(messages)}{end}FTS{mark}1{end}"
    data = whole.encode(style.encoding)
    return b"\xef\xbb\xbf" + data if style.bom else data


def source_file(
    events: Sequence[Event], *, key: str, reads: Sequence[str] = READS
) -> str:
    """The source file that reads it; it settles at once, for tests do not wait."""
    systems = {i.system for e in events for i in e.subject or ()} | {key}
    kinds = sorted({event.kind for event in events} & VISITS)
    return "\n".join(
        (
            'kind = "hl7v2"',
            'directory = "feed"',
            'pattern = "*.hl7"',
            "settle_s = 0",
            f'key = "{key}"',
            f"reads = {json.dumps(list(reads))}",
            "[authorities]",
            *(f'"{authority(each)}" = "{each}"' for each in sorted(systems)),
            "[classes]",
            *(f'"{kind}" = "{kind}"' for kind in kinds),
            "",
        )
    )


@asynccontextmanager
async def open_feed(
    folder: Path, events: Sequence[Event], *, key: str, style: Style = PLAIN
) -> AsyncIterator[Hl7v2]:
    """An adapter that reads these events from a feed."""
    around = in_folder(folder, now=datetime.now(UTC))
    source = write_feed(folder, events, key=key, style=style)
    adapter = build(source, around)
    try:
        yield adapter
    finally:
        await adapter.aclose()
        await around.transport.aclose()


@asynccontextmanager
async def open_over_mllp(
    folder: Path, events: Sequence[Event], *, key: str
) -> AsyncIterator[Hl7v2]:
    """An adapter that was sent these events over MLLP, one after another."""
    around = in_folder(folder, now=datetime.now(UTC))
    source = folder / "source.toml"
    directory = 'directory = "feed"\n'
    text = source_file(events, key=key).replace(directory, "")
    source.write_text(f"{text}[mllp]\nport = 0\n", "utf-8")
    adapter = build(source, around)
    watching = asyncio.create_task(adapter.watch())
    try:
        await _send(adapter, [message_of(e, n) for n, e in enumerate(events)])
        yield adapter
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        await adapter.aclose()
        await around.transport.aclose()


async def _send(adapter: Hl7v2, messages: Sequence[str]) -> None:
    while adapter.listens_on is None:  # noqa: ASYNC110 - it tells in no other way
        await asyncio.sleep(0.001)
    reader, writer = await asyncio.open_connection("127.0.0.1", adapter.listens_on)
    for message in messages:
        writer.write(START + message.encode() + END + b"\r")
        assert b"MSA|AA|" in await reader.readuntil(END + b"\r")
    writer.close()
    await writer.wait_closed()
