"""Gzip is taken off a little at a time, and never beyond what is allowed."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.arrivals.inflating import bounded, inflated, inflated_if_gzip
from adapters.errors import Unavailable, Unreadable


def cut_up(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 50))
def test_members_in_a_row_are_one_text_however_they_are_cut(parts, size):
    packed = b"".join(map(gzip.compress, parts))
    assert b"".join(inflated(cut_up(packed, size))) == b"".join(parts)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_what_is_no_gzip_is_left_as_it_is(data, size):
    if data[:2] != b"\x1f\x8b":
        assert b"".join(inflated_if_gzip(cut_up(data, size))) == data
    packed = gzip.compress(data)
    assert b"".join(inflated_if_gzip(cut_up(packed, size))) == data


def test_nothing_comes_out_in_large_pieces():
    packed = gzip.compress(bytes(10_000_000))
    assert max(map(len, inflated([packed]))) <= 64 * 1024


@pytest.mark.parametrize("left", [1, 5, 100])
def test_gzip_that_is_cut_is_not_whole(left):
    packed = gzip.compress(b"abc" * 1000)
    with pytest.raises(Unavailable) as caught:
        list(inflated([packed[:-left] if left < 20 else packed[:20]]))
    assert caught.value.reason == "cut"


def test_what_is_broken_is_told():
    packed = bytearray(gzip.compress(b"abc" * 1000))
    packed[-5] ^= 1
    with pytest.raises(Unreadable):
        list(inflated([bytes(packed)]))
    with pytest.raises(Unreadable):
        list(inflated([zlib.compress(b"abc")]))


def test_the_bound_is_to_the_byte():
    assert list(bounded([b"ab", b"c"], 3)) == [b"ab", b"c"]
    with pytest.raises(Unreadable) as caught:
        list(bounded([b"ab", b"cd"], 3))
    assert caught.value.reason == "too_large"
