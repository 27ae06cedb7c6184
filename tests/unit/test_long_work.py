"""Long work: beside the event loop, one piece at a time, its errors its own."""

import asyncio
import threading
from functools import partial

import pytest

from adapters.long_work import LongWork


async def test_one_piece_is_done_at_a_time_and_the_loop_goes_on():
    long_work, let, begun = LongWork(), threading.Event(), []

    def wait(name):
        begun.append(name)
        assert let.wait(5)
        return name

    pieces = [asyncio.create_task(long_work.do(partial(wait, n))) for n in range(3)]
    await asyncio.sleep(0.05)
    assert (begun, long_work.is_awaited()) == ([0], True)
    let.set()
    assert await asyncio.gather(*pieces) == [0, 1, 2]
    assert not long_work.is_awaited()


async def test_a_piece_that_fails_fails_alone():
    long_work = LongWork()

    def stumble():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await long_work.do(stumble)
    assert await long_work.do(lambda: "next") == "next"
