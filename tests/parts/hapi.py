"""HAPI's FHIR server, whole and in memory, on a free port of 127.0.0.1.

Its libraries come from Maven Central at the first use (some 280 MB, into Maven's own
store); after that nothing is downloaded. It is a few lines of Java beside this file.
"""

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.parts.postgres import free_port

INSTALL = "apt-get install maven openjdk-17-jdk-headless"
_HERE = Path(__file__).resolve().parent / "hapi"
_VAR = Path(__file__).resolve().parents[2] / "var" / "hapi"
_START_S = 180.0
_DOWNLOAD_S = 900.0
# A small compiler and collector: it starts in half the time, and lives for minutes.
_JAVA = ("-Xmx640m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@dataclass(slots=True)
class Hapi:
    """A server that begins empty; what tests load into it stays until it stops."""

    classpath: str = field(repr=False)
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        command = ["java", *_JAVA, "-cp", self.classpath, str(_HERE / "Server.java")]
        self._process = subprocess.Popen(  # noqa: S603 - a program found here
            [*command, str(self.port)],
            stdin=subprocess.PIPE,  # it ends when this end of it is gone, however
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.25)
        self.stop()
        pytest.fail(f"HAPI did not start within {_START_S:.0f} s")

    def stop(self) -> None:
        """Stops it at once. Twice is safe."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(timeout=15)
            if process.stdin is not None:
                process.stdin.close()

    def load(self, bundle: dict[str, Any]) -> list[str]:
        """Send it a transaction; where it put each entry, as `Type/id`."""
        reply = self._send("POST", "/fhir", bundle)
        places = [entry["response"]["location"] for entry in reply["entry"]]
        own = [place.partition("/_history/")[0].split("/") for place in places]
        return ["/".join(parts[-2:]) for parts in own]

    def count(self, name: str, **parameters: str) -> int:
        """How many of a type it counts itself."""
        asked = urlencode({**parameters, "_summary": "count"})
        found = self._send("GET", f"/fhir/{name}?{asked}")["total"]
        assert isinstance(found, int)
        return found

    def statement(self) -> dict[str, Any]:
        """Its CapabilityStatement."""
        return self._send("GET", "/fhir/metadata")

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method,
                path,
                json.dumps(body) if body else None,
                {"Content-Type": "application/fhir+json"},
            )
            reply = connection.getresponse()
            told: dict[str, Any] = json.loads(reply.read())
        finally:
            connection.close()
        assert reply.status == 200, [one["diagnostics"] for one in told["issue"]]
        return told

    def _answers(self) -> bool:
        try:
            self._send("GET", "/fhir/metadata?_elements=fhirVersion")
        except (OSError, http.client.HTTPException):
            return False
        return True


def _missing() -> str | None:
    """What of the programs it needs is not there, and how to get it."""
    if any(shutil.which(program) is None for program in ("java", "mvn")):
        return f"no Java or no Maven: {INSTALL}"
    version = subprocess.run(
        ["java", "--list-modules"],  # noqa: S607 - as installed
        check=False,
        capture_output=True,
        text=True,
    )
    # A runtime alone cannot start a server that is given as source.
    return None if "jdk.compiler@" in version.stdout else f"no JDK: {INSTALL}"


def _classpath() -> str:
    """Where the libraries are; downloads those that this machine has not yet."""
    digest = sha256((_HERE / "pom.xml").read_bytes()).hexdigest()[:16]
    kept = _VAR / f"classpath-{digest}"
    if kept.exists() and all(Path(p).exists() for p in kept.read_text().split(":")):
        return kept.read_text()
    _VAR.mkdir(parents=True, exist_ok=True)
    found = subprocess.run(  # noqa: S603 - a program found here
        [  # noqa: S607 - as installed
            "mvn", "--quiet", "--batch-mode", "-f", _HERE / "pom.xml",
            "dependency:build-classpath", "-DincludeScope=runtime",
            f"-Dmdep.outputFile={kept}",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_S,
    )  # fmt: skip
    if found.returncode != 0:
        kept.unlink(missing_ok=True)
        _give_up(f"Maven could not fetch HAPI: {found.stdout.strip()[:300]}")
    return kept.read_text()


def _give_up(message: str) -> None:
    if os.environ.get("REQUIRE_PARTS") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def hapi() -> Iterator[Hapi]:
    """A running server; skips without Java and Maven, fails if REQUIRE_PARTS=1."""
    if message := _missing():
        _give_up(message)
    server = Hapi(_classpath(), free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
