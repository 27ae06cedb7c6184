"""What the audit trail records: who, why, about whom, under which rule; no content.

Every text is a code, an id or a reference of ours or of the registry. There is no
field for prose, and a person is only ever a Subject.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from adapters import nhs_number
from adapters.warrant import Exchange
from gateway.audit.canonical import canon
from gateway.audit.keys import Subject

# A code, an id, a hash, a reference: never a sentence, and never a quote, so that
# in the encoded record each quote is an end of a text.
_TEXT: Final = re.compile(r"[!#-\[\]-~]{1,255}")
_FIT: Final = bytes(byte for byte in range(0x21, 0x7F) if byte != ord("\\"))
# A float, or an integer that may be 2^53 or more.
_UNFIT_NUMBER: Final = re.compile(rb'":-?(?:[0-9]+[.eE]|[0-9]{16})')
# Ten digits anywhere in a text, as an NHS number may be written, but in a word: hashes
# and ids of hex hold such by chance. A number of JSON's own is none. The digit comes
# first in the pattern, as that is looked for fastest.
_TEN_DIGITS: Final = re.compile(
    rb"[0-9](?<![0-9A-Za-z].)(?:[0-9]{9}|[0-9]{2}-[0-9]{3}-[0-9]{4})(?![0-9A-Za-z])"
)
_COUNT: Final = (b'":', b",}]")  # what stands before and after a number of JSON's own

_ENCODER: Final = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asked, as the verified token and the registry said."""

    issuer: str
    subject: str = field(repr=False)
    client_id: str
    organisation: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What policy said alike of several categories at one source.

    With how the source stood registered then: its labels, and its flags as
    "ndo=states". What is told alike is told once: an entry stays small.
    """

    source: str
    organisation: str
    categories: tuple[str, ...]
    effect: str
    code: str
    authority: str | None = None
    labels: str = "unlabelled"
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A relationship that a record at the asker's own organisation showed, and when.

    `reference` is a source and a keyed hash of one of its records.
    """

    kind: str
    organisation: str
    reference: str
    as_of: datetime
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What decisions rested on beside the documents, so that they can be told again.

    `at` is the time they were made for; `justified`, whether a reason was given, in
    words that are kept nowhere: a keyed hash of them proves what was said.
    """

    operation: str
    mode: str
    assurance: str | None
    relationships: tuple[str, ...]
    at: datetime
    justified: bool = False
    reason_hmac: str | None = None
    shown: tuple[Relation, ...] = ()  # among the relationships, those that were found


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOutcome:
    """What became of one source; `count` is events released, None if not known.

    `traced` is how many statements of merges it made where it was asked for them;
    `untraced` why it made none.
    """

    source: str
    state: str
    reason: str | None = None
    domain: str | None = None
    count: int | None = None
    as_of: datetime | None = None
    took_ms: int | None = None
    sub_root: str | None = None
    exchanges: tuple[Exchange, ...] = ()  # with a site, which records them too
    traced: int | None = None
    untraced: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process began to write; `version` is the distribution's."""

    kind: ClassVar[str] = "start"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A question is about to be asked of these sources, and this is why it may be.

    With `sought`, these relationships are looked for at the asker's own sources, and
    each decision supposes one of them; the question itself is another record. With
    `described_by`, the sources are asked whom they hold that is like the person, as
    these sources described them; a decision of one of those is that it may be told.
    """

    kind: ClassVar[str] = "intent"
    journey: str
    actor: Actor
    purpose: str
    policy: str
    subjects: tuple[Subject, ...]
    decisions: tuple[Decided, ...]
    sources: tuple[str, ...]
    evidence: tuple[str, ...] = ()
    agreement: str | None = None
    decision: str | None = None
    basis: Basis | None = None
    break_glass: str | None = None  # the id of the broken glass it was asked under
    exchange: Exchange | None = None  # at a site: the gateway's question
    sought: tuple[str, ...] = ()
    described_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was found and is about to be released; `subjects` are those learned."""

    kind: ClassVar[str] = "outcome"
    journey: str
    result: str  # a code: released, no-source-answered, client-gone, ...
    level: str
    sources: tuple[SourceOutcome, ...]
    subjects: tuple[Subject, ...] = ()
    receipt_root: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A question was refused before any source was asked; `code` is the problem's."""

    kind: ClassVar[str] = "denied"
    journey: str
    actor: Actor
    code: str
    purpose: str | None = None
    policy: str | None = None
    subjects: tuple[Subject, ...] = ()
    decisions: tuple[Decided, ...] = ()
    evidence: tuple[str, ...] = ()
    agreement: str | None = None
    decision: str | None = None
    basis: Basis | None = None
    break_glass: str | None = None
    exchange: Exchange | None = None  # at a site: the gateway's question


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """A site did not take a question, and asked no source.

    `digest` is the SHA-256 of what came, None where it was not even read whole;
    `question` its id, where that is to be believed: it was signed by the gateway.
    """

    kind: ClassVar[str] = "not_taken"
    code: str
    digest: str | None
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketsRefused:
    """Whoever polled, or brought an answer, was not believed, so many times.

    `code` says why; `site` is the one that they said they were, None where no such
    site is known here: anything may be said.
    """

    kind: ClassVar[str] = "tickets_refused"
    code: str
    count: int
    site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """Glass broken for one person, put back, looked over, or read of in the queue.

    The reason's text is kept outside the trail, encrypted, until it is reviewed;
    here stands its keyed hash alone.
    """

    kind: ClassVar[str] = "break_glass"
    action: str  # declared, ended, reviewed, listed
    actor: Actor
    glass: str | None = None  # None: the queue was read
    purpose: str | None = None
    subjects: tuple[Subject, ...] = ()
    reason_code: str | None = None
    reason_hmac: str | None = None
    expires_at: datetime | None = None
    finding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Somebody was told why; `about` a decision, or None: of a question not asked."""

    kind: ClassVar[str] = "explained"
    actor: Actor
    purpose: str
    policy: str
    organisations: tuple[str, ...]
    about: str | None = None
    in_full: tuple[str, ...] = ()  # organisations whose own cells were told in full


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCheck:
    """A source is about to be asked of a synthetic person, to see whether it is ready.

    `operator` is who runs the check on this machine: no token says who they are.
    """

    kind: ClassVar[str] = "source_check"
    source: str
    organisation: str
    operator: str
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What may be known was changed, or was about to be; by whom, and to what.

    `state` is the document's afterwards, None where it is gone; `policy` and
    `sequence` are the set in force from then on, None where that did not change.
    """

    kind: ClassVar[str] = "change"
    actor: Actor
    action: str
    object: str  # agreement, local-rule, set
    document: str | None = None
    version: int | None = None
    hash: str | None = None
    state: str | None = None
    policy: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """Somebody is about to be told what a document would do, against which set."""

    kind: ClassVar[str] = "analysed"
    actor: Actor
    action: str  # check, diff, what-if, replay
    object: str  # agreement, local-rule
    document: str
    hash: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """The wall clock went back; the order of entries still stands."""

    kind: ClassVar[str] = "clock_jump"
    back_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A process ended in order."""

    kind: ClassVar[str] = "stop"


AuditRecord: TypeAlias = (
    Start
    | Intent
    | Outcome
    | Denied
    | NotTaken
    | TicketsRefused
    | BreakGlass
    | Explained
    | SourceCheck
    | Change
    | Analysed
    | ClockJump
    | Stop
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the trail adds to a record: its id, the time, and which process wrote."""

    id: str  # 128 random bits in hex
    at: datetime
    process: str


def encoded(record: AuditRecord, stamp: Stamp) -> bytes:
    """The canonical form of a record. ValueError for what may not be recorded.

    One pass in C, which for these types is what `canonical.canon` gives: a law in
    the tests holds the two together.
    """
    body: dict[str, Any] = {
        "type": record.kind,
        "id": stamp.id,
        "at": instant(stamp.at),
        "process": stamp.process,
    }
    for name in record.__slots__:
        body[name] = getattr(record, name)
    if "agreement" in body:
        body["agreement"] = cited(body["agreement"])
    data = _ENCODER.encode(body)
    if _is_unfit(data) or _names_a_person(data):
        raise ValueError("a record holds what is not a code, a count or an instant")
    return data


def instant(at: datetime) -> str:
    """UTC to the microsecond, always of one length."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def cited(agreement: str | None) -> str | None:
    """What a caller cited as authority, fit to be recorded: anything may be sent."""
    if agreement is None or _is_code(agreement):
        return agreement
    return "not-a-code"


def _is_code(text: str) -> bool:
    return _TEXT.fullmatch(text) is not None and not _names_a_person(text.encode())


def _is_unfit(data: bytes) -> bool:
    # What is left without the fit bytes is a space, an escape or not ASCII.
    return bool(
        data.translate(None, _FIT) or b'""' in data or _UNFIT_NUMBER.search(data)
    )


def _names_a_person(data: bytes) -> bool:
    return any(
        nhs_number.normalise(found[0].decode("ascii")) is not None
        and not _is_count(data, found)
        for found in _TEN_DIGITS.finditer(data)
    )


def _is_count(data: bytes, found: re.Match[bytes]) -> bool:
    before, after = _COUNT
    start, end = found.span()
    return data[start - 2 : start] == before and data[end : end + 1] in after


def parts_of(data: bytes, stamp: Stamp, *, part_bytes: int) -> list[bytes]:
    """An over-long record as several that together hold all of it, in order.

    Each names the record's id, its place among the parts, and a slice of the
    canonical text, which is ASCII: every text of a record is.
    """
    # A slice stands inside a string, where each quote takes two bytes.
    room = (part_bytes - 256) // 2
    text = data.decode("ascii")
    slices = [text[place : place + room] for place in range(0, len(text), room)]
    return [
        canon(
            {
                "type": "part",
                "id": stamp.id,
                "part": number,
                "parts": len(slices),
                "text": piece,
            }
        )
        for number, piece in enumerate(slices, 1)
    ]
