"""Records of a file: quotes, endless lines, and bad ones that spoil nothing."""

import io
import tempfile

import pytest

from adapters.csv_drop.index import Copied, Copy
from adapters.csv_drop.records import Bad, Record, Writing, records

COMMA = Writing(delimiter=",", quote='"', encoding="utf-8", field_bytes=1000)


def read(data: bytes, writing: Writing = COMMA):
    found = list(records(io.BytesIO(data), writing))
    with tempfile.TemporaryFile() as kept:
        kept.write(data)
        kept.flush()
        whole = Copied(name="a.csv", place=0, size=len(data))
        copy = Copy(kept.fileno(), [whole], writing)
        for record in found:
            if isinstance(record, Record):
                # What stands at its place must read as the same cells again.
                assert copy.cells(record.start) == record.cells
    return [
        record.cells if isinstance(record, Record) else (record.line, record.reason)
        for record in found
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"a,b\n", [["a", "b"]]),
        (b"a,b", [["a", "b"]]),
        (b"a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]),
        (b"\xef\xbb\xbfa,b\n", [["a", "b"]]),
        (b'"a,1",b\n', [["a,1", "b"]]),
        (b'"say ""x""",b\n', [['say "x"', "b"]]),
        (b'"two\nlines",b\nc,d\n', [["two\nlines", "b"], ["c", "d"]]),
        (b'"two\r\nlines",b\r\n', [["two\nlines", "b"]]),
        (b'"a\n\nb",c\n', [["a\n\nb", "c"]]),
        (b'5" cut,b\n', [['5" cut', "b"]]),
        (b"a\x0bb,c\xe2\x80\xa8d\n", [["a\x0bb", "c\u2028d"]]),
        (b"a,b\rc,d\r\n", [["a", "b\rc", "d"]]),
    ],
)
def test_records_are_cut_as_they_were_written(data, expected):
    assert read(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\xffb,c\nd,e\n", [(1, "undecodable"), ["d", "e"]]),
        (b"a,b\nc\x00,d\r\ne,f\r\n", [["a", "b"], (2, "nul"), ["e", "f"]]),
        (b'"open,b\nc,d\ne,f\n', [(1, "bad_quotes"), ["c", "d"], ["e", "f"]]),
        (b'"a"b,c\nd,e\n', [(1, "bad_quotes"), ["d", "e"]]),
        (b'"open\nbad\xff\nc,d\n', [(1, "undecodable"), ["c", "d"]]),
        (b"x" * 1001 + b",b\nc,d\n", [(1, "field_too_long"), ["c", "d"]]),
        (b'"' + b"x" * 1001 + b'",b\nc,d\n', [(1, "field_too_long"), ["c", "d"]]),
    ],
)
def test_a_bad_record_spoils_no_other(data, expected):
    assert read(data) == expected


def test_an_endless_line_is_skipped_not_held():
    endless = b"x" * (3 << 20)
    assert read(b"a,b\n" + endless + b"\nc,d\n") == [
        ["a", "b"],
        (2, "line_too_long"),
        ["c", "d"],
    ]
    assert read(b"a,b\n" + endless) == [["a", "b"], (2, "line_too_long")]
    assert read(endless + b"\n") == [(1, "line_too_long")]


def test_blocks_are_joined_where_they_cut_a_line():
    line = b"abcdefg,hijklmnop\n"
    found = read(line * 150_000)
    assert len(found) == 150_000
    assert set(map(tuple, found)) == {("abcdefg", "hijklmnop")}


def test_other_delimiters_quotes_and_encodings():
    pipe = Writing(delimiter="|", quote="", encoding="cp1252", field_bytes=1000)
    assert read('É|"x\n'.encode("cp1252"), pipe) == [["É", '"x']]
    assert read(b"\x81|b\n", pipe) == [(1, "undecodable")]
    assert read(b"\xef\xbb\xbfa|b\n", pipe)[0] == ["\u00ef\u00bb\u00bfa", "b"]


def test_bad_names_the_line_it_starts_on():
    found = list(records(io.BytesIO(b'x\na,"b\nc"\n"d\n'), COMMA))
    assert found == [
        Record(1, 0, ["x"]),
        Record(2, 2, ["a", "b\nc"]),
        Bad(4, "bad_quotes"),
    ]
