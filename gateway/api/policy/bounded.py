"""Work that takes the processor, beside the event loop: a little of it, for a while."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from gateway.problems import RequestError

_AT_ONCE: Final = 2
_BOUND_S: Final = 10.0

_T = TypeVar("_T")


class Workbench:
    """Two threads for analyses. Closing twice, or unused, is safe.

    A thread cannot be stopped: what its caller no longer waits for goes on to its
    own bound, and keeps its place until then.
    """

    def __init__(self, *, bound_s: float = _BOUND_S) -> None:
        self._bound_s = bound_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="analysis")

    async def run(self, work: Callable[[], _T]) -> _T:
        """What `work` returns. RequestError overloaded if not within the bound."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._bound_s):
                return await loop.run_in_executor(self._threads, work)
        except TimeoutError:
            raise RequestError(
                "overloaded",
                "The analysis took too long. Ask about less, or ask again later.",
                retry_after_s=30,
            ) from None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
