"""Two trails held together: what one has and the other has not, of their exchanges.

What is read is sorted on disk, beside the programme, so that trails of any length
take the same memory; of them only questions' ids, hashes and times are kept there.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from gateway.audit.exchanged import Exchanged

Kind = Literal["only-a", "only-b", "answer-only-a", "answer-only-b", "answers-differ"]

_MADE: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -8192;
CREATE TABLE told (question TEXT, trail INTEGER, answer TEXT, at TEXT);
"""
_SORTED: Final = """
SELECT question, trail, answer, min(at) FROM told
GROUP BY question, trail, answer ORDER BY question
"""
_Row = tuple[str, int, str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One question that the trails do not tell alike; `a` and `b` are its answers."""

    kind: Kind
    question: str
    at: str
    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Counted:
    """How many questions each trail has, and how many they tell alike."""

    a: int = 0
    b: int = 0
    alike: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which questions count, by when they were first recorded; instants as texts."""

    since: str | None = None
    before: str | None = None  # exclusive

    def holds(self, at: str) -> bool:
        """Whether a question first recorded then counts."""
        return (self.since is None or at >= self.since) and (
            self.before is None or at < self.before
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """What two trails told, put down as it is read, and told apart at the end."""

    _store: sqlite3.Connection = field(repr=False)

    def put(self, trail: Literal["a", "b"], told: Iterable[Exchanged]) -> None:
        """All that one trail tells."""
        number = 0 if trail == "a" else 1
        self._store.executemany(
            "INSERT INTO told VALUES (?, ?, ?, ?)",
            ((each.question, number, each.answer, each.at) for each in told),
        )

    def differences(self, counted: Counted, span: Span) -> Iterator[Difference]:
        """Every difference, by question; `counted` grows meanwhile."""
        rows: Iterator[_Row] = iter(self._store.execute(_SORTED))
        for question, group in groupby(rows, key=lambda row: row[0]):
            told = list(group)
            at = min(row[3] for row in told)
            if span.holds(at):
                found = _compared(question, told, at=at, counted=counted)
                if found is not None:
                    yield found


@contextmanager
def pairs() -> Iterator[Pairs]:
    """A place for what is told; it is gone at the end."""
    with (
        TemporaryDirectory(prefix="throughline-") as folder,
        closing(sqlite3.connect(Path(folder) / "told.db")) as store,
    ):
        store.executescript(_MADE)
        yield Pairs(store)


def _compared(
    question: str, told: list[_Row], *, at: str, counted: Counted
) -> Difference | None:
    trails = {row[1] for row in told}
    a, b = (
        tuple(sorted(row[2] for row in told if row[1] == each and row[2] is not None))
        for each in (0, 1)
    )
    counted.a += 0 in trails
    counted.b += 1 in trails
    kind = _kind(trails, a, b)
    if kind is None:
        counted.alike += 1
        return None
    return Difference(kind=kind, question=question, at=at, a=a, b=b)


def _kind(trails: set[int], a: tuple[str, ...], b: tuple[str, ...]) -> Kind | None:
    """How they differ, None if they do not; two answers of one question differ too."""
    if trails == {0}:
        return "only-a"
    if trails == {1}:
        return "only-b"
    if a == b:
        return None if len(a) <= 1 else "answers-differ"
    if not b:
        return "answer-only-a"
    return "answers-differ" if a else "answer-only-b"
