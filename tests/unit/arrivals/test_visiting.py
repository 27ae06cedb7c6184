"""An inbox is visited again and again; how it fares is told, and work can be ended."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from adapters.arrivals import visiting
from adapters.arrivals.state import ArrivalState
from adapters.arrivals.visiting import Rounds, Visit, stoppable, to_the_end
from adapters.errors import ConfigurationError, Refused, Unavailable, Unreadable

EARLY = datetime(2024, 3, 1, tzinfo=UTC)


class FakeWay:
    """An inbox that fares as it is told, visit by visit; then it hangs."""

    def __init__(self, *fares):
        self.fares = list(fares)
        self.ended = asyncio.Event()

    async def visit(self):
        if not self.fares:
            self.ended.set()
            await asyncio.Event().wait()
        fare = self.fares.pop(0)
        if isinstance(fare, Exception):
            raise fare
        if fare == "hangs":
            await asyncio.Event().wait()
        return fare


class Watched:
    """Rounds, and how the state was after each visit."""

    def __init__(self, **more):
        self.state = ArrivalState()
        self.seen = []
        self.at = EARLY
        said = {"every_s": 0.001, "visit_s": 30.0, **more}
        self.rounds = Rounds(
            state=self.state, now=self._now, arrived=self._arrived, **said
        )

    def _now(self):
        self.at += timedelta(minutes=1)
        return self.at

    def _arrived(self):
        error = self.state.error
        reason = error.reason if error else None
        self.seen.append((reason, self.state.since, self.state.caveats))

    async def through(self, *fares):
        way = FakeWay(*fares)
        task = asyncio.create_task(self.rounds.run(way))
        await asyncio.wait_for(way.ended.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return self.seen


CUT = Unavailable("cut", "")
FIRST = EARLY + timedelta(minutes=1)


async def test_a_failure_is_told_with_when_it_began_until_a_visit_succeeds():
    seen = await Watched().through(Visit(), CUT, Refused("credentials", ""), Visit())
    assert seen == [
        (None, None, ()),
        ("cut", FIRST, ("arrival_failed",)),
        ("credentials", FIRST, ("arrival_failed",)),
        (None, None, ()),
    ]


async def test_what_was_left_lying_there_is_a_failure_too():
    refused = Unreadable("too_large", "")
    seen = await Watched().through(Visit(taken=1, refused=refused, reports=2))
    caveats = ("arrival_failed", "delivery_reported", "delivery_reported")
    assert seen == [("too_large", FIRST, caveats)]


async def test_a_secret_that_is_missing_is_told():
    seen = await Watched().through(ConfigurationError("", file="x"))
    assert seen == [("credentials", FIRST, ("arrival_failed",))]


async def test_a_visit_that_takes_too_long_is_ended_and_told():
    seen = await Watched(visit_s=0.01).through("hangs", Visit())
    assert [reason for reason, _, _ in seen] == ["timeout", None]


def test_pauses_grow_while_it_fails_and_are_short_when_there_is_more():
    rounds = Watched(every_s=60.0).rounds
    assert [rounds._pause(None, n) for n in (1, 2, 3, 50)] == [60, 120, 240, 900]
    assert rounds._pause(Visit(), 0) == 60
    assert rounds._pause(Visit(again_s=0.0), 0) == 0
    assert rounds._pause(Visit(again_s=100.0), 0) == 60


async def test_what_is_done_to_the_end_is_ended_before_its_caller_leaves():
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work():
        begun.set()
        may_end.wait(5)
        ended.set()

    task = asyncio.create_task(to_the_end(work))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert await to_the_end(lambda: 3) == 3


async def test_what_can_be_stopped_is_told_to_stop():
    def work(stop):
        assert stop.wait(5)

    task = asyncio.create_task(stoppable(work))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_does_not_stop_keeps_nobody(monkeypatch):
    monkeypatch.setattr(visiting, "_GRACE_S", 0.05)
    may_end = threading.Event()
    task = asyncio.create_task(stoppable(lambda _: may_end.wait(5)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)
    may_end.set()


async def test_what_it_raises_is_raised_where_it_is_waited_for():
    def fail(_):
        raise CUT

    with pytest.raises(Unavailable):
        await stoppable(fail)
    assert await stoppable(lambda _: 3) == 3


def test_a_state_that_was_never_tried_says_nothing():
    assert ArrivalState().caveats == ()
