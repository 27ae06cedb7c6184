"""An index gives rows back as they were written, and knows when an id may repeat."""

from datetime import UTC, datetime

import pytest

from adapters.csv_drop.index import Building, Imprint, Index, Texts, Written

IMPRINT = Imprint(
    signature="s",
    mapping="m",
    columns={},
    as_of=datetime(2024, 7, 1, tzinfo=UTC),
    rows=0,
    rejected=0,
    repeated=0,
    superseded=0,
)


def written(records, *, first=2):
    return Written(
        lines=range(first, first + 2 * len(records), 2),
        texts=[f"text of {record}" for record in records],
        keys=[(each, None, f"person {n % 3}") for n, each in enumerate(records)],
    )


@pytest.mark.parametrize(
    ("lots", "is_rising"),
    [
        ([["a", "b"], ["c"]], True),
        ([["a"], [], ["b"]], True),
        ([["a", "a"]], False),
        ([["b", "a"]], False),
        ([["a", "b"], ["b", "c"]], False),
        ([["a", "b"], ["a"], ["c", "d"]], False),
    ],
)
def test_ids_that_only_rise_are_known_to_be_unlike(tmp_path, lots, is_rising):
    building = Building(tmp_path / "index.sqlite", 1)
    for records in lots:
        building.add("a.csv", written(records))
    assert building.is_rising is is_rising
    building.abandon()


def test_rows_come_back_with_file_line_and_text(tmp_path):
    building = Building(tmp_path / "index.sqlite", 1)
    records = [f"r{number:03d}" for number in range(150)]
    building.add("a.csv", written(records[:70]))
    building.add("b.csv", written(records[70:], first=9))
    texts = Texts(building.connection)
    for number in (1, 32, 33, 70, 71, 150, 2):
        hit = texts.hit(number)
        is_first = number <= 70
        assert hit.file == ("a.csv" if is_first else "b.csv")
        assert hit.line == (2 * number if is_first else 9 + 2 * (number - 71))
        assert hit.text == f"text of {records[number - 1]}"
    building.index_names()
    building.finish(IMPRINT)
    index = Index.open(tmp_path / "index.sqlite", mapping="m", key=0)
    assert index is not None
    reached = index.reach([(0, "person 1")], limit=1000)
    index.retire()
    assert len(reached.hits) == 23 + 27
    assert [hit.text for hit in reached.hits[:2]] == ["text of r001", "text of r004"]
    assert not reached.truncated
