"""What each column of a sample holds: counts and shares, and whose words stand often.

Nothing here is shown but counts, formats, and words that several people share.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters import nhs_number
from gateway.onboarding.dates import (
    DateReading,
    days_among,
    has_short_years,
    read_clock,
    read_dates,
)
from gateway.onboarding.sample import Sample
from gateway.onboarding.synonyms import Synonyms

PEOPLE: Final = 5  # who share a word before it is no longer one person's
_MOSTLY: Final = 0.9
_ICD: Final = re.compile(r"[A-TV-Z]\d\d(?:\.?[0-9X]\d?)?[A-Z*+†]?", re.IGNORECASE)
_ODS: Final = re.compile(r"[A-HJ-NP-Z][0-9A-Z]{2}(?:[0-9A-Z]{2,3})?")
_SNOMED: Final = re.compile(r"[1-9]\d{5,17}", re.ASCII)
# Verhoeff's check, which the last digit of a SNOMED CT identifier keeps.
_DIHEDRAL: Final = tuple(
    tuple(
        (5 * (i // 5) + (i + j) % 5) % 10
        if i < 5 and j < 5
        else 5 + (i + j - 5) % 5
        if i < 5
        else 5 + (i - 5 - j) % 5
        if j < 5
        else (i - j) % 5
        for j in range(10)
    )
    for i in range(10)
)
_FIRST: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One column. Counts are of rows; `words` and `shared` are the cells themselves."""

    name: str
    rows: int
    filled: int
    distinct: int
    numbers: int  # that are NHS numbers
    dates: DateReading | None
    clock: tuple[str, ...]
    short_years: bool
    absent: Mapping[str, int]  # words for nothing, as they are written
    days: Mapping[str, int]  # days that stand for nothing, as they are written
    doubtful_days: Mapping[str, int]
    snomed: float  # shares of the filled cells
    icd: float
    ods: float
    numeric: float
    longest: int
    words: Mapping[str, int] = field(repr=False)  # every word, the commonest first

    @property
    def is_constant(self) -> bool:
        return self.distinct == 1

    @property
    def is_text(self) -> bool:
        return self.numeric < 0.5 and self.dates is None and not self.clock

    @property
    def is_unique(self) -> bool:
        """No value stands twice, and every row has one."""
        return self.filled == self.rows and self.distinct == self.filled


def facts_of(sample: Sample, lists: Synonyms) -> dict[str, Facts]:
    """The facts of each column, by its name; those without a name are left out.

    Rows that are the same in every cell are counted once.
    """
    rows = list(dict.fromkeys(map(tuple, sample.rows)))
    found = {}
    for index, name in enumerate(sample.columns):
        if name and sample.columns.count(name) == 1:
            cells = [row[index].strip() for row in rows]
            found[name] = _facts(name, cells, lists)
    return found


def _facts(name: str, cells: Sequence[str], lists: Synonyms) -> Facts:
    counted = Counter(cell for cell in cells if cell)
    absent = {c: n for c, n in counted.items() if c.casefold() in lists.absent}
    told = Counter({c: n for c, n in counted.items() if c not in absent})
    plain = [cell for cell in cells if cell and cell not in absent]
    reading = read_dates(plain, lists.absent)
    days = days_among(reading, told, lists.days) if reading else {}
    if days:
        reading = read_dates([c for c in plain if c not in days], lists.absent)
    filled = told.total()

    def share(pattern: re.Pattern[str]) -> float:
        fits = sum(n for c, n in told.items() if pattern.fullmatch(c))
        return fits / filled if filled else 0.0

    snomed = sum(n for c, n in told.items() if is_snomed(c))
    return Facts(
        name=name,
        rows=len(cells),
        filled=filled - sum(days.values()),
        distinct=len(told) - len(days),
        numbers=sum(n for c, n in told.items() if nhs_number.normalise(c)),
        dates=reading,
        clock=read_clock(plain, lists.absent),
        short_years=has_short_years(plain),
        absent=absent,
        days=days,
        doubtful_days=(
            days_among(reading, told, lists.doubtful_days) if reading else {}
        ),
        snomed=snomed / filled if filled else 0.0,
        icd=share(_ICD),
        ods=share(_ODS),
        numeric=share(re.compile(r"[-+]?\d+(\.\d+)?")),
        longest=max(map(len, told), default=0),
        words=dict(told.most_common()),
    )


def is_snomed(text: str) -> bool:
    """Whether it is written as a SNOMED CT identifier and keeps its check digit.

    Source: SNOMED CT Release File Specification, check-digit computation (Verhoeff).
    """
    if _SNOMED.fullmatch(text) is None:
        return False
    check = 0
    for place, digit in enumerate(reversed(text)):
        number = int(digit)
        for _ in range(place % 8):
            number = _FIRST[number]
        check = _DIHEDRAL[check][number]
    return check == 0


def shared_words(
    sample: Sample, column: str, person: str, *, least: int = PEOPLE
) -> dict[str, int]:
    """Words of a column that stand beside at least so many people, and how many.

    `person` is the column that tells people apart.
    """
    people: dict[str, set[str]] = defaultdict(set)
    told = zip(sample.column(column), sample.column(person), strict=True)
    for word, who in told:
        if word and who:
            people[word].add(who)
    return {w: len(found) for w, found in people.items() if len(found) >= least}


def depends(sample: Sample, column: str, on: str) -> float:
    """Share of the values of `on` beside which `column` has one value alone.

    Of values that stand more than once: 1.0 where the column says nothing more.
    """
    beside: dict[str, set[str]] = defaultdict(set)
    often: Counter[str] = Counter()
    for value, other in zip(sample.column(on), sample.column(column), strict=True):
        if value and other:
            beside[value].add(other)
            often[value] += 1
    repeated = [value for value, n in often.items() if n > 1]
    if not repeated:
        return 0.0
    return sum(len(beside[value]) == 1 for value in repeated) / len(repeated)


def percent(part: float, whole: float) -> str:
    """A share in words that never round up to all, nor down to none."""
    if not whole:
        return "none"
    share = 100 * part / whole
    if share == 100:
        return "100 %"
    if share == 0:
        return "0 %"
    if 1 <= share <= 99:
        return f"{share:.0f} %"
    return f"{min(max(share, 0.1), 99.9):.1f} %"
