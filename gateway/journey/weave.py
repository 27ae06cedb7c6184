"""Weaving: order events by instant, and mark what two sources tell alike. Pure.

Nothing is merged and nothing removed: two records of one thing stay two events
that name each other in `same_as`; within one source nothing is ever paired.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from typing import Final, TypeAlias

from adapters.contract import Event
from adapters.moment import Moment, in_utc
from gateway.journey.outcome import Entry

# From the first instant a start can mean to the one after the last, in UTC; whose.
_Span: TypeAlias = tuple[datetime, datetime, int]

_COARSENESS: Final = {"year": 0, "month": 1, "day": 2, "minute": 3, "second": 4}
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_FINE: Final[Mapping[str, timedelta]] = {
    "minute": timedelta(minutes=1),
    "second": timedelta(microseconds=1),
}
# A record that so many others of its kind overlap is one of a crowd: nothing tells
# its twin there, and comparing all with all would hold up every other journey.
_CROWD: Final = 200


def order(entries: Iterable[Entry]) -> list[Entry]:
    """By start instant, the less precise first; undated last; then source, record."""
    # A float tells nearly all apart, and is compared far sooner than what follows it;
    # where it cannot, as far from now, the whole place is compared.
    known = list(entries)
    starts = [entry.event.start for entry in known]
    times = [inf if start is None else start.at.timestamp() for start in starts]
    placed = sorted(range(len(known)), key=times.__getitem__)
    ordered = [known[index] for index in placed]
    times.sort()
    for run in _runs([at for at, (a, b) in enumerate(pairwise(times)) if a == b]):
        ordered[run] = sorted(ordered[run], key=_place)
    return ordered


def _runs(ties: Iterable[int]) -> Iterator[slice]:
    """Each stretch of places of which every one but the last ties with the next."""
    first = last = -2
    for place in ties:
        if place != last + 1:
            if first >= 0:
                yield slice(first, last + 2)
            first = place
        last = place
    if first >= 0:
        yield slice(first, last + 2)


def _place(entry: Entry) -> tuple[datetime, int, str, str, str]:
    start = entry.event.start
    at = _LAST if start is None else _utc(start.at)
    coarseness = 9 if start is None else _COARSENESS[start.precision]
    return at, coarseness, entry.source.id, entry.event.record_id, entry.event.kind


def _utc(at: datetime) -> datetime:
    # By the wall clock two readings of one autumn hour cannot be compared.
    return at if at.tzinfo is UTC else in_utc(at)


def pairs(entries: Sequence[Entry]) -> Mapping[int, frozenset[int]]:
    """Which entries tell of the same thing: index to the indexes of its twins.

    Two records are twins only if each is the other's one candidate in that source:
    where two would do, neither is taken.
    """
    candidates: dict[tuple[int, str], list[int]] = {}
    for spans in _spans(entries):
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


def _spans(entries: Sequence[Entry]) -> Iterator[list[_Span]]:
    """The starts of each kind of which two sources tell."""
    by_kind: dict[str, list[_Span]] = {}
    for index, entry in enumerate(entries):
        event = entry.event
        start = event.start
        if start is None or event.status == "entered-in-error":
            continue
        spans = by_kind.get(event.kind)
        if spans is None:
            spans = by_kind[event.kind] = []
        at, width = start.at, _FINE.get(start.precision)
        if width is not None and at.tzinfo is UTC:
            spans.append((at, start.latest if at.year == 9999 else at + width, index))
        else:
            spans.append((in_utc(at), in_utc(start.latest), index))
    for spans in by_kind.values():
        first = entries[spans[0][2]].source.id
        if any(entries[index].source.id != first for _, _, index in spans):
            yield spans


def _overlapping(spans: list[_Span]) -> Iterator[tuple[int, int]]:
    """Every two whose starts may be one instant, once; crowds left out."""
    spans.sort()
    starts = [start for start, _, _ in spans]
    near = [
        place
        for place, ((_, latest, _), following) in enumerate(
            zip(spans, starts[1:], strict=False), 1
        )
        if following < latest
    ]
    for following in near:
        start, latest, left = spans[following - 1]
        end = bisect_left(starts, latest, lo=following)
        if end - bisect_left(starts, start) <= _CROWD:
            for _, _, right in spans[following:end]:
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
