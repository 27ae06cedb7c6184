"""A private PostgreSQL on a free port of 127.0.0.1, gone when the tests end."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

INSTALL = "apt-get install postgresql"
_OWNERS = ("postgres", "nobody")  # a server refuses to run as root


@dataclass(slots=True)
class Server:
    """A cluster of one database, which tests may stop and start."""

    programs: Path
    folder: Path
    port: int
    owner: str | None
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"postgresql://throughline@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", "throughline",
            "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._process = subprocess.Popen(  # noqa: S603 - a program found here
            [
                self.programs / "postgres", "-D", self.folder / "data",
                "-h", "127.0.0.1", "-p", str(self.port), "-k", self.folder,
                "-c", "fsync=off", "-c", "max_connections=40",
            ],
            user=self.owner,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )  # fmt: skip
        for _ in range(150):
            if self._answers():
                return
            time.sleep(0.1)
        pytest.fail("PostgreSQL did not start within 15 s")

    def stop(self) -> None:
        """Stops it at once, cutting whoever is connected. Twice is safe."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=15)
            self._process = None

    def _answers(self) -> bool:
        program = str(self.programs / "pg_isready")
        ready = [program, "-h", "127.0.0.1", "-p", str(self.port)]
        found = subprocess.run(ready, check=False, stdout=subprocess.DEVNULL)  # noqa: S603 - a program found here
        return found.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - a program found here
            [self.programs / program, *arguments],
            check=True,
            user=self.owner,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
        )


def installed() -> Path | None:
    """Where the server's programs are; None if it is not installed."""
    # Debian keeps them off the path, one folder per version.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    places = [*folders, *([Path(found).parent] if found else [])]
    needed = ("initdb", "postgres", "pg_isready")
    return next((p for p in places if all((p / n).exists() for n in needed)), None)


def _owner() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _OWNERS if name in known), None)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@contextmanager
def running(programs: Path) -> Iterator[Server]:
    """A server of these programs, gone with everything it wrote at the end."""
    folder = Path(tempfile.mkdtemp(prefix="throughline-postgres-"))
    server = Server(programs, folder, free_port(), _owner())
    if server.owner is not None:
        shutil.chown(folder, server.owner)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server; skips without PostgreSQL, fails if REQUIRE_PARTS=1."""
    programs = installed()
    if programs is None:
        message = f"PostgreSQL is not installed: {INSTALL}"
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with running(programs) as server:
        yield server
