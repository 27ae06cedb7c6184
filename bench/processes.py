"""Processes of a benchmark: started, waited for, measured, and stopped by their id."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_TICK_MS: Final = 1000 / os.sysconf("SC_CLK_TCK")
_READY_S: Final = 60.0
_POLITE_S: Final = 12.0
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One running program, perhaps with workers, and where it listens."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_ms(self) -> float:
        """User and system time so far, workers included, in ticks of 10 ms or so."""
        return sum(_cpu_ms(pid) for pid in (self.pid, *_children(self.pid)))

    def most_mb(self) -> float:
        """The most memory it has had resident, MB; of a single process."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        line = next(each for each in status.splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


def _cpu_ms(pid: int) -> float:
    with suppress(OSError):
        # The name may hold spaces and brackets; what follows the last one may not.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_MS
    return 0.0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += (int(each) for each in listed.read_text("ascii").split())
    return found + [deeper for each in found for deeper in _children(each)]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    *,
    port: int | None = None,
    ready: Callable[[int], bool] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A program while the block lasts. Without `port` it prints its own, first.

    RuntimeError if it ends, or is not `ready` at its port, within a minute.
    """
    process = subprocess.Popen(  # noqa: S603 - commands of the benchmark's own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if port is None else subprocess.DEVNULL,
        env={**os.environ, **environ} if environ else None,  # noqa: TID251 - a child's environment is ours with more
    )
    try:
        server = Server(process=process, port=port or _printed(process))
        _wait(server, ready or _listens)
        yield server
    finally:
        _stop(process)


@contextmanager
def sources(count: int) -> Iterator[list[Server]]:
    """So many source processes."""
    command = (sys.executable, "-m", "bench.source")
    with ExitStack() as stack:
        yield [stack.enter_context(running(command)) for _ in range(count)]


def _printed(process: "subprocess.Popen[bytes]") -> int:
    output: IO[bytes] | None = process.stdout
    line = output.readline() if output else b""
    if not line.strip().isdigit():
        message = "a process of the benchmark ended before it listened"
        raise RuntimeError(message)
    return int(line)


def _wait(server: Server, ready: Callable[[int], bool]) -> None:
    until = time.monotonic() + _READY_S
    while not ready(server.port):
        if server.process.poll() is not None or time.monotonic() > until:
            message = "a process of the benchmark ended, or did not begin to listen"
            raise RuntimeError(message)
        time.sleep(_LOOK_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_POLITE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
