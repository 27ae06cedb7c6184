"""The source file of docs/hl7v2.md and the example are the ones that load."""

import re
import tomllib
from pathlib import Path

from adapters.contract import Identifier
from adapters.hl7v2 import build
from adapters.hl7v2.acknowledgement import REASONS
from adapters.hl7v2.settings import Hl7v2File, Listener
from tests.corpus import ROOT
from tests.hl7 import adt, everything, person_of, segment, stay
from tests.surroundings import in_folder

GUIDE = (ROOT / "docs" / "hl7v2.md").read_text("utf-8")
EXAMPLE = ROOT / "examples" / "hl7v2" / "adt.toml"
(SHOWN,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)


async def load(folder: Path, text: str):
    path = folder / "source.toml"
    path.write_text(text, "utf-8")
    adapter = build(path, in_folder(folder))
    await adapter.aclose()
    return adapter


async def test_the_file_loads_as_it_is_shown(tmp_path):
    adapter = await load(tmp_path, SHOWN)
    assert adapter.profile.held == {
        "encounters",
        "observations",
        "allergies",
        "demographics",
    }


def test_it_shows_every_setting_and_its_default():
    shown = tomllib.loads(SHOWN)
    assert set(shown) | {"arrival"} == set(Hl7v2File.model_fields)
    told = {"directory", "reads", "key", "authorities", "classes", "mllp", "encodings"}
    for name in set(shown) - told - {"kind"}:
        assert shown[name] == Hl7v2File.model_fields[name].default, name
    for name, field in Listener.model_fields.items():
        assert name in shown["mllp"] or f"`{name}`" in GUIDE
        if name in shown["mllp"] and not field.is_required():
            assert shown["mllp"][name] == field.default, name


def test_every_reason_has_its_remedy():
    for reason in REASONS:
        assert f"`{reason}`" in GUIDE or reason == "not_stored", reason


async def test_the_example_reads_a_message_of_its_hospital(tmp_path):
    (tmp_path / "feed").mkdir()
    pid = segment("PID", {3: "H-1^^^EXAMPLE MRN^MR"})
    visit = stay("20240301", kind="EMER", number="V1")
    message = adt("A04", pid, visit=visit)
    (tmp_path / "feed" / "one.hl7").write_text(message, newline="")
    text = EXAMPLE.read_text("utf-8").replace("settle_s = 2", "settle_s = 0")
    path = tmp_path / "source.toml"
    path.write_text(text, "utf-8")
    adapter = build(path, in_folder(tmp_path))

    asked = person_of(Identifier("urn:example:hospital-number", "H-1"))
    answer = await adapter.ask(everything(asked))
    await adapter.aclose()
    assert [event.kind for event in answer.events] == ["ed_attendance"]
