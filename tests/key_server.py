"""An issuer's key endpoint on a real socket, which can misbehave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class KeyServer:
    """Answers every request with `reply`, after `delay_s`; counts the requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.delay_s = 0.0
        self.status = "200 OK"
        self.headers: tuple[str, ...] = ()
        self.body = b""
        self.port = 0
        self._answering: set[asyncio.Task[None]] = set()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await asyncio.sleep(self.delay_s)
            await self._write(writer)
        finally:
            writer.transport.abort()
            self._answering.discard(task)

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        lines = (
            f"HTTP/1.1 {self.status}",
            f"Content-Length: {len(self.body)}",
            "Connection: close",
            *self.headers,
        )
        writer.write("\r\n".join((*lines, "", "")).encode() + self.body)
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass  # whoever asked had heard enough

    async def aclose(self) -> None:
        """Leave those who still wait."""
        for task in list(self._answering):
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def key_server() -> AsyncIterator[KeyServer]:
    keys = KeyServer()
    server = await asyncio.start_server(keys.answer, "127.0.0.1", 0)
    keys.port = server.sockets[0].getsockname()[1]
    async with server:
        yield keys
    await keys.aclose()
