"""How hard a law of policy is tried: 5 000 tapes, three in ten of them permitted."""

import os
from collections import Counter
from collections.abc import Callable

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.generative.policies.tapes import Tape

# "quick" is for runs under coverage, which a law is not better known by.
PROFILES = {"quick": 200, "nightly": 10_000}
EXAMPLES = PROFILES.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 5_000)
TAPE_BYTES = 192
PERMITTED = 0.3

tapes = st.binary(min_size=TAPE_BYTES, max_size=TAPE_BYTES)


def law(holds: Callable[[Tape], str]) -> Callable[[], None]:
    """A test that tries what `holds` asserts of each tape; it returns the effect met.

    A law that is met by denials alone shows nothing, so a share must be permits.
    """
    tried, effects = trial(holds)

    def test() -> None:
        effects.clear()
        tried()
        assert effects["permit"] >= PERMITTED * effects.total()

    return named(test, holds)


def plain_law(holds: Callable[[Tape], object]) -> Callable[[], None]:
    """The same, for laws about something other than effects."""
    return named(trial(holds)[0], holds)


def trial(
    holds: Callable[[Tape], object], *, examples: int = EXAMPLES
) -> tuple[Callable[[], None], Counter[object]]:
    """What tries a law, and the count of what it returned."""
    met: Counter[object] = Counter()

    def every(content: bytes) -> None:
        note(f"read with Tape(bytes.fromhex({content.hex()!r}))")
        met[holds(Tape(content))] += 1

    every.__name__ = holds.__name__
    tried = settings(max_examples=examples, deadline=None)(given(tapes)(every))
    return tried, met


def named(test: Callable[[], None], holds: Callable[..., object]) -> Callable[[], None]:
    def run() -> None:
        test()

    run.__name__, run.__doc__ = holds.__name__, holds.__doc__
    run.__module__, run.__qualname__ = holds.__module__, holds.__qualname__
    return run
