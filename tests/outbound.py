"""A site that opens no port, and the gateway whose relay it polls: real processes."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from gateway.app import create_app
from gateway.clock import SystemClock
from gateway.settings import load_settings
from gateway.site.service import open_site
from gateway.site.settings import load_site
from gateway.site_commands import source_file
from tests.gateways import QUESTION, bearer
from tests.serving import free_port
from tests.site_processes import Enrolled

_STARTS_S = 60.0
_TLS = """
[http.tls]
certificate = "keys/site.crt"
key = "keys/site.key"
ca = "keys/ca.crt"
"""


def fetching(enrolled: Enrolled, relay: str, *sources: str, polls: int = 2) -> None:
    """Let an enrolled site fetch its questions from a relay, and open no port."""
    text = enrolled.config.read_text("utf-8")
    assert _TLS in text
    part = f'\n[relay]\nurl = "{relay}"\npolls = {polls}\n'
    enrolled.config.write_text(text.replace(_TLS, part), "utf-8")
    settings = load_site(enrolled.config, {})
    for source in sources or (enrolled.source,):
        found = open_site(settings, SystemClock()).desk.sources[source]
        asked = source_file(settings, found.id, found.adapter.profile, url=None)
        asked = asked.replace("file:keys/", f"file:{enrolled.gateway}/")
        enrolled.source_file_of(source).write_text(asked, "utf-8")


@dataclass
class Process:
    """A process of ours, and what it wrote to its log."""

    process: "subprocess.Popen[bytes]"
    address: str
    log: Path
    _is_killed: bool = field(default=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """As a power cut would: kill -9."""
        self._is_killed = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(15)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)


@contextmanager
def running(
    *command: str, port: int, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """`throughline COMMAND`, which starts while others do; stopped by its pid."""
    with log.open("ab") as written:
        process = subprocess.Popen(  # noqa: S603 - our own command, our own arguments
            [sys.executable, "-m", "gateway.cli", *command],
            env={**os.environ, **(environ or {})},
            stdout=written,
            stderr=written,
        )
    started = Process(process, f"http://127.0.0.1:{port}", log)
    try:
        yield started
    finally:
        started.stop()


def until_ready(*processes: Process) -> None:
    """Wait until each of them is."""
    for started in processes:
        _await_ready(started)


def _await_ready(started: Process) -> None:
    until = time.monotonic() + _STARTS_S
    with httpx.Client(trust_env=False) as client:
        while started.process.poll() is None and time.monotonic() < until:
            try:
                if client.get(f"{started.address}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)  # not listening yet
    message = f"it was not ready: {started.log.read_text('utf-8', 'replace')}"
    raise AssertionError(message)


@contextmanager
def gateway_at(
    config: Path, port: int, *, log: Path, **settings: str
) -> Iterator[Process]:
    """A gateway that will listen on this port."""
    environ = {"THROUGHLINE_HTTP__PORT": str(port), **settings}
    command = ("serve", "--config", str(config))
    with running(*command, port=port, log=log, environ=environ) as started:
        yield started


@contextmanager
def site_fetching(enrolled: Enrolled, *, log: Path) -> Iterator[Process]:
    """A site that will poll."""
    command = ("site", "--config", str(enrolled.config))
    with running(*command, port=enrolled.port, log=log) as started:
        yield started


@asynccontextmanager
async def listening(config: Path, port: int) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway in this process, on a port of its own, and a client that may ask it."""
    settings, clock = load_settings(config, {}), SystemClock()
    app = create_app(settings, clock)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", access_log=False)
    )
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers=bearer(settings, clock),
        trust_env=False,
        timeout=60,
    ) as client:
        try:
            while not server.started:
                assert not serving.done()
                await asyncio.sleep(0.02)
            yield client
        finally:
            app.state.service.relay.leave()
            server.should_exit = True
            await serving


def asker(config: Path) -> Mapping[str, str]:
    """Who may ask this gateway."""
    return bearer(load_settings(config, {}), SystemClock())


async def ask(address: str, token: Mapping[str, str], **body: Any) -> httpx.Response:
    """One journey's question, over HTTP."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(
            f"{address}/v1/journeys", json={**QUESTION, **body}, headers=token
        )


async def until_polled(
    address: str, token: Mapping[str, str], source: str
) -> dict[str, Any]:
    """Wait until a site's polls are open: the first journey that it answered."""
    async with asyncio.timeout(30):
        while True:
            told: dict[str, Any] = (await ask(address, token)).json()
            if state_of(told, source)["state"] != "unavailable":
                return told
            await asyncio.sleep(0.1)


def state_of(journey: Mapping[str, Any], source: str) -> dict[str, Any]:
    """What became of asking a source."""
    listed: list[dict[str, Any]] = journey["completeness"]["sources"]
    (found,) = [each for each in listed if each["source"] == source]
    return found


def ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def only(config: Path, *sources: str) -> None:
    """Leave a gateway these sources alone."""
    tables = config.read_text("utf-8").split("\n[[")
    kept = [
        each
        for each in tables
        if not each.startswith("sources]]")
        or any(f'id = "{source}"' in each for source in sources)
    ]
    config.write_text("\n[[".join(kept), "utf-8")


def spellings(*values: str) -> list[bytes]:
    """How a value of a person may lie in memory or in a log."""
    found = []
    for value in values:
        parts = [value, value[::-1]]
        if value.isdigit():
            parts += [f"{value[:3]} {value[3:6]} {value[6:]}"]
        found += [
            code
            for each in parts
            for code in (
                each.encode(),
                each.encode("utf-16-le"),
                base64.b64encode(each.encode()),
            )
        ]
    return found


def in_memory(pid: int, marks: Sequence[bytes]) -> list[bytes]:
    """Those of the marks that lie anywhere in a process's own memory."""
    found = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, size in _writable(pid):
            held = _held(memory, start, size)
            found |= {mark for mark in marks if mark in held}
    return sorted(found)


def _held(memory: FileIO, start: int, size: int) -> bytes:
    memory.seek(start)
    parts = []
    try:
        while size > 0 and (part := memory.read(size)):
            parts.append(part)
            size -= len(part)
    except OSError:
        pass  # a guard page, or gone meanwhile
    return b"".join(parts)


def _writable(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines():
        place, rights = line.split()[:2]
        if rights.startswith("rw"):
            start, end = (int(each, 16) for each in place.split("-"))
            yield start, end - start
