"""From rows of one person to an answer: read, narrowed, ordered, and honest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.contract import (
    Answer,
    Caveat,
    Event,
    FlagState,
    Identifier,
    Person,
    Query,
    tally,
)
from adapters.mapping.cells import Row
from adapters.mapping.compiled import Mapping, Read
from adapters.moment import in_utc, start_of_day
from adapters.vocabulary import LASTING, category_of

_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_OVER: Final = frozenset(
    {"finished", "cancelled", "entered-in-error", "did-not-attend"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rows that identifiers reached, and what is known of those identifiers."""

    rows: Sequence[Row]
    people: Sequence[Row] | None = None  # of everyone reached, if rows were narrowed
    shared: frozenset[Identifier] = frozenset()  # asked or named, and linking nobody
    dropped: int = 0  # asked identifiers that were left out as shared
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What of a source every answer repeats."""

    mapping: Mapping
    sector: str
    held: frozenset[str]
    as_of: datetime
    notes: tuple[str, ...] = ()  # caveats on everything this source says now
    rejected: int = 0


def answer(source: Source, query: Query, found: Found) -> Answer:
    """The answer these rows give, with every filter of the query applied here."""
    read, rejected = _read(source.mapping, found.rows)
    kept = [
        r for r in read if category_of(r.event.kind, source.sector) in query.categories
    ]
    inside = [r for r in kept if query.covers(r.event.start)]
    events = sorted((r.event for r in inside), key=_when)
    caveats = [*source.notes, *_left_out(kept, query)]
    caveats += [note for r in kept for note in r.notes]
    caveats += ["shared_identifier"] * found.dropped
    if found.truncated or len(events) > query.limit:
        caveats.append("truncated")
    person = _person(source.mapping, found)
    return Answer(
        events=tuple(events[: query.limit]),
        person=person,
        as_of=source.as_of,
        held=source.held,
        caveats=_with_rejected(caveats, rejected + source.rejected),
        flags=_flags(source, found) if person else (),
    )


def _with_rejected(caveats: Sequence[str], rejected: int) -> tuple[Caveat, ...]:
    # Counted, not listed: a drop may hold hundreds of thousands of them.
    counted = tally(caveats)
    if not rejected:
        return counted
    return tuple(sorted((*counted, Caveat("rows_rejected", rejected)), key=_code))


def _code(caveat: Caveat) -> str:
    return caveat.code


def _read(mapping: Mapping, rows: Iterable[Row]) -> tuple[list[Read], int]:
    read, rejected = [], 0
    for row in rows:
        result = mapping.read(row)
        if isinstance(result, Read):
            read.append(result)
        else:
            rejected += 1
    return read, rejected


def _person(mapping: Mapping, found: Found) -> Person | None:
    rows = found.rows if found.people is None else found.people
    if not rows:
        return None
    named = frozenset[Identifier]().union(
        *{each.subject for each in mapping.naming.of_each(rows)}
    )
    return mapping.person.person(rows, named - found.shared)


def _flags(source: Source, found: Found) -> tuple[FlagState, ...]:
    rows = found.rows if found.people is None else found.people
    return source.mapping.person.states(rows, source.as_of)


def _when(event: Event) -> tuple[bool, datetime, str]:
    # Undated ones come last. In UTC, since two London readings of one autumn hour
    # compare by the wall clock; by record id where they are equal.
    if event.start is None:
        return True, _LATEST, event.record_id
    return False, in_utc(event.start.at), event.record_id


def _left_out(read: Sequence[Read], query: Query) -> list[str]:
    if query.since is None and query.until is None:
        return []
    return [
        "undated" if r.event.start is None else "continues_into_window"
        for r in read
        if r.event.start is None or continues(r.event, query)
    ]


def continues(event: Event, query: Query) -> bool:
    """Whether it began before the query's window and goes on into it."""
    if query.since is None or event.start is None or event.kind not in LASTING:
        return False
    since = start_of_day(query.since)
    if event.start.latest > since:
        return False
    if event.end is None:
        return event.status not in _OVER
    return event.end.latest > since
