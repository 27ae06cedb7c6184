"""Who is let in: a few at once, more while the machine keeps up, the rest in turn."""

import asyncio
import time

import pytest

from gateway.journey.admission import Admission
from gateway.problems import RequestError
from gateway.settings import Admission as Bounds


def admission(is_busy=lambda: False, **bounds):
    return Admission(Bounds(**{"queue_s": 5.0, **bounds}), is_busy)


class Crowd:
    """Callers who stay inside until they are let go."""

    def __init__(self, gate):
        self.gate = gate
        self.inside = []
        self.tasks = {}
        self._go = {}

    async def come(self, name, client="app"):
        self._go[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._stay(name, client))
        await asyncio.sleep(0)

    async def _stay(self, name, client):
        async with self.gate.slot(client):
            self.inside.append(name)
            await self._go[name].wait()

    async def go(self, name):
        self._go[name].set()
        await self.tasks[name]
        await settle()

    async def end(self):
        for name, task in self.tasks.items():
            self._go[name].set()
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


@pytest.fixture
async def crowd():
    crowds = []

    def of(gate):
        crowds.append(Crowd(gate))
        return crowds[-1]

    yield of
    for each in crowds:
        await each.end()


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_few_are_let_in_at_once_and_more_while_nothing_is_busy(crowd):
    there = crowd(admission())
    for name in range(6):
        await there.come(name)
    assert there.inside == [0, 1, 2, 3]
    await asyncio.sleep(0.15)
    assert there.inside == [0, 1, 2, 3, 4, 5]


async def test_no_more_than_the_slots_are_ever_inside(crowd):
    there = crowd(admission(journeys=2))
    for name in range(4):
        await there.come(name)
    await asyncio.sleep(0.1)
    assert there.inside == [0, 1]
    await there.go(0)
    assert there.inside == [0, 1, 2]


async def test_who_comes_when_others_wait_does_not_pass_them(crowd):
    there = crowd(admission(journeys=1))
    await there.come("first")
    await there.come("second")
    there.tasks["first"].cancel()
    await there.come("third")
    await settle()
    assert there.inside == ["first", "second"]


async def test_while_work_waits_for_the_processor_the_many_shrink_to_the_few(crowd):
    busy = False
    there = crowd(admission(lambda: busy))
    for name in range(6):
        await there.come(name)
    await asyncio.sleep(0.1)
    busy = True
    for name in (6, 7, 8):
        await there.come(name)
    await there.go(0)
    await there.go(1)
    assert there.inside == [0, 1, 2, 3, 4, 5]
    await there.go(2)  # three are left: fewer than are always let in
    assert there.inside == [0, 1, 2, 3, 4, 5, 6]
    busy = False
    await there.go(3)
    assert there.inside == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_a_loop_that_is_late_lets_nobody_more_in(crowd):
    there = crowd(admission())
    for name in range(5):
        await there.come(name)
    time.sleep(0.06)  # noqa: ASYNC251 - this is the loop being held
    await settle()
    assert there.inside == [0, 1, 2, 3]
    await asyncio.sleep(0.1)
    assert there.inside == [0, 1, 2, 3, 4]


async def test_clients_take_turns_and_each_ones_own_are_in_order(crowd):
    there = crowd(admission(journeys=1))
    await there.come("in")
    for name in ("a1", "a2", "a3"):
        await there.come(name, client="a")
    await there.come("b1", client="b")
    for name in ("in", "a1", "b1", "a2"):
        await there.go(name)
    assert there.inside == ["in", "a1", "b1", "a2", "a3"]


async def test_a_full_queue_refuses_and_says_when_to_come_again(crowd):
    gate = admission(journeys=1, queue=1, queue_s=2.5)
    there = crowd(gate)
    await there.come("in")
    await there.come("waiting")
    with pytest.raises(RequestError) as refused:
        async with gate.slot("other"):
            pass
    assert (refused.value.code, refused.value.retry_after_s) == ("overloaded", 3)


async def test_a_turn_that_does_not_come_in_time_is_refused_and_forgotten(crowd):
    gate = admission(journeys=1, queue_s=0.05)
    there = crowd(gate)
    await there.come("in")
    with pytest.raises(RequestError) as refused:
        async with gate.slot("app"):
            pass
    assert refused.value.code == "overloaded"
    await there.go("in")
    await there.come("next")
    assert there.inside == ["in", "next"]


async def test_who_goes_away_while_waiting_leaves_the_others_in_their_order(crowd):
    there = crowd(admission(journeys=1))
    for name in ("in", "gone", "next"):
        await there.come(name)
    there.tasks["gone"].cancel()
    await settle()
    await there.go("in")
    assert there.inside == ["in", "next"]


async def test_who_goes_away_at_the_moment_of_entering_gives_the_slot_on(crowd):
    there = crowd(admission(journeys=1))
    for name in ("in", "gone", "next"):
        await there.come(name)
    there._go["in"].set()
    await there.tasks["in"]  # "gone" has been let in, and has not heard of it
    there.tasks["gone"].cancel()
    await settle()
    assert there.inside == ["in", "next"]
