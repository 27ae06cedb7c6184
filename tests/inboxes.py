"""Inboxes as tests set them up, who visits them, and a way that can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.arrivals.settings import Mesh, Sftp
from adapters.surroundings import Surroundings
from tests.parts import mesh as mesh_part
from tests.parts.sshd import Sshd
from tests.surroundings import in_folder


def knowing(folder: Path, secrets: Mapping[str, str]) -> Surroundings:
    """Surroundings of the present, with these secrets."""
    return replace(
        in_folder(folder, now=datetime.now(UTC)), secret=lambda name: secrets[name]
    )


def sftp(server: Sshd, inbox: Path, **more: Any) -> Sftp:
    """The settings of an inbox that settles at once; `more` says otherwise."""
    inbox.mkdir(parents=True, exist_ok=True)
    said: dict[str, Any] = {
        "kind": "sftp",
        "host": "127.0.0.1",
        "port": server.port,
        "username": server.username,
        "private_key": "env:KEY",
        "host_keys": [server.fingerprint],
        "directory": str(inbox),
        "take": ["*.csv"],
        "settle_s": 0,
        "silent_s": 5,
    }
    return Sftp.model_validate({**said, **more})


def mesh(server: mesh_part.Mesh, **more: Any) -> Mesh:
    """The settings of the receiving mailbox."""
    said: dict[str, Any] = {
        "kind": "mesh",
        "url": server.url,
        "mailbox": mesh_part.RECEIVER,
        "password": "env:PASSWORD",
        "shared_key": "env:SHARED_KEY",
        "certificate": "env:CERTIFICATE",
        "key": "env:CLIENT_KEY",
        "ca": "env:CA",
        "workflows": ["TEST_WORKFLOW"],
        "take": ["*.csv"],
        "silent_s": 5,
    }
    return Mesh.model_validate({**said, **more})


def mesh_secrets(server: mesh_part.Mesh) -> dict[str, str]:
    """What the settings of `mesh` refer to."""
    return {
        "env:PASSWORD": mesh_part.PASSWORD,
        "env:SHARED_KEY": mesh_part.SHARED_KEY,
        "env:CERTIFICATE": (server.folder / "client.pem").read_text(),
        "env:CLIENT_KEY": (server.folder / "client.key").read_text(),
        "env:CA": (server.folder / "ca.pem").read_text(),
    }


def landed(folder: Path) -> dict[str, bytes]:
    """What lies in a source's directory, by name; what is on its way does not."""
    return {
        each.name: each.read_bytes()
        for each in sorted(folder.iterdir())
        if not each.is_dir()
    }


def on_its_way(folder: Path) -> list[str]:
    """What was left of files that did not arrive."""
    return [p.name for p in (folder / ".arriving").iterdir() if p.name != "lock"]


class Told:
    """How often a change was told."""

    def __init__(self) -> None:
        self.times = 0
        self._more = asyncio.Event()

    async def __call__(self) -> None:
        self.times += 1
        self._more.set()

    async def again(self, within_s: float = 8.0) -> None:
        """Until it is told once more than when this was called last."""
        await asyncio.wait_for(self._more.wait(), within_s)
        self._more.clear()


async def until(comes_true: Callable[[], bool]) -> None:
    """Waits for it, for ten seconds at most."""
    for _ in range(1000):
        if comes_true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@asynccontextmanager
async def cutting(
    port: int, *, after: int, on_cut: Callable[[], None] | None = None
) -> AsyncIterator[int]:
    """A port that leads to another, and hangs up after so many bytes came back."""
    tasks: set[asyncio.Task[None]] = set()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        going = asyncio.create_task(_pump(reader, far_writer))
        try:
            await _pump(far_reader, writer, most=after)
            if on_cut is not None:
                on_cut()
        finally:
            going.cancel()
            for each in (writer, far_writer):
                each.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    most: int | None = None,
) -> None:
    gone = 0
    with contextlib.suppress(OSError):
        while block := await reader.read(16_384):
            gone += len(block)
            if most is not None and gone > most:
                return
            writer.write(block)
            await writer.drain()
