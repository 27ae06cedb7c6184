"""Each target does its one thing, and a machine that lacks something is told what."""

import os
import shutil
import subprocess

import pytest

from tests.corpus import ROOT

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None, reason="no make: apt-get install make"
)


@pytest.fixture
def clone(tmp_path):
    """What a clean clone has of the files that setup reads."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "docs").mkdir()
    return tmp_path


def make(folder, *words):
    # Not the outer make's flags, when these tests are run by one.
    outer = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
    environ = {k: v for k, v in os.environ.items() if k not in outer}
    return subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "--no-print-directory", *words],  # noqa: S607 - the user's own make
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fake_python(folder, *, lacking):
    """A Python that fails at every line of code that holds this word."""
    path = folder / "python-that-lacks"
    path.write_text(f'#!/bin/sh\ncase "$*" in *{lacking}*) exit 1;; esac\nexit 0\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ("ensurepip", "apt-get install python3-venv"),
        ("version_info", "Python 3.11 or newer"),
        ("-m venv", "apt-get install python3-venv"),
    ],
)
def test_what_a_machine_lacks_is_named_with_its_remedy(clone, lacking, told):
    python = fake_python(clone, lacking=f'"{lacking}"')
    made = make(clone, "setup", f"PYTHON={python}")
    assert made.returncode != 0
    assert told in made.stdout + made.stderr
    assert not (clone / ".venv/ready").exists()


@pytest.mark.parametrize(
    "kind",
    [
        *("unit", "spec", "conformance", "generative", "faults"),
        *("integration", "browser", "docs"),
    ],
)
def test_each_kind_of_test_has_its_target(clone, kind):
    planned = make(clone, "-n", f"test-{kind}").stdout
    assert planned.splitlines()[-1] == f"pytest tests/{kind}"


def test_a_folder_of_the_same_name_does_not_hide_a_target(clone):
    assert "pytest tests/docs" in make(clone, "-n", "docs").stdout


def test_the_demo_can_be_run_once(clone):
    assert "throughline demo --once" in make(clone, "-n", "demo", "ONCE=1").stdout
    assert "--once" not in make(clone, "-n", "demo").stdout


def test_setup_installs_nothing_without_a_digest(clone):
    planned = make(clone, "-n", "setup").stdout
    assert "--require-hashes -r requirements.lock" in planned
    assert "--no-deps --no-build-isolation" in planned


def test_the_lock_can_be_made_again(clone):
    told = make(clone, "lock")
    assert told.returncode == 0
    assert "--generate-hashes" in told.stdout


def test_no_package_of_our_import_names_is_in_the_lock():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = {line.partition("==")[0] for line in lock.splitlines() if "==" in line}
    assert pinned.isdisjoint({"adapters", "policies", "gateway"})


def test_every_pin_of_the_lock_has_a_digest():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    for pin in lock.replace("\\\n", " ").splitlines():
        assert "--hash=sha256:" in pin, pin.partition(" ")[0]
