"""Which time is which: birth, start, end, and when it was written down. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from adapters.mapping.time_format import TimeFormat
from gateway.onboarding.dates import DateReading, form_of, moment
from gateway.onboarding.facts import PEOPLE, Facts, depends, shared_words
from gateway.onboarding.proposal import Proposal, TimeGuess
from gateway.onboarding.synonyms import STRONG, words
from gateway.onboarding.taken import Taken

_SURE: Final = 0.98
_READ: Final = 0.9  # of the cells, for a column of times to be sure


def placed(found: Proposal, taken: Taken) -> Proposal:
    """The proposal with its times; every column of times is taken by this."""
    dated = {f.name: f for f in taken.free() if f.dates is not None}
    every = {name: _time(f) for name, f in dated.items()}
    born = _born(dated, found, taken)
    rest = [f for name, f in dated.items() if name != born]
    rest = [f for f in rest if not _is_other(f, taken)]
    recorded = taken.best("recorded", rest, least=STRONG) if len(rest) > 1 else None
    rest = [f for f in rest if f is not recorded]
    end = taken.best("end", rest, least=STRONG) if len(rest) > 1 else None
    start = taken.best("start", [f for f in rest if f is not end])
    if start is None or not end:
        start, end = _by_order(taken, rest, start=start, end=end)
    clocks = _clocks(taken, dated)
    begun = _with_clock(every, start, clocks, taken=taken)
    if begun and start and taken.strength(start, "start") < STRONG:
        begun = replace(begun, is_sure=False)
    born_at = every.get(born or "")
    ended = _with_clock(every, end, clocks, taken=taken)
    written = _with_clock(every, recorded, clocks, taken=taken)
    for each in filter(None, (born_at, begun, ended, written)):
        taken.take(each.column, *([each.clock] if each.clock else []))
    return replace(
        found,
        birth_date=born_at,
        start=begun,
        end=ended,
        recorded=written,
        times=every,
    )


def _time(facts: Facts) -> TimeGuess:
    reading = facts.dates
    assert reading is not None  # noqa: S101 - only columns of times come here
    doubtful = _doubtful(facts)
    because = told_of(reading)
    if facts.days or doubtful:
        told = sum(facts.days.values()) + sum(facts.doubtful_days[d] for d in doubtful)
        because += f"; {told} more rows hold a day that is taken for none"
    is_plain = reading.share >= _READ and not needs_order(reading)
    return TimeGuess(
        column=facts.name,
        is_sure=is_plain and not doubtful,  # it may be somebody's day after all
        because=because,
        reading=reading,
        absent=(*facts.days, *doubtful),
    )


def _is_other(facts: Facts, taken: Taken) -> bool:
    """A time that says when nothing happened to the person."""
    return any(taken.strength(facts, role) for role in ("death_date", "other_time"))


def _doubtful(facts: Facts) -> Sequence[str]:
    """Days that may be somebody's: taken only where far more rows share each."""
    usual = facts.filled / max(facts.distinct, 1)
    often = {d for d, n in facts.doubtful_days.items() if n > max(10 * usual, PEOPLE)}
    return [each for each in facts.doubtful_days if each in often]


def needs_order(reading: DateReading) -> bool:
    """Whether somebody has to say if the day or the month stands first."""
    return reading.is_two_way and (reading.order is None or reading.other_way > 0)


def told_of(reading: DateReading) -> str:
    """What the cells show of how they are written, in counts alone."""
    said = f"{reading.read} of {reading.filled} filled cells are of "
    said += " or ".join(reading.formats)
    if not reading.is_two_way:
        return said
    if reading.order is None:
        return f"{said}, or the month first: every cell can be read both ways"
    other = "month first" if reading.order == "day-first" else "day first"
    return (
        f"{said}; {reading.one_way} cannot be {other}, {reading.ambiguous} could be, "
        f"{reading.other_way} can only be"
    )


def _born(dated: Mapping[str, Facts], found: Proposal, taken: Taken) -> str | None:
    named = taken.best("birth_date", dated.values(), least=STRONG)
    if named is not None:
        return named.name
    if found.nhs_number is None or len(dated) < 2:
        return None
    numbers = found.nhs_number.column
    constant = [name for name in dated if depends(taken.sample, name, numbers) > _SURE]
    # A person's visits differ from each other: what never does is of the person.
    return constant[0] if len(constant) == 1 else None


def _by_order(
    taken: Taken, rest: Sequence[Facts], *, start: Facts | None, end: Facts | None
) -> tuple[Facts | None, Facts | None]:
    """Start and end by which is never after the other, where names do not say."""
    if start is None and len(rest) == 1:
        return rest[0], None
    if start is not None and end is None:
        others = [f for f in rest if f is not start]
        weak = taken.best("end", others)
        if weak is not None and _follows(taken, start, weak) > _SURE:
            return start, weak
        return start, None
    if start is None and len(rest) == 2:
        first, second = rest
        if _follows(taken, first, second) > _SURE:
            return first, second
        if _follows(taken, second, first) > _SURE:
            return second, first
    return start, end


def _follows(taken: Taken, first: Facts, second: Facts) -> float:
    """Share of the rows with both in which the second is not before the first."""
    pairs = zip(_instants(first, taken), _instants(second, taken), strict=True)
    both = [(a, b) for a, b in pairs if a and b]
    return sum(a <= b for a, b in both) / len(both) if both else 0.0


def _instants(facts: Facts, taken: Taken) -> Iterable[datetime | None]:
    reading = facts.dates
    forms = [form_of(each) for each in (reading.formats if reading else ())]
    for cell in taken.sample.column(facts.name):
        found = next((at for form in forms if (at := moment(form, cell))), None)
        yield found.at if found else None


def _clocks(taken: Taken, dated: Mapping[str, Facts]) -> dict[str, Facts]:
    """The column of clock readings that goes with each column of dates, by name."""
    clocks = [f for f in taken.free() if f.clock and f.name not in dated]
    found = {}
    for name in dated:
        stem = _stem(name)
        for each in clocks:
            if "time" in words(each.name) and _stem(each.name) == stem:
                found[name] = each
    return found


def _stem(name: str) -> str:
    plain = words(name).replace("date", " ").replace("time", " ")
    return " ".join(word for word in plain.split() if word not in {"on", "at", "of"})


def _with_clock(
    every: Mapping[str, TimeGuess],
    chosen: Facts | None,
    clocks: Mapping[str, Facts],
    *,
    taken: Taken,
) -> TimeGuess | None:
    if chosen is None:
        return None
    guess = every[chosen.name]
    clock = clocks.get(chosen.name)
    if clock is None:
        return guess
    key = clock.clock
    readable = [form_of(each) for each in key]
    strange = [
        cell
        for cell, often in clock.words.items()
        if often >= PEOPLE and not any(_is_clock(form, cell) for form in readable)
    ]
    shown = shared_words(taken.sample, clock.name, chosen.name) if strange else {}
    return replace(
        guess,
        clock=clock.name,
        clock_formats=key,
        clock_absent=tuple(cell for cell in strange if cell in shown),
        because=f"{guess.because}; its time stands in {clock.name!r}",
    )


def _is_clock(form: TimeFormat, cell: str) -> bool:
    try:
        return form.clock(cell) is not None
    except ValueError:
        return False
