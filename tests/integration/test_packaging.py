"""What is shipped is what is needed, and it runs where there is no checkout."""

import email
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from gateway.service import VERSION
from tests.corpus import ROOT
from tests.laws.tree import PACKAGES

KINDS = {".py", ".json", ".toml", ".mako", ".typed"}
NEEDED = {
    *(f"{package}/py.typed" for package in PACKAGES),
    *("adapters/vocabulary.json", "policies/vocabulary.json"),
    *("gateway/cli.py", "gateway/store/migrations/env.py"),
    *("gateway/store/migrations/script.py.mako",),
    *("gateway/store/migrations/versions/0001_audit.py",),
    *(
        f"gateway/demo/sources/{place}.toml"
        for place in (
            *("acute", "ambulance", "community"),
            *("gp", "mental-health", "social-care"),
        )
    ),
}
BESIDE = {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
MADE = {".gitignore", "PKG-INFO"}  # which hatchling adds by itself
INSTALL_S = 300


def run(*command, folder, environ=None, timeout_s=120):
    return subprocess.run(  # noqa: S603 - our own words
        [str(word) for word in command],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def built(kind, folder):
    command = (sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder)
    ran = run(*command, folder=ROOT)
    assert ran.returncode == 0, ran.stderr
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory):
    return built("sdist", tmp_path_factory.mktemp("sdist"))


def ours():
    """What lies in the three packages of the checkout."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def digests(wheel):
    with zipfile.ZipFile(wheel) as opened:
        return {
            name: hashlib.sha256(opened.read(name)).hexdigest()
            for name in opened.namelist()
        }


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel):
    names = set(digests(wheel))
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == ours()
    assert names >= NEEDED
    assert {Path(name).suffix for name in names - about} == KINDS
    assert {name.partition("/")[2] for name in about} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }


def test_the_wheel_says_of_itself_what_the_project_says(wheel):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    with zipfile.ZipFile(wheel) as opened:
        told = email.message_from_bytes(
            opened.read(f"throughline-{VERSION}.dist-info/METADATA")
        )
    assert told["Version"] == VERSION == project["version"]
    needed = told.get_all("Requires-Dist") or []
    plain = {
        re.split(r"[<>=;\[ ]", each)[0] for each in needed if "extra ==" not in each
    }
    assert plain == {re.split(r"[<>=\[]", each)[0] for each in project["dependencies"]}


def test_the_source_distribution_holds_what_the_wheel_is_made_of(sdist):
    with tarfile.open(sdist) as opened:
        names = {
            member.name.partition("/")[2]
            for member in opened.getmembers()
            if member.isfile()
        }
    assert names == ours() | BESIDE | MADE


def test_the_source_distribution_makes_the_same_wheel(sdist, wheel, tmp_path):
    ran = run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
        *("--no-build-isolation", "--wheel-dir", tmp_path, sdist),
        folder=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    (again,) = tmp_path.glob("*.whl")
    assert digests(again) == digests(wheel)


def pins(name):
    """Each pin of a lock, with its marker, and the digests it may have."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line.split("--hash=") for line in text.splitlines() if line.strip()]
    return {line[0].strip(): {each.strip() for each in line[1:]} for line in lines}


@pytest.mark.parametrize(
    "name", ["requirements-runtime.lock", "requirements-build.lock"]
)
def test_the_smaller_locks_pin_what_the_whole_one_pins(name):
    whole, smaller = pins("requirements.lock"), pins(name)
    assert smaller
    assert all(smaller.values())
    assert smaller == {pin: whole.get(pin) for pin in smaller}


def test_the_runtime_lock_has_every_dependency_and_no_tool_of_ours():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    locked = {pin.partition("==")[0] for pin in pins("requirements-runtime.lock")}
    needed = {re.split(r"[<>=\[]", each)[0] for each in project["dependencies"]}
    tools = {
        re.split(r"[<>=\[]", each)[0]
        for each in project["optional-dependencies"]["dev"]
    }
    assert needed <= locked
    assert locked.isdisjoint(tools | {"adapters", "gateway", "policies"})
    built_with = {pin.partition("==")[0] for pin in pins("requirements-build.lock")}
    assert "hatchling" in built_with


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """An environment of the runtime lock and the wheel: its folder of programs."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    install = (
        *(programs / "python", "-m", "pip", "install", "--quiet"),
        *("--disable-pip-version-check", "--only-binary", ":all:"),
    )
    lock = ROOT / "requirements-runtime.lock"
    steps = (("--require-hashes", "-r", lock), ("--no-deps", "--no-index", wheel))
    for step in steps:
        ran = run(*install, *step, folder=folder, timeout_s=INSTALL_S)
        if "connection broken" in ran.stderr and "REQUIRE_PARTS" not in os.environ:
            pytest.skip("no package index can be reached: let pip reach one")
        assert ran.returncode == 0, ran.stderr
    return programs


@pytest.mark.parts
def test_the_runtime_lock_is_whole(installed, tmp_path):
    ran = run(installed / "python", "-m", "pip", "check", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parts
def test_the_demo_runs_from_the_wheel_where_there_is_no_checkout(installed, tmp_path):
    bare = {"PATH": f"{installed}:/usr/bin:/bin", "HOME": str(tmp_path)}
    imports = "import gateway, adapters, policies; print(gateway.__file__)"
    place = run(installed / "python", "-c", imports, folder=tmp_path, environ=bare)
    assert place.stdout.startswith(str(installed.parent)), place.stderr
    ran = run("throughline", "demo", "--once", folder=tmp_path, environ=bare)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Completeness" in ran.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"var"}
