"""Messages taken in over MLLP: each is on disk before it is acknowledged.

Source: HL7 v2.8, appendix C (Minimal Lower Layer Protocol). A sender that is not
answered, or is answered AE, sends again; the same message twice is counted once.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.hl7v2.acknowledgement import acknowledgement
from adapters.hl7v2.framing import END, START
from adapters.hl7v2.journal import Journal
from adapters.hl7v2.settings import Listener

_CHUNK: Final = 1 << 16
_BETWEEN: Final = b"\r\n\0 "  # what stands between blocks and means nothing
_WRITE_S: Final = 10.0

# Why a message is not taken, and in which segment; None where it is taken.
Refusal = tuple[str, str | None]
Judge = Callable[[bytes], Refusal | None]
Refused = Callable[[str, str | None], Awaitable[None]]


class _Cut(Exception):
    """The sender went away, or sent what is no MLLP."""


@dataclass(slots=True, kw_only=True)
class Inlet:
    """A listener, open while `serve` runs.

    `judge` says of a message's bytes why it cannot be taken, if it cannot; `refused`
    is told of each that was not.
    """

    settings: Listener
    tls: ssl.SSLContext | None
    message_bytes: int
    journal: Journal
    judge: Judge
    refused: Refused
    taken: Callable[[], None]  # after each message that was
    now: Callable[[], datetime]
    listening: Callable[[], None]  # once the port is its own
    port: int = 0  # the one in use, once it listens
    _number: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self) -> None:
        """Until cancelled. OSError if the port cannot be had."""
        server = await asyncio.start_server(
            self._connected, self.settings.host, self.settings.port, ssl=self.tls
        )
        self.port = server.sockets[0].getsockname()[1]
        self.listening()
        try:
            await server.serve_forever()
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            if self._open:
                await asyncio.wait(self._open)
            self.port = 0

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= self.settings.connections:
            writer.close()
            return
        self._open.add(task)
        try:
            with contextlib.suppress(_Cut, OSError, TimeoutError):
                await self._converse(_Blocks(reader, self.message_bytes), writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _converse(self, blocks: "_Blocks", writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self.settings.idle_s):
                await blocks.begin()
            try:
                async with asyncio.timeout(self.settings.message_s):
                    block = await blocks.rest()
            except TimeoutError:
                await self._refuse(blocks.so_far, ("incomplete", None), writer)
                return
            if block is None:
                await self._refuse(blocks.so_far, ("too_large", None), writer)
                return  # where the next one begins cannot be known
            await self._take(block, writer)

    async def _take(self, block: bytes, writer: asyncio.StreamWriter) -> None:
        refusal = await asyncio.to_thread(self.judge, block)
        if refusal is not None:
            await self._refuse(block, refusal, writer)
            return
        try:
            await self.journal.append(block)
        except OSError:
            await self._answer(block, writer, reason="not_stored")
            return
        self.taken()
        await self._answer(block, writer)

    async def _refuse(
        self, block: bytes, refusal: Refusal, writer: asyncio.StreamWriter
    ) -> None:
        reason, segment = refusal
        await self.refused(reason, segment)
        await self._answer(block, writer, reason=reason, segment=segment)

    async def _answer(
        self,
        block: bytes,
        writer: asyncio.StreamWriter,
        *,
        reason: str | None = None,
        segment: str | None = None,
    ) -> None:
        self._number = (self._number + 1) % 1_000_000
        said = acknowledgement(
            block, at=self.now(), number=self._number, reason=reason, segment=segment
        )
        writer.write(START + said + END + b"\r")
        async with asyncio.timeout(_WRITE_S):
            await writer.drain()


@dataclass(slots=True)
class _Blocks:
    """The blocks of one connection; what came after one is kept for the next."""

    reader: asyncio.StreamReader
    limit: int
    _held: bytearray = field(default_factory=bytearray)

    @property
    def so_far(self) -> bytes:
        """What has come of a block that did not end."""
        return bytes(self._held[: self.limit])

    async def begin(self) -> None:
        """Waits for a block to begin. _Cut if something else comes, or nothing more."""
        while True:
            stripped = self._held.lstrip(_BETWEEN)
            if stripped.startswith(START):
                self._held = stripped[1:]
                return
            if stripped:
                raise _Cut
            self._held = stripped
            await self._more()

    async def rest(self) -> bytes | None:
        """The block; None if it is too large. _Cut if the sender goes away."""
        searched = 0
        while True:
            end = self._held.find(END, searched)
            if end > self.limit or (end < 0 and len(self._held) > self.limit):
                return None
            if end >= 0:
                block = bytes(self._held[:end])
                self._held = self._held[end + 1 :]
                return block
            searched = len(self._held)
            await self._more()

    async def _more(self) -> None:
        chunk = await self.reader.read(_CHUNK)
        if not chunk:
            raise _Cut
        self._held += chunk
