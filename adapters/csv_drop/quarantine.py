"""Rows set aside: counted, listed with where and why, and read back from the list."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.mapping import Rejected
from adapters.rejects import RejectedRows

_LISTED: Final = 100_000  # rows named in the quarantine file; all are counted


@dataclass(slots=True)
class Quarantine:
    """Bad rows by file, line, column and reason; never what they hold."""

    count: int = 0
    _listed: list[tuple[str, int, str, str]] = field(default_factory=list)

    def add(self, file: str, line: int, rejected: Rejected) -> None:
        self.count += 1
        if len(self._listed) < _LISTED:
            self._listed.append((file, line, rejected.column or "", rejected.reason))

    def take_over(self, other: "Quarantine", before: Mapping[str, int]) -> None:
        """Another's rows too; its lines of a file come after so many `before` them."""
        self.count += other.count
        room = _LISTED - len(self._listed)
        self._listed += [
            (file, before.get(file, 0) + line, column, reason)
            for file, line, column, reason in other._listed[:room]  # noqa: SLF001 - of its own class
        ]

    def write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("file", "line", "column", "reason"))
            writer.writerows(self._listed)


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
