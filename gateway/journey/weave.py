"""Weaving: order events by instant, and mark what two sources tell alike. Pure.

Nothing is merged and nothing removed: two records of one thing stay two events
that name each other in `same_as`; within one source nothing is ever paired.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from adapters.contract import Event
from adapters.moment import Moment
from gateway.journey.outcome import Entry

_COARSENESS: Final = {"year": 0, "month": 1, "day": 2, "minute": 3, "second": 4}
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_FINE: Final = frozenset({"minute", "second"})


def order(entries: Iterable[Entry]) -> list[Entry]:
    """By start instant, the less precise first; undated last; then source, record."""
    return sorted(entries, key=_place)


def _place(entry: Entry) -> tuple[datetime, int, str, str, str]:
    start = entry.event.start
    at = _LAST if start is None else start.at
    coarseness = 9 if start is None else _COARSENESS[start.precision]
    return at, coarseness, entry.source.id, entry.event.record_id, entry.event.kind


def pairs(entries: Sequence[Entry]) -> Mapping[int, frozenset[int]]:
    """Which entries tell of the same thing: index to the indexes of its twins.

    Two records are twins only if each is the other's one candidate in that source:
    where two would do, neither is taken.
    """
    by_kind: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        if entry.event.start is not None and entry.event.status != "entered-in-error":
            by_kind.setdefault(entry.event.kind, []).append(index)
    candidates: dict[tuple[int, str], list[int]] = {}
    for indexes in by_kind.values():
        if len({entries[index].source.id for index in indexes}) > 1:
            _find(entries, indexes, candidates)
    twins: dict[int, set[int]] = {}
    for (index, _), found in candidates.items():
        other = found[0]
        back = candidates.get((other, entries[index].source.id), [])
        if len(found) == 1 and back == [index]:
            twins.setdefault(index, set()).add(other)
    return {index: frozenset(found) for index, found in twins.items()}


def _find(
    entries: Sequence[Entry],
    indexes: Sequence[int],
    candidates: dict[tuple[int, str], list[int]],
) -> None:
    """Add to `candidates` every pair of this kind that may be one thing."""
    ordered = sorted(indexes, key=lambda index: _start(entries[index]).at)
    for place, left in enumerate(ordered):
        latest = _start(entries[left]).latest
        for right in ordered[place + 1 :]:
            if _start(entries[right]).at >= latest:
                break
            if _alike(entries[left], entries[right]):
                for one, other in ((left, right), (right, left)):
                    key = (one, entries[other].source.id)
                    candidates.setdefault(key, []).append(other)


def _start(entry: Entry) -> Moment:
    start = entry.event.start
    if start is None:
        message = "only dated entries are compared"
        raise ValueError(message)
    return start


def _alike(left: Entry, right: Entry) -> bool:
    """Same kind and overlapping start are given; is there evidence it is one thing?"""
    if left.source.id == right.source.id or _elsewhere(left.event, right.event):
        return False
    mine, theirs = _codes(left.event), _codes(right.event)
    if mine and theirs:
        return bool(mine & theirs)
    if {_start(left).precision, _start(right).precision} <= _FINE:
        return True
    return (
        left.event.organisation == right.source.organisation.ods
        or right.event.organisation == left.source.organisation.ods
    )


def _elsewhere(left: Event, right: Event) -> bool:
    """Both name where it happened, and name different places."""
    return (
        left.organisation is not None
        and right.organisation is not None
        and left.organisation != right.organisation
    )


def _codes(event: Event) -> frozenset[tuple[str | None, str]]:
    return frozenset((c.system, c.code) for c in event.codes if c.code is not None)
