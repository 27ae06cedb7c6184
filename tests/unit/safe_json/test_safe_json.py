"""JSON from strangers: what the standard library lets pass is refused by name."""

import json
import time

import pytest

from gateway import safe_json
from gateway.safe_json import DuplicateName, UnsafeJson, read, read_object

REFUSED = [
    (b'\xef\xbb\xbf{"a":1}', "byte-order-mark"),
    (b"\xff\xfe{\x00}\x00", "not-utf-8"),
    (b'{"a":"\xed\xa0\x80"}', "not-utf-8"),
    (b'{"a":"\xc0\xaf"}', "not-utf-8"),
    (b'{"a":NaN}', "not-a-number"),
    (b"[Infinity]", "not-a-number"),
    (b"[-Infinity]", "not-a-number"),
    (b"[1e999]", "not-a-number"),
    (b'{"a":"\\ud800"}', "lone-surrogate"),
    (b'{"a":["\\uDFFF"]}', "lone-surrogate"),
    (b'{"\\ud800":1}', "lone-surrogate"),
    (b'{"a":1,"a":1}', "duplicate-name"),
    (b'{"a":1,"\\u0061":2}', "duplicate-name"),
    (b'[{"b":{"a":1,"a":1}}]', "duplicate-name"),
    (b"", "not-json"),
    (b"{", "not-json"),
    (b"{}{}", "not-json"),
    (b"{'a':1}", "not-json"),
    (b'{"a":1,}', "not-json"),
    (b'{"a":"\x00"}', "not-json"),
    (b"[" + b"9" * 5000 + b"]", "not-json"),
    (b"[" * 65 + b"]" * 65, "too-deep"),
    (b'{"a":' * 65 + b"1" + b"}" * 65, "too-deep"),
    (b"[" * 1_000_000, "too-deep"),
]


@pytest.mark.parametrize(("data", "code"), REFUSED)
def test_unsafe_json_is_refused_by_name_and_never_echoed(data, code):
    with pytest.raises(UnsafeJson) as caught:
        read(data)
    assert caught.value.code == str(caught.value) == code


TAKEN = [
    b'{"a":[1,-2.5,1e3,true,false,null,"x"],"b":{"a":{}}}',
    b" [1] \n",
    '{"naïve":"\U0001f600"}'.encode(),
    b'{"a":"\\ud83d\\ude00"}',
    b'"[[[["',
    b'{"a":"\\"[[[[{{{{\\\\"}',
    b"[" * 64 + b"]" * 64,
    b"[" + b"[]," * 500 + b"[]]",
]


@pytest.mark.parametrize("data", TAKEN)
def test_what_is_right_is_read_as_the_standard_library_reads_it(data):
    assert read(data) == json.loads(data)


def test_names_repeated_in_the_outermost_object_are_told_for_comparing():
    with pytest.raises(DuplicateName) as outer:
        read(b'{"purpose":1,"x":{"y":1,"y":2},"purpose":2}')
    assert outer.value.names == {"purpose"}
    with pytest.raises(DuplicateName) as inner:
        read(b'{"x":{"purpose":1,"purpose":2}}')
    assert inner.value.names == set()
    with pytest.raises(DuplicateName) as listed:
        read(b'[{"purpose":1,"purpose":2}]')
    assert listed.value.names == set()


def test_an_object_is_wanted_and_nothing_else():
    assert read_object(b'{"a":1}') == {"a": 1}
    for data in (b"[]", b'"a"', b"1", b"null"):
        with pytest.raises(UnsafeJson, match="not-an-object"):
            read_object(data)


def test_the_depth_may_be_less():
    with pytest.raises(UnsafeJson, match="too-deep"):
        read(b"[[[]]]", depth=2)


@pytest.mark.parametrize(
    "data",
    [
        b'"' + b'\\"' * 32_000,
        b'"' + b'\\"' * 32_000 + b"\\",
        b'"a' * 22_000,
        b"{" + b",".join(b'"%d":1' % n for n in range(7000)) + b',"1":1}',
        b'"' * 65_536,
    ],
)
def test_hostile_bytes_cost_no_more_than_their_length(data):
    began = time.perf_counter()
    with pytest.raises(UnsafeJson):
        read(data)
    assert time.perf_counter() - began < 0.5


def test_a_reader_of_documents_is_the_module_and_its_errors():
    assert issubclass(safe_json.DuplicateName, safe_json.UnsafeJson)
    assert issubclass(safe_json.UnsafeJson, ValueError)
