"""The journey as callers see it. The OpenAPI document is made from these shapes."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

State = Literal[
    "ok",
    "ok_empty",
    "unknown_person",
    "denied",
    "withheld",
    "timeout",
    "error",
    "unavailable",
    "not_asked",
    "stale",
]
Level = Literal["complete", "partial", "none"]
FaultDomain = Literal["gateway", "adapter", "source", "policy"]
Precision = Literal["year", "month", "day", "minute", "second"]
MomentText = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,6})?[+-]\d{2}:\d{2}(:\d{2})?)?)?)?$",
        description="As precise as the source said: 2024, 2024-03, 2024-03-09 or a "
        "full time with its offset. See the precision beside it.",
    ),
]


_SOME: Final = 500  # events written at once


class Shape(Struct, frozen=True, kw_only=True, gc=False):
    """What every response shape is: frozen, all fields present."""


class Window(Shape, frozen=True, kw_only=True):
    """The London days asked for; null is no bound. `until` is exclusive."""

    since: str | None
    until: str | None


class JourneyPerson(Shape, frozen=True, kw_only=True):
    """Who the journey is about, as far as the caller may know."""

    nhs_number: str | None
    name: str | None
    birth_date: MomentText | None
    agreed_by: int


class OrganisationName(Shape, frozen=True, kw_only=True):
    """An organisation: its ODS code, and its name where it is registered here."""

    ods: str
    name: str | None


class CaveatCount(Shape, frozen=True, kw_only=True):
    """Something the reader must know of an answer, and how often it came."""

    code: str
    count: int


class SourceReport(Shape, frozen=True, kw_only=True):
    """What became of asking one source."""

    source: str
    organisation: OrganisationName
    sector: str
    state: State
    reason: str | None
    fault_domain: FaultDomain | None
    categories: list[str]
    held: list[str]
    events: int | None
    as_of: str | None
    lag_s: int | None
    took_ms: int | None
    retry_after_s: int | None
    caveats: list[CaveatCount]


class Gap(Shape, frozen=True, kw_only=True):
    """What may be missing: from which source, of which categories, and when."""

    source: str
    categories: list[str]
    since: str | None
    until: str | None
    meaning: str


class Completeness(Shape, frozen=True, kw_only=True):
    """What was and was not asked and answered. Read it before the events."""

    level: Level
    asked: int
    answered: int
    complete_for: list[str]
    statement: str
    sources: list[SourceReport]
    gaps: list[Gap]
    policy_note: str


class Unmet(Shape, frozen=True, kw_only=True):
    """One condition of the request that the journey does not meet."""

    condition: Literal["source", "organisation", "sector", "min_sources", "strict"]
    value: str


class EventCode(Shape, frozen=True, kw_only=True):
    """A code as the source gave it."""

    system: str | None
    code: str | None
    display: str | None


class EventDetail(Shape, frozen=True, kw_only=True):
    """One element of the source's record: value, unit, dose, method, status."""

    element: str
    value: str | None
    unit: str | None
    code: EventCode | None


class EventLink(Shape, frozen=True, kw_only=True):
    """How the record was tied to the person, and how sure that is (0 to 1).

    By `demographics` alone: with the grade of FHIR's `$match`, and which fields agreed.
    By `superseded_number` or `merged_identifier`: which source stated it, and when it
    says it happened, each null where that may not be told.
    """

    method: str
    confidence: float
    grade: Literal["certain", "probable", "possible", "certainly-not"] | None
    agreed: tuple[str, ...]
    said_by: str | None
    said_at: MomentText | None


class Provenance(Shape, frozen=True, kw_only=True):
    """Where an event comes from."""

    source: str
    organisation: OrganisationName
    record_id: str | None
    retrieved_at: str
    adapter: str
    mapping: str | None
    link: EventLink


class JourneyEvent(Shape, frozen=True, kw_only=True):
    """One thing that happened to the person, as one record of one source tells it."""

    id: str
    kind: str
    kind_code: str | None
    category: str
    title: str | None
    status: str
    start: MomentText | None
    start_precision: Precision | None
    end: MomentText | None
    end_precision: Precision | None
    recorded_at: MomentText | None
    codes: tuple[EventCode, ...]
    detail: tuple[EventDetail, ...]
    labels: tuple[str, ...]
    altered: tuple[str, ...]
    caveats: tuple[str, ...]
    same_as: tuple[str, ...]
    provenance: Provenance


class Discrepancy(Shape, frozen=True, kw_only=True):
    """Something the sources do not agree on, or that cannot be right.

    `at` is when it happened, where a source said so and it may be told.
    """

    code: str
    sources: list[str]
    events: list[str]
    at: MomentText | None
    meaning: str


class Because(Shape, frozen=True, kw_only=True):
    """Why one cell was permitted or denied."""

    organisation: str
    category: str
    effect: Literal["permit", "deny"]
    code: str
    authority: str | None
    why: str


class RelationshipShown(Shape, frozen=True, kw_only=True):
    """A relationship to the person that the decision rests on.

    With `reference` it was found at a source of your own organisation: which, and a
    mark of the record that tells nothing of it. It counts until `expires`, as its
    source stood at `as_of`. Without one, your token or you yourself said so.
    """

    kind: str
    organisation: str | None
    reference: str | None
    as_of: str | None
    expires: str | None


class JourneyDecision(Shape, frozen=True, kw_only=True):
    """What policy said, and under which version of it."""

    decision_id: str
    policy: str
    evidence: str | None
    relationships: list[RelationshipShown]
    obligations: list[str]
    retain_seconds: int | None
    because: list[Because]


class Journey(Shape, frozen=True, kw_only=True):
    """One person's events, woven; what is missing stands before them."""

    journey_id: str
    purpose: str
    window: Window
    person: JourneyPerson
    completeness: Completeness
    events: list[JourneyEvent]
    discrepancies: list[Discrepancy]
    decision: JourneyDecision
    receipt: None


def as_json(shape: Struct) -> bytes:
    """UTF-8 JSON of a shape, in the order of its fields."""
    return msgspec.json.encode(shape)


def written(journey: Journey) -> bytes:
    """`as_json`, events some at a time: a thread that writes many gives way between."""
    events = journey.events
    if len(events) <= _SOME:
        return as_json(journey)
    pieces = (
        msgspec.json.encode(events[first : first + _SOME])[1:-1]
        for first in range(0, len(events), _SOME)
    )
    listed = msgspec.Raw(b"[%b]" % b",".join(pieces))
    return as_json(msgspec.structs.replace(journey, events=listed))
