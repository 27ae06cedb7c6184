"""The gateway as its users run it: its own process, on a free port, stopped by pid."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_STARTS_S = 60.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(config: Path) -> Iterator[str]:
    """The address of `throughline serve --config config`, once it is ready."""
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - our own command, our own arguments
        [sys.executable, "-m", "gateway.cli", "serve", "--config", str(config)],
        env={**os.environ, "THROUGHLINE_HTTP__PORT": str(port)},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await_ready(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def _await_ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _STARTS_S
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"{address}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)  # not listening yet
    message = f"the gateway was not ready in {_STARTS_S} s, or ended: {process.poll()}"
    raise AssertionError(message)
