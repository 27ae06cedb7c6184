"""Columns are given their parts by name and content; what is no proof is a guess."""

import pytest

from gateway.onboarding.facts import (
    depends,
    facts_of,
    is_snomed,
    percent,
    shared_words,
)
from gateway.onboarding.guess import ICD_10, SNOMED
from gateway.onboarding.synonyms import STRONG, synonyms, words
from tests.extracts import HEADER, guessed, sample_of, visits
from tests.people import number


def with_column(name, cells, *, rows=None):
    """The usual rows with one more column."""
    own = rows or visits()
    filled = [cells[n % len(cells)] for n in range(len(own))]
    return [(*row, cell) for row, cell in zip(own, filled, strict=True)], (
        *HEADER,
        name,
    )


def test_an_ordinary_extract_is_understood_whole():
    found = guessed(visits())
    assert found.record_id.columns == ("Visit Ref",)
    assert found.person_key.columns == ("Client No",)
    assert found.nhs_number.columns == ("NHS Number",)
    assert found.birth_date.column == "Date of Birth"
    assert found.start.column == "Visit Date"
    assert found.status.codes == {"Attended": "finished", "DNA": "did-not-attend"}
    assert found.kind.columns == ("community_contact",)
    assert found.unmapped == found.warnings == ()
    sure = (found.record_id, found.person_key, found.nhs_number, found.start)
    assert all(each.is_sure for each in sure)


def test_names_that_say_nothing_are_made_up_for_by_what_stands_there():
    header = ("a", "b", "c", "d", "e", "f")
    found = guessed(visits(), header=header)
    assert found.nhs_number.columns == ("c",)
    assert found.birth_date.column == "d"
    assert found.start.column == "e"
    assert found.record_id.columns == ("a",)
    assert found.person_key.columns == ("b",)
    assert not found.person_key.is_sure
    assert not found.record_id.is_sure
    assert not found.start.is_sure


def test_a_start_and_an_end_without_names_are_told_by_their_order():
    rows = [(*r[:4], r[4], f"{r[4][:6]}2031") for r in visits()]
    found = guessed(rows, header=("a", "b", "c", "d", "e", "f"))
    assert (found.start.column, found.end.column) == ("e", "f")
    turned = [(*r[:4], f"{r[4][:6]}2031", r[4]) for r in visits()]
    found = guessed(turned, header=("a", "b", "c", "d", "e", "f"))
    assert (found.start.column, found.end.column) == ("f", "e")


def test_a_weak_name_is_an_end_only_where_it_follows():
    rows, header = with_column("Gone", ["31/12/2027"])
    assert guessed(rows, header=header).end.column == "Gone"
    rows, header = with_column("Gone", ["31/12/1999"])
    assert guessed(rows, header=header).end is None


def test_an_nhs_number_by_name_alone_is_not_one():
    rows = [(*r[:2], f"PSEUDO{r[1]}", *r[3:]) for r in visits()]
    found = guessed(rows)
    assert found.nhs_number is None
    assert any("is called an NHS number" in each for each in found.warnings)
    assert found.person_key.columns == ("Client No",)


def test_nobody_by_any_name_is_nobody():
    rows = [(r[0], "x", "y", *r[3:]) for r in visits()]
    found = guessed(rows, header=("a", "b", "c", "d", "e", "f"))
    assert found.nhs_number is found.person_key is None


def test_without_a_column_that_is_unique_several_together_are_the_record():
    rows = [("V1", *r[1:]) for r in visits()]
    found = guessed(rows)
    assert found.record_id.columns == ("Client No", "Visit Date")
    assert not found.record_id.is_sure


def test_nothing_is_the_record_where_only_half_filled_cells_tell_rows_apart():
    rows = [
        ("V1", r[1], r[2], r[3], "01/02/2025", r[5], str(n) if n % 2 else "")
        for n, r in enumerate(visits())
    ]
    assert guessed(rows, header=(*HEADER, "z")).record_id is None


def test_rows_that_come_twice_do_not_spoil_their_id():
    found = guessed([*visits(), visits()[3]])
    assert found.record_id.columns == ("Visit Ref",)
    assert found.record_id.is_sure


def test_an_id_that_is_sometimes_repeated_is_a_guess_with_its_count():
    rows = visits()
    rows[7] = (rows[3][0], *rows[7][1:])
    found = guessed(rows)
    assert found.record_id.columns == ("Visit Ref",)
    assert not found.record_id.is_sure
    assert "1 of 60 rows" in found.record_id.because


def test_a_surname_is_never_a_record_id_nor_a_key():
    rows = [(f"Name{n}", *r[1:]) for n, r in enumerate(visits())]
    found = guessed(rows, header=("Surname", *HEADER[1:]))
    assert found.record_id.columns == ("Client No", "Visit Date")
    assert found.name.columns == ("Surname",)


def test_codes_of_snomed_are_known_by_their_check_digit():
    rows, header = with_column("Reason Code", ["40055000", "609328004"])
    (code,) = guessed(rows, header=header).codes
    assert (code.column, code.system, code.is_sure) == ("Reason Code", SNOMED, True)


def test_a_code_has_the_words_beside_it():
    rows, header = with_column("Reason Code", ["40055000", "609328004"])
    rows = [(*r, "Sinus" if r[-1] == "40055000" else "Allergy") for r in rows]
    (code,) = guessed(rows, header=(*header, "Reason Description")).codes
    assert code.display == "Reason Description"


def test_codes_of_icd_10_need_a_name_beside_their_shape():
    rows, header = with_column("Diagnosis", ["F32.1", "J27", "Z370"])
    (code,) = guessed(rows, header=header).codes
    assert (code.system, code.is_sure) == (ICD_10, False)
    rows, header = with_column("Ward", ["F32", "J27", "Z37"])
    assert guessed(rows, header=header).codes == ()


def test_one_number_alone_is_no_code():
    rows, header = with_column("Period", ["40055000"])
    assert guessed(rows, header=header).codes == ()


def test_a_status_may_be_known_by_its_words_alone():
    found = guessed(visits(), header=(*HEADER[:-1], "zz"))
    assert found.status.column == "zz"
    assert found.status.because == "by its words"


def test_status_words_without_translation_are_named_only_if_many_people_have_them():
    rows = [(*r[:5], "Sent home" if n % 2 else r[5]) for n, r in enumerate(visits())]
    rows[0] = (*rows[0][:5], "Tell Mrs Ponsonby")
    status = guessed(rows).status
    assert status.untranslated == ("Sent home",)
    assert status.others == 1


def test_a_status_column_of_strange_words_is_left_alone():
    rows = [(*r[:5], "zz" if n % 2 else "yy") for n, r in enumerate(visits())]
    assert guessed(rows).status is None


def changed(at, cell, where, *, rows=None):
    """The usual rows with one column's cell changed where its number says so."""
    return [
        (*r[:at], cell, *r[at + 1 :]) if where(n) else r
        for n, r in enumerate(rows or visits())
    ]


def test_a_day_that_means_nothing_is_listed_and_not_counted():
    start = guessed(changed(4, "01/01/1800", lambda n: n % 5 == 0)).start
    assert start.absent == ("01/01/1800",)
    assert start.reading.filled == 48


def test_a_day_that_may_be_somebodys_is_listed_only_where_many_share_it():
    few = changed(3, "01/01/1900", lambda n: n % 12 == 3)
    assert guessed(few).birth_date.absent == ()
    many = changed(3, "01/01/1900", lambda n: n % 3 == 0, rows=visits(600, people=120))
    assert guessed(many).birth_date.absent == ("01/01/1900",)


def of_five(n):
    return n % 12 in {1, 3, 5, 7, 9}


def test_a_value_that_many_share_is_a_placeholder():
    (found,) = guessed(changed(2, "0000000001", of_five)).placeholders
    assert (found.column, found.value) == ("NHS Number", "0000000001")
    assert (found.people, found.is_number) == (5, False)


def test_a_shared_value_that_passes_as_a_number_is_marked_and_not_shown():
    shared = number(40)
    (found,) = guessed(changed(2, shared, of_five)).placeholders
    assert found.is_number
    assert shared not in repr(found)


def test_the_clock_beside_a_date_is_read_by_its_own_format():
    rows, header = with_column("Visit Time", ["0915", "1015", "1400"])
    start = guessed(rows, header=header).start
    assert (start.clock, start.clock_formats) == ("Visit Time", ("%H%M",))


def test_demographics_are_known_by_name_and_addresses_left_out():
    rows = [(*r, "Ann", "Oak", "1 High St", "M", "LS1 1AB") for r in visits()]
    header = (*HEADER, "Forename", "Surname", "Address 1", "Gender", "Postcode")
    found = guessed(rows, header=header)
    assert found.name.columns == ("Forename", "Surname")
    assert (found.gender.column, found.postcode.column) == ("Gender", "Postcode")
    assert "Address 1" not in found.unmapped


def test_an_organisation_is_known_by_name_and_shape():
    rows, header = with_column("Provider", ["RJ1", "RX4", "Y02"])
    assert guessed(rows, header=header).organisation.columns == ("Provider",)
    rows, header = with_column("Provider", ["Marsh Hospital"])
    assert guessed(rows, header=header).organisation is None


def test_a_version_and_a_time_of_writing_are_known_by_name():
    rows, header = with_column("Row Version", ["1", "2"])
    rows = [(*r, f"2025-03-01 10:{n % 60:02d}:00") for n, r in enumerate(rows)]
    found = guessed(rows, header=(*header, "Last Updated At"))
    assert found.version.columns == ("Row Version",)
    assert found.recorded.column == "Last Updated At"


def test_times_that_say_nothing_of_the_person_are_never_the_start():
    rows = [(r[0], r[1], r[2], r[3], r[4], r[4]) for r in visits()]
    found = guessed(rows, header=(*HEADER[:4], "Expiry Date", "Next Review Date"))
    assert found.start is None
    assert set(found.times) == {"Date of Birth", "Expiry Date", "Next Review Date"}


@pytest.mark.parametrize(
    ("column", "cells", "says"),
    [
        ("Discharge Date", ["13/02/24", "14/02/24"], "years of two digits"),
        ("Discharge Date", ["Monday week", "after tea"], "of no format that is known"),
        ("Discharge Date", ["20250730T11525000"], "offset of no hours"),
    ],
)
def test_what_cannot_be_read_or_may_be_read_wrongly_is_said(column, cells, says):
    rows, header = with_column(column, cells)
    (warning,) = guessed(rows, header=header).warnings
    assert says in warning


def test_two_columns_of_one_name_are_warned_of_and_given_no_part():
    rows = [(*r, "x", "y") for r in visits()]
    found = guessed(rows, header=(*HEADER, "Note", "Note"))
    assert any("two columns 'Note'" in each for each in found.warnings)
    assert "Note" not in found.unmapped


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["Arrival", "Triage"], "ed_attendance"),
        (["Ward", "Admission Date"], "inpatient_spell"),
        (["Vaccine", "Dose sequence"], "immunisation"),
        (["xx"], "social_care_service"),
    ],
)
def test_the_kind_is_guessed_from_all_names_or_the_sector(names, kind):
    assert synonyms().kind(names, "social-care")[0] == kind


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ArrivalDate", "arrival date"),
        ("ARRIVAL_DATE", "arrival date"),
        ("A&E No.", "a e no"),
    ],
)
def test_names_are_compared_by_their_words(name, said):
    assert words(name) == said


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("NHS_NUMBER", "nhs_number"),
        ("LA_Person_Unique_Identifier", "person_key"),
        ("Local Patient Identifier", "person_key"),
        ("arrival_datetime", "start"),
        ("Event_Start_Date", "start"),
        ("discharge_date", "end"),
        ("PERSON_DOB", "birth_date"),
        ("attendance_id", "record_id"),
        ("created_timestamp", "recorded"),
    ],
)
def test_names_of_real_extracts_are_known(name, role):
    assert synonyms().strength(name, role) == STRONG


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("40055000", True),
        ("308081000000105", True),
        ("40055001", False),
        ("12345", False),
    ],
)
def test_the_check_digit_of_snomed_is_kept(code, right):
    assert is_snomed(code) is right


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 10_000, "0.1 %"),
        (9_999, 10_000, "99.9 %"),
        (1, 2, "50 %"),
        (0, 0, "none"),
    ],
)
def test_a_share_never_rounds_to_all_or_nothing(part, whole, said):
    assert percent(part, whole) == said


def test_a_word_is_shared_only_by_people():
    sample = sample_of([(f"V{n}", "C1", number(0), "", "", "same") for n in range(20)])
    assert shared_words(sample, "Outcome", "Client No") == {}
    assert depends(sample, "Outcome", "Visit Ref") == 0.0


def test_facts_of_a_column_hold_no_cell_in_their_repr():
    facts = facts_of(sample_of(visits()), synonyms())
    assert number(0) not in repr(facts)
