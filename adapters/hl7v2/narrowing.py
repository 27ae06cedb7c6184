"""Events narrowed to what was asked, in the order of time."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from adapters.contract import Event, Query
from adapters.moment import in_utc, start_of_day
from adapters.vocabulary import LASTING, category_of

_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_OVER: Final = frozenset(
    {"finished", "cancelled", "entered-in-error", "did-not-attend"}
)


def narrowed(
    events: Iterable[Event], query: Query, sector: str
) -> tuple[tuple[Event, ...], list[str]]:
    """The events asked for, by start, the undated last; and caveats on the others."""
    wanted = [e for e in events if category_of(e.kind, sector) in query.categories]
    inside = sorted((e for e in wanted if query.covers(e.start)), key=_when)
    caveats = _left_out(wanted, query)
    if len(inside) > query.limit:
        caveats.append("truncated")
    return tuple(inside[: query.limit]), caveats


def _left_out(events: Iterable[Event], query: Query) -> list[str]:
    if query.since is None and query.until is None:
        return []
    return [
        "undated" if event.start is None else "continues_into_window"
        for event in events
        if event.start is None or _continues(event, query)
    ]


def _continues(event: Event, query: Query) -> bool:
    if query.since is None or event.start is None or event.kind not in LASTING:
        return False
    since = start_of_day(query.since)
    if event.start.latest > since:
        return False
    if event.end is None:
        return event.status not in _OVER
    return event.end.latest > since


def _when(event: Event) -> tuple[bool, datetime, str]:
    if event.start is None:
        return True, _LATEST, event.record_id
    return False, in_utc(event.start.at), event.record_id
