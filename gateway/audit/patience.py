"""Waiting for a write no longer than promised, and no shorter because we were busy."""

import asyncio
from functools import partial
from typing import Any, Final

# A write takes the event loop some ten turns from the record to its commit, and as
# many again behind the batch before it.
_TURNS: Final = 20


async def settled(work: "asyncio.Future[Any]", within_s: float) -> bool:
    """Whether `work` ended in so many seconds, not counting those it could not use.

    Seconds in which other work held the event loop are our own doing: a write that
    was done in time could not say so, and a timer of the whole would call it late.
    So the time is waited for in parts, each with a turn of the loop. `work` is left
    as it is.
    """
    loop = asyncio.get_running_loop()
    for _ in range(_TURNS):
        if work.done():
            return True
        turn = loop.create_future()
        # As asyncio.wait does for any number of them; a hundred callers at once feel
        # the difference.
        end = partial(_end, turn)
        timer = loop.call_later(within_s / _TURNS, end)
        work.add_done_callback(end)
        try:
            await turn
        finally:
            timer.cancel()
            work.remove_done_callback(end)
    return work.done()


def _end(turn: "asyncio.Future[None]", _work: object = None) -> None:
    if not turn.done():
        turn.set_result(None)
