"""Decisions agree, word for word, with the rule read straight off the documents.

The reference here also gives the code of each reason, which explains a refusal.
"""

from datetime import timedelta

from policies import vocabulary
from policies.compile import compile_set
from policies.decide import decide
from policies.pending import planned_flags
from policies.release import Sealed, release
from tests.generative.policies import tapes
from tests.generative.policies.reference import Told, evaluate
from tests.generative.policies.tapes import SUPPORTED, Tape
from tests.generative.policies.trying import EXAMPLES, PERMITTED, law, trial
from tests.spec.policies.shared_care import Thing


def told_when_planned(policy_set, cell):
    return Told(
        flags={
            **dict.fromkeys(tapes.ALL_FLAGS, "unknown"),
            **planned_flags(policy_set, cell.flags),
        },
        labels=frozenset(() if cell.labels == "labelled" else {"unlabelled"}),
    )


def agrees(tape: Tape) -> str:
    documents = tape.documents()
    signed = tape.signatures(documents)
    request, cell = tape.request(), tape.cell()
    supported = tape.usually(SUPPORTED, frozenset({"max_age_days"}), of=6)
    policy_set = compile_set(documents, signed)
    decision = decide(policy_set, request, cell, supported=supported)
    expected = evaluate(
        documents,
        signed,
        request,
        cell,
        told=told_when_planned(policy_set, cell),
        supported=supported,
    )
    assert (
        decision.effect,
        decision.authority,
        decision.relationship,
        decision.view,
        [(because.code, because.authority) for because in decision.because],
    ) == expected
    return decision.effect


def test_what_explains_a_decision_is_what_decided_it():
    """Catches, for one, `<=` for `<` at the end of a period in the compiled spans."""
    tried, effects = trial(agrees, examples=2 * EXAMPLES)
    tried()
    assert effects["permit"] >= PERMITTED * effects.total()


@law
def test_a_release_agrees_with_the_reference_item_by_item(tape):
    """Catches, for one, a label that is looked up before it is recognised."""
    documents = tape.documents()
    signed = tape.signatures(documents)
    request, cell = tape.request(), tape.cell()
    policy_set = compile_set(documents, signed)
    decision = decide(policy_set, request, cell, supported=SUPPORTED)
    told, stated = told_when_planned(policy_set, cell), {}
    for flag, state in told.flags.items():
        if state == "pending":
            told.flags[flag] = tape.pick(("absent", "absent", "present", "unknown"))
            if told.flags[flag] != "unknown":
                is_present = told.flags[flag] == "present"
                stated[flag] = (is_present, request.now - timedelta(hours=1))
    raw = frozenset(
        tape.pick(("PSY", "STD", "N", "surprise")) for _ in range(tape.byte() % 3)
    )
    labels = {
        label if label in vocabulary.LABELS else "unrecognised" for label in raw - {"N"}
    }
    expected = evaluate(
        documents,
        signed,
        request,
        cell,
        told=Told(flags=told.flags, labels=told.labels | labels),
        supported=SUPPORTED,
    )
    thing = Thing(category=cell.category, labels=raw, earliest=request.now)
    released = release(Sealed([thing], stated), {cell.category: decision}, request.now)
    shown = [view for _, view in released.items]
    lets_by = all(told.flags[flag] == "absent" for flag in expected[3].row_filters)
    assert shown == ([expected[3]] if expected[0] == "permit" and lets_by else [])
    assert not released.failed
    silent = {"floor/legally-restricted", "floor/sensitive-record"}
    is_silenced = silent & {authority for _, authority in expected[4]}
    if decision.effect == "permit" and is_silenced:
        assert (released.silent, released.withheld) == (True, 0)
    elif not shown:
        assert (released.silent, released.withheld) == (False, 1)
    return decision.effect
