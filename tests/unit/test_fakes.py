"""A fake that the real thing outgrew proves nothing: their faces must agree."""

import inspect
from datetime import UTC

import pytest

from adapters import nhs_number
from adapters.contract import Adapter, Identifier
from adapters.memory import MemoryAdapter
from gateway.audit.keys import SubjectKey
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Stop
from gateway.audit.trail import Trail
from gateway.clock import SystemClock
from tests.fakes import FakeAdapter, FakeClock, FakeTrail
from tests.houses import answer, profile
from tests.people import number

PAIRS = [(FakeClock, SystemClock), (FakeAdapter, MemoryAdapter)]
# What only some adapters can: a fake that has them would be asked for them.
ABILITIES = {"match", "trace"}
# What a house asks of its trail; opening and closing are the service's.
OF_A_TRAIL = ("subject_of", "append", "is_writable")


@pytest.mark.parametrize(("fake", "real"), PAIRS)
def test_a_fake_has_the_face_of_the_real_thing(fake, real):
    names = {name for name in vars(real) if not name.startswith("_")} - ABILITIES
    assert names
    for name in names:
        ours = inspect.signature(getattr(fake, name))
        assert ours == inspect.signature(getattr(real, name))


@pytest.mark.parametrize("name", OF_A_TRAIL)
def test_a_fake_trail_has_the_face_that_a_house_sees_of_the_real_one(name):
    ours, theirs = getattr(FakeTrail, name), getattr(Trail, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)


def test_a_fake_trail_names_a_person_as_the_real_key_does():
    key = SubjectKey(key_id="test", key=b"k" * 32)
    trail = FakeTrail()
    assert trail.subject_of(number(0)) == key.of_number(number(0))
    for system in ("urn:test:other", nhs_number.SYSTEM):
        one = Identifier(system, number(0))
        assert trail.subject_of(one) == key.of(one)


async def test_a_fake_trail_fails_as_the_real_one_does_and_only_when_told_to():
    trail = FakeTrail(fails_at=1)
    first = await trail.append(Stop())
    assert first.n == 1
    with pytest.raises(AuditUnavailable):
        await trail.append(Stop())
    assert trail.records == [Stop()]
    assert not trail.is_writable()
    assert FakeTrail().is_writable()


async def test_a_fake_adapter_is_an_adapter():
    fake = FakeAdapter(lambda _: answer(), profile=profile())
    assert isinstance(fake, Adapter)
    await fake.aclose()
    await fake.aclose()


def test_the_system_clock_is_aware_in_utc_and_only_grows():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_a_fake_clock_moves_both_its_hands():
    clock = FakeClock()
    before, passed = clock.now(), clock.monotonic()
    clock.pass_by(2.5)
    assert (clock.now() - before).total_seconds() == clock.monotonic() - passed == 2.5
