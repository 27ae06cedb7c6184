"""The Helios FHIR server, in memory, on a free port of 127.0.0.1.

It is of another maker than HAPI, in another language, and of other habits: it says in
its self links what it heeded, pages by cursor and counts only when it is asked to.
Cargo builds it at the first use (some 5 minutes on two processors, into `var/`);
after that nothing is downloaded. What is built is pinned by the digest of its package,
which holds the digests of all that it needs. The search parameters of FHIR R4, which
it wants as a file, are HL7's own, as the libraries of HAPI carry them.
"""

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.parts import hapi
from tests.parts.fhir_server import FhirServer
from tests.parts.postgres import free_port

INSTALL = "apt-get install cargo-web gcc libc6-dev pkg-config libssl-dev"
_VERSION = "0.2.7"
_PACKAGE = "e31040d0ad628d1669f3c8cdce2a37691102a90e36c241d627db270ea44658fe"
_PARAMETERS = "3125f8ccddd788e3b5e411864c8a5f8726e36b55d3aa33e4b895f94c4ae5b42d"
_WITHIN = "org/hl7/fhir/r4/model/sp/search-parameters.json"
_VAR = Path(__file__).resolve().parents[2] / "var" / f"helios-{_VERSION}"
_BUILD_S = 2400.0
# It serves a handful of people: it need not be fast, but built soon.
_QUICKLY = {"CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "0"}


@pytest.fixture(scope="session")
def helios() -> Iterator[FhirServer]:
    """A running server; skips without what builds it, fails if REQUIRE_PARTS=1."""
    if message := _missing() or hapi.missing():
        hapi.give_up(message)
    server = _server(_program(), _parameters())
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _server(program: Path, data: Path) -> FhirServer:
    port = free_port()
    return FhirServer(
        name="Helios",
        port=port,
        path="",
        # It is not to outlive the tests, however they end.
        command=["setpriv", "--pdeathsig=TERM", str(program)],
        environment={
            "PATH": os.environ["PATH"],
            "HFS_SERVER_PORT": str(port),
            "HFS_BASE_URL": f"http://127.0.0.1:{port}",
            "HFS_DATABASE_URL": ":memory:",
            "HFS_DATA_DIR": str(data),
            "HFS_LOG_LEVEL": "error",
        },
    )


def _missing() -> str | None:
    """What of the programs it needs is not there, and how to get it."""
    if (_VAR / "bin" / "hfs").exists():
        return None
    programs = ("cargo", "cc", "pkg-config", "setpriv")
    absent = [program for program in programs if shutil.which(program) is None]
    return f"no {', no '.join(absent)}: {INSTALL}" if absent else None


def _program() -> Path:
    """Where the server is; builds it if this machine has not yet."""
    program = _VAR / "bin" / "hfs"
    if program.exists():
        return program
    # Asking about a package fetches it: it is looked at before any of it runs.
    _cargo("info", f"helios-hfs@{_VERSION}")
    _check_package()
    build = _VAR / "build"
    _cargo(
        "install", "helios-hfs", f"--version={_VERSION}", "--locked", "--quiet",
        "--no-default-features", "--features=R4,sqlite", "--profile=dev",
        f"--root={_VAR}", f"--target-dir={build}",
    )  # fmt: skip
    shutil.rmtree(build, ignore_errors=True)
    return program


def _cargo(*words: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a program found here
            ["cargo", *words],  # noqa: S607 - as installed
            check=False,
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            env={**os.environ, **_QUICKLY},
        )
    except subprocess.TimeoutExpired:
        # What is built so far is kept: the next time takes less.
        hapi.give_up(f"cargo {words[0]} took longer than {_BUILD_S:.0f} s")
    if done.returncode != 0:
        hapi.give_up(f"cargo {words[0]} failed: {done.stderr.strip()[-300:]}")


def _check_package() -> None:
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    kept = list(home.glob(f"registry/cache/*/helios-hfs-{_VERSION}.crate"))
    if {sha256(one.read_bytes()).hexdigest() for one in kept} != {_PACKAGE}:
        pytest.fail("the package of Helios is not the one that is pinned here")


def _parameters() -> Path:
    """A folder with HL7's search parameters of R4, by the name Helios looks for."""
    file = _VAR / "data" / "search-parameters-r4.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_published())
    if sha256(file.read_bytes()).hexdigest() != _PARAMETERS:
        pytest.fail("HL7's search parameters are not those that are pinned here")
    return file.parent


def _published() -> bytes:
    named = "hapi-fhir-validation-resources-r4-"
    (jar,) = (p for p in hapi.classpath().split(":") if Path(p).name.startswith(named))
    with zipfile.ZipFile(jar) as libraries:
        return libraries.read(_WITHIN)
