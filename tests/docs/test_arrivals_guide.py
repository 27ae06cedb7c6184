"""docs/arrivals.md: its source files load, and it tells of every setting there is."""

import re
from pathlib import Path

import pytest

from adapters.arrivals import Directory, Mesh, Sftp
from adapters.csv_drop.settings import DropFile
from adapters.source_file import read

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "arrivals.md"
TEXT = GUIDE.read_text("utf-8")
OVER_SFTP, OVER_MESH = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("text", "way"), [(OVER_SFTP, Sftp), (OVER_MESH, Mesh)])
def test_the_example_loads_and_is_about_that_way(tmp_path, text, way):
    path = tmp_path / "source.toml"
    path.write_text(text, "utf-8")
    assert isinstance(read(path, DropFile).arrival, way)


def test_every_setting_is_told_of():
    fields = {**Directory.model_fields, **Sftp.model_fields, **Mesh.model_fields}
    assert [name for name in fields if not re.search(rf"\b{name}\b", TEXT)] == []


def test_the_defaults_are_as_told():
    shown = re.findall(r"^(\w+) = (\d+) +# default", OVER_SFTP, re.MULTILINE)
    assert shown == [("port", "22"), ("every_s", "60"), ("settle_s", "60")]
    for name, value in shown:
        assert float(value) == Sftp.model_fields[name].default
    assert "every_s = 300 " in OVER_MESH
    assert Mesh.model_fields["every_s"].default == 300
    assert Sftp.model_fields["file_bytes"].default == 2 << 30  # 2 GiB
    assert Sftp.model_fields["visit_files"].default == 1000
    assert Sftp.model_fields["visit_s"].default == 3600
    assert Sftp.model_fields["silent_s"].default == 20


def test_every_reason_in_the_code_is_told_of():
    folder = Path(__file__).resolve().parents[2] / "adapters" / "arrivals"
    said = "\n".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    reasons = set(re.findall(r'(?:Unavailable|Refused|Unreadable)\(\s*"(\w+)"', said))
    assert reasons
    assert [reason for reason in reasons if f"`{reason}`" not in TEXT] == []
