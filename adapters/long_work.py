"""Work that holds the processor for long: beside the event loop, a piece at a time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class LongWork:
    """One thread's worth of it for a whole process.

    More at once would be no sooner done, since only one of them runs at a time, and
    each would keep the event loop waiting longer for its own turn.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Semaphore(1)

    async def do(self, work: Callable[[], _T]) -> _T:
        """What `work` returns, once it had its turn. Raises what it raises."""
        async with self.turn:
            return await asyncio.to_thread(work)

    def is_awaited(self) -> bool:
        """Whether work is being done, so that more would have to wait."""
        return self.turn.locked()
