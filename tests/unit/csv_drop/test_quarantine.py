"""The quarantine file, read back by place and reason."""

from adapters.csv_drop.quarantine import Quarantine, rejected_in
from adapters.mapping import Rejected
from adapters.rejects import RejectedRows


def test_without_a_file_nothing_was_set_aside(tmp_path):
    assert rejected_in(tmp_path / "quarantine.csv") == ()


def test_rows_are_counted_by_file_column_and_reason_most_first(tmp_path):
    quarantine = Quarantine()
    quarantine.add("a, b.csv", 7, Rejected("wrong_width"))
    quarantine.add("a, b.csv", 9, Rejected("not_a_time", "Start"))
    quarantine.add("a, b.csv", 3, Rejected("not_a_time", "Start"))
    quarantine.write(tmp_path / "quarantine.csv")
    assert rejected_in(tmp_path / "quarantine.csv") == (
        RejectedRows(
            file="a, b.csv", column="Start", reason="not_a_time", rows=2, first_line=3
        ),
        RejectedRows(
            file="a, b.csv", column=None, reason="wrong_width", rows=1, first_line=7
        ),
    )


def test_lines_of_a_later_part_of_a_file_come_after_the_earlier(tmp_path):
    first, second = Quarantine(), Quarantine()
    first.add("a.csv", 7, Rejected("nul"))
    second.add("a.csv", 2, Rejected("nul"))
    second.add("b.csv", 2, Rejected("nul"))
    first.take_over(second, {"a.csv": 10})
    first.write(tmp_path / "quarantine.csv")
    assert first.count == 3
    listed = (tmp_path / "quarantine.csv").read_text("utf-8").splitlines()
    assert listed[1:] == ["a.csv,7,,nul", "a.csv,12,,nul", "b.csv,2,,nul"]
