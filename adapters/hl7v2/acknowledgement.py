"""What a sender is answered: taken, or not and why. Source: HL7 v2.8, 2.9 and 2.15.

No answer repeats anything of a message but its header's own words.
"""

from datetime import datetime
from typing import Final, Literal

from adapters.hl7v2.message import Malformed, Marks, Segment

Code = Literal["AA", "AE", "AR"]

# Reasons for which nothing is taken, as HL7 table 0357 numbers them. The first kind is
# about this message; the second, about any that is written so.
REASONS: Final[dict[str, tuple[Code, str, str]]] = {
    "no_identifier": ("AE", "101", "Required field missing"),
    "too_large": ("AE", "207", "Application error: the message is too large"),
    "incomplete": ("AE", "207", "Application error: the message did not end in time"),
    "not_stored": (
        "AE",
        "207",
        "Application error: it could not be stored; send again",
    ),
    "undecodable": ("AR", "102", "Data type error: not in the encoding of MSH-18"),
    "unknown_encoding": ("AR", "102", "Data type error: unknown encoding in MSH-18"),
    "utf_16": ("AR", "102", "Data type error: UTF-16"),
    "bad_delimiters": ("AR", "100", "Segment sequence error: MSH-1 or MSH-2"),
    "no_header": ("AR", "100", "Segment sequence error: no MSH"),
    "no_message_type": ("AR", "101", "Required field missing: MSH-9"),
    "several": ("AR", "100", "Segment sequence error: several MSH in one block"),
}


def acknowledgement(
    received: bytes,
    *,
    at: datetime,
    number: int,
    reason: str | None = None,
    segment: str | None = None,
) -> bytes:
    """The answer to a message, unframed; `reason` is why it was not taken."""
    header = _header(received)
    code: Code = "AA" if reason is None else REASONS[reason][0]
    lines = [
        "|".join(
            (
                *("MSH", "^~\\&", _field(header, 5), _field(header, 6)),
                *(_field(header, 3), _field(header, 4), f"{at:%Y%m%d%H%M%S%z}", ""),
                *(_kind(header), f"{at:%Y%m%d%H%M%S}{number:06d}"),
                *(_field(header, 11) or "P", _field(header, 12) or "2.4"),
            )
        ),
        f"MSA|{code}|{_field(header, 10)}",
    ]
    if reason is not None:
        _, error, told = REASONS[reason]
        lines.append(f"ERR||{segment or ''}|{error}^{told}^HL70357|E")
    return "".join(f"{line}\r" for line in lines).encode("utf-8")


def _header(received: bytes) -> Segment | None:
    """The header of what came, as far as it can be read."""
    line = received.lstrip(b"\xef\xbb\xbf\r\n ").split(b"\r", 1)[0].split(b"\n", 1)[0]
    text = line[:1024].decode("utf-8", "replace")
    if not text.startswith("MSH"):
        return None
    try:
        marks = Marks.of(text)
    except Malformed:
        return None
    fields = text.split(marks.field)
    return Segment("MSH", ("MSH", marks.field, *fields[1:]), marks)


def _field(header: Segment | None, number: int) -> str:
    """A field as the sender wrote it, if it can stand in a message of ours."""
    if header is None:
        return ""
    written = header.whole(number)
    plain = written.isprintable() and "|" not in written and header.marks == Marks()
    return written if plain else ""


def _kind(header: Segment | None) -> str:
    trigger = header.text(9, 2) if header is not None else None
    known = trigger is not None and trigger.isalnum() and trigger.isascii()
    return f"ACK^{trigger}^ACK" if known else "ACK"
