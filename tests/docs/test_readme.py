"""The README followed as a newcomer would: two terminals, commands as written."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.corpus import ROOT
from tests.laws import markdown

README = Path("README.md")
SERVING = re.compile(r"Serving at +(http://127\.0\.0\.1:(\d+))")


def typed():
    """The README's commands, block by block, in its order."""
    return [b.text for b in markdown.blocks(ROOT, README) if b.language == "sh"]


@pytest.fixture
def desk(tmp_path):
    """A folder that looks like the root, so that what is written stays out of it."""
    desk = tmp_path / "throughline"
    desk.mkdir()
    for path in ROOT.iterdir():
        if path.name not in {".git", "var", ".venv"}:
            (desk / path.name).symlink_to(path)
    # Stands for .venv, wherever the programs of this very run are.
    (desk / ".venv").mkdir()
    (desk / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return desk


@contextmanager
def first_terminal(desk, command):
    """The demo, running until the second terminal is done; gives its output so far."""
    log = desk.parent / "demo.txt"
    with log.open("wb") as output:
        demo = subprocess.Popen(  # noqa: S602 - our own guide, as a reader types it
            command,
            shell=True,
            cwd=desk,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield lambda: (demo.poll(), log.read_text("utf-8"))
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(timeout=30)


def until_serving(look):
    for _ in range(600):
        ended, told = look()
        if "Ctrl-C stops everything." in told:
            return told
        assert ended is None, told
        time.sleep(0.2)
    pytest.fail("the demo did not begin to serve")


def second_terminal(desk, text):
    ran = subprocess.run(  # noqa: S603 - as above
        ["bash", "-ec", text],  # noqa: S607 - the reader's own shell
        cwd=desk,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_newcomer_gets_a_journey_as_the_readme_says(desk):
    if shutil.which("curl") is None:
        missing = pytest.fail if os.environ.get("REQUIRE_PARTS") == "1" else pytest.skip
        missing("curl is not installed: apt-get install curl")
    both, request, told = typed()
    demo = both.splitlines()[0].partition("#")[0].strip()
    assert demo == "make demo"
    # The environment of this run is ready; whether make agrees is not asked here.
    with first_terminal(desk, "exec make -o .venv/ready demo") as look:
        ((url, port),) = SERVING.findall(until_serving(look))
        request = request.replace(":8000", f":{port}")
        told = told.replace("ask ", f"ask --url {url} ")
        answer, _, table = second_terminal(
            desk, f"{request}\necho; echo =====\n{told}"
        ).partition("=====")
    journey = json.loads(answer)
    assert {s["state"] for s in journey["completeness"]["sources"]} == {"ok"}
    assert len(journey["completeness"]["sources"]) == 6
    assert len(journey["events"]) > 20
    assert table.index("Completeness: COMPLETE") < table.index("CAD-000001")
