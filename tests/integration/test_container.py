"""The image, built step by step from the Dockerfile as it stands, and run as itself."""

import re
import shlex
import subprocess

import pytest

from tests.corpus import ROOT

pytestmark = pytest.mark.parts

USER = "10001:10001"
# Inside the chroot the network is this machine's own: nobody else is to reach it.
HERE = {"THROUGHLINE_HTTP__HOST": "127.0.0.1"}
DEMO = "throughline demo --once --folder /data/demo > /dev/null"
# The image's own check: it fails before there is a gateway, and passes once there is.
SERVED = f"""
{DEMO} || exit 8
export THROUGHLINE_HTTP__PORT="$(sed -n 's/^port = //p' /data/demo/throughline.toml)"
"$@" 2>/dev/null && exit 9
throughline serve --config /data/demo/throughline.toml & served=$!
for turn in $(seq 100); do "$@" 2>/dev/null && break; sleep 0.2; done
"$@"; status=$?
kill "$served"; wait "$served"
exit "$status"
"""


@pytest.fixture(scope="module")
def container(image):
    with image.container() as made:
        yield made


def test_hadolint_finds_nothing(hadolint):
    ran = subprocess.run(  # noqa: S603 - a program found here
        [hadolint, "--no-color", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "")


def test_every_step_of_the_dockerfile_is_run(image):
    steps = re.findall(r"STEP (\d+)/(\d+): (\w+)", image.log)
    text = (ROOT / "Dockerfile").read_text("utf-8")
    written = re.findall(r"^(?!#)([A-Z]+) ", text, re.MULTILINE)
    assert [name for _, _, name in steps] == written
    assert image.base in {"pulled", "stand-in"}


def test_an_engine_is_told_what_the_guide_says(image):
    config = image.config
    assert config["User"] == USER
    assert config["WorkingDir"] == "/data"
    assert set(config["Volumes"]) == {"/data"}
    assert set(config["ExposedPorts"]) == {"8000/tcp"}
    assert config["Entrypoint"] == ["throughline"]
    assert config["Cmd"] == ["serve", "--config", "/etc/throughline/throughline.toml"]
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "python", "-c"]


def test_nothing_of_the_builder_is_in_the_image(container):
    ran = container.run(
        *("sh", "-c", "command -v gcc cc make git uv; ls -A /build /dist /opt/build"),
        environ={},
    )
    assert ran.stdout == ""
    (packages,) = container.root.glob("opt/throughline/lib/python3.*/site-packages")
    assert not {path.name for path in packages.iterdir()} & {
        *("pip", "setuptools", "hatchling", "pytest", "mypy", "tests")
    }
    assert (packages / "gateway/cli.py").exists()


def test_its_user_owns_nothing_but_data(container):
    own = r"find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune"
    ran = container.run(
        "sh", "-c", f"id -u; id -g; {own} -o -user 10001 -print", environ={}
    )
    assert ran.stdout.split() == ["10001", "10001", "/data"]
    wrote = container.run("sh", "-c", "touch /opt/throughline/it /it", environ={})
    assert wrote.returncode != 0


def test_what_we_add_to_the_base_is_small(container):
    added = container.root / "opt/throughline"
    files = [path for path in added.rglob("*") if path.is_file()]
    size = sum(path.lstat().st_size for path in files if not path.is_symlink())
    assert 20 < size / 2**20 < 160, size
    print(f"/opt/throughline: {size / 2**20:.0f} MiB")  # noqa: T201 - told by pytest -s


def test_the_demo_answers_from_the_image_and_writes_in_data_alone(container):
    moment = container.root / "moment"
    moment.touch()
    script = f"{DEMO} && stat -c %u:%g /data/demo/throughline.db"
    ran = container.run("sh", "-c", script, environ=HERE)
    assert (ran.returncode, ran.stdout) == (0, f"{USER}\n"), ran.stderr
    # /data is a volume, and so no part of the container's own files.
    files = (path for path in container.root.rglob("*") if path.is_file())
    changed = [
        path.relative_to(container.root).as_posix()
        for path in files
        if path.lstat().st_mtime > moment.lstat().st_mtime
    ]
    assert changed == []


def test_its_health_is_checked_by_the_very_command_it_names(image, container):
    check = image.config["Healthcheck"]["Test"][1:]
    ran = container.run("sh", "-c", SERVED, "served", *check, environ=HERE)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_wrong_configuration_ends_it_with_a_line_that_says_so(image, container):
    command = [*image.config["Entrypoint"], *image.config["Cmd"]]
    ran = container.run(*command, environ={})
    assert ran.returncode == 2, shlex.join(command)
    assert "/etc/throughline/throughline.toml" in ran.stderr
