"""What an `[arrival]` table may say, and how it is told what is wrong with it."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from adapters.arrivals import ArrivalSettings, Directory, Mesh, Sftp, taking
from adapters.csv_drop.settings import DropFile
from adapters.errors import ConfigurationError
from adapters.source_file import read

PRINT = "SHA256:" + "A" * 43
SFTP = {
    "kind": "sftp",
    "host": "sftp.example",
    "username": "throughline",
    "private_key": "env:KEY",
    "host_keys": [PRINT],
}
MESH = {
    "kind": "mesh",
    "url": "https://msg.intspineservices.nhs.uk",
    "mailbox": "X26OT001",
    "password": "env:PASSWORD",
    "shared_key": "env:SHARED_KEY",
    "certificate": "file:/run/secrets/mesh.pem",
    "key": "file:/run/secrets/mesh.key",
    "workflows": ["CLD_EXTRACT"],
}


def settings(said) -> Any:
    return TypeAdapter(ArrivalSettings).validate_python(said)


def test_a_table_that_names_no_way_is_about_the_directory():
    assert settings({}) == Directory()
    assert settings({"poll_s": 5}) == Directory(poll_s=5)


def test_each_way_has_its_own_settings():
    assert isinstance(settings(SFTP), Sftp)
    assert isinstance(settings(MESH), Mesh)


WRONG = {
    "a way that is none": {"kind": "carrier pigeon"},
    "no host key": {**SFTP, "host_keys": []},
    "a host key that is none": {**SFTP, "host_keys": ["MD5:00:11"]},
    "a secret written out": {**SFTP, "private_key": "-----BEGIN"},
    "a password": {**SFTP, "password": "env:P"},
    "an address nobody is at": {**SFTP, "host": "169.254.169.254"},
    "a host with a path": {**SFTP, "host": "sftp.example/inbox"},
    "archives": {**SFTP, "take": ["*.zip"]},
    "a pattern with a path": {**SFTP, "take": ["../*.csv"]},
    "a marker with a path": {**SFTP, "marker": "/done"},
    "archive without a place": {**SFTP, "after": "archive"},
    "a place without archive": {**SFTP, "archive": "old"},
    "visits without pause": {**SFTP, "every_s": 0},
    "no bound": {**SFTP, "file_bytes": 0},
    "mesh in clear": {**MESH, "url": "http://msg.example"},
    "mesh with a question": {**MESH, "url": "https://msg.example/?a=1"},
    "mesh with a name": {**MESH, "url": "https://me@msg.example/"},
    "mesh without a host": {**MESH, "url": "https://"},
    "mesh where nobody is": {**MESH, "url": "https://169.254.1.1"},
    "no certificate": {**MESH, "certificate": None, "key": None},
    "half a certificate": {**MESH, "key": None},
    "no workflow": {**MESH, "workflows": []},
    "a mailbox with a path": {**MESH, "mailbox": "../X26"},
}


@pytest.mark.parametrize("said", WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_refused(said):
    with pytest.raises(ValidationError):
        settings(said)


def test_mesh_on_this_machine_may_be_spoken_to_in_clear():
    said = {**MESH, "url": "http://127.0.0.1:8700/", "certificate": None, "key": None}
    assert settings(said).url == "http://127.0.0.1:8700"


def test_a_fingerprint_is_the_same_with_and_without_its_padding():
    assert settings({**SFTP, "host_keys": [PRINT + "="]}).host_keys == (PRINT,)


def test_without_the_extra_of_that_name_there_is_no_mesh(monkeypatch):
    monkeypatch.setattr("adapters.arrivals.settings.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"throughline\[mesh\]"):
        settings(MESH)


def test_a_way_takes_what_its_source_reads_unless_it_says_otherwise():
    found: Any = taking(settings(SFTP), "*.csv", manifest="*.json")
    assert (found.take, found.manifest) == (("*.csv", "*.json"), "*.json")
    assert found.takes("a.csv")
    assert found.is_manifest("a.json")
    assert not found.takes("a.txt")
    mesh: Any = taking(settings(MESH), "*.hl7")
    assert (mesh.take, mesh.names) == (("*.hl7",), "message")
    said = settings({**SFTP, "take": ["x*.csv"], "manifest": "x*.txt"})
    assert taking(said, "*.csv", manifest="*.json") == said
    assert taking(Directory(), "*.csv") == Directory()
    without: Any = taking(settings(SFTP), "*.csv")
    assert not without.is_manifest("a.json")


@pytest.mark.parametrize("told", [{"manifest": "*.json"}, {"named": True}])
def test_a_message_keeps_the_name_that_its_source_reads_something_from(told):
    mesh: Any = taking(settings(MESH), "*.csv", **told)
    assert mesh.names == "sender"
    said: Any = taking(settings({**MESH, "names": "message"}), "*.csv", **told)
    assert said.names == "message"


SOURCE = """\
kind = "csv_drop"
directory = "drops"
[arrival]
{arrival}
[mapping]
record_id = "id"
"""


def refusal(tmp_path, arrival):
    path = tmp_path / "source.toml"
    path.write_text(SOURCE.format(arrival=arrival), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read(path, DropFile)
    return caught.value


def test_a_wrong_key_is_told_with_its_line_and_what_it_may_be(tmp_path):
    error = refusal(tmp_path, 'kind = "sftp"\nhosst = "sftp.example"')
    assert (error.key, error.line) == ("arrival.hosst", 5)
    assert "Did you mean host?" in str(error)


def test_a_wrong_way_is_told_with_those_there_are(tmp_path):
    error = refusal(tmp_path, 'kind = "ftp"')
    assert (error.key, error.line) == ("arrival.kind", 4)
    assert "'sftp'" in str(error)
