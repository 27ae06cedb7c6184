"""A mapping reads rows: what each becomes, and why some become nothing."""

import pytest
from pydantic import ValidationError

from adapters.contract import Code, Identifier
from adapters.mapping import Mapping, MappingSpec, Rejected, missing, not_there
from adapters.mapping.columns import looks_foreign
from adapters.nhs_number import SYSTEM
from tests.people import number

COLUMNS = (
    *("id", "site", "pid", "nhs", "type", "title", "state", "began", "left", "day"),
    *("clock", "codes", "shown", "value", "unit", "label", "org", "dob", "flag"),
)
PLAIN = {
    "record_id": "id",
    "kind": "ed_attendance",
    "start": "began",
    "identifiers": [
        {"column": "pid", "system": "urn:pid", "key": True, "absent": ["TEST"]},
        {"column": "nhs", "system": "http://fhir.nhs.net/Id/nhs-number"},
    ],
    "absent": ["null"],
}


def read(cells, **more):
    spec = MappingSpec.model_validate({**PLAIN, **more})
    row = [{"id": "r1", "pid": "P1", **cells}.get(column, "") for column in COLUMNS]
    mapping = Mapping.compile(spec, COLUMNS)
    result = mapping.read(row)
    checked = mapping.check(row)
    # What intake lets through must be what a question can read, and no more.
    assert isinstance(result, Rejected) == isinstance(checked, Rejected)
    return result


def event(cells, **more):
    result = read(cells, **more)
    assert not isinstance(result, Rejected), result
    return result.event


def test_a_row_with_nothing_but_its_names_is_an_undated_event():
    found = event({})
    assert (found.kind, found.record_id, found.start) == ("ed_attendance", "r1", None)
    assert found.title == "Ed attendance"
    assert found.subject == frozenset({Identifier("urn:pid", "P1")})
    assert found.caveats == ()


def test_nhs_numbers_are_normalised_under_the_current_system():
    digits = number(0)
    found = event({"nhs": f" {digits[:3]}-{digits[3:6]}-{digits[6:]} "})
    assert Identifier(SYSTEM, digits) in found.subject


@pytest.mark.parametrize("written", ["9990000001", "0000000000", "943476591", "none"])
def test_an_nhs_number_that_fails_links_nobody_and_is_counted(written):
    result = read({"nhs": written})
    assert result.notes == ("invalid_number",)
    assert result.event.subject == frozenset({Identifier("urn:pid", "P1")})


@pytest.mark.parametrize("written", ["", " ", "null", "NULL"])
def test_an_absent_number_is_no_invalid_one(written):
    assert read({"nhs": written}).notes == ()


@pytest.mark.parametrize(
    ("cells", "reason", "column"),
    [
        ({"id": " "}, "no_record_id", "id"),
        ({"id": "null"}, "no_record_id", "id"),
        ({"pid": "TEST"}, "no_identifier", "pid"),
        ({"pid": "", "nhs": "123"}, "no_identifier", "pid"),
        ({"began": "yesterday"}, "not_a_time", "began"),
        ({"began": "2024-03-01x"}, "not_a_time", "began"),
    ],
)
def test_a_row_that_cannot_be_an_event_says_why(cells, reason, column):
    assert read(cells) == Rejected(reason, column)


@pytest.mark.parametrize("cell", ["2023-02-30", "2024-01-01T25:61", "2024-13-01"])
def test_an_impossible_time_is_kept_as_written_and_flagged(cell):
    found = event({"began": cell})
    assert found.start is None
    assert found.caveats == ("impossible_time",)
    assert [(d.element, d.value) for d in found.detail] == [("start", cell)]


@pytest.mark.parametrize("cell", ["null", "1800-01-01", "9999-12-31", "0001-01-01"])
def test_a_time_the_source_marks_as_unknown_is_undated(cell):
    start = {"column": "began", "absent": ["1800-01-01"]}
    found = event({"began": cell}, start=start)
    assert found.start is None
    assert found.caveats == ("unknown_time",)


def test_a_cell_of_no_format_can_be_kept_undated():
    start = {"column": "began", "unreadable": "undated"}
    found = event({"began": "last Tuesday"}, start=start)
    assert found.caveats == ("impossible_time",)
    assert found.detail[0].value == "last Tuesday"


def test_formats_are_tried_in_order_and_a_later_one_may_know_the_day():
    start = {"column": "began", "formats": ["%Y%m%d", "%d%m%Y"]}
    assert event({"began": "31122020"}, start=start).start.text == "2020-12-31"


SPLIT = {
    "date": "day",
    "formats": ["iso", "%d/%m/%Y"],
    "time": "clock",
    "time_formats": ["%H%M"],
    "time_absent": ["4000"],
}


@pytest.mark.parametrize(
    ("day", "clock", "text", "caveats"),
    [
        ("2024-07-01", "0930", "2024-07-01T09:30:00+01:00", ()),
        ("01/07/2024", "", "2024-07-01", ()),
        ("2024-07-01 00:00:00", "0930", "2024-07-01T09:30:00+01:00", ()),
        ("2024-07-01 00:00:00", "", "2024-07-01", ()),
        ("2024-07-01", "4000", "2024-07-01", ("unknown_time",)),
        ("2024-07-01", "2561", "2024-07-01", ("impossible_time",)),
        ("2024-10-27", "0130", "2024-10-27T01:30:00+01:00", ("ambiguous_time",)),
        ("2024-07", "0930", "2024-07", ()),
    ],
)
def test_a_date_and_a_clock_column_make_one_time(day, clock, text, caveats):
    found = event({"day": day, "clock": clock}, start=SPLIT)
    assert found.start.text == text
    assert found.caveats == caveats


@pytest.mark.parametrize(
    ("day", "clock", "caveats"),
    [("", "0930", ()), ("2024-02-30", "0930", ("impossible_time",))],
)
def test_a_clock_without_a_day_is_no_time(day, clock, caveats):
    found = event({"day": day, "clock": clock}, start=SPLIT)
    assert found.start is None
    assert found.caveats == caveats


def test_a_clock_of_no_shape_rejects_the_row():
    result = read({"day": "2024-07-01", "clock": "noon"}, start=SPLIT)
    assert result == Rejected("not_a_time", "clock")


@pytest.mark.parametrize(
    ("began", "left", "caveats"),
    [
        ("2024-05-02", "2024-05-01", ("reversed",)),
        ("2024-05-01T10:00", "2024-05-01", ()),
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00", ()),
        ("2024-05-01T10:00:00", "2024-05-01T09:59:59", ("reversed",)),
    ],
)
def test_an_end_before_its_start_is_kept_and_flagged(began, left, caveats):
    found = event({"began": began, "left": left}, end="left")
    assert found.end.text.startswith("2024-05-01")
    assert found.caveats == caveats


BY_COLUMN = {"column": "type", "codes": {"A": "community_contact", "D": "death"}}


def test_kinds_by_column_are_closed_unless_the_mapping_opens_them():
    assert event({"type": "A"}, kind=BY_COLUMN).kind == "community_contact"
    assert read({"type": "Z"}, kind=BY_COLUMN) == Rejected("unknown_kind", "type")
    assert read({"type": ""}, kind=BY_COLUMN) == Rejected("unknown_kind", "type")
    other = event({"type": "Z"}, kind={**BY_COLUMN, "otherwise": "other"})
    assert (other.kind, other.kind_code) == ("other", "Z")
    assert other.caveats == ("untranslated_code",)


STATUS = {"column": "state", "codes": {"Open": "active", "unknown": "unknown"}}


@pytest.mark.parametrize(
    ("word", "status", "kept", "caveats"),
    [
        ("Open", "active", ["Open"], ()),
        ("unknown", "unknown", [], ()),
        ("", "unknown", [], ()),
        ("Paused", "unknown", ["Paused"], ("untranslated_code",)),
    ],
)
def test_the_sources_own_status_word_is_kept(word, status, kept, caveats):
    found = event({"state": word}, status=STATUS)
    assert found.status == status
    assert [d.value for d in found.detail if d.element == "status"] == kept
    assert found.caveats == caveats


@pytest.mark.parametrize(
    ("left", "status"),
    [("2024-01-02", "finished"), ("", "active"), ("2024-02-31", "unknown")],
)
def test_a_status_may_follow_from_the_end(left, status):
    by_end = {"ended": "finished", "open": "active"}
    assert event({"left": left}, status=by_end, end="left").status == status


def test_titles_take_the_first_template_whose_columns_are_filled():
    title = ["{title} ({type})", "{title}", "Contact {not a column"]
    assert event({"title": "A{0}", "type": "x"}, title=title).title == "A{0} (x)"
    assert event({"title": "Fall\nat  home"}, title=title).title == "Fall at home"
    assert event({}, title=title).title == "Contact {not a column"


def test_control_characters_are_removed_and_said():
    found = event({"title": "Fa\x07ll"}, title="{title}")
    assert found.title == "Fall"
    assert found.caveats == ("control_characters",)


def test_codes_split_and_keep_their_display():
    codes = [
        {"column": "codes", "system": "urn:icd", "split": ",", "display": "shown"},
        {"column": "value", "system_column": "unit"},
        {"display": "title"},
    ]
    cells = {"codes": "I10, J45,", "shown": "Two", "value": "7", "title": "Own words"}
    assert event(cells, codes=codes).codes == (
        Code("urn:icd", "I10", "Two"),
        Code("urn:icd", "J45", "Two"),
        Code(None, "7"),
        Code(None, None, "Own words"),
    )
    assert event({}, codes=codes).codes == ()


def test_detail_keeps_units_fixed_or_by_column():
    detail = [
        {"column": "value", "element": "weight", "unit": "kg"},
        {"column": "value", "element": "again", "unit_column": "unit"},
        {"column": "shown", "element": "nothing"},
    ]
    found = event({"value": "71.5", "unit": "lb"}, detail=detail).detail
    assert [(d.element, d.value, d.unit) for d in found] == [
        ("weight", "71.5", "kg"),
        ("again", "71.5", "lb"),
    ]


def test_a_label_that_is_not_translated_is_kept_since_it_may_hide():
    column = {"column": "label", "codes": {"S": "SEX"}, "split": ";"}
    found = event({"label": "S;new"}, labels=["PSY"], label_column=column)
    assert found.labels == frozenset({"PSY", "SEX", "new"})
    assert found.caveats == ("untranslated_code",)
    assert event({}, label_column=column).labels == frozenset()


def test_several_columns_make_one_record_id():
    assert event({"site": "S1"}, record_id=["site", "id"]).record_id == "S1/r1"
    assert read({}, record_id=["site", "id"]) == Rejected("no_record_id", "site")


def test_a_person_is_as_most_rows_tell_it():
    spec = MappingSpec.model_validate(
        {
            **PLAIN,
            "person": {
                "name": ["title", "shown"],
                "birth_date": "dob",
                "gender": "type",
            },
            "flags": [{"flag": "ndo", "column": "flag", "present": ["Y"]}],
        }
    )
    mapping = Mapping.compile(spec, COLUMNS)
    rows = [
        [{"dob": dob, "title": "Ann", "flag": flag}.get(c, "") for c in COLUMNS]
        for dob, flag in [("1950-01-01", ""), ("1950-01-01", "Y"), ("nonsense", "")]
    ]
    person = mapping.person.person(rows, ())
    assert (person.name, person.gender) == ("Ann", None)
    assert person.birth_date is not None
    assert person.birth_date.text == "1950-01-01"


WRONG = [
    ({"kind": "no_such"}, "vocabulary"),
    ({"kind": {"column": "type"}}, "codes"),
    ({"kind": {"fixed": "death", "column": "type", "codes": {"A": "death"}}}, "either"),
    ({"kind": {"fixed": "death", "codes": {"A": "death"}}}, "column"),
    ({"status": "done"}, "status"),
    ({"status": {"ended": "finished"}}, "both"),
    ({"status": {"ended": "finished", "open": "active"}}, "end column"),
    ({"zone": "Europe/Leeds"}, "time zone"),
    ({"zone": "../etc"}, "time zone"),
    ({"dates": ["%H%M"]}, "time_formats"),
    ({"dates": []}, "1 item"),
    ({"start": {"time": "clock"}}, "either a column"),
    ({"start": {"column": "began", "time": "clock"}}, "date column"),
    ({"start": {"date": "day", "time": "clock", "time_formats": ["iso"]}}, "clock"),
    ({"identifiers": []}, "1 item"),
    ({"identifiers": [{"column": "nhs", "system": "NHS"}]}, "published system"),
    ({"identifiers": [{"column": "id", "system": SYSTEM}]}, "record_id"),
    ({"identifiers": [PLAIN["identifiers"][0]] * 2}, "only one"),
    ({"codes": [{"system": "urn:x"}]}, "column of codes"),
    ({"codes": [{"column": "id", "system": "x", "system_column": "y"}]}, "not both"),
    ({"surprise": 1}, "not permitted"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_mapping_that_cannot_be_right_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        MappingSpec.model_validate({**PLAIN, **change})


def test_a_kind_without_a_start_column_is_refused_by_name():
    lacking = {key: value for key, value in PLAIN.items() if key != "start"}
    with pytest.raises(ValidationError, match="'ed_attendance' without a start column"):
        MappingSpec.model_validate(lacking)
    with pytest.raises(ValidationError, match="valid"):
        MappingSpec.model_validate("nothing")


def test_columns_that_are_not_there_are_named_with_those_that_are():
    spec = MappingSpec.model_validate(
        {**PLAIN, "person": {"name": "who", "gender": "sex", "birth_date": "dob"}}
    )
    gone = missing(spec, ["id", "pid", "nhs", "nhs", "began", "dob"])
    assert [(place[-1], column) for place, column in gone] == [
        ("column", "nhs"),
        ("name", "who"),
        ("gender", "sex"),
    ]
    assert "two columns 'nhs'" in not_there("nhs", ["nhs", "nhs"])
    assert "There are: a, b." in not_there("nhs", ["a", "b"])
    assert looks_foreign(spec, ["9990000001", "a line of data"])
    assert not looks_foreign(spec, ["id", "pid", "nhs", "began", "dob"])
