"""The certified OpenID provider of Node's world, on a free port of 127.0.0.1.

It comes from the package registry at the first use, by a lock of digests (some 9 MB,
into var/); it is configured by a few lines of JavaScript beside this file.
"""

import http.client
import json
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey, RSAKey

from tests.parts.postgres import free_port

INSTALL = "apt-get install nodejs npm"
SCOPE = "system/*.rs"
_HERE = Path(__file__).resolve().parent / "oidc"
_VAR = Path(__file__).resolve().parents[2] / "var" / "oidc"
_START_S = 60.0
_DOWNLOAD_S = 300.0
# What a client of machines has of OpenID: nothing but the one grant.
_MACHINE = {
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "response_types": [],
    "scope": SCOPE,
}
_READER = ("reader", "reader-of-tokens-0123456789abcdef")


@dataclass(slots=True)
class Provider:
    """A server that knows two clients by keys, and one by a secret."""

    folder: Path
    port: int
    keys: dict[str, ECKey | RSAKey] = field(default_factory=dict, repr=False)
    secret: str = field(default="p+w %:0123456789abcdef0123456789", repr=False)
    _process: subprocess.Popen[str] | None = field(default=None)

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        self.keys = {
            "RS384": RSAKey.generate_key(2048, {"kid": "r1"}),
            "RS512": RSAKey.generate_key(2048, {"kid": "r2"}),
            "PS256": RSAKey.generate_key(2048, {"kid": "p1"}),
            "ES256": ECKey.generate_key("P-256", {"kid": "e1"}),
            "ES384": ECKey.generate_key("P-384", {"kid": "e2"}),
        }
        self._process = subprocess.Popen(
            ["node", "server.js"],  # noqa: S607 - as installed
            cwd=self.folder,
            stdin=subprocess.PIPE,  # it ends when this end of it is gone, however
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        told = {"port": self.port, "clients": self._clients()}
        self._process.stdin.write(f"{json.dumps(told)}\n")
        self._process.stdin.flush()
        late = Timer(_START_S, self._process.kill)
        late.start()
        try:
            is_ready = any(line.strip() == "ready" for line in self._process.stdout)
        finally:
            late.cancel()
        if not is_ready:
            self.stop()
            pytest.fail(f"the provider did not start within {_START_S:.0f} s")

    def stop(self) -> None:
        """Stops it at once. Twice is safe."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(timeout=15)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def lets_in(self, token: str) -> bool:
        """Whether a token is one of its own that still lasts, by RFC 7662."""
        basic = b64encode(":".join(_READER).encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                "POST",
                "/token/introspection",
                urlencode({"token": token}),
                {
                    "Authorization": f"Basic {basic}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
            told: dict[str, Any] = json.load(connection.getresponse())
        finally:
            connection.close()
        return told["active"] is True and told.get("scope") == SCOPE

    def _clients(self) -> list[dict[str, object]]:
        public = [key.as_dict(private=False) for key in self.keys.values()]
        reader, its_secret = _READER
        return [
            {
                **_MACHINE,
                "client_id": "signs",
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": {"keys": public},
            },
            self._knowing("client_secret_basic"),
            self._knowing("client_secret_post"),
            {**_MACHINE, "client_id": reader, "client_secret": its_secret},
        ]

    def _knowing(self, method: str) -> dict[str, object]:
        return {
            **_MACHINE,
            "client_id": method,
            "client_secret": self.secret,
            "token_endpoint_auth_method": method,
        }


def _installed() -> Path:
    """Where the provider is; installs it if this machine has it not yet."""
    lock = (_HERE / "package-lock.json").read_bytes()
    script = (_HERE / "server.js").read_bytes()
    folder = _VAR / sha256(lock + script).hexdigest()[:16]
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(_HERE, folder)
        found = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607 - as installed
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_S,
        )
        if found.returncode != 0:
            _give_up(f"npm could not fetch the provider: {found.stderr.strip()[:300]}")
        (folder / "installed").touch()
    return folder


def _give_up(message: str) -> None:
    if os.environ.get("REQUIRE_PARTS") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def oidc() -> Iterator[Provider]:
    """A running provider; skips without Node and npm, fails if REQUIRE_PARTS=1."""
    if any(shutil.which(program) is None for program in ("node", "npm")):
        _give_up(f"no Node or no npm: {INSTALL}")
    server = Provider(_installed(), free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
