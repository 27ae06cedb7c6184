"""What is last seen of a source, and what raises an alarm about one."""

from dataclasses import replace

import msgspec
import pytest

from gateway.journey.completeness import standing
from gateway.journey.inquiry import inquire
from gateway.journey.sightings import Sighting, Sightings
from gateway.problems import RequestError
from tests.fakes import FakeAdapter
from tests.houses import (
    ANN,
    BOB,
    NOW,
    answer,
    doctor,
    event,
    house,
    policy_of,
    question,
    source,
)
from tests.journeys import (
    WHOLE,
    fails,
    from_answers,
    says,
    shown,
    told,
)
from tests.outcomes import SCENES, staged


async def test_a_stranger_and_a_broken_adapter_raise_an_alarm(capsys):
    await told(
        *from_answers(Z9A01=answer(event("a1"), event("b1", of=BOB))),
        source("Z9B02.x", fails()),
        source("Z9C03.x", says(answer(event("c1")))),
    )
    said = "".join(capsys.readouterr())
    assert "identity_mismatch" in said
    assert "adapter_defect" in said
    for each in (*ANN.every, *BOB.every):
        assert each.value not in said


async def test_what_was_last_seen_of_a_source_outlives_the_journey():
    sightings = Sightings()
    left = [answer(event("a1")), None]

    def look(_):
        said = left.pop(0)
        if said is None:
            raise ZeroDivisionError
        return said

    seen = source("Z9A01.x", FakeAdapter(look, profile=WHOLE))
    steady = source("Z9B02.x", says(answer()))
    gateway = replace(house(seen, steady), sightings=sightings)
    assert sightings.of(seen) is None
    await inquire(gateway, doctor(), question())
    assert sightings.of(seen) == Sighting(
        state="answering", as_of="2026-03-01T12:00:00Z"
    )
    await inquire(gateway, doctor(), question())
    assert sightings.of(seen) == Sighting(state="error", as_of="2026-03-01T12:00:00Z")


@pytest.mark.parametrize("key", ["denied", "no hint"])
def test_a_source_that_was_not_asked_was_not_seen(key):
    sightings, found = Sightings(), staged(SCENES[key], "Z9A01.x")
    sightings.note(found.asked)
    assert sightings.of(found.asked.source) is None


async def test_a_decision_that_goes_wrong_denies_and_raises_an_alarm(capsys):
    gateway = house(*from_answers(Z9A01=answer(event("a1"))))
    broken = replace(policy_of(["Z9A01"]), dimensions={})
    with pytest.raises(RequestError) as caught:
        await inquire(replace(gateway, policy=lambda: broken), doctor(), question())
    assert caught.value.code == "not-permitted"
    assert "policy_error" in "".join(capsys.readouterr())


async def test_a_release_that_goes_wrong_withholds_all_and_raises_an_alarm(capsys):
    unreadable = msgspec.structs.replace(event("a1"), labels=["HIV"])
    journey = await told(
        *from_answers(Z9A01=answer(unreadable), Z9B02=answer(event("b1")))
    )
    assert shown(journey) == ["b1"]
    assert journey.completeness.sources[0].state == "withheld"
    assert "policy_error" in "".join(capsys.readouterr())


def test_an_outcome_of_no_known_kind_is_never_read_as_some_state():
    found = staged(SCENES["ok"], "Z9A01.x")
    unheard_of = replace(found.asked, outcome=object())  # type: ignore[arg-type]  # the point
    with pytest.raises(AssertionError):
        standing(replace(found, asked=unheard_of), NOW)
    with pytest.raises(AssertionError):
        Sightings().note(unheard_of)


def test_a_source_that_failed_at_first_sight_has_no_freshness():
    sightings, found = Sightings(), staged(SCENES["timeout"], "Z9A01.x")
    sightings.note(found.asked)
    assert sightings.of(found.asked.source) == Sighting(state="timeout", as_of=None)
