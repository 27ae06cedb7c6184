"""A region in codes, and in one sentence for people who do not read code."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from policies import vocabulary
from policies.analysis.atoms import phrased
from policies.analysis.boxes import Box
from policies.analysis.terrain import (
    ABSENT,
    FLAG,
    LABEL,
    PRESENT,
    SPAN,
    UNCITED,
    Survey,
)
from policies.lines import FLOORS, LONDON, YES
from policies.obligations import View

Extent = Mapping[str, tuple[str, ...]]

_OPENINGS: Final = {
    "newly_allowed": "Newly allowed",
    "newly_refused": "No longer allowed",
    "relaxed": "Shown more fully",
    "tightened": "Shown less fully",
}
_EVERY: Final = {
    "roles": (frozenset(vocabulary.ROLES), "any role"),
    "relationships": (frozenset(vocabulary.RELATIONSHIPS), "any relationship"),
    "assurance": (frozenset(vocabulary.ASSURANCE), "any assurance"),
    "categories": (frozenset(vocabulary.CATEGORIES), "every category"),
    "purposes": (frozenset(vocabulary.PURPOSES), "any purpose"),
    "operations": (frozenset(vocabulary.OPERATIONS), "any operation"),
    "modes": (frozenset(vocabulary.MODES), "any mode"),
}
# Every permit to another's data has these: a floor sees to it.
_MATTER_OF_COURSE: Final = frozenset(
    (FLAG + flag, (ABSENT,))
    for line in FLOORS
    if line.is_silent
    for flag in line.flags_any or ()
)
_DAY_START: Final = timedelta(seconds=1)


def extent_of(survey: Survey, box: Box) -> Extent:
    """The codes of a box, leaving out flags and labels that make no difference."""
    kept: dict[str, tuple[str, ...]] = {}
    for name, values in survey.space.values(box).items():
        is_free = values == survey.space.values(survey.space.full)[name]
        if name == SPAN:
            kept["periods"] = tuple(_periods(survey.spans[each] for each in values))
        elif not (is_free and name.startswith((FLAG, LABEL))):
            kept[name] = values
    return kept


def sentence(
    kind: str, owner: str, extent: Extent, *, views: tuple[View | None, View | None]
) -> str:
    """What a region means, in words."""
    who = f"{_said(extent, 'roles')} of {_listed(extent['recipients'])}"
    what = f"{_said(extent, 'categories')} of {owner} for {_said(extent, 'purposes')}"
    parts = [
        f"{_OPENINGS[kind]}: {who} sees {what}",
        f"{_said(extent, 'operations')}, {_said(extent, 'modes')}",
        f"with {_said(extent, 'relationships')} at {_said(extent, 'assurance')}",
        *_conditions(extent),
        *_shown(*views),
    ]
    return "; ".join(parts) + "."


def _periods(spans: Iterable[tuple[datetime | None, datetime | None]]) -> Iterator[str]:
    """London days, the last included; spans that meet are one."""
    joined: list[tuple[datetime | None, datetime | None]] = []
    for begins, until in spans:
        if joined and joined[-1][1] == begins:
            joined[-1] = joined[-1][0], until
        else:
            joined.append((begins, until))
    for begins, until in joined:
        last = None if until is None else until - _DAY_START
        yield f"{_day(begins)}/{_day(last)}"


def _day(at: datetime | None) -> str:
    return ".." if at is None else at.astimezone(LONDON).date().isoformat()


def _conditions(extent: Extent) -> Iterator[str]:
    yield from (f"from {each.replace('/', ' to ')}" for each in extent["periods"])
    if extent["break_glass"] == (YES,):
        yield "only with broken glass"
    if UNCITED not in extent["agreements"]:
        yield f"only when {_listed(extent['agreements'])} is cited"
    for name, values in extent.items():
        if name.startswith(FLAG) and (name, values) not in _MATTER_OF_COURSE:
            yield f"where {name.removeprefix(FLAG)} is {_listed(values)}"
        if name.startswith(LABEL):
            yield _labelled(name.removeprefix(LABEL), is_present=values == (PRESENT,))


def _labelled(label: str, *, is_present: bool) -> str:
    if label == vocabulary.UNLABELLED:
        return f"from a source that {'does not label' if is_present else 'labels'}"
    return f"{'labelled' if is_present else 'not labelled'} {label}"


def _shown(before: View | None, after: View | None) -> Iterator[str]:
    if before is None and after is not None:
        yield f"shown: {phrased(after)}"
    if before is not None and after is not None:
        yield f"before: {phrased(before)}; then: {phrased(after)}"


def _said(extent: Extent, name: str) -> str:
    every, words = _EVERY[name]
    return words if every <= set(extent[name]) else _listed(extent[name])


def _listed(codes: tuple[str, ...]) -> str:
    *most, last = codes
    return f"{', '.join(most)} or {last}" if most else last
