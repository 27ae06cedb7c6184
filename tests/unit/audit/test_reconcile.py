"""What one trail has and the other has not, told apart by kind."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.exchanged import Exchanged
from gateway.audit.reconcile import Counted, Span, pairs

AT = "2026-06-15T11:00:00.000000Z"
LATER = "2026-06-15T11:00:01.000000Z"


def told(*pairs_, at=AT):
    return [
        Exchanged(question=question, at=at, answer=answer)
        for question, answer in pairs_
    ]


def held(a, b, span=None):
    counted = Counted()
    with pairs() as found:
        found.put("a", a)
        found.put("b", b)
        return list(found.differences(counted, span or Span())), counted


def kinds(a, b, **how):
    return {each.question: each.kind for each in held(a, b, **how)[0]}


def test_what_both_tell_alike_is_no_difference():
    differences, counted = held(
        told(("q1", "h1"), ("q2", None)), told(("q2", None), ("q1", None), ("q1", "h1"))
    )
    assert differences == []
    assert counted == Counted(a=2, b=2, alike=2)


def test_each_difference_is_told_by_its_kind():
    a = told(("q1", "h"), ("q2", None), ("q5", "h"), ("q6", None), ("q7", "h"))
    b = told(("q3", "h"), ("q4", None), ("q5", None), ("q6", "h"), ("q7", "x"))
    assert kinds(a, b) == {
        "q1": "only-a",
        "q2": "only-a",
        "q3": "only-b",
        "q4": "only-b",
        "q5": "answer-only-a",
        "q6": "answer-only-b",
        "q7": "answers-differ",
    }
    differences, _ = held(a, b)
    assert (differences[-1].a, differences[-1].b) == (("h",), ("x",))


def test_a_question_answered_twice_differs_even_where_both_say_so():
    twice = told(("q1", "h1"), ("q1", "h2"))
    assert kinds(twice, twice) == {"q1": "answers-differ"}


def test_a_span_holds_what_was_first_recorded_in_it():
    a, b = told(("q1", "h")), told(("q1", "x"), at=LATER)
    assert kinds(a, b, span=Span(since=AT, before=LATER)) == {"q1": "answers-differ"}
    assert kinds(a, b, span=Span(since=LATER)) == {}
    assert kinds(a, b, span=Span(before=AT)) == {}


questions = st.dictionaries(
    st.sampled_from([f"q{each}" for each in range(8)]),
    st.sampled_from([None, "h1", "h2"]),
)


@settings(max_examples=60, deadline=None)
@given(questions, questions)
def test_exactly_what_differs_is_listed(a, b):
    """Seeded defect: `is not None` left out of the answers, so that none is one."""
    differences, counted = held(told(*a.items()), told(*b.items()))
    expected = {
        each
        for each in a.keys() | b.keys()
        if each not in a or each not in b or a[each] != b[each]
    }
    assert {each.question for each in differences} == expected
    assert (counted.a, counted.b) == (len(a), len(b))
    assert counted.alike == len(a.keys() | b.keys()) - len(expected)
