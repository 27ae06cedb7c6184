"""What the gateways of one PostgreSQL store tell each other: LISTEN and NOTIFY.

Pointers alone go this way, never a question nor an answer. What is told while nobody
is connected is lost; so each time the connection is made anew, all is told again.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from gateway.alarms import raise_alarm
from gateway.store.database import Database

CHANNEL: Final = "throughline_relay"
_WAITING: Final = 2_000
_AT_ONCE: Final = 100
_ALIVE_S: Final = 5.0  # so often a connection on which nothing is said is tried
_ANSWERS_S: Final = 2.0  # the store, or the connection is made anew
_AGAIN_S: Final = 1.0
_TELL: Final = "SELECT pg_notify($1, said) FROM unnest($2::text[]) AS said"


class Bulletin:
    """Tells, and hears. Closing twice, or before the start, is safe."""

    def __init__(
        self,
        database: Database,
        heard: Callable[[str], None],
        *,
        connected: Callable[[], None],
    ) -> None:
        self._database = database
        self._heard = heard
        self._connected = connected
        self._waiting: asyncio.Queue[str] = asyncio.Queue(_WAITING)
        self._running: asyncio.Task[None] | None = None
        self.is_connected = asyncio.Event()

    def start(self) -> None:
        """Connect, and go on connecting."""
        self._running = asyncio.create_task(self._run())

    def tell(self, said: str) -> None:
        """Tell all, soon. While too much waits, it is not told."""
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(said)

    async def aclose(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])

    async def _run(self) -> None:
        is_lost = False
        while True:
            # Whatever it is lost by: the text is kept from the log, and we go on.
            await asyncio.gather(self._connect(), return_exceptions=True)
            if not is_lost and not self.is_connected.is_set():
                raise_alarm("relay_store_lost", source="relay")
            is_lost = not self.is_connected.is_set()
            self.is_connected.clear()
            await asyncio.sleep(_AGAIN_S)

    async def _connect(self) -> None:
        """Until the connection is lost, by raising what it was lost by."""
        async with self._database.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            try:
                async with asyncio.timeout(_ANSWERS_S):
                    await driver.add_listener(CHANNEL, self._on)
                self.is_connected.set()
                self._connected()
                while True:
                    await self._tell(driver)
            finally:
                # Nobody else is given a connection that listens.
                await connection.invalidate()

    def _on(self, *said: Any) -> None:  # noqa: ANN401 - a driver's own: connection, process, channel, payload
        self._heard(str(said[-1]))

    async def _tell(self, driver: Any) -> None:  # noqa: ANN401 - a driver's own
        waiting: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(_ALIVE_S):
                waiting.append(await self._waiting.get())
        while waiting and len(waiting) < _AT_ONCE and not self._waiting.empty():
            waiting.append(self._waiting.get_nowait())
        async with asyncio.timeout(_ANSWERS_S):
            await driver.execute(_TELL, CHANNEL, waiting)
