"""The Dockerfile's image, built by buildah from the Dockerfile as it stands.

No engine and no daemon: its steps are run in a chroot. The base image is pulled where
a registry can be reached. Elsewhere Debian bookworm with its own Python 3.11 stands in
for it, unpacked by debootstrap at the first use (some 280 MB, kept in var/).
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

INSTALL = "apt-get install buildah debootstrap, and be root"
ROOT = Path(__file__).resolve().parents[2]
_VAR = ROOT / "var" / "image"
_PULL_S = 120.0
_BUILD_S = 900.0
_RUN_S = 180.0
# What verifies the package index on this machine verifies it inside, too.
_CERTIFICATES = "/etc/ssl/certs:/etc/ssl/certs:ro"
_STAND_IN = """\
FROM scratch
ADD base.tar /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin
"""


@dataclass(frozen=True, slots=True)
class Buildah:
    """The program, with a storage of its own."""

    storage: Path

    def run(self, *words: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
        """Runs one of its commands; what it prints is kept."""
        return subprocess.run(  # noqa: S603 - our own words
            [
                *("buildah", "--root", str(self.storage / "root")),
                *("--runroot", str(self.storage / "run"), "--storage-driver", "vfs"),
                *words,
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def done(self, *words: str, timeout_s: float) -> str:
        """What it printed, where it must succeed."""
        ran = self.run(*words, timeout_s=timeout_s)
        assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The image's files, in which commands run as its own user."""

    buildah: Buildah
    id: str
    root: Path

    def run(
        self, *command: str, environ: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command as the image says: its user, its folder, its environment."""
        given = [f"--env={name}={value}" for name, value in environ.items()]
        return self.buildah.run(
            *("run", "--isolation", "chroot", *given, self.id, "--", *command),
            timeout_s=_RUN_S,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What was built: `log` is what it printed, `base` where its base is from."""

    buildah: Buildah
    name: str
    base: str
    log: str

    @property
    def config(self) -> dict[str, Any]:
        """What an engine would be told of it."""
        told = self.buildah.done("inspect", "--type", "image", self.name, timeout_s=60)
        config: dict[str, Any] = json.loads(told)["Docker"]["config"]
        return config

    @contextmanager
    def container(self) -> Iterator[Container]:
        """One container of it, gone with what it wrote at the end."""
        made = self.buildah.done("from", "--pull-never", self.name, timeout_s=120)
        name = made.strip()
        try:
            root = self.buildah.done("mount", name, timeout_s=60).strip()
            yield Container(buildah=self.buildah, id=name, root=Path(root))
        finally:
            self.buildah.run("umount", name, timeout_s=60)
            self.buildah.run("rm", name, timeout_s=60)


def base_of(dockerfile: str) -> str:
    """The one image that every outer stage begins with."""
    stages = set(re.findall(r"^FROM (\S+?)(?: AS \w+)?$", dockerfile, re.MULTILINE))
    (base,) = stages
    return str(base)


def _stand_in(buildah: Buildah, base: str) -> None:
    """Debian's own bookworm under the base's name, `python` where that has it."""
    kept = _VAR / "base.tar"
    if not kept.exists():
        _unpack(kept)
    folder = buildah.storage / "stand-in"
    folder.mkdir()
    (folder / "Dockerfile").write_text(_STAND_IN, "utf-8")
    shutil.copyfile(kept, folder / "base.tar")
    words = ("bud", "--isolation", "chroot", "--tag", f"docker.io/library/{base}")
    buildah.done(*words, str(folder), timeout_s=_BUILD_S)
    shutil.rmtree(folder)


def _unpack(kept: Path) -> None:
    _VAR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="throughline-base-") as made:
        root = Path(made) / "root"
        packages = "python3,python3-venv,ca-certificates"
        ran = subprocess.run(  # noqa: S603 - our own words
            [
                *("debootstrap", "--variant=minbase", f"--include={packages}"),
                *("bookworm", str(root)),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
        )
        if ran.returncode != 0:
            _give_up(f"debootstrap could not unpack Debian: {ran.stdout[-300:]}")
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        partial = kept.with_suffix(".partial")
        skipped = [f"--exclude=./{each}/*" for each in ("proc", "sys", "dev")]
        subprocess.run(  # noqa: S603 - our own words
            ["tar", "-C", str(root), *skipped, "-cf", str(partial), "."],  # noqa: S607 - as installed
            check=True,
            timeout=_BUILD_S,
        )
        partial.replace(kept)


def _missing() -> bool:
    programs = ("buildah", "debootstrap")
    return os.geteuid() != 0 or not all(shutil.which(each) for each in programs)


def _give_up(message: str) -> None:
    if os.environ.get("REQUIRE_PARTS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def build(buildah: Buildah) -> Image:
    """The image of the Dockerfile and of the files that .dockerignore lets through."""
    base = base_of((ROOT / "Dockerfile").read_text("utf-8"))
    source = "pulled"
    pulled = buildah.run("pull", f"docker.io/library/{base}", timeout_s=_PULL_S)
    if pulled.returncode != 0:
        _stand_in(buildah, base)
        source = "stand-in"
    ran = buildah.run(
        *("bud", "--isolation", "chroot", "--pull-never", "--format", "docker"),
        *("--volume", _CERTIFICATES, "--tag", "throughline", str(ROOT)),
        timeout_s=_BUILD_S,
    )
    log = ran.stdout + ran.stderr
    if ran.returncode != 0 and "connection broken" in log:
        _give_up("no package index can be reached: let pip reach one")
    assert ran.returncode == 0, log[-6000:]
    return Image(buildah=buildah, name="throughline", base=source, log=log)


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The built image; skips without buildah, fails if REQUIRE_PARTS=1."""
    if _missing():
        _give_up(f"no image can be built here: {INSTALL}")
    storage = Path(tempfile.mkdtemp(prefix="throughline-image-"))
    try:
        yield build(Buildah(storage))
    finally:
        shutil.rmtree(storage, ignore_errors=True)
