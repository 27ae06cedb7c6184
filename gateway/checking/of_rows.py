"""What a profile of the rows shows to be mended: none of it about one person. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Final

from gateway.checking.profile import FEW, ColumnProfile, DataProfile, told
from gateway.checking.registered import Registered
from gateway.checking.report import Finding, not_asked, note, ok, wrong

QUESTIONS: Final = (
    "rows-read",
    "times-read",
    "codes-translated",
    "ids-unique",
    "numbers-valid",
    "placeholders",
    "cadence",
)
FEW_SHARE: Final = 0.01  # of the rows that may be otherwise and still be level 2
_DAY_S: Final = 86_400


def judge(registered: Registered, profile: DataProfile) -> list[Finding]:
    """A finding to each question of QUESTIONS."""
    if not profile.rows:
        why = "there is no row to look at"
        return not_asked(QUESTIONS, why)
    return [
        _rows_read(registered, profile),
        _times_read(registered, profile),
        _codes(registered, profile),
        _ids(registered, profile),
        _numbers(registered, profile),
        _placeholders(registered, profile),
        _cadence(registered, profile),
    ]


def _of(profile: DataProfile) -> str:
    return f"{profile.rows} rows" + ("" if profile.is_whole else " looked at")


def _rows_read(registered: Registered, profile: DataProfile) -> Finding:
    lost = sum(profile.rejected.values())
    if profile.share(lost) <= FEW_SHARE:
        return ok("rows-read", f"{told(lost)} of {_of(profile)} are no events")
    why = ", ".join(f"{w} {told(n)}" for w, n in sorted(profile.rejected.items()))
    return note(
        "rows-read",
        f"{told(lost)} of {_of(profile)} are no events: {why}",
        where=registered.file,
        remedy="Correct the mapping's columns and formats, or have the rows mended.",
    )


def _times_read(registered: Registered, profile: DataProfile) -> Finding:
    start = _keyed(profile, "start")
    if start and not any(each.filled for each in start):
        return wrong(
            "times-read",
            f"no row has a start in {start[0].column!r}",
            where=registered.file,
            remedy="Map the column that says when, or take its day out of absent.",
        )
    bad = [c for c in profile.columns if c.unreadable > FEW_SHARE * c.filled]
    if not bad:
        return ok("times-read", "as good as every time can be read")
    return note(
        "times-read",
        "cannot be read: "
        + ", ".join(f"{c.column!r} {told(c.unreadable)}" for c in bad),
        where=registered.file,
        remedy="Add the format to the column's formats, or the day to its absent.",
    )


def _codes(registered: Registered, profile: DataProfile) -> Finding:
    bad = [c for c in profile.columns if c.untranslated]
    if not bad:
        return ok("codes-translated", "every kind and status is translated")
    return note(
        "codes-translated",
        "without translation: " + "; ".join(map(_untranslated, bad)),
        where=registered.file,
        remedy="Add each word to codes of [mapping.kind] or [mapping.status].",
    )


def _untranslated(column: ColumnProfile) -> str:
    count = f"{column.column!r} on {told(column.untranslated)} rows"
    if not column.words:
        return f"{count}, in words too rare to be shown"
    return f"{count}, such as {', '.join(map(repr, column.words))}"


def _ids(registered: Registered, profile: DataProfile) -> Finding:
    twice = profile.repeated_ids
    if not twice:
        same = told(profile.repeated_rows)
        says = "no record id stands on two different rows"
        return ok("ids-unique", f"{says}; {same} rows say again what one says")
    return note(
        "ids-unique",
        f"{told(twice)} rows repeat the record id of another, and differ from it",
        where=registered.file,
        remedy="Say with record_id what tells them apart, or have repeats left out.",
    )


def _numbers(registered: Registered, profile: DataProfile) -> Finding:
    own = [c for c in profile.columns if c.valid is not None]
    if not own:
        return not_asked(["numbers-valid"], "no NHS number is mapped")[0]
    bad = [c for c in own if c.invalid > FEW_SHARE * max(c.filled, 1)]
    if not bad:
        return ok("numbers-valid", f"{told(sum(c.invalid for c in own))} are invalid")
    return note(
        "numbers-valid",
        ", ".join(f"{c.column!r}: {told(c.invalid)} are no NHS numbers" for c in bad),
        where=registered.file,
        remedy="Add placeholders to absent; ask the owner about the others.",
    )


def _placeholders(registered: Registered, profile: DataProfile) -> Finding:
    bad = [c for c in profile.columns if c.shared]
    if not bad:
        return ok("placeholders", f"no identifier stands beside {FEW} people or more")
    return note(
        "placeholders",
        ", ".join(
            f"{c.column!r}: {c.shared} values of {FEW} people or more" for c in bad
        ),
        where=registered.file,
        remedy="Add them to absent of that identifier: they name nobody.",
    )


def _cadence(registered: Registered, profile: DataProfile) -> Finding:
    gaps = list(_gaps(profile.arrivals))
    if len(gaps) < 2:
        return not_asked(["cadence"], "fewer than three drops lie there")[0]
    usual, fresh_s = median(gaps), registered.source.fresh_s
    said = f"drops come every {_days(usual)}, at the longest {_days(max(gaps))}"
    if usual > fresh_s:
        return note(
            "cadence",
            f"{said}; fresh_s promises {_days(fresh_s)}",
            where=registered.at("fresh_s"),
            remedy="Promise what the drops keep, or have them sent more often.",
        )
    return ok("cadence", said)


def _gaps(arrivals: Sequence[datetime]) -> Iterator[float]:
    for before, after in pairwise(arrivals):
        yield (after - before).total_seconds()


def _days(seconds: float) -> str:
    if seconds < 2 * _DAY_S:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / _DAY_S:.1f} days"


def _keyed(profile: DataProfile, key: str) -> list[ColumnProfile]:
    return [column for column in profile.columns if column.key == key]
