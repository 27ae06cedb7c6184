"""Every source file of docs/mapping.md is one that loads."""

import re
from pathlib import Path

import pytest

from adapters.csv_drop import build as build_drop
from adapters.registry import Build
from adapters.sql import build as build_sql
from adapters.surroundings import Surroundings
from tests.surroundings import in_folder

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "mapping.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
WHOLE = [block for block in BLOCKS if block.startswith("kind =")]
BUILD: dict[str, Build] = {"csv_drop": build_drop, "sql": build_sql}


@pytest.mark.parametrize("text", WHOLE, ids=["csv_drop", "sql"])
async def test_the_example_loads_as_it_stands(tmp_path, text):
    path = tmp_path / "source.toml"
    path.write_text(text, "utf-8")
    kind = text.split('"')[1]
    adapter = BUILD[kind](path, _secretive(tmp_path))
    assert adapter.profile.adapter == f"{kind}/1"
    assert adapter.profile.held
    await adapter.aclose()


def test_the_fragments_load_in_place_of_the_examples_own(tmp_path):
    fragments = [block for block in BLOCKS if not block.startswith("kind =")]
    tables, times = fragments
    base = WHOLE[1].replace('kind = "community_contact"\n', "")
    (tmp_path / "a.toml").write_text(base + tables, "utf-8")
    assert build_sql(tmp_path / "a.toml", _secretive(tmp_path)).profile.held
    with_times = WHOLE[1].replace('start = "contact_date"\n', times)
    (tmp_path / "b.toml").write_text(with_times, "utf-8")
    assert build_sql(tmp_path / "b.toml", _secretive(tmp_path)).profile.held


def _secretive(folder):
    given = in_folder(folder, sector="community")
    return Surroundings(
        now=given.now,
        secret=lambda reference: "known to the test alone",
        transport=given.transport,
        limits=given.limits,
        state=given.state,
        source_id=given.source_id,
        sector="community",
    )
