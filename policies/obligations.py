"""What must be done to data before it is shown: a meet-semilattice of ten axes.

A view is a set of atoms ("hides person.address", "age <= 365"); more atoms are a
narrower view. Meeting two views keeps the atoms of both.
"""

from dataclasses import dataclass
from typing import Final

from policies.vocabulary import DATE_GRAINS, MASK_LEVELS, NOTIFIED

AXES: Final = (
    "hide_fields",
    "mask_fields",
    "date_grain",
    "max_age_days",
    "min_count",
    "row_filters",
    "no_onward",
    "retain_seconds",
    "notify",
    "justify",
)
_NOTIFY: Final = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How released data may be seen; the default hides and demands nothing.

    `mask_fields` holds (field, level) pairs, one level a field. `max_age_days` and
    `retain_seconds` None mean no bound. `min_count` 0 means none.
    """

    hide_fields: frozenset[str] = frozenset()
    mask_fields: frozenset[tuple[str, str]] = frozenset()
    date_grain: str = DATE_GRAINS[0]
    max_age_days: int | None = None
    min_count: int = 0
    row_filters: frozenset[str] = frozenset()
    no_onward: bool = False
    retain_seconds: int | None = None
    notify: frozenset[str] = frozenset()
    justify: bool = False

    def meet(self, other: "View") -> "View":
        """The view that does all that either demands."""
        return View(
            hide_fields=self.hide_fields | other.hide_fields,
            mask_fields=_stricter_masks(self.mask_fields, other.mask_fields),
            date_grain=max(self.date_grain, other.date_grain, key=DATE_GRAINS.index),
            max_age_days=_lower(self.max_age_days, other.max_age_days),
            min_count=max(self.min_count, other.min_count),
            row_filters=self.row_filters | other.row_filters,
            no_onward=self.no_onward or other.no_onward,
            retain_seconds=_lower(self.retain_seconds, other.retain_seconds),
            notify=self.notify | other.notify,
            justify=self.justify or other.justify,
        )

    def join(self, other: "View") -> "View":
        """The view that does what both demand: the most that either may let be seen."""
        masks = dict(self.mask_fields), dict(other.mask_fields)
        return View(
            hide_fields=self.hide_fields & other.hide_fields,
            mask_fields=frozenset(
                (name, min(*(each[name] for each in masks), key=MASK_LEVELS.index))
                for name in masks[0].keys() & masks[1].keys()
            ),
            date_grain=min(self.date_grain, other.date_grain, key=DATE_GRAINS.index),
            max_age_days=_higher(self.max_age_days, other.max_age_days),
            min_count=min(self.min_count, other.min_count),
            row_filters=self.row_filters & other.row_filters,
            no_onward=self.no_onward and other.no_onward,
            retain_seconds=_higher(self.retain_seconds, other.retain_seconds),
            notify=self.notify & other.notify,
            justify=self.justify and other.justify,
        )

    def at_least_as_permissive(self, other: "View") -> bool:
        """Whether this view demands nothing that the other does not."""
        # Written out, not by way of meet: it is asked a million times in a compile.
        return (
            self.hide_fields <= other.hide_fields
            and _masks_at_most(self.mask_fields, other.mask_fields)
            and DATE_GRAINS.index(self.date_grain)
            <= DATE_GRAINS.index(other.date_grain)
            and _bounds_at_most(self.max_age_days, other.max_age_days)
            and self.min_count <= other.min_count
            and self.row_filters <= other.row_filters
            and self.no_onward <= other.no_onward
            and _bounds_at_most(self.retain_seconds, other.retain_seconds)
            and self.notify <= other.notify
            and self.justify <= other.justify
        )

    def more_permissive(self, other: "View") -> bool:
        """Whether this view demands strictly less than the other."""
        return self != other and self.at_least_as_permissive(other)

    @property
    def axes(self) -> frozenset[str]:
        """The axes on which something is demanded."""
        return frozenset(
            axis for axis in AXES if getattr(self, axis) != getattr(FULL_VIEW, axis)
        )

    @property
    def demanded(self) -> frozenset[str]:
        """What somebody must be able to do: the axes, and whom `notify` is to tell.

        `notify` stands for each of those by itself, as "notify:owner".
        """
        told = frozenset(f"{_NOTIFY}:{each}" for each in self.notify)
        return (self.axes - {_NOTIFY}) | told


FULL_VIEW: Final = View()


def able(supported: frozenset[str]) -> frozenset[str]:
    """What can be done, spelt out: `notify` alone means that anybody can be told."""
    if _NOTIFY not in supported:
        return supported
    return supported | {f"{_NOTIFY}:{each}" for each in NOTIFIED}


def _lower(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _higher(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _bounds_at_most(one: int | None, other: int | None) -> bool:
    return one is None or (other is not None and one >= other)


def _masks_at_most(
    one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]
) -> bool:
    return one <= other or _stricter_masks(one, other) == other


def _stricter_masks(
    one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    levels: dict[str, str] = {}
    for name, level in sorted(one | other):
        known = levels.get(name, MASK_LEVELS[0])
        levels[name] = max(known, level, key=MASK_LEVELS.index)
    return frozenset(levels.items())
