"""How a file is written is seen from its bytes, or refused with the next step."""

import pytest

from gateway.onboarding.sample import BYTES, NotASample, read_sample
from tests.extracts import HEADER, text, visits

ROWS = visits(20)


def form_of(sample):
    """How it is written; a sample of a file always says."""
    assert sample.form is not None
    return sample.form


def form(data):
    return form_of(read_sample(data))


@pytest.mark.parametrize("mark", [",", ";", "|", "\t", "^", "~"])
def test_the_delimiter_is_seen(mark):
    sample = read_sample(text(ROWS, mark=mark).encode())
    assert form_of(sample).delimiter == mark
    assert sample.columns == HEADER
    assert [tuple(row) for row in sample.rows] == ROWS


@pytest.mark.parametrize(
    ("data", "encoding", "is_ascii"),
    [
        (text(ROWS), "utf-8", True),
        (text(ROWS).replace("DNA", "Café"), "utf-8", False),
    ],
)
def test_utf_8_is_seen_and_ascii_is_told_apart(data, encoding, is_ascii):
    seen = form(data.encode())
    assert (seen.encoding, seen.is_ascii) == (encoding, is_ascii)


def test_cp1252_is_seen():
    data = text(ROWS).replace("DNA", "Café").encode("cp1252")
    assert form(data).encoding == "cp1252"


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    sample = read_sample(b"\xef\xbb\xbf" + text(ROWS).encode())
    assert sample.columns[0] == HEADER[0]


def test_windows_line_ends_are_no_part_of_the_last_cell():
    sample = read_sample(text(ROWS, end="\r\n").encode())
    assert sample.column("Outcome")[0] == "Attended"


def test_quotes_hold_delimiters_and_lines():
    rows = [("V1", '"a, b"', '"c\nd"'), ("V2", "e", "f"), ("V3", "g", "h")]
    sample = read_sample(text(rows, header=("id", "title", "note")).encode())
    assert sample.rows[0] == ["V1", "a, b", "c\nd"]


def test_quotes_within_words_are_not_taken_for_quotes():
    rows = [(f"V{n}", f'"Big" toe {n}', "x") for n in range(10)]
    sample = read_sample(text(rows, header=("id", "title", "note"), mark="|").encode())
    assert form_of(sample).quote == ""
    assert len(sample.rows) == 10


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        (b"PK\x03\x04rest", "is an archive"),
        (b"\x1f\x8brest", "is an archive"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,\0\n", "UTF-16 or no text"),
        (b"a,b\r1,2\r", "CR alone"),
        (b"a,b\n1,\x81\n", "neither UTF-8 nor cp1252"),
        (b"one\ntwo\nthree\n", "no delimiter"),
        (b"id,nhs number,start date\n", "no row under its header"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_with_the_next_step(data, says):
    with pytest.raises(NotASample, match=says) as caught:
        read_sample(data)
    assert str(caught.value).endswith(".")


def test_a_first_line_of_data_is_no_header():
    sample = read_sample(text(ROWS, header=None).encode())
    assert form_of(sample).header is False
    assert sample.columns == tuple(f"column_{n}" for n in range(1, 7))
    assert len(sample.rows) == 20


def test_a_header_that_says_nothing_is_asked_about():
    data = b"alpha,beta\nred,green\nblue,white\n"
    assert form(data).header is None
    assert read_sample(data, header=True).columns == ("alpha", "beta")
    assert len(read_sample(data, header=False).rows) == 3


def test_one_known_name_over_columns_of_data_is_a_header():
    assert form(b"ref,qqq\nx,10\ny,11\n").header is True


def test_two_columns_of_one_name_are_not_taken_for_data():
    sample = read_sample(b"id,note,note,b\n1,a,b,c\n2,d,e,f\n", header=True)
    assert sample.columns == ("id", "note", "note", "b")
    assert form(b"x,x,x,x,x\na,b,c,d,e\n").header is False
    assert form(b"x,y,y\na,b,c\n").header is None


def test_rows_of_another_width_are_counted():
    data = text([*ROWS, ("only", "two")]).encode()
    sample = read_sample(data)
    assert dict(sample.set_aside) == {"wrong_width": 1}
    assert len(sample.rows) == 20


def test_a_long_file_is_cut_at_a_whole_line():
    line = b"V1,a,b\n"
    data = b"id,title,note\n" + line * (BYTES // len(line) + 10)
    sample = read_sample(data[:BYTES])
    assert not sample.is_whole
    assert set(map(tuple, sample.rows)) == {("V1", "a", "b")}


def test_a_header_shorter_than_its_rows_names_what_it_can():
    sample = read_sample(b"id,nhs number\n1,2,3\n4,5,6\n7,8,9\n")
    assert sample.columns == ("id", "nhs number", "")


def test_a_sample_does_not_show_its_rows():
    sample = read_sample(text(ROWS).encode())
    assert ROWS[0][2] not in repr(sample)


def test_of_a_wide_file_fewer_rows_are_looked_at():
    names = [f"c{n}" for n in range(600)]
    rows = [["x"] * 600 for _ in range(1200)]
    sample = read_sample(text(rows, header=names).encode(), header=True)
    assert (len(sample.rows), sample.is_whole) == (1000, False)
