"""A record as a view lets it be seen, for what is concluded from it.

What is concluded from more would tell what the view hides.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from adapters.contract import Event
from adapters.moment import Moment
from gateway.journey.shape import coarsened
from policies.obligations import View


def taken_out(view: View) -> frozenset[str]:
    """The fields that a view hides or masks."""
    masked = {name for name, level in view.mask_fields if level != "none"}
    return view.hide_fields | masked


def floored(moment: Moment | None, view: View) -> Moment | None:
    """A time at the grain it is shown, and at the first instant that can mean."""
    shown = coarsened(moment, view)
    if shown is None:
        return None
    # A coarsened time still carries the instant it was made from.
    return Moment(_FLOORS[shown.precision](shown.at), shown.precision)


def as_seen(event: Event, view: View) -> Event:
    """A record with its times as they are shown, and nothing that is hidden.

    Of its kind, status, place and times alone: the rest is left as it is.
    """
    hidden = taken_out(view)
    return msgspec.structs.replace(
        event,
        start=floored(event.start, view),
        end=floored(event.end, view),
        status="unknown" if "event.status" in hidden else event.status,
        organisation=None if "event.organisation" in hidden else event.organisation,
    )


def _to_day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


_FLOORS: Final[dict[str, Callable[[datetime], datetime]]] = {
    "year": lambda at: _to_day(at).replace(month=1, day=1),
    "month": lambda at: _to_day(at).replace(day=1),
    "day": _to_day,
    "minute": lambda at: at.replace(second=0, microsecond=0),
    "second": lambda at: at,
}
