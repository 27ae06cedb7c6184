"""Tables checked a column at a time are judged as their rows are one by one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters import nhs_number
from adapters.mapping import Columnwise, Mapping, MappingSpec, Rejected, Table

COLUMNS = ("id", "part", "pid", "nhs", "began", "day", "clock", "type", "dob")
NHS = "https://fhir.nhs.uk/Id/nhs-number"
KEYED = {"column": "pid", "system": "urn:pid", "key": True, "absent": ["TEST"]}
NUMBERED = {"column": "nhs", "system": NHS, "absent": ["none"]}
PLAIN = {
    "record_id": "id",
    "kind": {"column": "type", "codes": {"A": "ed_attendance"}},
    "start": "began",
    "absent": ["null"],
    "identifiers": [KEYED, NUMBERED],
}
SPECS = {
    "plain": PLAIN,
    "parts": {
        **PLAIN,
        "record_id": ["id", "part"],
        "dates": ["%d/%m/%Y %H:%M", "%d %b %Y", "iso"],
        "end": {
            "date": "day",
            "formats": ["%d/%m/%Y"],
            "absent": ["00/00/0000", "1234"],
            "time": "clock",
            "time_formats": ["%H%M"],
            "time_absent": ["4000", "4-4"],
        },
        "identifiers": [NUMBERED],
        "person": {"birth_date": "dob"},
    },
    "literal": {
        **PLAIN,
        "start": {"column": "began", "formats": ["%Y-01"], "absent": ["0000-00"]},
        "kind": {
            "column": "type",
            "codes": {"A": "ed_attendance"},
            "otherwise": "other",
        },
    },
    "undated": {
        **PLAIN,
        "start": {"column": "began", "unreadable": "undated"},
        "kind": "ed_attendance",
        "recorded": "day",
    },
}
CELLS = st.sampled_from(
    [
        "",
        " ",
        "null",
        "NULL ",
        "none",
        "TEST",
        "test",
        "A",
        " A",
        "B",
        "r1",
        "7",
        "9990000018",
        "999 000 0018",
        "9990000019",
        "1111111111",
        "999-000-0018",
        "12",
        "\N{ARABIC-INDIC DIGIT ONE}" * 10,
        "2024-03-09",
        "2024-13-99",
        "2024",
        "1234",
        "2024-03-09 10:15:00",
        "2024-03-09T10:15:00.5Z",
        "09/03/2024",
        "9/3/2024 1:05",
        "9 Mar 2024",
        "9 mar 2024",
        "00/00/0000",
        "4000",
        "4-4",
        "0930",
        "9:30",
        "2024-01",
        "2024-02",
        "0000-00",
        "x\ny",
        "\N{KELVIN SIGN}",
        "last Tuesday",
        "\N{LATIN SMALL LETTER SHARP S}",
        "nu\N{SOFT HYPHEN}ll",
        "a\tb",
    ]
)
GOOD = ("r1", "1", "7", "9990000018", "2024-03-09", "09/03/2024", "0930", "A", "1980")


def row_of(changes: dict[int, str]) -> list[str]:
    return [changes.get(place, cell) for place, cell in enumerate(GOOD)]


ROWS = st.lists(
    st.dictionaries(st.integers(0, len(COLUMNS) - 1), CELLS, max_size=4).map(row_of),
    max_size=12,
)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@given(tables=st.lists(ROWS, max_size=3))
@example(tables=[[row_of({4: "0000-00"}), row_of({4: "1234"}), row_of({5: "1234"})]])
@example(tables=[[row_of({3: ""}), row_of({2: "", 3: "x"}), row_of({3: "1111111111"})]])
def test_a_table_is_judged_as_its_rows_are(spec, tables):
    """Catches a shape remembered though it was a word for absent that had it."""
    mapping = Mapping.compile(MappingSpec.model_validate(spec), COLUMNS)
    columnwise = Columnwise.of(mapping)
    for rows in tables:
        table = Table([cell for row in rows for cell in row], len(COLUMNS))
        checked = columnwise.check(table)
        keys = list(zip(*checked.columns, strict=True))
        assert len(keys) == len(rows)
        for number, row in enumerate(rows):
            exact = mapping.check(row)
            if isinstance(exact, Rejected):
                assert checked.rejected[number] == exact
                continue
            assert number not in checked.rejected
            assert keys[number] == (exact.record_id, *exact.names)


def test_what_is_remembered_of_a_column_is_bounded(monkeypatch):
    monkeypatch.setattr("adapters.mapping.columnwise._REMEMBERED", 1)
    mapping = Mapping.compile(MappingSpec.model_validate(PLAIN), COLUMNS)
    columnwise = Columnwise.of(mapping)
    rows = [
        row_of({4: began, 7: type_}) for began in ("2024", "2024-03") for type_ in "A "
    ]
    table = Table([cell for row in rows for cell in row], len(COLUMNS))
    for _ in range(2):
        assert set(columnwise.check(table).rejected) == {1, 3}
    assert all(len(shapes.good) == 1 for shapes in columnwise.times)
    assert len(columnwise.kinds.good) == 1


@given(st.lists(st.integers(0, 10**10 - 1).map(lambda n: f"{n:010d}"), max_size=40))
@example(["9990000018", "9990000018", "0000000000", "1111111111", "9999999999"])
def test_numbers_weighed_together_fail_as_they_do_alone(numbers):
    alone = {n for n in numbers if nhs_number.normalise(n) is None}
    assert nhs_number.failing(numbers) == alone
    assert all(map(nhs_number.is_plain, numbers))
