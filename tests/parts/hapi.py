"""HAPI's FHIR server, whole and in memory, on a free port of 127.0.0.1.

Its libraries come from Maven Central at the first use (some 280 MB, into Maven's own
store); after that nothing is downloaded. It is a few lines of Java beside this file.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest

from tests.parts.fhir_server import FhirServer
from tests.parts.postgres import free_port

INSTALL = "apt-get install maven openjdk-17-jdk-headless"
_HERE = Path(__file__).resolve().parent / "hapi"
_VAR = Path(__file__).resolve().parents[2] / "var" / "hapi"
_DOWNLOAD_S = 900.0
# A small compiler and collector: it starts in half the time, and lives for minutes.
_JAVA = ("-Xmx640m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def missing() -> str | None:
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


def classpath() -> str:
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
        give_up(f"Maven could not fetch HAPI: {found.stdout.strip()[:300]}")
    return kept.read_text()


def give_up(message: str) -> NoReturn:
    """Skip, or fail where every part must be here."""
    if os.environ.get("REQUIRE_PARTS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def _server(*words: str) -> FhirServer:
    port = free_port()
    source = str(_HERE / "Server.java")
    java = ["java", *_JAVA, "-cp", classpath(), source, str(port), *words]
    return FhirServer(name="HAPI", port=port, path="/fhir", command=java)


@pytest.fixture(scope="session")
def hapi() -> Iterator[FhirServer]:
    """A running server; skips without Java and Maven, fails if REQUIRE_PARTS=1."""
    yield from _running()


@pytest.fixture(scope="module")
def hapi_stu3() -> Iterator[FhirServer]:
    """The same, of STU3; stopped with its module, for two of them need much memory."""
    yield from _running("STU3")


def _running(*words: str) -> Iterator[FhirServer]:
    if message := missing():
        give_up(message)
    server = _server(*words)
    try:
        server.start()
        yield server
    finally:
        server.stop()
