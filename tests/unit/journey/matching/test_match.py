"""How sure it is that two descriptions are of one person, and what is never tied."""

from datetime import UTC, datetime

import pytest

from adapters import nhs_number
from adapters.contract import Identifier, Person, Traced
from adapters.moment import read_iso
from gateway.journey.matching.compare import compared
from gateway.journey.matching.match import (
    Match,
    Thresholds,
    choose,
    match,
    probability,
)
from gateway.journey.matching.traced import are_one
from gateway.journey.matching.weights import chances, levels
from tests.people import number

LOCAL = Identifier("urn:test:local", "L-1")


def numbered(nth):
    return Identifier(nhs_number.SYSTEM, number(nth))


def described(
    name="Robert John Quillfield",
    born="1956-03-14",
    gender="male",
    postcode="QZ1 4AB",
    *,
    identifiers=(),
):
    when = read_iso(born) if born else None
    return Person(
        identifiers=frozenset(identifiers),
        name=name,
        birth_date=when[0] if when else None,
        gender=gender,
        postcode=postcode,
    )


ROBERT = described()


def level(field, **changed):
    told = compared(ROBERT, described(**changed))
    return told[field][0] if field in told else None


@pytest.mark.parametrize(
    ("name", "forename", "surname"),
    [
        ("Robert Quillfield", "exact", "exact"),
        ("QUILLFIELD, Robert", "exact", "exact"),
        ("Bob Quillfield", "form", "exact"),
        ("John Quillfield", "near", "exact"),
        ("John Robert Quillfield", "near", "exact"),
        ("R Quillfield", "near", "exact"),
        ("Rboert Quillfield", "near", "exact"),
        ("Peter Quillfield", "differs", "exact"),
        ("Robert Quilfield", "exact", "near"),
        ("Robert Quillfield-Marham", "exact", "near"),
        ("Robert Marham", "exact", "differs"),
        ("Quillfield Robert", "near", "near"),
        ("Peter Robert", "differs", "differs"),
        ("Quillfield", None, "exact"),
        ("Baby Quillfield", None, "exact"),
    ],
)
def test_names_agree_as_far_as_they_do(name, forename, surname):
    assert level("forename", name=name) == forename
    assert level("surname", name=name) == surname


def test_an_initial_alone_is_never_an_exact_forename():
    short = described("R Quillfield")
    assert compared(short, short)["forename"][0] == "near"


@pytest.mark.parametrize(
    ("born", "field", "expected"),
    [
        ("1956-03-14", "birth_date", "exact"),
        ("1956-03-15", "birth_date", "near"),
        ("1957-03-14", "birth_date", "near"),
        ("1965-03-14", "birth_date", "differs"),
        ("1926-03-14", "birth_date", "differs"),
        ("1956-04-22", "birth_date", "differs"),
        ("1956", "birth_year", "part"),
        ("1956-03", "birth_year", "part"),
        ("1956-01-01", "birth_year", "part"),
        ("1957-01-01", "birth_year", "differs"),
        ("1900-01-01", "birth_year", None),
        ("1800-01-01", "birth_date", None),
        (None, "birth_date", None),
    ],
)
def test_dates_of_birth_agree_as_far_as_they_do(born, field, expected):
    assert level(field, born=born) == expected


def test_day_and_month_exchanged_are_near():
    found = compared(described(born="1956-03-12"), described(born="1956-12-03"))
    assert found["birth_date"][0] == "near"


@pytest.mark.parametrize(
    ("postcode", "expected"),
    [
        ("qz14ab", "exact"),
        ("QZ1 4AD", "near"),
        ("QZ1 5AB", "part"),
        ("QZ2 4AB", "differs"),
        ("ZZ99 3VZ", None),
        ("not known", None),
        (None, None),
    ],
)
def test_postcodes_agree_as_far_as_they_do(postcode, expected):
    assert level("postcode", postcode=postcode) == expected


@pytest.mark.parametrize(
    ("gender", "expected"),
    [
        (" Male ", "exact"),
        ("1", "exact"),
        ("F", "differs"),
        ("other", None),
        ("unknown", None),
        (None, None),
    ],
)
def test_genders_agree_or_differ(gender, expected):
    assert level("gender", gender=gender) == expected


def test_what_neither_tells_says_nothing():
    assert compared(Person(), Person()) == {}
    assert match(Person(), Person()).grade == "certainly-not"


@pytest.mark.parametrize(
    ("other", "grade"),
    [
        (ROBERT, "certain"),
        (described("Bob Quillfield"), "probable"),
        (described("Robert Marham"), "probable"),
        (described(postcode="AB1 2CD"), "probable"),
        (described("Robert Smith", postcode=None), "possible"),
        (described(born=None), "possible"),
        (described("Peter Quillfield"), "certainly-not"),
        (described(born="1926-03-14"), "certainly-not"),
        (described("Quillfield", postcode=None), "possible"),
        (described(born=None, postcode=None), "certainly-not"),
        (described("Ada Marham", "1956-03-14"), "certainly-not"),
    ],
    ids=[
        "all_alike",
        "short_form",
        "married",
        "moved",
        "another_common_surname",
        "no_birth_date",
        "twin",
        "father_and_son",
        "no_forename",
        "name_and_gender_alone",
        "born_that_day",
    ],
)
def test_a_score_is_graded_as_a_patient_match_is(other, grade):
    known = ROBERT
    if other.postcode is None and other.name == "Robert Smith":
        known = described("Robert Smith")
    assert match(known, other).grade == grade
    assert match(other, known).grade == grade


def test_a_match_says_which_fields_agreed_and_no_value():
    found = match(ROBERT, described("Robert Marham"))
    assert found.agreed == ("forename", "birth_date", "gender", "postcode")
    assert found.differed == ("surname",)
    assert "Quillfield" not in repr(found)


def test_a_common_surname_says_less_than_a_rare_one():
    rare = match(described("Ada Quillfield"), described("Ada Quillfield"))
    common = match(described("Ada Smith"), described("Ada Smith"))
    assert common.score < rare.score


def test_the_thresholds_can_be_moved():
    strict = Thresholds(linked=0.999999, possible=0.9999)
    assert match(ROBERT, described("Robert Marham"), thresholds=strict).grade == (
        "certainly-not"
    )
    loose = Thresholds(linked=0.9, possible=0.1)
    known = described("Robert Smith")
    moved = described("Robert Smith", postcode="AB1 2CD")
    assert match(known, moved).grade == "possible"
    assert match(known, moved, thresholds=loose).grade == "probable"


def test_no_score_ties_what_too_little_was_compared_for():
    none_needed = Thresholds(linked=0.0, possible=0.0)
    for other in (
        described("Quillfield"),
        described(born=None),
        described("Robert Marham", postcode="AB1 2CD"),
        described("Peter Quillfield"),
    ):
        found = match(ROBERT, other, thresholds=none_needed)
        assert not found.is_linked
        assert found.grade == "possible"
    alone = Person(gender="male")
    assert match(ROBERT, alone, thresholds=none_needed).grade == "certainly-not"


def test_numbers_that_differ_are_two_people_whatever_else_agrees():
    mine = described(identifiers=[numbered(0)])
    theirs = described(identifiers=[numbered(1)])
    assert match(mine, theirs) == Match(
        score=0.0, grade="certainly-not", differed=("nhs_number",)
    )


def test_a_record_that_names_two_numbers_is_nobodys():
    both = described(identifiers=[numbered(0), numbered(1)])
    assert match(described(identifiers=[numbered(0)]), both).grade == "certainly-not"
    assert match(ROBERT, both).grade == "certainly-not"


def test_one_number_ties_whatever_is_missing():
    bare = Person(identifiers=frozenset({numbered(0)}))
    found = match(described(identifiers=[numbered(0)]), bare)
    assert (found.score, found.grade) == (1.0, "certain")
    assert found.agreed == ("nhs_number",)


def test_one_number_does_not_tie_two_people_who_share_nothing_else():
    stranger = described(
        "Ada Marham", "1991-07-23", "female", "AB1 2CD", identifiers=[numbered(0)]
    )
    found = match(described(identifiers=[numbered(0)]), stranger)
    assert found.grade == "certainly-not"
    assert found.agreed == ("nhs_number",)
    assert {"forename", "birth_date"} <= set(found.differed)


def test_a_number_that_one_of_them_has_ties_nothing_by_itself():
    mine = described(identifiers=[numbered(0)])
    assert match(mine, described(identifiers=[LOCAL])).grade == "certain"
    assert "nhs_number" not in match(mine, described()).agreed


def said(from_, to, how="superseded", day=1):
    at = datetime(2026, 1, day, tzinfo=UTC)
    return Traced(from_=numbered(from_), to=numbered(to), how=how, at=at)


@pytest.mark.parametrize(
    ("traces", "expected"),
    [
        ([], False),
        ([said(0, 1)], True),
        ([said(1, 0)], True),
        ([said(0, 2), said(2, 1)], True),
        ([said(0, 2)], False),
        ([said(0, 1), said(0, 1, "unmerged", 2)], False),
        ([said(0, 1, "merged", 2), said(1, 0, "unmerged", 1)], True),
        ([said(0, 1, "merged"), said(0, 1, "unmerged")], False),
        ([said(0, 1, "merged"), said(0, 1, "unmerged", 2), said(0, 1, day=3)], True),
    ],
)
def test_a_superseded_number_is_the_persons_where_a_source_says_so(traces, expected):
    assert are_one({numbered(0), numbered(1)}, traces) is expected
    mine = described(identifiers=[numbered(0)])
    theirs = described(identifiers=[numbered(1)])
    found = match(mine, theirs, traced=traces)
    assert (found.grade == "certain") is expected


def test_one_identifier_is_one():
    assert are_one({numbered(0)}, [])


def graded(grade, score=0.9):
    return Match(score=score, grade=grade)


@pytest.mark.parametrize(
    ("grades", "linked", "possible"),
    [
        ([], None, 0),
        (["certain"], 0, 0),
        (["certainly-not", "probable"], 1, 0),
        (["certain", "possible"], 0, 1),
        (["certain", "probable"], None, 2),
        (["certain", "certain", "possible"], None, 3),
        (["possible", "certainly-not"], None, 1),
    ],
)
def test_two_who_are_both_sure_enough_are_told_apart_by_nothing(
    grades, linked, possible
):
    chosen = choose([graded(each) for each in grades])
    assert (chosen.linked, chosen.possible) == (linked, possible)
    assert (chosen.how is None) == (linked is None)


@pytest.mark.parametrize(
    "field", ["forename", "surname", "birth_date", "birth_year", "gender", "postcode"]
)
def test_each_explanation_tells_every_level_of_a_field(field):
    for column in zip(*levels(field).values(), strict=True):
        assert sum(column) == pytest.approx(1.0, abs=1e-9)


def test_only_a_surname_that_is_agreed_on_has_a_frequency():
    plain = chances("surname", "exact")
    assert chances("surname", "exact", surname="smith").stranger > plain.stranger
    assert chances("surname", "exact", surname="quillfield").stranger < plain.stranger


def test_nothing_told_leaves_the_person_one_among_everybody():
    assert probability({}) == pytest.approx(1 / 852_525.53, rel=1e-9)


def test_a_name_that_is_none_leaves_the_surname_untold():
    named, unnamed = Person(name="Ann Quillfield"), Person(name="Baby")
    assert compared(named, unnamed) == {}
