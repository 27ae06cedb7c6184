"""RFC 8785, as far as records use it."""

import pytest

from gateway.audit.canonical import canon


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": 2, "B": 3, "_": 4}, '{"B":3,"_":4,"a":2,"b":1}'),
        ({"a": [True, False, None, -7, "x"]}, '{"a":[true,false,null,-7,"x"]}'),
        ({"a": (1, 2)}, '{"a":[1,2]}'),
        ({"a": 2**53 - 1}, '{"a":9007199254740991}'),
        # The escapes of RFC 8785, section 3.2.2.2, and what it leaves alone.
        (
            {"a": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"},
            '{"a":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
        ),
        ({"a": "\b\t\n\f\r\x7f\U0001f600"}, '{"a":"\\b\\t\\n\\f\\r\x7f\U0001f600"}'),
    ],
)
def test_a_value_has_one_encoding(value, text):
    assert canon(value) == text.encode()


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), 2**53, -(2**53), b"x", {1}, "\ud800", object()]
)
def test_what_has_no_one_encoding_is_refused(value):
    for record in ({"a": value}, {"a": [value]}, {"a": {"b": value}}):
        with pytest.raises((TypeError, ValueError)):
            canon(record)


@pytest.mark.parametrize("name", ["é", 1, None])
def test_names_are_ascii(name):
    with pytest.raises(TypeError, match="not ASCII"):
        canon({name: 1})
