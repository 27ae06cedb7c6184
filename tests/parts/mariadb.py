"""A private MariaDB on a free port of 127.0.0.1, gone when the tests end."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomysql
import pytest
import trustme

from tests.parts.postgres import free_port

INSTALL = "apt-get install mariadb-server"
DATABASE = "events"
OWNER = "throughline"  # may do everything
READER = "reader"  # may read, which is all that a source needs to grant
PASSWORD = "reader's own"

_OWNERS = ("mysql", "nobody")  # a server should not run as root
_USERS = (
    f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
    f"CREATE USER {OWNER}@'%';\n"
    f"GRANT ALL PRIVILEGES ON *.* TO {OWNER}@'%' WITH GRANT OPTION;\n"
    f"""CREATE USER {READER}@'%' IDENTIFIED BY "{PASSWORD}";\n"""
    f"GRANT SELECT ON {DATABASE}.* TO {READER}@'%';\n"
)


@dataclass(slots=True, kw_only=True)
class Server:
    """A server of one database, which tests may stop and start."""

    programs: "Programs"
    folder: Path
    port: int
    owner: str | None
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"mariadb://{OWNER}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def authority(self) -> Path:
        """The certificate that the server's own leads to."""
        return self.folder / "ca.pem"

    @property
    def readers_url(self) -> str:
        return f"mariadb://{READER}@127.0.0.1:{self.port}/{DATABASE}"

    def create(self) -> None:
        made = subprocess.run(  # noqa: S603 - a program found here
            [
                self.programs.install, "--no-defaults", "--skip-test-db",
                "--auth-root-authentication-method=normal",
                f"--datadir={self.folder / 'data'}",
            ],
            check=False, user=self.owner, cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if made.returncode:
            pytest.fail(f"MariaDB made no database: {made.stdout.decode()[-2000:]}")

    def start(self, users: str = "") -> None:
        """Starts it, with these statements first, and waits until it listens."""
        first = self.folder / "first.sql"
        first.write_text(users, "utf-8")
        listening = self.folder / "listening.pid"
        listening.unlink(missing_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - a program found here
            [
                self.programs.server, "--no-defaults",
                f"--datadir={self.folder / 'data'}", f"--init-file={first}",
                "--bind-address=127.0.0.1", f"--port={self.port}",
                f"--socket={self.folder / 'own.sock'}", f"--pid-file={listening}",
                "--skip-name-resolve", "--skip-log-bin", "--max-connections=60",
                "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
                f"--ssl-cert={self.folder / 'server.pem'}",
                f"--ssl-key={self.folder / 'server.key'}",
            ],
            user=self.owner, cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(300):
            # It is written once the first statements have run and the port is open.
            if listening.exists() and listening.read_text("utf-8").strip():
                return
            time.sleep(0.1)
        pytest.fail("MariaDB did not start within 30 s")

    def stop(self) -> None:
        """Stops it at once, cutting whoever is connected. Twice is safe."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)
            self._process = None

    @contextlib.asynccontextmanager
    async def connected(self, **options: Any) -> AsyncIterator["Session"]:
        """A connection of the owner's, or of whom the options name."""
        connection = await aiomysql.connect(
            host="127.0.0.1",
            port=self.port,
            autocommit=True,
            charset="utf8mb4",
            **{"user": OWNER, "db": DATABASE} | options,
        )
        try:
            yield Session(connection)
        finally:
            connection.close()


class _Quiet(aiomysql.Cursor):  # type: ignore[misc]  # the driver has no types
    """A cursor that does not ask again after each statement what to warn of."""

    async def _show_warnings(self, conn) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Session:
    """A connection that tests may do anything with."""

    own: Any

    async def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs each; gives the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        async with self.own.cursor(_Quiet) as cursor:
            for statement in statements:
                await cursor.execute(statement)
                rows = list(await cursor.fetchall())
        return rows

    async def fill(self, statement: str, rows: Any) -> None:
        async with self.own.cursor(_Quiet) as cursor:
            await cursor.executemany(statement, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The two programs that are needed."""

    server: str
    install: str


def installed() -> Programs | None:
    """Where the server's programs are; None if it is not installed."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])
    server = shutil.which("mariadbd", path=places)
    install = shutil.which("mariadb-install-db", path=places)
    return Programs(server=server, install=install) if server and install else None


def _owner() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _OWNERS if name in known), None)


@contextlib.contextmanager
def running(programs: Programs) -> Iterator[Server]:
    """A server of these programs, gone with everything it wrote at the end."""
    folder = Path(tempfile.mkdtemp(prefix="throughline-mariadb-"))
    owner = _owner()
    server = Server(programs=programs, folder=folder, port=free_port(), owner=owner)
    _certify(server)
    if owner is not None:
        shutil.chown(folder, owner)
    try:
        server.create()
        server.start(_USERS)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _certify(server: Server) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(server.authority)
    own.cert_chain_pems[0].write_to_path(server.folder / "server.pem")
    own.private_key_pem.write_to_path(server.folder / "server.key")
    if server.owner is not None:
        for name in ("server.pem", "server.key"):
            shutil.chown(server.folder / name, server.owner)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A running server; skips without MariaDB, fails if REQUIRE_PARTS=1."""
    programs = installed()
    if programs is None:
        message = f"MariaDB is not installed: {INSTALL}"
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with running(programs) as server:
        yield server
