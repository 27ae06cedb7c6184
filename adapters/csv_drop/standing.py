"""Which drops count, and in which order, whatever the order they came in.

A drop stands by its period, then by its number, then by when it was made. One that
corrects a whole period leaves the earlier ones of that period nothing to say.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.csv_drop.rules import Drops

_DIGITS: Final = re.compile("([0-9]+)")
_DATE: Final = ("year", "month", "day")

Natural = tuple[str | int, ...]


def natural(text: str) -> Natural:
    """A text as people order it: v2 before v10. Any two compare."""
    parts = _DIGITS.split(text)
    return tuple(int(p) if n % 2 else p for n, p in enumerate(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which drop it is, as its sender says."""

    period: str = ""
    sequence: int | None = None
    created: str = ""

    @property
    def within(self) -> tuple[int, Natural]:
        """Its place within its period."""
        number = -1 if self.sequence is None else self.sequence
        return number, natural(self.created)


def told_by_name(name: str, pattern: str) -> Standing | None:
    """What a file's name says by named groups; None if it says nothing."""
    found = re.fullmatch(pattern, name)
    told = {k: v for k, v in found.groupdict().items() if v} if found else {}
    if not told:
        return None
    sequence = told.get("sequence", "")
    if sequence and not (sequence.isascii() and sequence.isdigit()):
        return None
    dated = "-".join(told[part] for part in _DATE if part in told)
    return Standing(
        period="/".join(filter(None, (told.get("period"), dated))),
        sequence=int(sequence) if sequence else None,
        created=told.get("created", ""),
    )


def told_by_manifest(
    period: str | None, sequence: int | None, created: datetime | None
) -> Standing | None:
    """What a manifest says; None if it says nothing of all this."""
    if period is None and sequence is None and created is None:
        return None
    at = created.astimezone(UTC).isoformat(timespec="microseconds") if created else ""
    return Standing(period=period or "", sequence=sequence, created=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A file that is there, or was only promised, and where it stands."""

    name: str
    standing: Standing
    is_there: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """The names of the files that count, oldest first, and how many are missing."""

    names: tuple[str, ...]
    missing: int


def counting(placed: Iterable[Placed], rules: Drops, *, only_newest: bool) -> Counting:
    """Those that count; with `only_newest`, the one that is the whole truth.

    Missing are files promised that would count, and numbers between others.
    """
    every = sorted(placed, key=_order)
    ordered = every
    if rules.corrects == "period":
        last = _last_of_each(every)
        ordered = [
            each for each in every if each.standing.within >= last[_period(each)]
        ]
    if only_newest:
        there = [n for n, each in enumerate(ordered) if each.is_there]
        ordered = ordered[there[-1] :] if there else ordered
    gaps = 0 if only_newest else _gaps(every, rules)
    return Counting(
        names=tuple(each.name for each in ordered if each.is_there),
        missing=gaps + sum(not each.is_there for each in ordered),
    )


def _order(placed: Placed) -> tuple[Natural, tuple[int, Natural], Natural, str]:
    # The name last, so that no two are alike, and arriving early changes nothing.
    return _period(placed), placed.standing.within, natural(placed.name), placed.name


def _period(placed: Placed) -> Natural:
    return natural(placed.standing.period)


def _last_of_each(every: Iterable[Placed]) -> dict[Natural, tuple[int, Natural]]:
    """Within each period, where the last drop stands that is there."""
    found: dict[Natural, tuple[int, Natural]] = {}
    for each in every:
        nothing = (-1, natural(""))
        within = each.standing.within if each.is_there else nothing
        found[_period(each)] = max(within, found.get(_period(each), nothing))
    return found


def _gaps(every: Iterable[Placed], rules: Drops) -> int:
    if rules.numbered == "period" and rules.corrects == "period":
        return 0  # what a later drop of the period replaced is not missed
    runs: dict[Natural, set[int]] = {}
    for each in every:
        if each.standing.sequence is not None:
            run = _period(each) if rules.numbered == "period" else ()
            runs.setdefault(run, set()).add(each.standing.sequence)
    return sum(_gaps_of(run, rules.first) for run in runs.values())


def _gaps_of(numbers: set[int], first: int | None) -> int:
    lowest = min(numbers)
    begins = lowest if first is None else min(first, lowest)
    return max(numbers) - begins + 1 - len(numbers)
