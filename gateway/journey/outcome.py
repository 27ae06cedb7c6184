"""What became of asking one source: `Outcome = Answered | Failure | NotAsked | Denied`.

A failed source is a value. Whoever reads outcomes matches all four.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, NamedTuple

import msgspec

from adapters.contract import Answer, Caveat, Event, Narrowed, Person
from adapters.errors import FaultDomain
from adapters.warrant import Exchange
from gateway.journey.identity import Link
from gateway.sources import Source
from policies.release import Sealed

FailureState = Literal["timeout", "error", "unavailable"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One event of one source, checked to be about the right person.

    `category`, `labels` and `earliest` are what a release decides on.
    """

    source: Source
    event: Event
    link: Link
    category: str
    labels: frozenset[str]
    earliest: datetime | None

    def __repr__(self) -> str:
        return f"Entry({self.source.id})"


class Header(msgspec.Struct, frozen=True, gc=False):
    """What a source says of the person: demographics, which are decided on too."""

    person: Person
    labels: frozenset[str]
    category: str = "demographics"
    earliest: datetime | None = None

    def __repr__(self) -> str:
        return "Header()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The source answered; what it said stays sealed until a decision opens it."""

    sealed: Sealed[Entry] = field(repr=False)
    header: Sealed[Header] = field(repr=False)
    known: bool  # the source knows somebody by these identifiers
    mismatched: int  # records that were about somebody else, withheld
    held: frozenset[str]  # what it can tell of, as it said itself
    as_of: datetime
    retrieved_at: datetime
    caveats: tuple[Caveat, ...] = ()
    misdirected: bool = False  # all it said was of somebody else
    contradicted: bool = False  # some of it, by its own word alone, was
    # What its organisation's site kept back.
    narrowed: Narrowed = field(default_factory=Narrowed)
    by_demographics: bool = False  # nothing but those leads to whom it tells of


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The source did not answer, and why."""

    state: FailureState
    reason: str
    domain: FaultDomain
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAsked:
    """Not asked: outside_question, no_hint, no_time, overloaded or suspended."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """No cell of this source may be known for this purpose; it was never asked.

    `said_by` the gateway's policy, or by the organisation's own, at its site.
    """

    said_by: Literal["gateway", "site"] = "gateway"


Outcome = Answered | Failure | NotAsked | Denied


class Reply(NamedTuple):
    """What came back from one call, raw: it never leaves the fan-out unsealed."""

    said: Answer | Failure | NotAsked | Denied
    at: datetime
    took_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One source, what became of asking it, and how long that took."""

    source: Source
    outcome: Outcome
    categories: frozenset[str]  # asked of it
    since: date | None = None  # the start of the window it was asked for
    took_ms: int | None = None
    exchanges: tuple[Exchange, ...] = ()  # with a site: both ends record them
    traced: int | None = None  # statements of merges it made, if it was asked for any
    untraced: str | None = None  # why it made none, having been asked
