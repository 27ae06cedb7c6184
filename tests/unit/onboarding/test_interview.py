"""What cannot be seen is asked; nobody there and nothing said, it is refused."""

import pytest

from gateway.onboarding.interview import Query, Said, Unanswered
from tests.extracts import HEADER, settled, visits
from tests.people import number

# Every one of these days can be read both ways.
BOTH_WAYS = [
    (*r[:3], "01/02/1950", f"0{1 + n % 9}/03/2025", r[5])
    for n, r in enumerate(visits())
]


def refused(rows, **options):
    with pytest.raises(Unanswered) as caught:
        settled(rows, **options)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def test_an_ordinary_extract_asks_nothing():
    found = settled(visits())
    assert found.start.column == "Visit Date"
    assert found.end is None


def test_day_or_month_first_is_never_taken_for_granted():
    said = refused(BOTH_WAYS)
    assert "--dates of: day-first, month-first" in said
    assert "every cell can be read both ways" in said


@pytest.mark.parametrize(
    ("order", "form"), [("day-first", "%d/%m/%Y"), ("month-first", "%m/%d/%Y")]
)
def test_the_order_said_is_taken_for_all_that_do_not_show_it(order, form):
    found = settled(BOTH_WAYS, dates=order)
    assert found.start.reading.formats == found.birth_date.reading.formats == (form,)
    assert f"{order}, as was said" in found.start.because


def test_columns_that_show_both_orders_are_asked_about_with_their_counts():
    rows = visits()
    rows[0] = (*rows[0][:4], "12/31/2025", rows[0][5])
    assert "1 can only be" in refused(rows)
    assert settled(rows, dates="day-first").start.reading.other_way == 1


def test_an_order_of_times_that_show_theirs_is_not_turned():
    assert settled(visits(), dates="month-first").start.reading.order == "day-first"


def test_an_extract_without_times_is_refused():
    rows = [(*r[:3], "x", "y", r[5]) for r in visits()]
    assert "no column holds times" in refused(rows)


def test_a_start_that_is_not_seen_is_asked_for():
    rows = [(*r[:4], r[4], r[4]) for r in visits()]
    header = (*HEADER[:4], "Expiry Date", "Next Review Date")
    with pytest.raises(Unanswered, match="--start of: "):
        settled(rows, header=header)
    found = settled(rows, header=header, start="Expiry Date")
    assert found.start.column == "Expiry Date"
    assert found.start.because.startswith("said when it was written")


def test_an_end_may_be_said_and_may_be_denied():
    rows = [(*r[:5], f"{r[4][:6]}2031") for r in visits()]
    header = (*HEADER[:5], "Discharge Date")
    assert settled(rows, header=header).end.column == "Discharge Date"
    assert settled(rows, header=header, end="none").end is None
    header = (*HEADER[:5], "Next Review Date")
    assert settled(rows, header=header).end is None
    assert settled(rows, header=header, end="Next Review Date").end is not None


def test_somebody_must_be_named():
    rows = [(r[0], "x", "y", *r[3:]) for r in visits()]
    header = ("a", "b", "c", "d", "Visit Date", "f")
    with pytest.raises(Unanswered, match="no column says whom"):
        settled(rows, header=header, record_id="a", dates="day-first")
    found = settled(rows, header=header, person_key="b", dates="day-first")
    assert found.person_key.columns == ("b",)
    assert found.person_key.is_sure


def test_a_guessed_identifier_may_be_taken_away():
    found = settled(visits(), nhs_number_column="none", person_key="Client No")
    assert found.nhs_number is None


def test_a_record_id_that_is_not_seen_is_asked_for():
    rows = [
        ("V1", r[1], r[2], r[3], "13/02/2025", r[5], str(n) if n % 2 else "")
        for n, r in enumerate(visits())
    ]
    header = (*HEADER, "z")
    with pytest.raises(Unanswered, match="--record-id"):
        settled(rows, header=header)
    found = settled(rows, header=header, record_id="Client No, z")
    assert found.record_id.columns == ("Client No", "z")
    with pytest.raises(Unanswered, match="names 1 columns that are not there"):
        settled(rows, header=header, record_id="Client No,nowhere")


def test_a_kind_is_one_of_the_vocabulary():
    assert settled(visits(), event_kind="referral").kind.columns == ("referral",)
    assert "is not one of" in refused(visits(), event_kind="party")


def shared(value):
    return [
        (*r[:2], value, *r[3:]) if n % 12 in {1, 3, 5, 7, 9} else r
        for n, r in enumerate(visits())
    ]


@pytest.mark.parametrize(("said", "kept"), [("yes", ["0000000001"]), ("no", [])])
def test_a_placeholder_is_one_only_where_somebody_says_so(said, kept):
    found = settled(shared("0000000001"), placeholders=said)
    assert [each.value for each in found.placeholders] == kept
    assert settled(shared("0000000001")).placeholders == ()


def test_a_shared_number_is_kept_in_mind_and_never_confirmed():
    (found,) = settled(shared(number(40)), placeholders="yes").placeholders
    assert found.is_number


def test_whoever_is_there_is_asked_before_a_default_is_taken():
    asked = []

    def prompt(query):
        asked.append(query.option)
        return "b"

    query = Query(option="--x", says="Which?", offered=("a", "b"), default="a")
    assert Said(options={}, prompt=prompt).answer(query) == "b"
    assert Said(options={"--x": "a"}, prompt=prompt).answer(query) == "a"
    assert Said(options={}, prompt=None).answer(query) == "a"
    assert asked == ["--x"]


def test_an_answer_that_is_not_offered_is_refused():
    query = Query(option="--x", says="Which?", offered=("a", "b"))
    with pytest.raises(Unanswered, match="--x is not one of: a, b"):
        Said(options={"--x": "c"}, prompt=None).answer(query)
