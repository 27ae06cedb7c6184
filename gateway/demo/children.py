"""The demo's processes: started, waited for, and always stopped, each by its own id."""

import asyncio
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

import httpx

_POLITE_S: Final = 6.0  # between asking a process to stop and making it
_READY_S: Final = 40.0
_LOOK_S: Final = 0.05


class NotReady(Exception):
    """A process ended, or did not answer in time; the message says which and where."""


@dataclass(frozen=True, slots=True)
class _Child:
    name: str
    process: Process
    log: Path


@dataclass(slots=True)
class Children:
    """Processes of ours. Leaving the block stops them all, whatever happened in it.

    `ready_s` is the longest one may take to answer first, `polite_s` to stop.
    """

    logs: Path
    polite_s: float = _POLITE_S
    ready_s: float = _READY_S
    _children: list[_Child] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Shielded, so that being cancelled does not leave a process behind.
        await asyncio.shield(
            asyncio.gather(*(_stop(c.process, self.polite_s) for c in self._children))
        )

    async def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process; what it prints goes to its log."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=output, stderr=output
            )
        self._children.append(_Child(name, process, log))

    async def answering(self, url: str) -> None:
        """Wait until a GET of `url` gives 200. NotReady if a process of ours ends."""
        try:
            async with (
                asyncio.timeout(self.ready_s),
                httpx.AsyncClient(trust_env=False) as client,
            ):
                while not await _answers(client, url):
                    self._check()
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            message = f"nothing answers at {url}. Look into {self.logs}."
            raise NotReady(message) from None

    async def until_one_ends(self) -> NoReturn:
        """Wait until a process ends by itself, which is NotReady."""
        while True:
            self._check()
            await asyncio.sleep(_LOOK_S * 10)

    def _check(self) -> None:
        for child in self._children:
            if child.process.returncode is not None:
                message = f"{child.name} has ended. Its last words are in {child.log}."
                raise NotReady(message)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False


async def _stop(process: Process, polite_s: float) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):  # it may end by itself meanwhile
        process.terminate()
    try:
        async with asyncio.timeout(polite_s):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def free_port(wanted: int = 0) -> int:
    """`wanted` if it is free on 127.0.0.1, else another that is."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
