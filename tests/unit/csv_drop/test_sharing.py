"""A drop taken in by two portions is taken in as by one."""

import math
import os
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.csv_drop import portion
from adapters.csv_drop.directory import look
from adapters.csv_drop.index import Found, Index
from adapters.csv_drop.intake import Intake
from adapters.csv_drop.portion import Job, Span, Stopped
from adapters.csv_drop.records import Writing
from adapters.csv_drop.settings import DropFile
from adapters.csv_drop.sharing import Sharing, in_process
from adapters.mapping import MappingSpec

COMMA = Writing(delimiter=",", quote='"', encoding="utf-8", field_bytes=1000)
MAPPING = {
    "record_id": "id",
    "kind": "ed_attendance",
    "start": "start",
    "identifiers": [{"column": "who", "system": "urn:x", "key": True}],
}
PIECES = st.sampled_from(
    [
        b"1,Ann,2024-03-09\n",
        b"1,Ann,2024-03-09\n",
        b"1,Ann,2024-03-10\n",
        b"2,Bob,2024-03\n",
        b'3,"Cat\nthe elder",2024\n',
        b'"4","Dan","2024"\r\n',
        b"5,Eve,never\n",
        b"6,Flo\n",
        b'7,"open,2024\n',
        b"\xff\n",
        b"\n",
        b'"',
    ]
)


def spans_of(folder: Path, files: list[bytes]) -> list[Span]:
    (folder / "copy").write_bytes(b"".join(files))
    places = [sum(map(len, files[:n])) for n in range(len(files))]
    return [
        Span(
            file=f"{n}.csv",
            place=place,
            size=len(data),
            start=0,
            until=math.inf,
            line=3 * n,
            columns=("id", "who", "start"),
        )
        for n, (place, data) in enumerate(zip(places, files, strict=True))
    ]


def taken(folder: Path, files: list[bytes], shared_from: float):
    """Places of good rows, what was set aside, and rows by file."""
    sharing = Sharing(
        texts=folder / "copy",
        writing=COMMA,
        mapping=MappingSpec.model_validate(MAPPING),
        stop=lambda: False,
        shared_from=shared_from,
        by_process=portion.take,
    )
    found = sharing.take(spans_of(folder, files))
    places = b"".join(
        each.path.read_bytes()[: each.rows * 8] for each in found.portions
    )
    rows: dict[str, int] = {}
    for each in found.portions:
        for ended in each.spans:
            rows[ended.file] = rows.get(ended.file, 0) + ended.rows
    found.quarantine.write(folder / "quarantine.csv")
    listed = (folder / "quarantine.csv").read_text("utf-8").splitlines()
    return places, listed, rows


@given(
    files=st.lists(
        st.lists(PIECES, min_size=1, max_size=12).map(b"".join), min_size=1, max_size=3
    )
)
@example(files=[b'1,"a\nb\nc\nd\ne",2024\n2,b,2024\n'])
@example(files=[b'1,"a\n' + b"b\n" * 20 + b'",2024\n', b"5,Eve,never\n"])
@example(files=[b'1,"a\n' + b"b\n" * 20 + b'",2024\n'])
def test_two_portions_find_what_one_finds(files):
    """Catches a record across the cut that is lost, doubled or read from its middle."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assert taken(folder, files, 1) == taken(folder, files, math.inf)
        left = {each.name for each in folder.iterdir()}
        assert left <= {"copy", "copy-0", "copy-1", "quarantine.csv"}


def intake(folder: Path, *, shared_from: int, stop: threading.Event | None = None):
    settings_ = DropFile.model_validate(
        {"kind": "csv_drop", "directory": ".", "mode": "append", "mapping": MAPPING}
    )
    return Intake(
        root=folder,
        settings=settings_,
        writing=COMMA,
        mapping_print="m",
        path=folder / f"state-{shared_from}" / "index.drop",
        stop=stop or threading.Event(),
        shared_from=shared_from,
    ), look(folder, settings_)


def write_repeating(folder: Path) -> None:
    """Two files, with ids that come twice in one, in both, and in either half."""
    head = "id,who,start\n"
    first = [f"{n % 700},P{n % 5},2024-03-09\n" for n in range(1000)]
    second = [f"{n},P{n % 5},2024-03-10\n" for n in range(600, 1600)]
    second += ["1599,P4,2024-03-10\n", "601,P3,2024-03-11\n", "x,P1,never\n"]
    (folder / "1.csv").write_text(head + "".join(first))
    (folder / "2.csv").write_text(head + "".join(second))
    os.utime(folder / "1.csv", (1, 1))


def rows_of(index: Index, who: str):
    with index.asked(lambda _, cells: portion_row(cells)) as asking:
        return [each.row for each in asking.reach([(0, who)], limit=9999).rows]


def portion_row(cells):
    return Found(row=cells, names=[cells[1]], apart=cells[1])


def test_processes_take_in_what_a_thread_does(tmp_path):
    write_repeating(tmp_path)
    found = []
    for shared_from in (1, 1 << 40):
        own, holding = intake(tmp_path, shared_from=shared_from)
        account = own.run(holding)
        index = Index.open(own.path, mapping="m", writing=COMMA, key=0)
        assert index is not None
        told = [rows_of(index, f"P{n}") for n in range(6)]
        index.retire()
        listed = (own.path.parent / "quarantine.csv").read_text().splitlines()
        left = sorted(each.name for each in own.path.parent.iterdir())
        found.append((account.imprint, told, sorted(listed), left))
    shared, alone = found
    assert shared == alone
    assert alone[0].rows == 1600
    assert (alone[0].repeated, alone[0].superseded, alone[0].rejected) == (301, 100, 2)
    assert "2.csv,1003,,duplicate_record" in alone[2]
    assert sum(map(len, alone[1])) == 1600


def job_of(folder: Path, texts: str) -> Job:
    spans = spans_of(folder, [b"1,Ann,2024-03-09\n"])
    return Job(
        texts=folder / texts,
        path=folder / "part",
        spans=tuple(spans),
        writing=COMMA,
        mapping=MappingSpec.model_validate(MAPPING),
    )


def test_a_process_that_fails_is_told_of_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="could not be taken in"):
        in_process(job_of(tmp_path, "absent"), lambda: False)
    assert [each.name for each in tmp_path.iterdir()] == ["copy"]


def test_more_rows_than_can_be_numbered_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.csv_drop.postings.ROWS", 0)
    with pytest.raises(OSError, match="more rows"):
        portion.take(job_of(tmp_path, "copy"), lambda: False)
    assert [each.name for each in tmp_path.iterdir()] == ["copy"]


def test_a_process_that_is_to_stop_is_stopped(tmp_path):
    with pytest.raises(Stopped):
        in_process(job_of(tmp_path, "copy"), lambda: True)


def test_where_one_half_fails_the_other_is_stopped(tmp_path):
    started, stopped = threading.Event(), threading.Event()

    def by_process(job, stop):
        if job.path.name.endswith("0"):
            started.wait(5)
            raise OSError("no room")
        started.set()
        while not stop():
            time.sleep(0.01)
        stopped.set()
        raise Stopped

    spans = spans_of(tmp_path, [b"1,Ann,2024\n" * 9])
    sharing = Sharing(
        texts=tmp_path / "copy",
        writing=COMMA,
        mapping=MappingSpec.model_validate(MAPPING),
        stop=lambda: False,
        shared_from=1,
        by_process=by_process,
    )
    with pytest.raises(OSError, match="no room"):
        sharing.take(spans)
    assert stopped.is_set()


@pytest.mark.parametrize("shared_from", [1, 1 << 40])
def test_an_intake_that_is_to_stop_stops(tmp_path, shared_from):
    write_repeating(tmp_path)
    stop = threading.Event()
    own, holding = intake(tmp_path, shared_from=shared_from, stop=stop)
    stop.set()
    with pytest.raises(Stopped):
        own.run(holding)
    assert list(own.path.parent.iterdir()) == []
