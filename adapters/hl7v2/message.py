"""One HL7 v2 message, read strictly: its segments, fields, repetitions, components.

Source: HL7 v2.8, chapter 2 (2.5 to 2.7). A field that is empty says nothing; one that
holds two quotation marks says that what was known is to be deleted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

DELETED: Final = '""'
_SEGMENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_ESCAPED: Final = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
_LINE_BREAKS: Final = re.compile(r"\.(?:br|sp|ce|in|ti|sk|fi|nf)[+-]?\d*")


class Malformed(Exception):
    """No message: a stable reason, and the segment it was found in. Never a value."""

    def __init__(self, reason: str, segment: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.segment = reason, segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The characters that divide this message, as its own header names them."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    part: str = "&"

    @classmethod
    def of(cls, header: str) -> Self:
        """Those of an MSH segment. Malformed if they cannot divide anything."""
        mark = header[3:4]
        if not mark or mark.isalnum() or mark.isspace():
            raise Malformed("bad_delimiters", "MSH")
        named = header[4:].split(mark, 1)[0]
        # Written by a program that escaped the escape character once too often.
        named = named.replace("\\\\", "\\")
        marks = [mark, *named[:4]]
        if len(named) < 1 or len(set(marks)) != len(marks) or _divides_badly(marks):
            raise Malformed("bad_delimiters", "MSH")
        # What the header leaves out does not occur: no character stands for it.
        component, repetition, escape, part = (*named[:4], *[""] * (4 - len(named[:4])))
        return cls(
            field=mark,
            component=component,
            repetition=repetition,
            escape=escape,
            part=part,
        )


def _divides_badly(marks: Sequence[str]) -> bool:
    return any(mark.isalnum() or mark.isspace() for mark in marks)


@dataclass(frozen=True, slots=True)
class Element:
    """One repetition of a field."""

    written: str = field(repr=False)
    marks: Marks = field(repr=False)

    def text(self, component: int = 1, part: int = 1) -> str | None:
        """A component's text, from 1, unescaped; None if empty or deleted."""
        found = _nth(self.written, self.marks.component, component)
        found = _nth(found, self.marks.part, part).strip()
        return None if found in {"", DELETED} else unescaped(found, self.marks)


def _nth(written: str, mark: str, number: int) -> str:
    parts = written.split(mark) if mark else [written]
    return parts[number - 1] if number <= len(parts) else ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; fields are numbered as the standard numbers them."""

    name: str
    fields: tuple[str, ...] = field(repr=False)  # the name itself is number 0
    marks: Marks = field(repr=False)

    @property
    def written(self) -> str:
        """The segment as it stands in a message."""
        if self.name == "MSH":
            return self.marks.field.join((self.name, *self.fields[2:]))
        return self.marks.field.join(self.fields)

    def whole(self, number: int) -> str:
        """A field as it was written; empty where there is none."""
        return self.fields[number].strip() if number < len(self.fields) else ""

    def is_deleted(self, number: int) -> bool:
        """Whether the field says that what was known is to be deleted."""
        return self.whole(number) == DELETED

    def each(self, number: int) -> Iterator[Element]:
        """The field's repetitions that say anything."""
        whole, mark = self.whole(number), self.marks.repetition
        for written in whole.split(mark) if mark else [whole]:
            if written.strip() not in {"", DELETED}:
                yield Element(written, self.marks)

    def text(self, number: int, component: int = 1) -> str | None:
        """A component of the first repetition that says anything; None if none."""
        first = next(self.each(number), None)
        return first.text(component) if first else None


@dataclass(frozen=True, slots=True)
class Message:
    """A message, or the part of one that is about one person."""

    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """A message of lines divided by carriage returns. Malformed if it is none.

        A line that begins no segment goes on with the one before: a field was
        written over several lines.
        """
        marks = Marks.of(text)
        lines: list[str] = []
        for line in text.split("\r"):
            if _begins(line, marks):
                lines.append(line)
            elif line.strip():
                lines[-1] += f" {line}"
        segments = tuple(_segment(line, marks) for line in lines)
        message = cls(segments)
        if message.type is None:
            raise Malformed("no_message_type", "MSH")
        return message

    def __repr__(self) -> str:
        return f"Message({self.type})"

    @property
    def text(self) -> str:
        """What `parse` reads back."""
        return "\r".join(segment.written for segment in self.segments)

    @property
    def header(self) -> Segment:
        return self.segments[0]

    @property
    def type(self) -> str | None:
        """`ADT`, `ORU`: what kind of message it is."""
        return self.header.text(9)

    @property
    def trigger(self) -> str:
        """`A01`, `S12`: what happened; empty if it is said nowhere."""
        told = self.header.text(9, 2)
        if told is None and (structure := self.header.text(9, 3)):
            told = structure.partition("_")[2]
        if told is None and (event := self.one("EVN")) is not None:
            told = event.text(1)
        return told or ""

    @property
    def control(self) -> str | None:
        """The sender's own id of the message."""
        return self.header.text(10)

    @property
    def sender(self) -> str:
        """The sending application and facility."""
        return f"{self.header.whole(3)}{self.header.marks.field}{self.header.whole(4)}"

    def one(self, name: str) -> Segment | None:
        """The first segment of a name."""
        return next(self.every(name), None)

    def every(self, *names: str) -> Iterator[Segment]:
        """The segments of these names, in order."""
        return (segment for segment in self.segments if segment.name in names)

    def only(self, segments: Sequence[Segment]) -> "Message":
        """The same message with these of its segments."""
        return replace(self, segments=tuple(segments))


def _begins(line: str, marks: Marks) -> bool:
    if _SEGMENT.fullmatch(line[:3]) is None:
        return False
    return len(line.rstrip()) <= 3 or line[3] == marks.field


def _segment(line: str, marks: Marks) -> Segment:
    fields = line.split(marks.field)
    name = fields[0].rstrip()
    if name == "MSH":  # its first field is the mark that divides the others
        fields.insert(1, marks.field)
    return Segment(name, (name, *fields[1:]), marks)


def unescaped(text: str, marks: Marks) -> str:
    """Escape sequences as what they stand for; unknown ones are kept as written.

    Source: HL7 v2.8, 2.7.
    """
    if not marks.escape or marks.escape not in text:
        return text
    said: list[str] = []
    rest = text
    while rest:
        plain, opened, rest = rest.partition(marks.escape)
        said.append(plain)
        if not opened:
            break
        sequence, closed, after = rest.partition(marks.escape)
        meaning = _meaning(sequence, marks) if closed else None
        if meaning is None:
            said.append(opened)
        else:
            said.append(meaning)
            rest = after
    return "".join(said)


def _meaning(sequence: str, marks: Marks) -> str | None:
    named = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.part,
        "R": marks.repetition,
        "E": marks.escape,
        "H": "",
        "N": "",
    }
    if sequence in named:
        return named[sequence]
    if _LINE_BREAKS.fullmatch(sequence):
        return " "
    if _ESCAPED.fullmatch(sequence):
        data = bytes.fromhex(sequence[1:])
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("latin-1")
    return None
