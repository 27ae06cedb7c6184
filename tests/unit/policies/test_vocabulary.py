"""The closed lists are whole, and labels that nobody knows clear nothing."""

from datetime import timedelta

import pytest

from policies import vocabulary
from policies.vocabulary import PURPOSES, label_of, stale_after


def test_purposes_carry_their_code_of_hl7_and_their_class():
    assert (PURPOSES["direct-care"].hl7, PURPOSES["research"].hl7) == (
        "TREAT",
        "HRESCH",
    )
    classes = [purpose.class_ for purpose in PURPOSES.values()]
    counts = {name: classes.count(name) for name in classes}
    assert counts == {"individual": 4, "beyond": 9, "administrative": 3}
    assert len({purpose.hl7 for purpose in PURPOSES.values()}) == len(PURPOSES)
    individual = {"direct-care", "emergency-care", "care-coordination"}
    assert individual | {"patient-request"} == vocabulary.INDIVIDUAL


def test_relationships_stand_strongest_first():
    assert vocabulary.RELATIONSHIPS[0] == "self"
    assert vocabulary.RELATIONSHIPS[-2:] == ("self-claimed", "none")


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("PSY", "PSY"),
        ("R", "R"),
        ("GENDER", "GENDER"),
        ("N", None),
        ("U", None),
        ("psy", "unrecognised"),
        ("", "unrecognised"),
        ("unlabelled", "unrecognised"),
    ],
)
def test_a_label_counts_as_itself_as_nothing_or_as_unrecognised(raw, label):
    assert label_of(raw) == label


def test_the_label_of_a_sector_is_a_label():
    assert set(vocabulary.SECTOR_LABELS.values()) <= set(vocabulary.LABELS)
    assert set(vocabulary.IDENTITY_FIELDS) <= set(vocabulary.FIELDS)


def test_a_flag_goes_stale_in_its_own_time():
    assert stale_after("ndo") == timedelta(days=7)
    assert stale_after("consent:DSA-1") == timedelta(hours=24)
    assert [stale_after(flag) for flag in vocabulary.FLAGS] == [timedelta(days=7)] * 5
    with pytest.raises(KeyError):
        stale_after("surprise")


def test_the_lists_have_a_version_and_a_hash():
    assert vocabulary.VERSION
    assert vocabulary.HASH.startswith("sha256:")
