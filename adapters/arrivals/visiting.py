"""An inbox visited again and again: what fails is noted, and tried again later."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar

from adapters.arrivals.state import ArrivalState
from adapters.errors import AdapterError, ConfigurationError, Refused, Unavailable

_T = TypeVar("_T")
_SLOWEST_S: Final = 900.0  # between visits to an inbox that keeps failing
_GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What became of one visit that reached the inbox."""

    taken: int = 0
    refused: AdapterError | None = None  # of what still lies there, and why
    reports: int = 0
    again_s: float | None = None  # something lies there that is soon to be taken


class Way(Protocol):
    """One inbox; `visit` raises AdapterError if it was not reached, or was cut off."""

    async def visit(self) -> Visit: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How often an inbox is visited, and who is told what came of it."""

    every_s: float
    visit_s: float
    state: ArrivalState
    now: Callable[[], datetime]
    arrived: Callable[[], None]

    async def run(self, way: Way) -> None:
        """Visits until cancelled."""
        failures = 0
        while True:
            visit = await self._once(way)
            failures = 0 if visit is not None else failures + 1
            await asyncio.sleep(self._pause(visit, failures))

    def _pause(self, visit: Visit | None, failures: int) -> float:
        if visit is None:
            slowest = max(self.every_s, _SLOWEST_S)
            return min(self.every_s * 2.0 ** min(failures - 1, 16), slowest)
        if visit.again_s is not None:
            return min(visit.again_s, self.every_s)
        return self.every_s

    async def _once(self, way: Way) -> Visit | None:
        try:
            async with asyncio.timeout(self.visit_s):
                visit = await way.visit()
        except AdapterError as error:
            self._failed(error)
        except ConfigurationError:
            message = "a secret that [arrival] refers to is missing. Provide it."
            self._failed(Refused("credentials", message, domain="adapter"))
        except TimeoutError:
            message = "the inbox took longer than visit_s. Raise it, or have less sent."
            self._failed(Unavailable("timeout", message))
        else:
            self.state.reports = visit.reports
            if visit.refused is None:
                self.state.worked(visit.reports)
            else:
                self.state.failed(visit.refused, self.now())
            self.arrived()
            return visit
        self.arrived()
        return None

    def _failed(self, error: AdapterError) -> None:
        self.state.failed(error, self.now())


async def to_the_end(work: Callable[[], _T]) -> _T:
    """What `work` returns, from a thread; waited for even by who is cancelled.

    For what must not go on beside somebody who believes it to be over.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def stoppable(work: Callable[[threading.Event], _T]) -> _T:
    """What `work` returns, from a thread of its own; raises what it raises.

    Cancelled, it sets the event that `work` was given and waits a little for it. A
    thread that hangs all the same keeps nobody from leaving.
    """
    loop = asyncio.get_running_loop()
    stop = threading.Event()
    done: asyncio.Future[None] = loop.create_future()
    result: list[_T] = []
    raised: list[AdapterError | ConfigurationError] = []

    def told() -> None:
        if not done.done():
            done.set_result(None)

    def run() -> None:
        try:
            result.append(work(stop))
        except (AdapterError, ConfigurationError) as error:
            raised.append(error)
        finally:
            with contextlib.suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(told)

    threading.Thread(target=run, name="arrivals", daemon=True).start()
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({done}, timeout=_GRACE_S)
        raise
    if raised:
        raise raised[0]
    return result[0]
