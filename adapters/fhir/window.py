"""What belongs in an answer: category, window, limit, each re-applied here."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from adapters.contract import Event, Query
from adapters.moment import start_of_day
from adapters.vocabulary import category_of

# Kinds that go on: one that began before a window may reach into it.
_LASTING: Final = frozenset(
    {
        "inpatient_spell",
        "inpatient_episode",
        "ward_stay",
        "critical_care_stay",
        "episode_of_care",
        "mental_health_referral",
        "referral",
        "social_care_service",
    }
)
# Kinds that are over at once, so that no end means that there is none to come.
_POINTS: Final = frozenset({"observation", "diagnostic_report", "immunisation"})
_GOING_ON: Final = frozenset({"active", "on-hold"})
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
# A server may read a bare day in another zone than ours: ask for a day more at each
# end, and let the window itself be applied here.
_MARGIN: Final = timedelta(days=1)


def pushed(query: Query, parameter: str) -> tuple[tuple[str, str], ...]:
    """Search parameters for the window, a day wider than it."""
    bounds: list[tuple[str, str]] = []
    if query.since is not None:
        bounds.append((parameter, f"ge{(query.since - _MARGIN).isoformat()}"))
    if query.until is not None:
        bounds.append((parameter, f"lt{(query.until + _MARGIN).isoformat()}"))
    return tuple(bounds)


def may_reach(event: Event, query: Query) -> bool:
    """Whether a filter by `pushed` may let this event through: generously."""
    if event.start is None:
        return True
    if event.end is not None:
        last = max(event.start.latest, event.end.latest)
    else:
        last = event.start.latest if event.kind in _POINTS else _NEVER
    too_late = query.until is not None and event.start.at > start_of_day(
        query.until + 2 * _MARGIN
    )
    too_early = query.since is not None and last < start_of_day(
        query.since - 2 * _MARGIN
    )
    return not too_late and not too_early


def narrowed(
    events: Iterable[Event], query: Query, *, sector: str, as_of: datetime
) -> tuple[tuple[Event, ...], list[str]]:
    """Events of the query's categories and window, oldest first, and caveats."""
    caveats: list[str] = []
    kept: list[Event] = []
    for event in events:
        if category_of(event.kind, sector) not in query.categories:
            continue
        if query.covers(event.start):
            kept.append(_flagged(event, as_of))
        elif event.start is None:
            caveats.append("undated")
        elif _continues_into(event, query):
            caveats.append("continues_into_window")
    kept.sort(key=_order)
    if len(kept) > query.limit:
        caveats.append("truncated")
    return tuple(kept[: query.limit]), caveats


def _continues_into(event: Event, query: Query) -> bool:
    if query.since is None or event.start is None or event.kind not in _LASTING:
        return False
    first = start_of_day(query.since)
    if event.start.at >= first:
        return False
    if event.end is None:
        return event.status in _GOING_ON
    return event.end.latest > first


def _flagged(event: Event, as_of: datetime) -> Event:
    if (
        event.start is None
        or event.start.at <= as_of
        or event.status in {"planned", "cancelled"}
    ):
        return event
    return replace(event, caveats=(*event.caveats, "after_as_of"))


def _order(event: Event) -> tuple[datetime, str]:
    return (event.start.at if event.start else _NEVER, event.record_id)
