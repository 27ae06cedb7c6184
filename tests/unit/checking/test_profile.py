"""A profile counts what stands in mapped columns, and tells of nobody."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.mapping import MappingSpec
from gateway.checking.profile import profile_of, told
from gateway.checking.rows import Batch, Held
from tests.people import number

COLUMNS = ("id", "key", "nhs", "born", "start", "state", "kind", "title")
MAPPING: dict[str, Any] = {
    "record_id": "id",
    "dates": ["%d/%m/%Y"],
    "absent": ["null"],
    "kind": {"column": "kind", "codes": {"V": "community_contact"}},
    "status": {"column": "state", "codes": {"Seen": "finished"}},
    "start": {"column": "start", "absent": ["01/01/1800"]},
    "title": "{title}",
    "identifiers": [
        {"column": "key", "system": "urn:example:key", "key": True},
        {
            "column": "nhs",
            "system": "https://fhir.nhs.uk/Id/nhs-number",
            "absent": ["0000000000"],
        },
    ],
    "person": {"birth_date": "born"},
}


def rows(count=20, **changed):
    """Visits of so many people, one each; a function of the row changes a column."""
    made = []
    for n in range(count):
        row = {
            "id": f"V{n}",
            "key": f"K{n}",
            "nhs": number(n),
            "born": f"{1 + n % 28:02d}/03/19{40 + n % 40}",
            "start": f"{1 + n % 28:02d}/05/2025",
            "state": "Seen",
            "kind": "V",
            "title": "Dressing",
        }
        made.append([str(changed[c](n)) if c in changed else row[c] for c in COLUMNS])
    return made


def profile(made, *, bad=(), mapping=MAPPING):
    batch = Batch(columns=COLUMNS, rows=made, bad=dict.fromkeys(bad, 1))
    spec = MappingSpec.model_validate(mapping)
    return profile_of(Held(spec=spec, batches=(batch,), is_whole=True))


def column(made, name, **more):
    (found,) = (c for c in profile(made, **more).columns if c.column == name)
    return found


def test_filled_absent_and_distinct_are_counted():
    made = rows(title=lambda n: ("Dressing", "", "NULL", "Review")[n % 4])
    found = column(made, "title")
    assert (found.filled, found.absent, found.distinct) == (10, 5, 2)


def test_times_are_told_by_the_month_and_births_by_the_year():
    made = rows()
    start, born = column(made, "start"), column(made, "born")
    assert (start.first, start.last) == ("2025-05", "2025-05")
    assert (born.first, born.last) == ("1940", "1959")


def test_of_a_few_rows_no_time_is_told():
    found = column(rows(4), "start")
    assert found.first is found.last is None


def test_what_is_no_time_and_what_is_no_day_are_not_read():
    made = rows(start=lambda n: ("31/02/2025", "soon", "01/05/2025")[n % 3])
    found = column(made, "start")
    assert found.unreadable == 14
    assert profile(made).rejected == {"not_a_time": 7}


def test_a_day_that_is_absent_is_neither_filled_nor_unreadable():
    found = column(rows(start=lambda _: "01/01/1800"), "start")
    assert (found.filled, found.absent, found.unreadable) == (0, 20, 0)


def test_words_without_translation_are_shown_if_five_people_have_them():
    made = rows(
        state=lambda n: "Sent home" if n < 5 else "Mrs Ponsonby" if n < 9 else "Seen"
    )
    found = column(made, "state")
    assert found.untranslated == 9
    assert found.words == ("Sent home",)


def test_a_kind_without_translation_rejects_its_row():
    made = rows(kind=lambda n: "X" if n < 6 else "V")
    assert column(made, "kind").words == ("X",)
    assert profile(made).rejected == {"unknown_kind": 6}


def test_numbers_are_valid_invalid_or_placeholders():
    made = rows(nhs=lambda n: ("0000000000", "1234567890", number(n))[n % 3])
    found = column(made, "nhs")
    assert (found.absent, found.invalid, found.valid) == (7, 7, 6)
    assert column(made, "key").valid is None


def test_a_value_beside_five_people_is_counted_as_shared():
    assert (
        column(rows(nhs=lambda n: number(0) if n < 5 else number(n)), "nhs").shared == 1
    )
    assert (
        column(rows(nhs=lambda n: number(0) if n < 4 else number(n)), "nhs").shared == 0
    )
    assert column(rows(key=lambda _: "K"), "key").shared == 1


def test_without_a_key_a_number_tells_people_apart():
    mapping = {**MAPPING, "identifiers": [MAPPING["identifiers"][1]]}
    made = rows(state=lambda n: "Sent home" if n < 5 else "Seen")
    assert column(made, "state", mapping=mapping).words == ("Sent home",)


def test_ids_and_rows_that_come_again_are_counted_apart():
    made = rows()
    made += [made[3], made[3], [made[4][0], *made[5][1:]]]
    found = profile(made)
    assert (found.rows, found.repeated_ids, found.repeated_rows) == (23, 1, 2)


def test_records_that_are_none_count_as_rows():
    found = profile(rows(), bad=["wrong_width"])
    assert found.rows == 21
    assert found.rejected == {"wrong_width": 1}
    assert found.share(21) == 1


def test_nothing_is_no_share_of_nothing():
    assert profile([]).share(0) == 0


@pytest.mark.parametrize(("count", "said"), [(0, 0), (1, "<5"), (4, "<5"), (5, 5)])
def test_small_counts_are_not_told(count, said):
    assert told(count) == said


def test_a_profile_as_json_tells_of_nobody():
    made = rows(nhs=lambda n: "1234567890" if n == 0 else number(n))
    said = profile(made).as_json()
    assert [c["invalid"] for c in said["columns"] if c["column"] == "nhs"] == ["<5"]
    for cell in {cell for row in made for cell in row} - {"Seen", "V", "Dressing"}:
        assert cell not in str(said)


def test_what_is_held_does_not_show_in_a_repr():
    held = Held(
        spec=MappingSpec.model_validate(MAPPING),
        batches=(Batch(columns=COLUMNS, rows=rows()),),
        is_whole=True,
        arrivals=(datetime(2025, 1, 1, tzinfo=UTC),),
    )
    assert number(0) not in repr(held)
