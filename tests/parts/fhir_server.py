"""A FHIR server of somebody else's, started for tests on a free port of 127.0.0.1."""

import http.client
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

_START_S = 180.0


@dataclass(slots=True, kw_only=True)
class FhirServer:
    """A server that begins empty; what tests load into it stays until it stops.

    `path` is where under its host it serves, "" for the root.
    """

    name: str
    port: int
    path: str
    command: Sequence[str] = field(repr=False)
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._process = subprocess.Popen(  # noqa: S603 - a program found here
            self.command,
            env=self.environment,
            stdin=subprocess.PIPE,  # some end when this end of it is gone, however
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.25)
        self.stop()
        pytest.fail(f"{self.name} did not start within {_START_S:.0f} s")

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
        reply = self._send("POST", "", bundle)
        places = [entry["response"]["location"] for entry in reply["entry"]]
        own = [place.partition("/_history/")[0].split("/") for place in places]
        return ["/".join(parts[-2:]) for parts in own]

    def count(self, name: str, **parameters: str) -> int:
        """How many of a type it counts itself."""
        asked = urlencode({**parameters, "_summary": "count"})
        found = self._send("GET", f"/{name}?{asked}")["total"]
        assert isinstance(found, int)
        return found

    def statement(self) -> dict[str, Any]:
        """Its CapabilityStatement."""
        return self._send("GET", "/metadata")

    def _send(
        self, method: str, place: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method,
                f"{self.path}{place}" or "/",
                json.dumps(body) if body else None,
                {"Content-Type": "application/fhir+json"},
            )
            reply = connection.getresponse()
            told: dict[str, Any] = json.loads(reply.read())
        finally:
            connection.close()
        assert reply.status == 200, [one.get("diagnostics") for one in told["issue"]]
        return told

    def _answers(self) -> bool:
        try:
            self._send("GET", "/metadata")
        except (OSError, http.client.HTTPException):
            return False
        return True
