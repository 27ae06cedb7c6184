"""Rows that a source holds and that could not be read: where and why, never what."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRows:
    """Rows of one file, set aside for one reason; lines are counted from 1."""

    file: str
    column: str | None  # as the mapping names it; None where the row itself is wrong
    reason: str
    rows: int
    first_line: int


@runtime_checkable
class TellsRejected(Protocol):
    """What some adapters can tell besides: which rows they set aside, and why."""

    async def rejected(self) -> tuple[RejectedRows, ...]:
        """Of what was taken in last, most rows first. Asks nobody anything."""
        ...
