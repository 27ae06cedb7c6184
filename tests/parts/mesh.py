"""NHS England's own sandbox of MESH, in an environment apart, over mutual TLS.

What it needs comes from the package index at the first use (some 40 MB, into var/).
"""

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.parts.postgres import free_port

if TYPE_CHECKING:
    import mesh_client

_LOCK = Path(__file__).resolve().with_name("mesh.lock")
_VAR = Path(__file__).resolve().parents[2] / "var" / "mesh"
_DOWNLOAD_S = 300.0
_START_S = 60.0

# The sandbox comes with these mailboxes, and with these words to get into them.
SENDER, RECEIVER, OTHER = "X26ABC1", "X26ABC2", "X26ABC3"
PASSWORD, SHARED_KEY = "password", "a key for the occasion"


@dataclass(slots=True)
class Mesh:
    """A running sandbox. Its mailboxes are empty for whoever asks for the fixture."""

    python: str
    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def create(self) -> None:
        """Makes the certificates: the authority's, the server's, and a client's."""
        import trustme  # noqa: PLC0415 - slow, and every session of tests comes by here

        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        for name, made in {
            "server": authority.issue_cert("127.0.0.1"),
            "client": authority.issue_cert("mailbox.example"),
        }.items():
            made.private_key_pem.write_to_path(str(self.folder / f"{name}.key"))
            for pem in made.cert_chain_pems:
                pem.write_to_path(str(self.folder / f"{name}.pem"), append=True)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program found here
                [
                    *(self.python, "-m", "uvicorn", "mesh_sandbox.api:app"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                    *("--ssl-certfile", str(self.folder / "server.pem")),
                    *("--ssl-keyfile", str(self.folder / "server.key")),
                    *("--ssl-ca-certs", str(self.folder / "ca.pem")),
                    *("--ssl-cert-reqs", str(int(ssl.CERT_REQUIRED))),
                ],
                cwd=self.folder,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "STORE_MODE": "memory",
                    "SHARED_KEY": SHARED_KEY,
                    "MAILBOXES_DATA_DIR": str(self.folder / "mailboxes"),
                },
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.1)
        self.stop()
        said = (self.folder / "log").read_text()[-800:]
        pytest.fail(f"the sandbox of MESH did not start: {said}")

    def stop(self) -> None:
        """Stops it. Twice is safe."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=15)

    def client(self, mailbox: str) -> "mesh_client.MeshClient":
        """A client of NHS England's for one of the mailboxes, to be closed."""
        import mesh_client  # noqa: PLC0415 - as above

        return mesh_client.MeshClient(
            self.url,
            mailbox,
            PASSWORD,
            shared_key=SHARED_KEY.encode(),
            cert=(str(self.folder / "client.pem"), str(self.folder / "client.key")),
            verify=str(self.folder / "ca.pem"),
            max_retries=0,
        )

    def send(self, body: bytes, **said: Any) -> str:
        """Sends from SENDER to RECEIVER; the message's id."""
        said.setdefault("workflow_id", "TEST_WORKFLOW")
        with self.client(SENDER) as client:
            return str(client.send_message(RECEIVER, body, **said))

    def report(self, workflow: str = "TEST_WORKFLOW") -> None:
        """Puts a report of what could not be delivered into RECEIVER's inbox."""
        said = {"mailbox_id": RECEIVER, "code": "14", "description": "not there"}
        self._asked(
            "POST", "/messageexchange/admin/report", {**said, "workflow_id": workflow}
        )

    def waiting(self) -> list[str]:
        """The ids of what waits in RECEIVER's inbox."""
        with self.client(RECEIVER) as client:
            return list(client.list_messages())

    def reset(self) -> None:
        """Empties every mailbox."""
        self._asked("DELETE", "/admin/reset")

    def _asked(self, method: str, path: str, body: object = None) -> None:
        with self.client(RECEIVER) as client:
            client._session.request(
                method, self.url + path, json=body, timeout=10
            ).raise_for_status()

    def _answers(self) -> bool:
        try:
            self._asked("GET", "/health")
        except OSError:  # what requests raises is one
            return False
        return True


def _installed() -> str | None:
    """A Python that has the sandbox; None if it cannot be had."""
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]
    place = _VAR / digest
    done = place / "done"
    python = place / "bin" / "python"
    if not done.exists():
        shutil.rmtree(_VAR, ignore_errors=True)
        commands = [
            [sys.executable, "-m", "venv", str(place)],
            [
                *(str(python), "-m", "pip", "install", "--quiet"),
                *("--disable-pip-version-check", "--only-binary", ":all:"),
                *("--require-hashes", "-r", str(_LOCK)),
            ],
        ]
        for command in commands:
            found = subprocess.run(  # noqa: S603 - our own lock
                command, check=False, capture_output=True, timeout=_DOWNLOAD_S
            )
            if found.returncode != 0:
                return None
        done.touch()
    return str(python)


@pytest.fixture(scope="session")
def mesh_sandbox() -> Iterator[Mesh]:
    python = _installed()
    if python is None:
        message = f"no sandbox of MESH: let pip reach what {_LOCK.name} names"
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="throughline-mesh-"))
    server = Mesh(python, folder, free_port())
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mesh(mesh_sandbox: Mesh) -> Mesh:
    """A running sandbox with nothing in it; fails without one if REQUIRE_PARTS=1."""
    mesh_sandbox.reset()
    return mesh_sandbox
