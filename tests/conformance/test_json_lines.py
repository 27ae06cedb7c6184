"""The kind of docs/adapters.md: it keeps the contract, and is found by its name."""

import json
import os
import sys
import tomllib

import pytest

from adapters import nhs_number
from adapters.conformance import AdapterContract, Carries
from adapters.conformance.population import KEY, OLD
from adapters.contract import Query
from adapters.errors import ConfigurationError, Unavailable, Unreadable
from adapters.registry import open_source
from adapters.vocabulary import KINDS
from examples.json_lines.json_lines import build
from tests.corpus import ROOT
from tests.houses import question
from tests.surroundings import in_folder

HERE = ROOT / "examples" / "json_lines"
FIELDS = frozenset(
    {"kind", "title", "status", "start", "end", "zone", "subject", "caveats"}
)
PRECISIONS = frozenset({"year", "month", "day", "second"})
SYSTEMS = [KEY, nhs_number.SYSTEM, OLD]


def line(event):
    told = {
        "record_id": event.record_id,
        "kind": event.kind,
        "title": event.title,
        "status": event.status,
        "about": {each.system: each.value for each in event.subject or ()},
    }
    times = {"start": event.start, "end": event.end}
    return json.dumps(told | {k: at.text for k, at in times.items() if at is not None})


def write(folder, lines, *, at=None):
    (folder / "events.jsonl").write_text("".join(f"{each}\n" for each in lines))
    if at is not None:
        os.utime(folder / "events.jsonl", (at, at))
    path = folder / "source.toml"
    path.write_text(
        'kind = "json_lines"\nfile = "events.jsonl"\n'
        f"systems = {json.dumps(SYSTEMS)}\nkinds = {json.dumps(sorted(KINDS))}\n"
    )
    return path


class TestJsonLines(AdapterContract):
    carries = Carries(precisions=PRECISIONS, fields=FIELDS)

    @pytest.fixture
    def adapter(self, tmp_path):
        events = filter(self.carries.has_room_for, self.population().events)
        path = write(tmp_path, map(line, events))
        return build(path, in_folder(tmp_path, sector=self.sector))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """As an installer leaves it: the module, and a note of its entry point."""
    site = tmp_path / "site"
    notes = site / "throughline_json_lines-1.0.0.dist-info"
    notes.mkdir(parents=True)
    (notes / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: throughline-json-lines\nVersion: 1.0.0\n"
    )
    (notes / "entry_points.txt").write_text(
        "[throughline.adapters]\njson_lines = json_lines:build\n"
    )
    (site / "json_lines.py").symlink_to(HERE / "json_lines.py")
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("json_lines", None)


async def test_an_installed_kind_is_found_by_its_entry_point(tmp_path, installed):
    path = write(tmp_path, [], at=1_700_000_000)
    adapter = open_source(path, in_folder(tmp_path))
    assert adapter.profile.adapter == "json_lines/1"
    await adapter.aclose()


def test_without_it_the_kind_is_unknown(tmp_path):
    with pytest.raises(ConfigurationError, match="unknown kind of source"):
        open_source(write(tmp_path, []), in_folder(tmp_path))


def test_its_entry_point_is_the_one_it_declares():
    declared = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))
    points = declared["project"]["entry-points"]["throughline.adapters"]
    assert points == {"json_lines": "json_lines:build"}


def test_it_is_shorter_than_eighty_lines():
    assert len((HERE / "json_lines.py").read_text("utf-8").splitlines()) < 80


def asked():
    q = question()
    return Query(
        person=q.person,
        since=None,
        until=None,
        categories=q.categories,
        limit=10,
    )


async def test_a_line_that_cannot_be_read_is_counted(tmp_path):
    path = write(tmp_path, ["{", '{"kind": "other"}', "7", '{"about": 1}'])
    answer = await build(path, in_folder(tmp_path)).ask(asked())
    assert [(c.code, c.count) for c in answer.caveats] == [("rows_rejected", 4)]


async def test_a_file_that_is_not_there_is_worth_asking_for_again(tmp_path):
    path = write(tmp_path, [])
    (tmp_path / "events.jsonl").unlink()
    with pytest.raises(Unavailable):
        await build(path, in_folder(tmp_path)).ask(asked())


async def test_a_file_too_long_to_be_held_is_refused(tmp_path):
    path = write(tmp_path, [" " * 4_000_001])
    with pytest.raises(Unreadable):
        await build(path, in_folder(tmp_path)).ask(asked())
