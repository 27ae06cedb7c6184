"""Sources watch while an agreement stands, and are forgotten once none does."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from adapters.contract import Forgets, Watches
from adapters.csv_drop import CsvDrop
from adapters.errors import Unavailable
from gateway import keeping
from gateway.audit.records import Change
from gateway.keeping import Keeping, stands_for
from gateway.policy.edit import GATEWAY
from gateway.problems import RequestError
from policies.compile import compile_set
from tests.fakes import FakeAdapter, FakeClock, FakeTrail
from tests.houses import answer, memory, policy_of, profile, source

OWNER = "Z9A01"
AFTER = datetime(2028, 1, 1, 0, 0, tzinfo=UTC)  # the agreement of policy_of has ended
BEFORE = datetime(2025, 12, 31, tzinfo=UTC)


class Kept(FakeAdapter):
    """A source that watches and forgets, or fails to, and remembers it."""

    def __init__(self, *, fails: int = 0, forgets_badly: int = 0) -> None:
        super().__init__(lambda _: answer(), profile=profile())
        self.fails = fails
        self.forgets_badly = forgets_badly
        self.told: list[str] = []

    async def watch(self) -> None:
        self.told.append("watching")
        if self.fails:
            self.fails -= 1
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        finally:
            self.told.append("stopped")

    async def forget(self) -> None:
        if self.forgets_badly:
            self.forgets_badly -= 1
            raise Unavailable("state", "the index could not be erased")
        self.told.append("forgotten")


@pytest.fixture
async def keeping_of():
    """Keeps sources, and is closed at the test's end."""
    opened: list[Keeping] = []

    def open_(*adapters, clock, trail=None, policy=None) -> Keeping:
        sources = [source(f"{OWNER}.{n}", each) for n, each in enumerate(adapters)]
        compiled = policy_of([OWNER])
        opened.append(
            Keeping(
                sources,
                policy or (lambda: compiled),
                trail or FakeTrail(),  # type: ignore[arg-type]  # held to Trail by test_fakes
                clock=clock,
                every_s=0.001,
            )
        )
        return opened[-1]

    yield open_
    for each in opened:
        await each.aclose()
        await each.aclose()


async def a_while() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_kind_for_drops_has_both_abilities():
    assert issubclass(CsvDrop, Watches)
    assert issubclass(CsvDrop, Forgets)


@pytest.mark.parametrize(
    ("at", "stands"),
    [
        (datetime(2026, 3, 1, tzinfo=UTC), True),
        (datetime(2027, 12, 31, 23, 59, tzinfo=UTC), True),
        (AFTER, False),
        (BEFORE, False),
    ],
)
def test_an_agreement_stands_while_it_is_valid(at, stands):
    own = source(f"{OWNER}.x", memory())
    assert stands_for(policy_of([OWNER]), own, FakeClock(at)) is stands


def test_no_agreement_stands_for_an_organisation_that_none_names():
    other = source("Z9B02.x", memory())
    assert not stands_for(policy_of([OWNER]), other, FakeClock())
    assert not stands_for(compile_set([], []), other, FakeClock())


async def test_a_source_watches_while_an_agreement_stands(keeping_of):
    adapter, trail = Kept(), FakeTrail()
    keeping = keeping_of(adapter, memory(), clock=FakeClock(), trail=trail)
    await keeping.look()
    await keeping.look()
    await a_while()
    assert adapter.told == ["watching"]
    await keeping.aclose()
    assert adapter.told == ["watching", "stopped"]
    assert trail.records == []


async def test_what_is_kept_of_a_source_ends_with_its_agreement_and_is_recorded(
    keeping_of,
):
    adapter, trail, clock = Kept(), FakeTrail(), FakeClock()
    keeping = keeping_of(adapter, clock=clock, trail=trail)
    await keeping.look()
    await a_while()
    clock.at = AFTER
    await keeping.look()
    await keeping.look()
    assert adapter.told == ["watching", "stopped", "forgotten"]
    assert trail.records == [
        Change(
            actor=GATEWAY,
            action="forget",
            object="source",
            document=f"{OWNER}.0",
            policy=policy_of([OWNER]).version,
        )
    ]


async def test_a_source_whose_agreement_stands_again_watches_again(keeping_of):
    adapter, clock = Kept(), FakeClock(BEFORE)
    keeping = keeping_of(adapter, clock=clock)
    await keeping.look()
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    await keeping.look()
    await a_while()
    clock.at = AFTER
    await keeping.look()
    assert adapter.told == ["forgotten", "watching", "stopped", "forgotten"]


async def test_nothing_is_forgotten_that_could_not_be_recorded(keeping_of):
    adapter, clock, trail = Kept(), FakeClock(AFTER), FakeTrail(fails_at=0)
    keeping = keeping_of(adapter, clock=clock, trail=trail)
    await keeping.look()
    assert adapter.told == []
    trail.fails_at = None
    await keeping.look()
    assert adapter.told == ["forgotten"]


async def test_nothing_is_forgotten_while_policy_is_not_known(keeping_of):
    adapter = Kept()

    def unknown():
        raise RequestError("policy-unavailable")

    keeping = keeping_of(adapter, clock=FakeClock(AFTER), policy=unknown)
    await keeping.look()
    assert adapter.told == []


async def test_a_watch_that_fails_is_told_and_begun_again_ever_later(keeping_of):
    adapter, clock = Kept(fails=2), FakeClock()
    keeping = keeping_of(adapter, clock=clock)
    with capture_logs() as alarms:
        for passing, begun in (
            *((0, 1), (0.5, 1), (0.6, 1), (0.5, 2)),
            *((0.1, 2), (1.5, 2), (0.6, 3)),
        ):
            clock.pass_by(passing)
            await keeping.look()
            await a_while()
            assert adapter.told == ["watching"] * begun
    assert [each["event"] for each in alarms] == ["watch_failed"] * 2
    assert {each["source"] for each in alarms} == {f"{OWNER}.0"}


async def test_a_watch_that_failed_after_long_begins_again_soon(keeping_of):
    adapter, clock = Kept(fails=3), FakeClock()
    keeping = keeping_of(adapter, clock=clock)
    for passing in (0, 100, 1.1, 100, 1.1, 100, 1.1):
        clock.pass_by(passing)
        await keeping.look()
        await a_while()
    assert adapter.told == ["watching"] * 4


async def test_what_could_not_be_forgotten_is_told_and_tried_again(keeping_of):
    adapter, clock = Kept(forgets_badly=1), FakeClock(AFTER)
    keeping = keeping_of(adapter, clock=clock)
    with capture_logs() as alarms:
        await keeping.look()
        await keeping.look()
        assert adapter.told == []
        clock.pass_by(2)
        await keeping.look()
    assert adapter.told == ["forgotten"]
    assert [each["event"] for each in alarms] == ["source_not_forgotten"]


async def test_an_erasing_that_hangs_keeps_nobody_else_waiting(keeping_of, monkeypatch):
    monkeypatch.setattr(keeping, "_FORGET_S", 0.01)
    other = Kept()

    class Hangs(Kept):
        async def forget(self) -> None:
            await asyncio.Event().wait()

    kept = keeping_of(Hangs(), other, clock=FakeClock(AFTER))
    with capture_logs() as alarms:
        await kept.look()
    assert other.told == ["forgotten"]
    assert [each["event"] for each in alarms] == ["source_not_forgotten"]


@pytest.mark.parametrize("left", [True, False])
async def test_what_an_earlier_process_left_is_forgotten_if_it_left_anything(
    tmp_path, left
):
    adapter, trail = Kept(), FakeTrail()
    state = tmp_path / "state"
    if left:
        state.mkdir()
        (state / "index").write_text("derived")
    own = replace(source(f"{OWNER}.0", adapter), state=state)
    keeping = Keeping(
        [own],
        lambda: policy_of([OWNER]),
        trail,  # type: ignore[arg-type]  # held to Trail by test_fakes
        clock=FakeClock(AFTER),
        every_s=1,
    )
    await keeping.look()
    assert adapter.told == ["forgotten"] * left
    assert len(trail.records) == left


async def test_what_cannot_be_looked_at_may_hold_something(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert keeping._holds_something(tmp_path / "file" / "state")


async def test_it_looks_by_itself_once_started(keeping_of):
    adapter, clock = Kept(), FakeClock()
    keeping = keeping_of(adapter, clock=clock)
    keeping.start()
    await asyncio.sleep(0.02)
    clock.at = AFTER
    await asyncio.sleep(0.02)
    assert adapter.told == ["watching", "stopped", "forgotten"]


async def test_sources_that_keep_nothing_need_no_looking(keeping_of):
    keeping = keeping_of(memory(), clock=FakeClock())
    before = len(asyncio.all_tasks())
    keeping.start()
    assert len(asyncio.all_tasks()) == before
    await keeping.look()
