"""The quarantine file, read back by place and reason."""

from adapters.csv_drop.intake import Quarantine
from adapters.csv_drop.quarantine import rejected_in
from adapters.mapping import Rejected
from adapters.rejects import RejectedRows


def test_without_a_file_nothing_was_set_aside(tmp_path):
    assert rejected_in(tmp_path / "quarantine.csv") == ()


def test_rows_are_counted_by_file_column_and_reason_most_first(tmp_path):
    quarantine = Quarantine(path=tmp_path / "quarantine.csv")
    quarantine.add("a, b.csv", 7, Rejected("wrong_width"))
    quarantine.add("a, b.csv", 9, Rejected("not_a_time", "Start"))
    quarantine.add("a, b.csv", 3, Rejected("not_a_time", "Start"))
    quarantine.write()
    assert rejected_in(tmp_path / "quarantine.csv") == (
        RejectedRows(
            file="a, b.csv", column="Start", reason="not_a_time", rows=2, first_line=3
        ),
        RejectedRows(
            file="a, b.csv", column=None, reason="wrong_width", rows=1, first_line=7
        ),
    )
