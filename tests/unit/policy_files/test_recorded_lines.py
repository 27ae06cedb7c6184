"""Recorded decisions out of a file of the trail's records."""

import json

import pytest

from adapters.errors import ConfigurationError
from gateway.audit.records import Stamp, encoded, parts_of
from gateway.decisions.entries import entry_of
from gateway.policy_files import recorded_lines
from gateway.policy_files.recorded_lines import read_recorded
from tests.houses import NOW
from tests.trails import intent, outcome
from tests.unit.decisions.test_entries import decided


def line(record, nth=0):
    return encoded(record, Stamp(id=f"{nth:032x}", at=NOW, process="p"))


def file_of(folder, *lines):
    path = folder / "decisions.jsonl"
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    return path


def test_decisions_are_read_the_newest_first_and_others_are_passed_over(tmp_path):
    path = file_of(
        tmp_path,
        line(decided(0)),
        line(outcome()),
        b"",
        line(intent()),  # without a decision: written before they were told
        line(decided(1)),
    )
    found = read_recorded(path, most=10)
    assert [each.id[4] for each in found] == ["b", "a"]
    assert found[0].cells[0].owner == "Z9B02"
    assert [each.id[4] for each in read_recorded(path, most=1)] == ["b"]


def test_records_that_another_tool_has_spelt_anew_are_read(tmp_path):
    spelt = json.dumps(json.loads(line(decided())), indent=None, sort_keys=False)
    (found,) = read_recorded(file_of(tmp_path, spelt.encode()), most=10)
    assert found.effects == ("permit", "permit")


def test_a_record_of_several_parts_is_put_together(tmp_path):
    stamp = Stamp(id="a" * 32, at=NOW, process="p")
    parts = parts_of(encoded(decided(sources=30), stamp), stamp, part_bytes=2048)
    assert len(parts) > 1
    (found,) = read_recorded(file_of(tmp_path, *parts), most=10)
    assert len(found.cells) == 60
    for some in (parts[:-1], parts[1:]):
        with pytest.raises(ConfigurationError):
            read_recorded(file_of(tmp_path, *some), most=10)


@pytest.mark.parametrize(
    "wrong", [b'{"type":"intent"', b"[]", b"x", b'{"type":"part"}', b'{"a":1,"a":2}']
)
def test_a_line_that_is_no_record_is_named(tmp_path, wrong):
    path = file_of(tmp_path, line(decided()), wrong)
    with pytest.raises(ConfigurationError, match="line 2: is not a record"):
        read_recorded(path, most=10)


def test_no_decision_at_all_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no recorded decision"):
        read_recorded(file_of(tmp_path, line(outcome())), most=10)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_recorded(tmp_path / "none", most=10)


def test_a_file_or_a_line_beyond_its_bounds_is_an_error(tmp_path, monkeypatch):
    path = file_of(tmp_path, line(decided()))
    monkeypatch.setattr(recorded_lines, "_LINE_BYTES", 100)
    with pytest.raises(ConfigurationError, match="line 1: is too long"):
        read_recorded(path, most=10)
    monkeypatch.setattr(recorded_lines, "_FILE_BYTES", 100)
    with pytest.raises(ConfigurationError, match="is larger than"):
        read_recorded(path, most=10)


def test_only_what_was_decided_is_a_decision():
    kept = line(decided())
    assert entry_of(kept) is not None
    assert entry_of(kept.replace(b'"type":"intent"', b'"type":"else"')) is None
    assert entry_of(line(intent())) is None
