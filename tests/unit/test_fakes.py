"""A fake that the real thing outgrew proves nothing: their faces must agree."""

import inspect
from datetime import UTC

import pytest

from gateway.clock import SystemClock
from tests.fakes import FakeClock

PAIRS = [(FakeClock, SystemClock)]


@pytest.mark.parametrize(("fake", "real"), PAIRS)
def test_a_fake_has_the_face_of_the_real_thing(fake, real):
    names = [name for name in vars(real) if not name.startswith("_")]
    assert names
    for name in names:
        ours = inspect.signature(getattr(fake, name))
        assert ours == inspect.signature(getattr(real, name))


def test_the_system_clock_is_aware_in_utc_and_only_grows():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_a_fake_clock_moves_both_its_hands():
    clock = FakeClock()
    before, passed = clock.now(), clock.monotonic()
    clock.pass_by(2.5)
    assert (clock.now() - before).total_seconds() == clock.monotonic() - passed == 2.5
