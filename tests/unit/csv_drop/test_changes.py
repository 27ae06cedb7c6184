"""Which rows are one event, which take a record back, and which is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.csv_drop.changes import Rows
from adapters.csv_drop.settings import DropFile
from adapters.mapping import Table
from tests.drop_series import EVENT_COLUMNS, EVENTS
from tests.people import number


def rows(**drops) -> Rows:
    settings = DropFile.model_validate(
        {
            "kind": "csv_drop",
            "directory": ".",
            "mapping": EVENTS,
            "drops": drops,
        }
    )
    return Rows.of(settings.mapping, settings.drops, EVENT_COLUMNS, deletes=False)


def row(**cells: str) -> list[str]:
    return [cells.get(column, "") for column in EVENT_COLUMNS]


def is_one(one: list[str], other: list[str], *parts: object) -> bool:
    unique = rows(unique_by=parts).unique
    assert unique is not None
    return unique.read(one) == unique.read(other) is not None


def test_an_nhs_number_is_one_number_however_it_is_written():
    plain = number(3)
    spaced = f"{plain[:3]} {plain[3:6]} {plain[6:]}"
    person = {"first_of": ["number", "who"]}
    assert is_one(row(number=plain, who="A"), row(number=spaced, who="B"), person)
    assert not is_one(row(number=plain), row(number=number(4)), person)


@pytest.mark.parametrize("none", ["", "null", "INVALID", "9990000000"])
def test_what_is_no_nhs_number_leaves_it_to_the_next_column(none):
    person = {"first_of": ["number", "who"]}
    assert is_one(row(number=none, who="A"), row(who="A"), person)
    assert not is_one(row(number=none, who="A"), row(who="B"), person)


def test_a_part_counts_only_for_the_rows_that_have_it():
    end = {"column": "end", "where": {"type": ["Request"]}}
    for kind, is_one_event in (("Service", True), (" request", False)):
        rows_ = [row(who="A", type=kind, end=end) for end in ("1/1/2024", "")]
        assert is_one(*rows_, "who", "type", end) is is_one_event
    # A row without the part is not one with a row whose part is blank.
    service, request = row(who="A", type="Service"), row(who="A", type="Request")
    assert not is_one(service, request, "who", end)


def test_cells_do_not_run_into_each_other():
    assert not is_one(row(who="a", type="bc"), row(who="ab", type="c"), "who", "type")
    assert not is_one(row(who="1:", type=""), row(who="", type="1:"), "who", "type")


def test_rows_that_have_nothing_of_it_are_not_one_event():
    unique = rows(unique_by=["type", "rank"]).unique
    assert unique is not None
    assert unique.read(row(who="A", type=" ", rank="null")) is None


CELLS = st.sampled_from(["", " ", "null", "a", "9990000042", "999 000 0042", "9", "Aé"])


@given(lines=st.lists(st.lists(CELLS, min_size=8, max_size=8), min_size=1, max_size=6))
def test_a_table_is_read_as_its_rows_are(lines):
    """Catches a part that is filled in another way column by column."""
    parts = [
        {"first_of": ["number", "who"]},
        "type",
        {"column": "end", "where": {"rank": ["A", "9"], "type": ["", "a"]}},
    ]
    for chosen in (parts, parts[1:], parts[1:2]):
        unique = rows(unique_by=chosen).unique
        assert unique is not None
        table = Table([cell for line in lines for cell in line], len(EVENT_COLUMNS))
        assert unique.read_all(table) == [unique.read(line) for line in lines]


def kept(prefer: list[object], *cells: dict[str, str]) -> int:
    return rows(unique_by=["who"], prefer=prefer).kept([row(**each) for each in cells])


@pytest.mark.parametrize(
    ("prefer", "values", "best"),
    [
        ([], ("1", "2", "1"), 2),
        (["rank"], ("2", "1", "10"), 1),
        (["-rank"], ("2", "1", "10"), 2),
        (["-rank"], ("2", "2", ""), 1),
        ([{"column": "rank", "blank": "first"}], ("2", "", "null"), 2),
        ([{"column": "rank", "ranked": ["B", "a"]}], ("A", "b", "c"), 1),
        ([{"column": "rank", "ranked": ["b"]}], ("", "c", ""), 1),
        (["-rank"], ("", "", ""), 2),
    ],
)
def test_one_row_is_preferred_to_the_others(prefer, values, best):
    assert kept(prefer, *({"rank": each} for each in values)) == best


def test_times_are_compared_as_the_mapping_reads_them():
    ends = [{"end": each} for each in ("31/01/2024", "01/02/2024", "2024", "")]
    for prefer, best in (
        ({"descending": True}, 1),
        ({}, 0),
        ({"blank": "first"}, 3),
    ):
        each = {"column": "end", "reads": "time", **prefer}
        assert kept([each], *ends) == best
    starts = [{"start": "2024-02-01"}, {"start": "2024-02"}, {"start": "2023"}]
    assert kept([{"column": "start", "reads": "time"}], *starts) == 2
    ranks = [{"rank": "2024-02-01T00:30:00+01:00"}, {"rank": "2024-01-31T23:45:00Z"}]
    assert kept([{"column": "rank", "reads": "time"}], *ranks) == 0
