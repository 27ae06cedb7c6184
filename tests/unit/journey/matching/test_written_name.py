"""Names as sources write them, taken apart."""

import pytest

from gateway.journey.matching.short_forms import are_forms_of_one
from gateway.journey.matching.written_name import read_name


@pytest.mark.parametrize(
    ("text", "forenames", "surnames"),
    [
        ("Ada Example", ("ada",), ("example",)),
        ("EXAMPLE, Ada Beryl (Mrs)", ("ada", "beryl"), ("example",)),
        ("Dr. Ada B. Example", ("ada", "b"), ("example",)),
        ("Zoë Łukasz-O\u2019Brien", ("zoe",), ("lukasz", "obrien")),
        ("Ada Example Sample", ("ada", "example"), ("sample",)),
        ("Ada van der Berg", ("ada",), ("vanderberg",)),
        ("van Berg, Ada", ("ada",), ("vanberg",)),
        ("EXAMPLE SAMPLE, Ada", ("ada",), ("example", "sample")),
        ("Van Example", ("van",), ("example",)),
        ("Example", (), ("example",)),
        ("Baby Example", (), ("example",)),
        ("UNKNOWN UNKNOWN", (), ()),
        ("Twin One Example", (), ("example",)),
        ("", (), ()),
        ("1234 %", (), ()),
        (",", (), ()),
    ],
)
def test_a_name_is_taken_apart(text, forenames, surnames):
    written = read_name(text)
    assert (written.forenames, written.surnames) == (forenames, surnames)


def test_a_name_taken_apart_does_not_show_itself():
    assert "ada" not in repr(read_name("Ada Example"))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("robert", "bob", True),
        ("bob", "robert", True),
        ("christina", "christopher", False),
        ("robert", "robert", False),
        ("bob", "rob", False),
    ],
)
def test_a_short_form_stands_for_its_own_name_only(one, other, expected):
    assert are_forms_of_one(one, other) is expected
