"""Every source file of docs/drops.md is one that loads, and says what it is said to."""

import re
from pathlib import Path

from adapters.csv_drop import build
from adapters.csv_drop.rules import Drops
from tests.surroundings import in_folder

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "drops.md"
TEXT = GUIDE.read_text("utf-8")
WHOLE, UNIQUE = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


async def test_the_example_loads_as_it_stands(tmp_path):
    path = tmp_path / "source.toml"
    path.write_text(WHOLE, "utf-8")
    adapter = build(path, in_folder(tmp_path, sector="community"))
    assert adapter.profile.held == {"community"}
    await adapter.aclose()


async def test_the_fragment_loads_in_place_of_the_examples_own(tmp_path):
    head, mapping = WHOLE.split("[drops]")[0], WHOLE.split("[mapping]")[1]
    path = tmp_path / "source.toml"
    path.write_text(f"{head}{UNIQUE}\n[mapping]{mapping}", "utf-8")
    await build(path, in_folder(tmp_path, sector="community")).aclose()


def test_every_rule_is_told_of():
    assert [name for name in Drops.model_fields if f"{name} =" not in TEXT] == []
