"""An OpenSSH server on a free port of 127.0.0.1, for files alone, by one key.

It has keys of its own, made for the occasion, and none of this machine's settings.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.parts.postgres import free_port

INSTALL = "apt-get install openssh-server"
_START_S = 15.0
_SETTINGS = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorised
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
MaxStartups 100
UseDNS no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@dataclass(slots=True)
class Sshd:
    """A server that lets `username` in with `key`; every folder here is an inbox."""

    program: str
    folder: Path
    port: int
    username: str
    key: str = field(default="", repr=False)
    fingerprint: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def create(self) -> None:
        """Makes the keys and the settings."""
        import asyncssh  # noqa: PLC0415 - slow, and every session of tests comes by here

        host = asyncssh.generate_private_key("ssh-ed25519")
        ours = asyncssh.generate_private_key("ssh-ed25519")
        self.fingerprint = host.get_fingerprint()
        self.key = ours.export_private_key().decode()
        host.write_private_key(self.folder / "host")
        (self.folder / "host").chmod(0o600)
        ours.write_public_key(self.folder / "authorised")
        text = _SETTINGS.format(port=self.port, folder=self.folder)
        (self.folder / "settings").write_text(text)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        if os.geteuid() == 0:
            # Where it locks itself in at first; Debian makes it when it boots.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program found here
                [self.program, "-D", "-e", "-f", str(self.folder / "settings")],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        self.stop()
        pytest.fail(f"sshd did not start: {(self.folder / 'log').read_text()[-500:]}")

    def stop(self) -> None:
        """Stops listening. Twice is safe."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(timeout=15)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as held:
                return held.recv(4) == b"SSH-"
        except OSError:
            return False


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """A running server; skips without OpenSSH, fails if REQUIRE_PARTS=1."""
    # Debian keeps it off the path of ordinary users.
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if program is None:
        message = f"OpenSSH's server is not installed: {INSTALL}"
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="throughline-sshd-"))
    username = pwd.getpwuid(os.geteuid()).pw_name
    server = Sshd(program, folder, free_port(), username)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
