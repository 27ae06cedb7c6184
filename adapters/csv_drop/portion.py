"""A portion of the drops taken in: every row validated, and good ones noted by place.

It reads our own copy of the files and writes a file of its own, so that two portions
can be taken in at once, each by a process (`python -m adapters.csv_drop`).
"""

import operator
import os
import pickle
import shutil
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from adapters.csv_drop import postings
from adapters.csv_drop.changes import Marking, Rows
from adapters.csv_drop.lots import Lot, lots
from adapters.csv_drop.postings import Pieces
from adapters.csv_drop.quarantine import Quarantine
from adapters.csv_drop.records import Lines, Writing
from adapters.csv_drop.rules import NO_RULES, Drops
from adapters.mapping import MappingSpec, Rejected


class Stopped(Exception):
    """The adapter is closing; nothing was taken in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Records of one file that begin between two of its bytes."""

    file: str
    place: int  # of the file's first byte in the copy
    size: int  # of the whole file
    start: int
    until: float
    line: int  # how many of its lines are before the span, as far as is known
    columns: tuple[str, ...]
    deletes: bool = False  # it is of a list of deletions


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to take in from the copy at `texts`, into files named like `path`."""

    texts: Path
    path: Path
    spans: tuple[Span, ...]
    writing: Writing
    mapping: MappingSpec
    rules: Drops = NO_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Where a span really ended: the next record's first byte, lines and rows of it.

    `kept` are those rows that were not set aside.
    """

    file: str
    columns: tuple[str, ...]
    following: int
    lines: int
    rows: int
    kept: int


def _no_rows() -> "array[int]":
    return array("Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What was taken in. Edges are byte positions in the file at `path`.

    It begins with the place in the copy of each row, in 8 bytes.
    """

    path: Path
    rows: int
    names: tuple[tuple[int, ...], ...]  # edges of the postings of each identifier
    records: tuple[int, ...]  # edges of the postings of record ids
    repeating: tuple[int, ...]  # hashes that several of its record ids have
    uniques: tuple[int, ...] = ()  # the same of what makes rows one event, if anything
    alike: tuple[int, ...] = ()
    deleted: "array[int]" = field(default_factory=_no_rows)  # rows that take one back
    ids: "Rising"
    spans: tuple[Ended, ...]
    quarantine: Quarantine


@dataclass(slots=True)
class Region:
    """Bytes of one file of the copy, as a stream that others read from too."""

    number: int
    at: int
    end: int

    @classmethod
    def of(cls, span: Span, copy: BinaryIO) -> Self:
        return cls(copy.fileno(), span.place + span.start, span.place + span.size)

    def read(self, size: int, /) -> bytes:
        block = os.pread(self.number, min(size, self.end - self.at), self.at)
        self.at += len(block)
        return block


def take(job: Job, stop: Callable[[], bool]) -> Portion:
    """Takes in the job's spans. Stopped if told to stop; then no file is left."""
    with_uniques = bool(job.rules.unique_by)
    count = len(job.mapping.identifiers) + 2 + with_uniques
    places = [job.path.with_name(f"{job.path.name}-{n}") for n in range(count)]
    try:
        with ExitStack() as opened:
            starts, records, *names = (
                opened.enter_context(place.open("w+b")) for place in places
            )
            uniques = Pieces(names.pop()) if with_uniques else None
            taking = _Taking(
                starts, Pieces(records), [Pieces(each) for each in names], uniques
            )
            with job.texts.open("rb", buffering=0) as texts:
                ended = [
                    _taken(job, taking, span, texts=texts, stop=stop)
                    for span in job.spans
                ]
            return taking.finished(job.path, tuple(ended))
    except BaseException:
        job.path.unlink(missing_ok=True)
        raise
    finally:
        for place in places:
            place.unlink(missing_ok=True)


@dataclass(slots=True)
class Rising:
    """Whether record ids only rise: then none comes twice, and none is looked for."""

    first: str | None = None
    last: str = ""
    so_far: bool = True

    def note(self, records: Sequence[str | None]) -> None:
        ids = [str(record) for record in records]
        if not ids or not self.so_far:
            return
        before = ids[:-1] if self.first is None else [self.last, *ids[:-1]]
        after = ids[1:] if self.first is None else ids
        self.so_far = all(map(operator.lt, before, after))
        self.first = ids[0] if self.first is None else self.first
        self.last = ids[-1]

    def follows(self, other: "Rising") -> bool:
        """Whether both only rise, this one from where the other ended."""
        if not (self.so_far and other.so_far):
            return False
        return self.first is None or other.first is None or other.last < self.first


@dataclass(slots=True)
class _Taking:
    """Rows on their way into the files of a portion."""

    starts: BinaryIO
    records: Pieces
    names: Sequence[Pieces]
    uniques: Pieces | None = None
    quarantine: Quarantine = field(default_factory=Quarantine)
    rows: int = 0
    ids: Rising = field(default_factory=Rising)
    deleted: "array[int]" = field(default_factory=_no_rows)

    def add(self, span: Span, lot: Lot, marking: Marking) -> None:
        """Those of the lot that are events; the others are set aside."""
        marked = marking.check(lot.table)
        rejected = marked.checked.rejected
        if rejected or lot.bad:
            aside = [(bad.line, Rejected(bad.reason)) for bad in lot.bad]
            aside += [(lot.numbers[n], why) for n, why in rejected.items()]
            for line, why in sorted(aside, key=_line):
                self.quarantine.add(span.file, span.line + line, why)
        columns, starts = marked.checked.columns, lot.starts
        pieces = [self.records, *self.names]
        if self.uniques is not None:
            columns = [*columns, marked.uniques or []]
            pieces.append(self.uniques)
        kept: Sequence[int] = range(len(starts))
        if rejected:
            kept = [n for n in kept if n not in rejected]
            columns = [[column[n] for n in kept] for column in columns]
            starts = [starts[n] for n in kept]
        array("Q", [span.place + start for start in starts]).tofile(self.starts)
        for each, values in zip(pieces, columns, strict=True):
            each.add(values, self.rows)
        if marked.deleted:
            self.deleted.extend(
                self.rows + place for place, n in enumerate(kept) if n in marked.deleted
            )
        self.ids.note(columns[0])
        self.rows += len(starts)

    def finished(self, path: Path, ended: tuple[Ended, ...]) -> Portion:
        """The portion, all of it in one file."""
        with path.open("wb") as stream:
            self.starts.seek(0)
            shutil.copyfileobj(self.starts, stream, 1 << 20)
            names = tuple(
                postings.write(pieces.buckets(), stream) for pieces in self.names
            )
            repeating: list[int] = []
            records = postings.write(
                _watched(self.records.buckets(), repeating), stream
            )
            uniques: tuple[int, ...] = ()
            alike: list[int] = []
            if self.uniques is not None:
                found = _watched(self.uniques.buckets(), alike)
                uniques = postings.write(found, stream)
        return Portion(
            path=path,
            rows=self.rows,
            names=names,
            records=records,
            repeating=tuple(repeating),
            uniques=uniques,
            alike=tuple(alike),
            deleted=self.deleted,
            ids=self.ids,
            spans=ended,
            quarantine=self.quarantine,
        )


def _watched(
    buckets: Iterator["array[int]"], repeating: list[int]
) -> Iterator["array[int]"]:
    for bucket in buckets:
        repeating += postings.repeating(bucket)
        yield bucket


def _taken(
    job: Job, taking: _Taking, span: Span, *, texts: BinaryIO, stop: Callable[[], bool]
) -> Ended:
    region = Region.of(span, texts)
    lines = Lines(region, job.writing, start=span.start, until=span.until)
    own = Rows.of(job.mapping, job.rules, span.columns, deletes=span.deletes)
    marking = Marking.of(own, job.mapping)
    rows, before = 0, taking.rows
    for lot in lots(lines, len(span.columns)):
        if stop():
            raise Stopped
        rows += len(lot.numbers) + len(lot.bad)
        taking.add(span, lot, marking)
        if taking.rows > postings.ROWS:
            raise OSError("a portion has more rows than can be numbered")
    return Ended(
        file=span.file,
        columns=span.columns,
        following=lines.following,
        lines=lines.number,
        rows=rows,
        kept=taking.rows - before,
    )


def _line(aside: tuple[int, Rejected]) -> int:
    return aside[0]


def main() -> None:  # pragma: no cover - the work of a process of its own
    """Takes in the job that comes in, pickled, and tells the portion the same way.

    Only a process of our own starts this, and both ends are its pipes.
    """
    parent = os.getppid()
    job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this
    portion = take(job, lambda: os.getppid() != parent)
    pickle.dump(portion, sys.stdout.buffer)
