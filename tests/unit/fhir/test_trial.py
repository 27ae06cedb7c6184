"""Two ways of asking tried in turn, and the quicker kept to."""

import pytest

from adapters.fhir.trial import Trial


def tried(at_once, by_type):
    trial = Trial()
    for seconds in at_once:
        assert trial.is_at_once
        trial.took(seconds, at_once=True)
    for seconds in by_type:
        assert not trial.is_at_once
        trial.took(seconds, at_once=False)
    return trial


@pytest.mark.parametrize(
    ("at_once", "by_type", "expected"),
    [
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], True),
        ([1.2, 1.2, 1.2], [1.0, 1.0, 1.0], True),
        ([1.3, 1.3, 1.3], [1.0, 1.0, 1.0], False),
        ([9.0, 0.5, 0.5], [1.0, 1.0, 1.0], True),
        ([0.1, 3.0, 3.0], [1.0, 1.0, 1.0], False),
    ],
)
def test_the_quicker_of_the_two_is_kept_to(at_once, by_type, expected):
    assert tried(at_once, by_type).is_at_once is expected


def test_what_comes_after_the_trial_decides_nothing():
    trial = tried([1.0] * 3, [1.0] * 3)
    for _ in range(5):
        trial.took(60.0, at_once=True)
    assert trial.is_at_once
