"""Where messages begin and end in bytes: in files as they are found, and on the wire.

Lines end with CR, LF or both. A message begins with MSH, with or without the marks of
MLLP around it; envelopes of batches (FHS, BHS, BTS, FTS) are no part of any message.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

START: Final = b"\x0b"
END: Final = b"\x1c"
_BLOCK: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_ENVELOPE: Final = (b"FHS", b"BHS", b"BTS", b"FTS")
# A line ends where it says so, after the mark that ends a block, and before the next.
_ENDS: Final = re.compile(rb"\r\n|[\r\n]|(?<=\x1c)|(?<=[\s\S])(?=\x0b)")
_CONTROL: Final = re.compile("[\x00-\x0c\x0e-\x1f\x7f-\x9f\ufeff\u2028\u2029]")

# What MSH-18 may say, and Python's name of it. Source: HL7 table 0211.
ENCODINGS: Final[Mapping[str, str]] = {
    "ASCII": "ascii",
    **{f"8859/{n}": f"iso8859-{n}" for n in (*range(1, 10), 15)},
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
}


@dataclass(frozen=True, slots=True)
class Framed:
    """The lines of one message, and where it stands: both counted from 1."""

    number: int
    line: int
    lines: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bad:
    """What could not be a message, where, and why. Never what it holds."""

    number: int
    line: int
    reason: str
    segment: str | None = None


@dataclass(slots=True)
class _Open:
    """A message on its way."""

    number: int
    line: int
    is_framed: bool  # it began with the mark of MLLP, and must end with one
    lines: list[bytes] = field(default_factory=list)
    size: int = 0


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


class Frames:
    """The messages of one stream, one at a time; memory holds one of them."""

    def __init__(self, stream: Readable, *, message_bytes: int) -> None:
        self._stream = stream
        self._limit = message_bytes
        self._number = 0
        self._in_batch = 0
        self._open: _Open | None = None
        self._is_astray = False  # outside any message, and that was told

    def __iter__(self) -> Iterator[Framed | Bad]:
        for number, line in self._lines():
            yield from self._take(number, line)
        yield from self._close()

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        number, waiting = 0, b""
        while block := self._stream.read(_BLOCK):
            waiting += block
            if waiting[-1:] == b"\r" and len(block) == _BLOCK:
                continue  # the other half of its end may come next
            if number == 0 and waiting.startswith(_WIDE):
                yield 0, waiting[:2]
                return
            *whole, waiting = _ENDS.split(waiting)
            for line in whole:
                number += 1
                yield number, line
            if len(waiting) > self._limit + 1:
                # Enough to see that it is too long.
                waiting = waiting[: self._limit + 1]
        if waiting:
            yield number + 1, waiting

    def _take(self, number: int, line: bytes) -> Iterator[Framed | Bad]:
        if number == 0:
            yield Bad(0, 1, "utf_16")
            return
        is_framed, has_ended = line.startswith(START), line.endswith(END)
        line = line.removeprefix(START).removesuffix(END).removeprefix(_BOM)
        if line.strip():
            yield from self._hear(number, line, is_framed=is_framed)
        if has_ended and self._open is not None:
            self._open.is_framed = False
            yield from self._close()

    def _hear(
        self, number: int, line: bytes, *, is_framed: bool
    ) -> Iterator[Framed | Bad]:
        if _is_header(line, b"MSH"):
            yield from self._close()
            self._number += 1
            self._in_batch += 1
            self._open = _Open(self._number, number, is_framed)
        elif any(_is_header(line, name) for name in _ENVELOPE):
            yield from self._close()
            yield from self._batch(number, line)
            return
        if self._open is None:
            if not self._is_astray:
                self._is_astray = True
                yield Bad(self._number, number, "no_header")
            return
        self._open.size += len(line) + 1
        if self._open.size <= self._limit:
            self._open.lines.append(line)

    def _close(self) -> Iterator[Framed | Bad]:
        ended, self._open, self._is_astray = self._open, None, False
        if ended is None:
            return
        if ended.size > self._limit:
            yield Bad(ended.number, ended.line, "too_large")
        elif ended.is_framed:
            yield Bad(ended.number, ended.line, "incomplete")
        else:
            yield Framed(ended.number, ended.line, tuple(ended.lines))

    def _batch(self, number: int, line: bytes) -> Iterator[Bad]:
        """A batch that says how many messages it has, and has others."""
        name, counted = line[:3], line[4:].split(line[3:4])[0].strip()
        if name == b"BHS":
            self._in_batch = 0
        elif name == b"BTS" and counted.isdigit() and int(counted) != self._in_batch:
            yield Bad(self._number, number, "batch_count", "BTS")


def _is_header(line: bytes, name: bytes) -> bool:
    return line.startswith(name) and len(line) > 3 and not line[3:4].isalnum()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How bytes become text: as the message says, else as its source file says."""

    default: str
    named: Mapping[str, str] = field(default_factory=dict)

    def text(self, framed: Framed) -> tuple[str, bool] | Bad:
        """The message, its lines divided by carriage returns.

        And whether characters that mean nothing were removed from it.
        """
        encoding = self._encoding(framed.lines[0])
        if encoding is None:
            return Bad(framed.number, framed.line, "unknown_encoding", "MSH")
        try:
            lines = [line.decode(encoding) for line in framed.lines]
        except UnicodeDecodeError:
            return Bad(framed.number, framed.line, "undecodable")
        whole = "\r".join(lines)
        clean = _CONTROL.sub("", whole)
        return clean, clean != whole

    def _encoding(self, header: bytes) -> str | None:
        fields = header.split(header[3:4])
        # The field mark is the header's first field, so that the eighteenth is here.
        named = fields[17] if len(fields) > 17 else b""
        first = re.split(rb"[\^~]", named)[0].strip().decode("ascii", "replace")
        if not first:
            return self.default
        return self.named.get(first) or ENCODINGS.get(first.upper())
