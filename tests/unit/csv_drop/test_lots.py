"""Blocks of records cut at once are cut as they would be one by one."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.csv_drop.lots import lots
from adapters.csv_drop.records import Bad, Lines, Writing, records

COMMA = Writing(delimiter=",", quote='"', encoding="utf-8", field_bytes=1000)
PIPE = Writing(delimiter="|", quote="", encoding="cp1252", field_bytes=20)


def at_once(data: bytes, writing: Writing, width: int):
    """(line, first byte, cells) of the good, and (line, reason) of the bad."""
    good, bad = [], []
    for lot in lots(Lines(io.BytesIO(data), writing), width):
        assert len(lot.numbers) == len(lot.starts) == len(lot.table)
        for place, (number, start) in enumerate(
            zip(lot.numbers, lot.starts, strict=True)
        ):
            good.append((number, start, list(lot.table.row(place))))
        bad += [(each.line, each.reason) for each in lot.bad]
    return good, bad


def one_by_one(data: bytes, writing: Writing, width: int):
    good, bad = [], []
    for record in records(io.BytesIO(data), writing):
        if isinstance(record, Bad):
            bad.append((record.line, record.reason))
        elif len(record.cells) != width:
            bad.append((record.line, "wrong_width"))
        else:
            good.append((record.line, record.start, record.cells))
    return good, bad


PIECES = st.sampled_from(
    [
        b"a",
        b"",
        b",",
        b",",
        b'"',
        b'"',
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"|",
        b" ",
        b"\x00",
        b"\xff",
        "\N{LATIN SMALL LETTER SHARP S}".encode(),
        b'"b,c"',
        b"a,b\n",
        b'"x\ny",b\n',
        b"z" * 30,
        b"y" * 1200,
    ]
)


@pytest.mark.parametrize("writing", [COMMA, PIPE], ids=["comma", "pipe"])
@given(data=st.lists(PIECES, max_size=30).map(b"".join), width=st.integers(1, 3))
@example(data=b'a,b\n"c","d"\n"e\nf",g\nh,i\n', width=2)
@example(data=b'a,b\n"open,c\nd,e\n', width=2)
@example(data=b'"a","b"\n"c"\nd,e\nf,g,h\n', width=2)
@example(data=b"\n\n\n", width=1)
@example(data=b'\n\n"a\n\n', width=1)
def test_a_block_is_cut_as_its_records_are(writing, data, width):
    """Catches a quoted cell cut at its comma, and a line number one off."""
    assert at_once(data, writing, width) == one_by_one(data, writing, width)


def test_blocks_of_every_sort_follow_each_other():
    plain = b"abcdefg,hijklmnop\n" * 80_000
    quoted = b'"abc,defg","hi ""j"" klmnop"\n' * 50_000
    split = b'"two\nlines",x\n'
    data = plain + quoted + split + b"too,many,cells\n" + plain + b"\xff,x\n" + plain
    good, bad = at_once(data, COMMA, 2)
    assert (good, bad) == one_by_one(data, COMMA, 2)
    assert [reason for _, reason in bad] == ["wrong_width", "undecodable"]
    assert len(good) == 290_001
    # What begins at a place is what was read there.
    for _, start, cells in good[::50_001]:
        assert data[start:].startswith((cells[0].encode(), b'"'))


@pytest.mark.parametrize("writing", [COMMA, PIPE], ids=["comma", "pipe"])
@given(
    data=st.lists(PIECES, max_size=30).map(b"".join),
    width=st.integers(1, 3),
    share=st.floats(0, 1),
)
@example(data=b'a,b\n"open\n,c\nd",e\nf,g\n', width=2, share=0.3)
def test_what_is_read_in_two_goes_is_what_is_read_in_one(writing, data, width, share):
    """Catches a record that both goes take, and one that neither does."""
    ends = [n + 1 for n, byte in enumerate(data) if byte == ord("\n")]
    cut = ends[int(share * (len(ends) - 1))] if ends else 0
    first = Lines(io.BytesIO(data), writing, until=cut)
    good = [start for lot in lots(first, width) for start in lot.starts]
    later = first.following
    assert later >= cut
    second = Lines(io.BytesIO(data[later:]), writing, start=later)
    good += [start for lot in lots(second, width) for start in lot.starts]
    assert good == [start for _, start, _ in at_once(data, writing, width)[0]]
