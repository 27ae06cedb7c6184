"""Weaving: order events by instant, and mark what two sources tell alike. Pure.

Nothing is merged and nothing removed: two records of one thing stay two events
that name each other in `same_as`; within one source nothing is ever paired.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from adapters.contract import Event
from adapters.moment import Moment
from gateway.journey.outcome import Entry

# From the first instant a start can mean to the one after the last, in UTC.
_Span: TypeAlias = tuple[datetime, datetime]

_COARSENESS: Final = {"year": 0, "month": 1, "day": 2, "minute": 3, "second": 4}
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_FINE: Final = frozenset({"minute", "second"})
# A record that so many others of its kind overlap is one of a crowd: nothing tells
# its twin there, and comparing all with all would hold up every other journey.
_CROWD: Final = 200


def order(entries: Iterable[Entry]) -> list[Entry]:
    """By start instant, the less precise first; undated last; then source, record."""
    return sorted(entries, key=_place)


def _place(entry: Entry) -> tuple[datetime, int, str, str, str]:
    start = entry.event.start
    # In UTC: by the wall clock two readings of one autumn hour cannot be compared.
    at = _LAST if start is None else start.at.astimezone(UTC)
    coarseness = 9 if start is None else _COARSENESS[start.precision]
    return at, coarseness, entry.source.id, entry.event.record_id, entry.event.kind


def pairs(entries: Sequence[Entry]) -> Mapping[int, frozenset[int]]:
    """Which entries tell of the same thing: index to the indexes of its twins.

    Two records are twins only if each is the other's one candidate in that source:
    where two would do, neither is taken.
    """
    by_kind: dict[str, dict[int, _Span]] = {}
    for index, entry in enumerate(entries):
        start = entry.event.start
        if start is not None and entry.event.status != "entered-in-error":
            span = start.at.astimezone(UTC), start.latest.astimezone(UTC)
            by_kind.setdefault(entry.event.kind, {})[index] = span
    candidates: dict[tuple[int, str], list[int]] = {}
    for spans in by_kind.values():
        if len({entries[index].source.id for index in spans}) > 1:
            for left, right in _overlapping(spans):
                if _alike(entries[left], entries[right]):
                    for one, other in ((left, right), (right, left)):
                        key = (one, entries[other].source.id)
                        candidates.setdefault(key, []).append(other)
    twins: dict[int, set[int]] = {}
    for (index, _), found in candidates.items():
        other = found[0]
        back = candidates.get((other, entries[index].source.id), [])
        if len(found) == 1 and back == [index]:
            twins.setdefault(index, set()).add(other)
    return {index: frozenset(found) for index, found in twins.items()}


def _overlapping(spans: Mapping[int, _Span]) -> Iterator[tuple[int, int]]:
    """Every two whose starts may be one instant, once; crowds left out."""
    ordered = sorted(spans, key=spans.__getitem__)
    starts = [spans[index][0] for index in ordered]
    for place, left in enumerate(ordered):
        start, latest = spans[left]
        following = place + 1
        if following == len(starts) or starts[following] >= latest:
            continue
        end = bisect_left(starts, latest, lo=following)
        if end - bisect_left(starts, start) <= _CROWD:
            for right in ordered[following:end]:
                yield left, right


def _alike(left: Entry, right: Entry) -> bool:
    """Same kind and overlapping start are given; is there evidence it is one thing?"""
    if left.source.id == right.source.id or _elsewhere(left.event, right.event):
        return False
    mine, theirs = _codes(left.event), _codes(right.event)
    if mine and theirs:
        return bool(mine & theirs)
    if _is_fine(left.event.start) and _is_fine(right.event.start):
        return True
    return (
        left.event.organisation == right.source.organisation.ods
        or right.event.organisation == left.source.organisation.ods
    )


def _is_fine(start: Moment | None) -> bool:
    return start is not None and start.precision in _FINE


def _elsewhere(left: Event, right: Event) -> bool:
    """Both name where it happened, and name different places."""
    return (
        left.organisation is not None
        and right.organisation is not None
        and left.organisation != right.organisation
    )


def _codes(event: Event) -> frozenset[tuple[str | None, str]]:
    return frozenset((c.system, c.code) for c in event.codes if c.code is not None)
