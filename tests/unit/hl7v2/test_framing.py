"""Where messages begin and end, in files as they are found."""

import io
from dataclasses import dataclass

import pytest

from adapters.hl7v2.framing import Bad, Decoding, Framed, Frames

ONE = b"MSH|^~\\&|A|B|||1||ADT^A01|1|P|2.5"
TWO = b"MSH|^~\\&|A|B|||2||ADT^A03|2|P|2.5"


@dataclass
class Slowly:
    """Gives a little at a time."""

    stream: io.BytesIO
    chunk: int

    def read(self, size: int, /) -> bytes:
        return self.stream.read(min(size, self.chunk))


def frames(data: bytes, limit: int = 4096, chunk: int = 1 << 20):
    return list(Frames(Slowly(io.BytesIO(data), chunk), message_bytes=limit))


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_line_ends_are_taken_as_they_are_found(end, chunk):
    found = frames(end.join((ONE, b"PID|1", TWO, b"PID|2", b"")), chunk=chunk)
    assert [(f.number, f.lines) for f in found] == [
        (1, (ONE, b"PID|1")),
        (2, (TWO, b"PID|2")),
    ]


def test_mixed_line_ends_are_taken_too():
    found = frames(ONE + b"\rPID|1\r\nPV1|1\n\n\n" + TWO)
    assert [f.lines for f in found] == [(ONE, b"PID|1", b"PV1|1"), (TWO,)]


def test_marks_of_mllp_part_messages():
    found = frames(b"\x0b" + ONE + b"\rPID|1\r\x1c\r\x0b" + TWO + b"\r\x1c\r")
    assert [f.lines for f in found] == [(ONE, b"PID|1"), (TWO,)]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_message_that_begins_so_and_does_not_end_is_cut(chunk):
    """Catches half a visit number taken for a whole one."""
    cut = b"\x0b" + ONE + b"\rPV1|1|I|||"
    assert frames(cut, chunk=chunk) == [Bad(1, 1, "incomplete")]
    found = frames(cut + b"\x0b\x0b" + TWO + b"\x1c", chunk=chunk)
    assert found[0] == Bad(1, 1, "incomplete")
    found = frames(cut + b"\r\x0b" + TWO + b"\x1c" + ONE, chunk=chunk)
    assert found[0] == Bad(1, 1, "incomplete")
    assert [f.lines for f in found[1:] if isinstance(f, Framed)] == [(TWO,), (ONE,)]


def test_a_byte_order_mark_is_no_part_of_a_message():
    bom = b"\xef\xbb\xbf"
    assert [f.lines for f in frames(bom + ONE + b"\r" + bom + TWO)] == [(ONE,), (TWO,)]


def test_an_envelope_is_no_part_of_a_message():
    data = b"\r".join(
        (b"FHS|^~\\&", b"BHS|^~\\&", ONE, b"PID|1", TWO, b"BTS|2|", b"FTS|1")
    )
    assert [f.lines for f in frames(data)] == [(ONE, b"PID|1"), (TWO,)]


def test_a_batch_of_another_count_is_told():
    data = b"\r".join((b"BHS|^~\\&", ONE, b"BTS|2|"))
    found = frames(data)
    assert found[1] == Bad(1, 3, "batch_count", "BTS")


def test_a_batch_that_counts_nothing_is_believed():
    assert len(frames(b"\r".join((b"BHS|^~\\&", ONE, b"BTS||")))) == 1


def test_lines_outside_any_message_are_told_once():
    found = frames(b"hello\nworld\n" + ONE + b"\nBTS|1\nastray\n")
    assert found[0] == Bad(0, 1, "no_header")
    assert isinstance(found[1], Framed)
    assert found[2] == Bad(1, 5, "no_header")
    assert len(found) == 3


def test_a_word_that_begins_like_a_header_is_none():
    assert [type(f) for f in frames(b"MSHADOW\n" + ONE)] == [Bad, Framed]


def test_a_message_too_large_is_set_aside_and_the_next_is_read():
    found = frames(ONE + b"\rNTE|" + b"x" * 5000 + b"\r" + TWO)
    assert found[0] == Bad(1, 1, "too_large")
    assert found[1].lines == (TWO,)


def test_a_line_without_an_end_is_not_kept_whole():
    found = frames(ONE + b"\rNTE|" + b"x" * 100_000, chunk=512)
    assert found == [Bad(1, 1, "too_large")]


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_a_file_in_utf_16_is_refused_whole(mark):
    assert frames(mark + b"M\0S\0H\0|\0") == [Bad(0, 1, "utf_16")]


def test_an_empty_file_has_no_message():
    assert frames(b"") == frames(b"\r\n\r\n") == []


def test_what_was_framed_does_not_show_itself():
    assert "MSH" not in repr(frames(ONE))


def decoded(text: str, encoding: str, named: str, default: str = "utf-8", **more: str):
    header = ONE + b"||||||" + named.encode()
    framed = Framed(1, 1, (header, text.encode(encoding)))
    return Decoding(default=default, named=more).text(framed)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "UNICODE UTF-8"),
        ("utf-8", ""),
        ("latin-1", "8859/1"),
        ("iso8859-15", "8859/15"),
        ("utf-8", "unicode utf-8~8859/1"),
    ],
)
def test_bytes_are_read_as_the_header_says(encoding, named):
    text, cleaned = decoded("PID|É", encoding, named)
    assert text.endswith("\rPID|É")
    assert not cleaned


def test_what_a_source_calls_an_encoding_can_be_told():
    text, _ = decoded("PID|É€", "cp1252", "ASCII", ASCII="cp1252")
    assert text.endswith("É€")
    text, _ = decoded("PID|É€", "cp1252", "", default="cp1252")
    assert text.endswith("É€")


def test_an_encoding_is_never_guessed():
    assert decoded("PID|É", "latin-1", "ASCII") == Bad(1, 1, "undecodable")
    assert decoded("PID|É", "latin-1", "") == Bad(1, 1, "undecodable")
    assert decoded("PID", "utf-8", "KLINGON") == Bad(1, 1, "unknown_encoding", "MSH")


def test_characters_that_mean_nothing_are_removed_and_told():
    text, cleaned = decoded("PID|a\0b\x07c", "utf-8", "")
    assert text.endswith("PID|abc")
    assert cleaned
