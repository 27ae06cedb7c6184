"""Records of a delimited file, one bad one at a time never spoiling the next.

Lines without a quote are cut directly; only quoted ones go through the csv module,
which alone knows where a quoted record ends.
"""

import csv
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Final, Protocol

_BLOCK: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How the file is written."""

    delimiter: str
    quote: str
    encoding: str
    field_bytes: int

    def cells(self, lines: Iterator[str]) -> list[str]:
        """The cells of the record these lines begin with.

        csv.Error if its quotes are wrong.
        """
        first = next(lines)
        if not self.quote or self.quote not in first:
            return first.split(self.delimiter)
        return next(self.reader(line + "\n" for line in chain([first], lines)))

    def reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(
            lines, delimiter=self.delimiter, quotechar=self.quote, strict=True
        )

    def has_long(self, text: str, cells: list[str]) -> bool:
        """Whether a cell is over the limit; short records are not measured."""
        if len(text) * 4 <= self.field_bytes:
            return False
        return max(len(cell.encode()) for cell in cells) > self.field_bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that is none: where it starts and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record: the line it starts on, its first byte, and its cells."""

    line: int
    start: int
    cells: list[str]


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


class Lines:
    """Lines of a stream with their numbers; a line that is no text is a reason.

    `start` is where in its file the stream begins; of lines that begin at `until` or
    later none is taken unless a record before them is still open.
    """

    def __init__(
        self,
        stream: Readable,
        writing: Writing,
        *,
        start: int = 0,
        until: float = math.inf,
    ) -> None:
        self._stream = stream
        self.writing = writing
        self._until = until
        self._longest = max(_BLOCK, 8 * writing.field_bytes)
        # Reversed: the next line is the last. Each with its first byte.
        self._waiting: list[str | Bad] = []
        self._starts: list[int] = []
        self._rest = b""
        self._at = start  # of the rest
        self._over = False
        self._first = start == 0
        self._overlong = False
        self.number = 0
        self.start = start  # of the line last taken

    @property
    def following(self) -> int:
        """The first byte of the line that would be taken next."""
        while not self._waiting and not self._over:
            self._fill()
        return self._starts[-1] if self._starts else self._at

    def take(self) -> str | Bad | None:
        """The next line without its end; None at the end of the file."""
        while not self._waiting:
            if self._over:
                return None
            self._fill()
        self.number += 1
        self.start = self._starts.pop()
        line = self._waiting.pop()
        return Bad(self.number, line.reason) if isinstance(line, Bad) else line

    def take_many(self) -> tuple[list[str | Bad], list[int]]:
        """Lines that are at hand, at least one, and where each begins.

        None at the end of the file. The number is then the last one's.
        """
        if self.following >= self._until:
            return [], []
        many, starts = self._waiting, self._starts
        self._waiting, self._starts = [], []
        many.reverse()
        starts.reverse()
        if starts and starts[-1] >= self._until:
            own = bisect_left(starts, self._until)
            self._waiting, self._starts = many[own:][::-1], starts[own:][::-1]
            many, starts = many[:own], starts[:own]
        self.number += len(many)
        return many, starts

    def give_back(self, lines: Sequence[str | Bad], starts: Sequence[int]) -> None:
        """Takes back lines that were the last to be taken."""
        self._waiting.extend(reversed(lines))
        self._starts.extend(reversed(starts))
        self.number -= len(lines)

    def _fill(self) -> None:
        block = self._stream.read(_BLOCK)
        if self._first and block:
            self._first = False
            if self.writing.encoding == "utf-8" and block.startswith(_BOM):
                block = block[len(_BOM) :]
                self._at += len(_BOM)
        data = self._rest + block
        whole, newline, rest = data.rpartition(b"\n")
        if not block:
            self._over, whole, newline, rest = True, self._rest, self._rest, b""
        self._rest = rest
        if newline or (self._over and self._overlong):
            self._keep(whole)
        self._at += len(data) - len(rest)
        if len(rest) > self._longest:
            # The rest of an endless line is skipped, not held.
            self._at += len(rest)
            self._rest, self._overlong = b"", True

    def _keep(self, whole: bytes) -> None:
        lines: list[str | Bad] = []
        starts: list[int] = []
        at = self._at
        if self._overlong:
            self._overlong = False
            lines, starts = [Bad(0, "line_too_long")], [at]
            first, newline, whole = whole.partition(b"\n")
            at += len(first) + 1
            if not newline:
                self._waiting, self._starts = lines, starts
                return
        text, lengths = self._text(whole)
        lines += text
        # Each line is followed by its end, and by the line after that.
        starts += accumulate((length + 1 for length in lengths[:-1]), initial=at)
        lines.reverse()
        starts.reverse()
        self._waiting, self._starts = lines, starts

    def _text(self, whole: bytes) -> tuple[list[str | Bad], Sequence[int]]:
        """Lines, and how many bytes each takes."""
        try:
            text = whole.decode(self.writing.encoding)
        except UnicodeDecodeError:
            return self._each(whole)
        if "\0" in text:
            return self._each(whole)
        if text.isascii() and "\r" not in text:
            plain = text.split("\n")
            return list(plain), list(map(len, plain))
        text = text.replace("\r\n", "\n").removesuffix("\r")
        return list(text.split("\n")), list(map(len, whole.split(b"\n")))

    def _each(self, whole: bytes) -> tuple[list[str | Bad], Sequence[int]]:
        raw = whole.split(b"\n")
        return list(map(self._line, raw)), list(map(len, raw))

    def _line(self, raw: bytes) -> str | Bad:
        if b"\0" in raw:
            return Bad(0, "nul")
        try:
            return raw.decode(self.writing.encoding).removesuffix("\r")
        except UnicodeDecodeError:
            return Bad(0, "undecodable")


def records(stream: Readable, writing: Writing) -> Iterator[Record | Bad]:
    """Each record of the stream in order."""
    return records_of(Lines(stream, writing))


def records_of(lines: Lines) -> Iterator[Record | Bad]:
    """Each record of these lines in order, the exact way."""
    writing = lines.writing
    quote, delimiter = writing.quote, writing.delimiter
    while (line := lines.take()) is not None:
        if isinstance(line, Bad):
            yield line
        elif not line:
            continue
        elif quote and quote in line:
            yield _quoted(line, lines)
        else:
            cells = line.split(delimiter)
            if writing.has_long(line, cells):
                yield Bad(lines.number, "field_too_long")
            else:
                yield Record(lines.number, lines.start, cells)


def _quoted(first: str, lines: Lines) -> Record | Bad:
    writing = lines.writing
    number, start, bad = lines.number, lines.start, None
    taken: list[str | Bad] = [first]
    starts = [start]

    def feed() -> Iterator[str]:
        nonlocal bad
        yield first + "\n"
        while (line := lines.take()) is not None:
            if isinstance(line, Bad):
                bad = line
                return
            taken.append(line)
            starts.append(lines.start)
            yield line + "\n"

    try:
        cells = next(writing.reader(feed()))
    except csv.Error:
        # A stray quote swallows lines that are records of other people: give
        # them back, and lose only the line it stands in.
        if bad is None:
            lines.give_back(taken[1:], starts[1:])
            return Bad(number, "bad_quotes")
        return Bad(number, bad.reason)
    if writing.has_long("\n".join(map(str, taken)), cells):
        return Bad(number, "field_too_long")
    return Record(number, start, cells)
