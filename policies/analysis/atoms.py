"""The atoms a view is made of, each a view of its own, and their words."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from policies import vocabulary
from policies.obligations import AXES, FULL_VIEW, View

_SETS: Final = ("hide_fields", "mask_fields", "row_filters", "notify")

_WORDS: Final[dict[str, Callable[[Any], str]]] = {
    "hide_fields": lambda held: f"{_only(held)} hidden",
    "mask_fields": lambda held: "{} masked ({})".format(*_only(held)),
    "date_grain": lambda grain: f"dates to the {grain}",
    "max_age_days": lambda days: f"nothing older than {days} days",
    "min_count": lambda least: f"no count below {least}",
    "row_filters": lambda held: f"people with {_only(held)} left out",
    "no_onward": lambda _: "not to be passed on",
    "retain_seconds": lambda seconds: f"kept for {seconds} seconds at most",
    "notify": lambda held: f"{_only(held)} told",
    "justify": lambda _: "a reason given",
}

# What has to be supported for analysis to leave no view out.
EVERY_DUTY: Final = View(
    hide_fields=frozenset(vocabulary.FIELDS),
    mask_fields=frozenset(
        (field, vocabulary.MASK_LEVELS[-1]) for field in vocabulary.FIELDS
    ),
    date_grain=vocabulary.DATE_GRAINS[-1],
    max_age_days=1,
    min_count=1,
    row_filters=frozenset(vocabulary.FLAGS),
    no_onward=True,
    retain_seconds=0,
    notify=frozenset(vocabulary.NOTIFIED),
    justify=True,
).axes


def atoms(view: View) -> tuple[tuple[str, View], ...]:
    """Views that demand one thing each, by axis; together, what the view demands."""
    return tuple(_each(view))


def phrased(view: View) -> str:
    """What a view demands, in words: "person.address hidden, dates to the day"."""
    said = [_WORDS[axis](getattr(each, axis)) for axis, each in _each(view)]
    return ", ".join(said) or "all of it"


def _each(view: View) -> Iterator[tuple[str, View]]:
    for axis in AXES:
        demanded = getattr(view, axis)
        if demanded == getattr(FULL_VIEW, axis):
            continue
        is_set = axis in _SETS
        for part in sorted(demanded) if is_set else [demanded]:
            held: Any = frozenset({part}) if is_set else part
            yield axis, replace(FULL_VIEW, **{axis: held})


def _only(held: frozenset[Any]) -> Any:  # noqa: ANN401 - a code, or a field and level
    return next(iter(held))
