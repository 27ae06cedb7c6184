"""Equal values have one spelling, and so one hash."""

import pytest

from policies.canonical import canonical_json, sha256_of


def test_keys_are_sorted_and_text_is_composed():
    spelt = canonical_json({"b": ["e\u0301", 1, True, None], "a": ()})
    assert spelt == '{"a":[],"b":["\u00e9",1,true,null]}'


def test_a_hash_is_of_the_canonical_text():
    # SHA-256 of the two characters {}, from the published test of any shell.
    expected = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert sha256_of({}) == f"sha256:{expected}"


@pytest.mark.parametrize("value", [1.5, {"a": float("nan")}, [b"x"], {"a": {1}}])
def test_what_has_no_one_spelling_is_refused(value):
    with pytest.raises(TypeError, match="no canonical JSON for"):
        canonical_json(value)
