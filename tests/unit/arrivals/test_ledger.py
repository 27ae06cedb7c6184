"""What was taken is remembered, on disk, and forgotten when it need not be."""

import pytest

from adapters.arrivals.ledger import Ledger, Taken
from adapters.errors import Unavailable


def taken(size=1):
    return Taken(size=size, modified=1.5, sha256="00", stored="a.csv")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "arrivals.jsonl"


def test_what_is_noted_is_there_for_the_next_process(path):
    ledger = Ledger.open(path)
    assert ledger.get("a") is None
    ledger.note("a", taken(1))
    ledger.note("a", taken(2))
    assert Ledger.open(path).get("a") == taken(2)
    assert path.stat().st_mode & 0o077 == 0


def test_what_the_inbox_no_longer_lists_is_forgotten(path):
    ledger = Ledger.open(path)
    ledger.note("a", taken())
    ledger.note("b", taken())
    ledger.keep_only(frozenset({"b"}))
    assert ledger.get("a") is None
    again = Ledger.open(path)
    assert (again.get("a"), again.get("b")) == (None, taken())


def test_notes_about_one_file_do_not_pile_up(path):
    ledger = Ledger.open(path)
    for number in range(100):
        ledger.note("a", taken(number))
    ledger.keep_only(frozenset({"a"}))
    assert len(path.read_bytes()) < 200
    written = path.stat().st_mtime_ns
    ledger.keep_only(frozenset({"a"}))
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "cut", [b'["b", {"size": 3', b"\xff\xfe", b"{}", b'["b", 7]', b"\0" * 50]
)
def test_a_line_that_was_cut_short_spoils_no_other(path, cut):
    Ledger.open(path).note("a", taken())
    with path.open("ab") as stream:
        stream.write(b"\n" + cut)
    ledger = Ledger.open(path)
    assert ledger.get("a") == taken()
    ledger.note("c", taken())
    assert Ledger.open(path).get("c") == taken()


def test_a_note_that_cannot_be_written_is_an_error_and_not_believed(path):
    path.mkdir(parents=True)
    ledger = Ledger.open(path)
    with pytest.raises(Unavailable) as caught:
        ledger.note("a", taken())
    assert (caught.value.reason, caught.value.domain) == ("state", "adapter")
    assert ledger.get("a") is None


def test_what_cannot_be_forgotten_on_disk_is_an_error(path):
    ledger = Ledger.open(path)
    ledger.note("a", taken())
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable):
        ledger.keep_only(frozenset())
    assert ledger.get("a") is not None


def test_a_note_tells_nothing_of_itself():
    assert "csv" not in repr(taken())
