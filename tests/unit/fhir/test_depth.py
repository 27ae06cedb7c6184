"""How deep JSON is nested, told without reading it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.depth import is_deeper

VALUES = st.recursive(
    st.text(alphabet='ab{}[]"\\\n/u') | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet='a{}[]"\\', max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def deepest(value):
    if isinstance(value, dict):
        return 1 + max(map(deepest, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(deepest, value), default=0)
    return 0


@given(VALUES, st.booleans())
def test_depth_is_exact_whatever_stands_in_strings(value, spaced):
    """Catches the seeded defect of counting brackets or quotes inside strings."""
    page = json.dumps(value, indent=2 if spaced else None).encode()
    depth = deepest(value)
    assert not is_deeper(page, depth)
    assert depth == 0 or is_deeper(page, depth - 1)


@pytest.mark.parametrize("depth", [64, 65, 5000])
def test_a_limit_is_held_to_the_level(depth):
    assert is_deeper(b"[" * depth + b"]" * depth, 64) == (depth > 64)


@given(
    st.lists(st.sampled_from(["\\", '"', "{", "]", "a", "\n"]), min_size=1),
    st.integers(0, 40),
    st.booleans(),
)
def test_depth_is_exact_where_a_long_page_is_cut(letters, shift, dense):
    """Catches the seeded defect of cutting an escape in two."""
    text = "".join(letters)
    filler = text * (70_000 // len(text)) if dense else "x" * (65_500 + shift)
    page = json.dumps([filler + text, [[text], {text: [text]}]]).encode()
    assert not is_deeper(page, 4)
    assert is_deeper(page, 3)
