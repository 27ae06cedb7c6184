"""Who is let in: so many journeys at once, the rest in turn, the last refused."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.problems import RequestError
from gateway.settings import Admission as Bounds

# So many are always let in at once. Beyond them one more is let in now and then,
# while the machine keeps up: how large a journey is shows only when it runs.
_FEW: Final = 4
_PACE_S: Final = 0.02
_LATE_S: Final = 0.02


class Admission:
    """Slots, and a queue before them: in turn, a client's own after one another.

    `is_busy` tells whether work is waiting for the processor already.
    """

    def __init__(
        self, bounds: Bounds, is_busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._bounds = bounds
        self._is_busy = is_busy
        self._few = min(_FEW, bounds.journeys)
        self._inside = 0
        # By client, whose turn it is first; nobody stands here with an empty queue.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._next: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def slot(self, client: str) -> AsyncIterator[None]:
        """A place among the journeys in flight, while the block lasts.

        RequestError overloaded, saying when to ask again, where the queue is full or
        the turn did not come within `admission.queue_s`.
        """
        await self._enter(client)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, client: str) -> None:
        if not self._waiting and self._inside < self._few:
            self._inside += 1
            return
        if sum(map(len, self._waiting.values())) >= self._bounds.queue:
            raise self._refusal()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._look_again()
        try:
            await asyncio.wait([turn], timeout=self._bounds.queue_s)
        except asyncio.CancelledError:
            self._give_up(client, turn)
            raise
        if not turn.done():
            self._give_up(client, turn)
            raise self._refusal()

    def _leave(self) -> None:
        """Give the slot on; what is too much shrinks to the few."""
        self._inside -= 1
        if self._waiting and (self._inside < self._few or not self._is_busy()):
            self._let_in()
        self._look_again()

    def _let_in(self) -> None:
        """The next of the client whose turn it is, who then stands last."""
        client = next(iter(self._waiting))
        turns = self._waiting.pop(client)
        turns.popleft().set_result(None)
        if turns:
            self._waiting[client] = turns
        self._inside += 1

    def _give_up(self, client: str, turn: "asyncio.Future[None]") -> None:
        if turn.done():  # let in at the very moment of going
            self._leave()
            return
        turns = self._waiting[client]
        turns.remove(turn)
        if not turns:
            del self._waiting[client]

    def _look_again(self) -> None:
        """See soon whether one more may be let in; a slot given back looks again."""
        if self._next or not self._waiting or self._inside >= self._bounds.journeys:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + _PACE_S
        self._next = loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        self._next = None
        # A timer that comes late says, like work that waits, that it is too much.
        is_late = asyncio.get_running_loop().time() - due > _LATE_S
        has_room = self._inside < self._bounds.journeys
        if self._waiting and has_room and not is_late and not self._is_busy():
            self._let_in()
        self._look_again()

    def _refusal(self) -> RequestError:
        wait_s = max(1, math.ceil(self._bounds.queue_s))
        return RequestError("overloaded", retry_after_s=wait_s)
