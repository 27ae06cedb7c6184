"""An index says where a value stands, and refuses to be read where it is not whole."""

import itertools
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.csv_drop import postings
from adapters.csv_drop.index import (
    Account,
    Found,
    Imprint,
    Index,
    Retired,
    read_imprint,
)
from adapters.csv_drop.portion import Rising
from adapters.csv_drop.postings import Pieces, Postings
from adapters.csv_drop.records import Writing

COMMA = Writing(delimiter=",", quote='"', encoding="utf-8", field_bytes=1000)
# Two words that CRC-32 cannot tell apart.
ALIKE = ("plumless", "buckeroo")
IMPRINT = Imprint(
    signature="s",
    mapping="m",
    columns={},
    as_of=datetime(2024, 7, 1, tzinfo=UTC),
    rows=0,
    rejected=0,
    repeated=0,
    superseded=0,
)
EMPTY = Account(imprint=IMPRINT, files=[], sections=[])


def rising(*lots):
    ids = Rising()
    for records in lots:
        ids.note(records)
    return ids


@pytest.mark.parametrize(
    ("lots", "is_rising"),
    [
        ([["a", "b"], ["c"]], True),
        ([["a"], [], ["b"]], True),
        ([["a", "a"]], False),
        ([["b", "a"]], False),
        ([["a", "b"], ["b", "c"]], False),
        ([["a", "b"], ["a"], ["c", "d"]], False),
    ],
)
def test_ids_that_only_rise_are_known_to_be_unlike(lots, is_rising):
    assert rising(*lots).so_far is is_rising


def test_ids_go_on_rising_only_from_where_the_others_ended():
    assert rising(["c"]).follows(rising(["a", "b"]))
    assert rising([]).follows(rising(["a"]))
    assert rising(["a"]).follows(rising([]))
    assert not rising(["b"]).follows(rising(["a", "b"]))
    assert not rising(["c", "b"]).follows(rising(["a"]))


VALUES = st.sampled_from(
    [None, "a", "b", "\N{LATIN SMALL LETTER E WITH ACUTE}", *ALIKE]
)


@given(lots=st.lists(st.lists(VALUES, max_size=9), max_size=9), piece=st.integers(1, 9))
def test_a_value_is_found_wherever_it_stands(lots, piece):
    """Catches a piece whose last bucket is forgotten."""
    with pytest.MonkeyPatch.context() as small, tempfile.TemporaryDirectory() as folder:
        small.setattr(postings, "_PIECE", piece)
        with (
            (Path(folder) / "pieces").open("w+b") as own,
            (Path(folder) / "all").open("w+b") as all_,
        ):
            pieces, first = Pieces(own), 0
            for values in lots:
                pieces.add(values, first)
                first += len(values)
            edges = postings.write(pieces.buckets(), all_)
            all_.flush()
            found = Postings(all_.fileno(), edges)
            every = list(itertools.chain(*lots))
            for value in {"a", "b", "nobody", *filter(None, every)}:
                like = ALIKE if value in ALIKE else (value,)
                expected = [n for n, each in enumerate(every) if each in like]
                assert list(found.rows_of(value)) == expected
            twice = {v for v in every if v and every.count(v) > 1}
            several = sum(len(postings.repeating(found.bucket(n))) for n in range(256))
            merged = {ALIKE[0] if v in ALIKE else v for v in twice}
            both = {*ALIKE} <= {*every}
            assert several == len(merged | ({ALIKE[0]} if both else set()))


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"no index at all",
        EMPTY.written()[:-1],
        EMPTY.written()[40:],
        EMPTY.written().replace(b'"format": 4', b'"format": 3'),
        EMPTY.written().replace(b'"rows"', b'"cows"'),
        EMPTY.written().replace(b'"files": []', b'"files": 11'),
    ],
)
def test_what_is_no_whole_index_is_none(tmp_path, spoilt):
    path = tmp_path / "index.drop"
    assert read_imprint(path) is None
    path.write_bytes(spoilt)
    assert read_imprint(path) is None
    assert Index.open(path, mapping="m", writing=COMMA, key=0) is None


def test_an_index_of_another_mapping_is_none(tmp_path):
    path = tmp_path / "index.drop"
    path.write_bytes(EMPTY.written())
    assert read_imprint(path) == IMPRINT
    assert Index.open(path, mapping="other", writing=COMMA, key=0) is None


def test_an_index_that_retired_is_asked_no_more(tmp_path):
    path = tmp_path / "index.drop"
    path.write_bytes(EMPTY.written())
    index = Index.open(path, mapping="m", writing=COMMA, key=0)
    assert index is not None
    index.retire()
    index.retire()
    with (
        pytest.raises(Retired),
        index.asked(lambda _, cells: Found(row=cells, names=(), apart=None)),
    ):
        pass
