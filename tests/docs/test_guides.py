"""Every command and example of the guides, run as written."""

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from adapters.surroundings import Limits, Surroundings
from tests.corpus import ROOT
from tests.laws import markdown
from tests.serving import free_port

ENDED = "--- the command above ended ---"
GUIDES = markdown.guides(ROOT)


def blocks(language):
    """The blocks of a language, by guide."""
    found: dict[str, list[markdown.Block]] = {}
    for guide in GUIDES:
        for block in markdown.blocks(ROOT, guide):
            if block.language == language and not block.waived:
                found.setdefault(str(guide), []).append(block)
    return list(found.items()) or [
        pytest.param("no guide", [], marks=pytest.mark.skip(f"no {language} block"))
    ]


@pytest.fixture
def desk(tmp_path):
    """A folder that looks like the root, so that what is written stays out of it."""
    desk = tmp_path / "throughline"
    desk.mkdir()
    for path in ROOT.iterdir():
        if path.name not in {".git", "var"} and not path.name.endswith("_cache"):
            (desk / path.name).symlink_to(path)
    return desk


def session(commands, ports):
    """One shell for all of them, which ends what it left running, and says when.

    Where a guide serves at port 8000, or 8443 beside it, it does so here at free ones.
    """
    lines = ["set -eo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for command in commands:
        typed = command.typed
        for shown, free in ports.items():
            typed = re.sub(rf"(?<=[:=]){shown}\b", str(free), typed)
        lines += [typed, f"echo '{ENDED}'"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("guide", "found"), blocks("console"))
def test_commands_do_what_the_guide_shows(desk, guide, found):
    commands = [command for block in found for command in markdown.commands(block)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603 - our own guides
        ["bash", "-c", session(commands, {8000: free_port(), 8443: free_port()})],  # noqa: S607 - the reader's own shell
        cwd=desk,
        env=os.environ | {"PATH": path, "HOME": str(desk.parent), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    told = ran.stdout.split(f"{ENDED}\n")
    assert ran.returncode == 0, f"{guide}: {ran.stdout}"
    for command, output in zip(commands, told, strict=False):
        shown = command.shown
        assert not any(shown) or markdown.matches(shown, output), (
            f"{guide}: {command.typed}: {output}"
        )


@pytest.mark.parametrize(("guide", "found"), blocks("python"))
def test_examples_run(desk, guide, found):
    text = "\n".join(block.text for block in found)
    ran = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, "-W", "error", "-c", text],
        cwd=desk,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, f"{guide}: {ran.stderr}"


@pytest.mark.parametrize(("guide", "found"), blocks("toml"))
def test_configurations_are_accepted(tmp_path, guide, found):
    for block in found:
        tables = tomllib.loads(block.text)
        path = tmp_path / "guide.toml"
        path.write_text(block.text, "utf-8")
        if "kind" in tables:
            _build(path)
        elif "environment" in tables:
            from gateway.settings import load_settings  # noqa: PLC0415 - seldom needed

            load_settings(path, {})


def _build(path):
    from adapters.http import AiohttpTransport  # noqa: PLC0415 - seldom needed
    from adapters.registry import open_source  # noqa: PLC0415 - as above

    state = path.parent / "state"
    state.mkdir(exist_ok=True)
    open_source(
        path,
        Surroundings(
            now=lambda: datetime.now(UTC),
            secret=lambda reference: reference,
            transport=AiohttpTransport(),
            limits=Limits(),
            state=state,
            source_id="Z9A01.guide",
            sector="acute",
        ),
    )


@pytest.mark.parametrize(("guide", "found"), blocks("json"))
def test_json_is_json(guide, found):
    for block in found:
        json.loads(block.text)


@pytest.mark.parametrize(("guide", "found"), blocks("yaml"))
def test_yaml_is_yaml(guide, found):
    for block in found:
        assert list(yaml.safe_load_all(block.text)), block.place


def test_every_block_is_run_or_excused():
    assert markdown.unrunnable(ROOT) == []


@pytest.mark.parametrize("guide", GUIDES, ids=str)
def test_every_link_leads_somewhere(guide):
    folder = (ROOT / guide).parent
    text = (ROOT / guide).read_text("utf-8")
    for target in markdown.links(text):
        assert (folder / target).exists(), target
