"""Records of a delimited file, one bad one at a time never spoiling the next.

Lines without a quote are cut directly; only quoted ones go through the csv module,
which alone knows where a quoted record ends.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

_BLOCK: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How the file is written."""

    delimiter: str
    quote: str
    encoding: str
    field_bytes: int

    def cells(self, text: str) -> list[str]:
        """The cells of one whole record. csv.Error if its quotes are wrong."""
        if not self.quote or self.quote not in text:
            return text.split(self.delimiter)
        lines = (line + "\n" for line in text.split("\n"))
        return next(self.reader(lines))

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
    """A record: the line it starts on, its text, and its cells."""

    line: int
    text: str
    cells: list[str]


class Lines:
    """Lines of a stream with their numbers; a line that is no text is a reason.

    `seen` gets every block as it is read.
    """

    def __init__(
        self, stream: BinaryIO, writing: Writing, seen: Callable[[bytes], None]
    ) -> None:
        self._stream = stream
        self.writing = writing
        self._seen = seen
        self._longest = max(_BLOCK, 8 * writing.field_bytes)
        self._waiting: list[str | Bad] = []  # reversed: the next line is the last
        self._rest = b""
        self._over = False
        self._first = True
        self._overlong = False
        self.number = 0

    def take(self) -> str | Bad | None:
        """The next line without its end; None at the end of the file."""
        while not self._waiting:
            if self._over:
                return None
            self._fill()
        self.number += 1
        line = self._waiting.pop()
        return Bad(self.number, line.reason) if isinstance(line, Bad) else line

    def take_many(self) -> list[str | Bad]:
        """All lines that are at hand, at least one; none at the end of the file.

        The number is then the last one's.
        """
        while not self._waiting and not self._over:
            self._fill()
        many, self._waiting = self._waiting, []
        many.reverse()
        self.number += len(many)
        return many

    def give_back(self, lines: Sequence[str | Bad]) -> None:
        self._waiting.extend(reversed(lines))
        self.number -= len(lines)

    def _fill(self) -> None:
        block = self._stream.read(_BLOCK)
        self._seen(block)
        if self._first and self.writing.encoding == "utf-8":
            block = block.removeprefix(_BOM)
        self._first = False
        whole, newline, rest = (self._rest + block).rpartition(b"\n")
        if not block:
            self._over, whole, newline, rest = True, self._rest, self._rest, b""
        self._rest = rest
        if newline or (self._over and self._overlong):
            self._keep(whole)
        if len(rest) > self._longest:
            # The rest of an endless line is skipped, not held.
            self._rest, self._overlong = b"", True

    def _keep(self, whole: bytes) -> None:
        lines: list[str | Bad] = []
        if self._overlong:
            self._overlong = False
            lines.append(Bad(0, "line_too_long"))
            _, newline, whole = whole.partition(b"\n")
            lines += self._text(whole) if newline else []
        else:
            lines = self._text(whole)
        lines.reverse()
        self._waiting = lines

    def _text(self, whole: bytes) -> list[str | Bad]:
        try:
            text = whole.decode(self.writing.encoding)
        except UnicodeDecodeError:
            return [self._line(raw) for raw in whole.split(b"\n")]
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        if "\0" in text:
            return [self._line(raw) for raw in whole.split(b"\n")]
        return list(text.split("\n"))

    def _line(self, raw: bytes) -> str | Bad:
        if b"\0" in raw:
            return Bad(0, "nul")
        try:
            return raw.decode(self.writing.encoding).removesuffix("\r")
        except UnicodeDecodeError:
            return Bad(0, "undecodable")


def records(
    stream: BinaryIO, writing: Writing, seen: Callable[[bytes], None]
) -> Iterator[Record | Bad]:
    """Each record of the stream in order; `seen` gets every block as it is read."""
    return records_of(Lines(stream, writing, seen))


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
                yield Record(lines.number, line, cells)


def _quoted(first: str, lines: Lines) -> Record | Bad:
    writing = lines.writing
    start, taken, bad = lines.number, [first], None

    def feed() -> Iterator[str]:
        nonlocal bad
        yield first + "\n"
        while (line := lines.take()) is not None:
            if isinstance(line, Bad):
                bad = line
                return
            taken.append(line)
            yield line + "\n"

    try:
        cells = next(writing.reader(feed()))
    except csv.Error:
        # A stray quote swallows lines that are records of other people: give
        # them back, and lose only the line it stands in.
        if bad is None:
            lines.give_back(taken[1:])
            return Bad(start, "bad_quotes")
        return Bad(start, bad.reason)
    text = "\n".join(taken)
    if writing.has_long(text, cells):
        return Bad(start, "field_too_long")
    return Record(start, text, cells)
