"""The quarantine file read back: how many rows were set aside, where, and why."""

import csv
from pathlib import Path

from adapters.rejects import RejectedRows


def rejected_in(path: Path) -> tuple[RejectedRows, ...]:
    """The file's rows by file, column and reason, most first; none without a file."""
    lines: dict[tuple[str, str, str], list[int]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                place = row["file"], row["column"], row["reason"]
                lines.setdefault(place, []).append(int(row["line"]))
    except FileNotFoundError:
        return ()
    found = (
        RejectedRows(
            file=file,
            column=column or None,
            reason=reason,
            rows=len(numbers),
            first_line=min(numbers),
        )
        for (file, column, reason), numbers in lines.items()
    )
    return tuple(sorted(found, key=_most_first))


def _most_first(each: RejectedRows) -> tuple[int, str, int]:
    return -each.rows, each.file, each.first_line
