"""A CSV drop's source file is refused with file, line, key and remedy."""

import pytest

from adapters.csv_drop import build
from adapters.errors import ConfigurationError
from tests.surroundings import in_folder

WHOLE = """\
kind = "csv_drop"
directory = "drops"
pattern = "*.csv"

[mapping]
record_id = "id"
kind = "ed_attendance"
start = "began"

[[mapping.identifiers]]
column = "pid"
system = "urn:pid"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'pattern = "*.csv"',
            'pattern = "../*.csv"',
            r"line 3: pattern: .*take the path",
        ),
        ('pattern = "*.csv"', 'pattern = "*.csv.gz"', r"line 3: pattern: .*Unpack"),
        ('pattern = "*.csv"', 'manifest = "a/b"', r"line 3: manifest: .*take the path"),
        ('pattern = "*.csv"', 'delimiter = "\\n"', r"line 3: delimiter: .*Use one"),
        ('pattern = "*.csv"', "header = false", r"columns = "),
        ('pattern = "*.csv"', 'columns = ["a"]', r"header = false"),
        ('pattern = "*.csv"', 'quote = ","', r"must differ"),
        ('pattern = "*.csv"', 'encoding = "latin1"', r"line 3: encoding: .*cp1252"),
        (
            'pattern = "*.csv"',
            'patern = "x"',
            r"line 3: patern: .*mean pattern",
        ),
        ('start = "began"', "", r"line 5: mapping: .*without a start column"),
        ("ed_attendance", "ed_visit", r"line 7: mapping\.kind: .*vocabulary"),
        ('start = "began"', 'start = { column = "b", formats = ["%q"] }', r"line 8"),
    ],
)
def test_a_wrong_file_stops_the_start_with_line_and_remedy(tmp_path, old, new, message):
    path = tmp_path / "source.toml"
    path.write_text(WHOLE.replace(old, new), "utf-8")
    with pytest.raises(ConfigurationError, match=message):
        build(path, in_folder(tmp_path))


async def test_a_column_the_drop_lacks_stops_the_start_by_name(tmp_path):
    path = tmp_path / "source.toml"
    path.write_text(WHOLE, "utf-8")
    (tmp_path / "drops").mkdir()
    (tmp_path / "drops" / "a.csv").write_text("id,pid,start\n1,P,2024\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"line 8: .*'began'.*id, pid, start"):
        build(path, in_folder(tmp_path))
    (tmp_path / "drops" / "a.csv").write_text("9990000001,Ann\n", "utf-8")
    await build(path, in_folder(tmp_path)).aclose()  # found out when asked


def test_columns_of_a_file_without_header_are_checked_at_once(tmp_path):
    path = tmp_path / "source.toml"
    without = 'header = false\ncolumns = ["id", "pid"]'
    path.write_text(WHOLE.replace('pattern = "*.csv"', without), "utf-8")
    with pytest.raises(ConfigurationError, match="no column 'began'"):
        build(path, in_folder(tmp_path))
