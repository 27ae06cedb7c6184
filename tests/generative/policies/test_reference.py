"""Compiled decisions agree with the rule read straight off the documents."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from policies import vocabulary
from policies.compile import compile_set
from policies.decide import decide
from policies.release import Sealed, release
from tests.generative.policies import histories
from tests.generative.policies.reference import Told, evaluate
from tests.spec.policies.shared_care import Thing

PLANNED = {"states": "pending", "prefiltered": "absent", "none": "unknown"}


def told_when_planned(cell):
    return Told(
        flags={flag: PLANNED[how] for flag, how in cell.flags.items()},
        labels=frozenset(() if cell.labels == "labelled" else {"unlabelled"}),
    )


@st.composite
def questions(draw):
    documents = draw(histories.document_sets())
    return (
        documents,
        draw(histories.signatures(documents)),
        draw(histories.requests()),
        draw(histories.cells()),
    )


@settings(deadline=None)
@given(questions(), st.sampled_from([histories.SUPPORTED, frozenset({"max_age_days"})]))
def test_a_plan_agrees_with_the_reference_in_effect_view_and_reason(
    question, supported
):
    """Catches, for one, `<=` for `<` at the end of a period in the compiled spans."""
    documents, signed, request, cell = question
    decision = decide(
        compile_set(documents, signed), request, cell, supported=supported
    )
    expected = evaluate(
        documents,
        signed,
        request,
        cell,
        told=told_when_planned(cell),
        supported=supported,
    )
    assert (
        decision.effect,
        decision.authority,
        decision.relationship,
        decision.view,
        [(because.code, because.authority) for because in decision.because],
    ) == expected


raw_labels = st.frozensets(st.sampled_from(["PSY", "STD", "N", "surprise"]), max_size=2)


@settings(deadline=None)
@given(questions(), raw_labels, st.data())
def test_a_release_agrees_with_the_reference_item_by_item(question, raw, data):
    """Catches, for one, a label that is looked up before it is recognised."""
    documents, signed, request, cell = question
    decision = decide(
        compile_set(documents, signed), request, cell, supported=histories.SUPPORTED
    )
    told = told_when_planned(cell)
    stated = {}
    for flag, how in cell.flags.items():
        if how == "states":
            state = data.draw(
                st.sampled_from(["absent", "absent", "present", "unknown"])
            )
            told.flags[flag] = state
            if state != "unknown":
                stated[flag] = (state == "present", request.now - timedelta(hours=1))
    labels = {
        label if label in vocabulary.LABELS else "unrecognised" for label in raw - {"N"}
    }
    expected = evaluate(
        documents,
        signed,
        request,
        cell,
        told=Told(flags=told.flags, labels=told.labels | labels),
        supported=histories.SUPPORTED,
    )
    thing = Thing(category=cell.category, labels=raw, earliest=request.now)
    released = release(Sealed([thing], stated), {cell.category: decision}, request.now)
    shown = [view for _, view in released.items]
    assert shown == ([expected[3]] if expected[0] == "permit" else [])
    assert not released.failed
    silent = {"floor/legally-restricted", "floor/sensitive-record"}
    is_silenced = silent & {authority for _, authority in expected[4]}
    if decision.effect == "permit" and is_silenced:
        assert (released.silent, released.withheld) == (True, 0)
    elif not shown:
        assert (released.silent, released.withheld) == (False, 1)
