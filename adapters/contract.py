"""One question, one answer: what a source is asked, and what it may say.

An adapter never learns who asks or why. It is called only when policy allowed it,
with the query already narrowed, and it answers for that query alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol, runtime_checkable

import msgspec

from adapters import nhs_number
from adapters.moment import Moment, start_of_day
from adapters.warrant import Warrant


class Identifier(msgspec.Struct, frozen=True, gc=False):
    """A value within a system; the value is a patient value and never printed."""

    system: str
    value: str

    def __repr__(self) -> str:
        return f"Identifier({self.system})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """The person asked for: an NHS number, and identifiers known or learned."""

    nhs_number: str | None = field(default=None, repr=False)
    others: frozenset[Identifier] = frozenset()

    @property
    def every(self) -> frozenset[Identifier]:
        """All of them alike; an NHS number under its current system."""
        if self.nhs_number is None:
            return self.others
        return self.others | {Identifier(nhs_number.SYSTEM, self.nhs_number)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What an adapter is asked. Windows are London days, by an event's start.

    `since` and `until` None mean no bound. With a bound, an event without any
    date cannot be placed: it is left out and counted in the caveat `undated`.
    A start known only to the month or year is in the window if it may be.
    """

    person: Identifiers
    since: date | None
    until: date | None  # exclusive, so that adjoining windows never count a day twice
    categories: frozenset[str]
    limit: int  # most events wanted; an answer cut short says `truncated`
    warrant: Warrant | None = None  # for those alone whose profile wants one

    def covers(self, start: Moment | None) -> bool:
        """Whether an event starting then may lie in the window."""
        if start is None:
            return self.since is None and self.until is None
        if self.since is not None and start.latest <= start_of_day(self.since):
            return False
        return self.until is None or start.at < start_of_day(self.until)


class Code(msgspec.Struct, frozen=True, gc=False):
    """A code as the source gave it."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class Detail(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One allow-listed element of a record: value, unit, dose, method, status."""

    element: str
    value: str | None = None
    unit: str | None = None
    code: Code | None = None

    def __repr__(self) -> str:
        return f"Detail({self.element})"


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One thing that happened to the person, as one record of one source tells it.

    `subject` is what the record itself says it is about: None where it names
    nobody. `caveats` are codes of the vocabulary that are about this record.
    """

    kind: str
    record_id: str  # the source's own, never an NHS number
    title: str
    status: str = "unknown"
    kind_code: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    recorded: Moment | None = None
    codes: tuple[Code, ...] = ()
    labels: frozenset[str] = frozenset()
    detail: tuple[Detail, ...] = ()
    subject: frozenset[Identifier] | None = None
    organisation: str | None = None  # ODS code, where the record names one
    version: str | None = None
    caveats: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Event({self.kind})"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The source's own demographics, for the wrong-patient check and for links."""

    identifiers: frozenset[Identifier] = frozenset()
    name: str | None = None
    birth_date: Moment | None = None
    gender: str | None = None
    postcode: str | None = None

    def __repr__(self) -> str:
        return "Person()"


class Caveat(msgspec.Struct, frozen=True, gc=False):
    """Something the reader of an answer must know; `code` is of the vocabulary."""

    code: str
    count: int = 1


class FlagState(msgspec.Struct, frozen=True, kw_only=True):
    """What a source states of a policy flag about this person, and since when."""

    flag: str
    present: bool
    as_of: datetime


class Narrowed(msgspec.Struct, frozen=True, kw_only=True):
    """What an organisation's own rules kept back at its site, before it answered.

    `denied` are categories that were not even asked for there; `withheld` counts the
    records left out, of `withheld_categories`, `unconfirmed` where some were so for
    want of a flag known to be absent.
    """

    denied: frozenset[str] = frozenset()
    withheld: int = 0
    withheld_categories: frozenset[str] = frozenset()
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a source returned.

    `person` None means that the source knows nobody by these identifiers, which
    is not the same as a known person without events. `held` are the categories
    the source can tell of, so that "none" and "not held here" differ.
    """

    events: tuple[Event, ...] = field(repr=False)
    person: Person | None = field(repr=False)
    as_of: datetime  # how fresh the source is, which is rarely now
    held: frozenset[str]
    caveats: tuple[Caveat, ...] = ()
    flags: tuple[FlagState, ...] = ()
    narrowed: Narrowed | None = None  # of a site alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a source can be asked, known before it is asked."""

    adapter: str  # kind and version: "csv_drop/1"
    mapping: str | None  # "sha256:…" of the file that maps it
    held: frozenset[str]
    identifier_systems: frozenset[str]
    key_system: str | None = None  # the system of its own person key, if it has one
    whole_person: bool = False  # one answer holds every record of whom it names
    wants_warrant: bool = False  # it decides again, and so must be told why it is asked


@runtime_checkable
class Adapter(Protocol):
    """Asks one source. Closing twice, or before the first question, is safe."""

    @property
    def profile(self) -> Profile: ...

    async def ask(self, query: Query) -> Answer:
        """Answer for the query's person, window and categories, and nobody else's.

        Raises only the tree of `adapters.errors`. May be cancelled at any await.
        """
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Watches(Protocol):
    """Of some adapters: takes in what arrives when it arrives, not when it is asked."""

    async def watch(self) -> None:
        """Until cancelled. Never raises AdapterError: what goes wrong, answers say.

        One task at a time runs it; it is cancelled before `aclose`.
        """
        ...


@runtime_checkable
class Forgets(Protocol):
    """Of some adapters: keeps, at the organisation, what it derived from the source."""

    async def forget(self) -> None:
        """Erase all of that: indexes, quarantine. The next question builds it anew.

        Never the organisation's own files. Twice is safe, and so is before the first
        question. Unavailable `state` if something could not be erased.
        """
        ...


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What a source said of two identifiers: `from_` became, or was, known as `to`.

    `merged`: two records of one person became one, or were linked; `unmerged`: that, or
    a superseding, was undone; `superseded`: it says that one person's number was
    replaced by another; `renumbered`: a record has another number than before, which
    may have been somebody else's: nothing is tied by that. `at` is when it happened;
    where the source keeps no such time, when it said so.
    """

    from_: Identifier
    to: Identifier
    how: Literal["merged", "unmerged", "superseded", "renumbered"]
    at: datetime

    def __repr__(self) -> str:
        return f"Traced({self.how})"


@runtime_checkable
class Traces(Protocol):
    """Of some adapters: tell what their source merged, and parted again."""

    async def trace(self, person: Identifiers) -> tuple[Traced, ...]:
        """All it said of any of these, in either direction, oldest first.

        Raises as `ask` does.
        """
        ...


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody a source holds who may be the one described; nothing that happened.

    `flags` are what it states of them: whether they may be seen is decided by those.
    """

    person: Person
    flags: tuple[FlagState, ...] = ()

    def __repr__(self) -> str:
        return "Candidate()"


@runtime_checkable
class Matches(Protocol):
    """Of some adapters: tell whom they hold of a date of birth, as they describe them.

    A last resort, where no identifier leads to anybody. Who it is, others judge.
    """

    async def match(self, described: Person, *, limit: int) -> tuple[Candidate, ...]:
        """Those born on the described day; of another surname they may be left out.

        One more than `limit` at most, which says that there are more. Nobody where
        `described` has no day of birth. What its source holds of one person under one
        key is one candidate, with what their rows contradict each other in left out.
        Raises as `ask` does.
        """
        ...


def day_of_birth(person: Person) -> date | None:
    """The day as it was written, in the offset its source gave; None if not known."""
    born = person.birth_date
    if born is None or born.precision in {"year", "month"}:
        return None
    return born.at.date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a source lets the user we ask it as do, whatever we ask of it."""

    may_write: bool  # it was granted more than reading, which we never use
    is_read_only: bool  # the source itself holds what we ask to reading


@runtime_checkable
class Entitled(Protocol):
    """Of some adapters: tell what they could do there besides reading."""

    async def rights(self) -> Rights:
        """Raises as `ask` does."""
        ...


def tally(codes: Iterable[str]) -> tuple[Caveat, ...]:
    """Caveats with how often each code came, in the order of their codes."""
    counts: dict[str, int] = {}
    for code in codes:
        counts[code] = counts.get(code, 0) + 1
    return tuple(Caveat(code, counts[code]) for code in sorted(counts))
