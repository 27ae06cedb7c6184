"""A sealed answer tells nothing until it is released, and a failure shows nothing."""

import copy
import dataclasses
import pickle
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from policies.obligations import View
from policies.release import Released, SealBroken, Sealed, oldest_day, release
from tests.spec.policies.shared_care import (
    NOW,
    Thing,
    agreement,
    cell,
    clause,
    decided,
    local_rule,
    opened,
    request,
    rule,
    signed,
)

REFUSALS = (TypeError, AttributeError, copy.Error, pickle.PicklingError)
LEAKS: dict[str, Callable[[Any], object]] = {
    "length": len,
    "truth": bool,
    "iteration": list,
    "equality": lambda sealed: sealed == sealed,  # noqa: PLR0124 - the leak under test
    "inequality": lambda sealed: sealed != 1,
    "hash": hash,
    "membership": lambda sealed: 1 in sealed,
    "index": lambda sealed: sealed[0],
    "slot": lambda sealed: sealed._content,
    "bare slot": lambda sealed: object.__getattribute__(sealed, "_content"),
    "namespace": vars,
    "assignment": lambda sealed: setattr(sealed, "note", 1),
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "order": sorted,
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_sealed_answer_does_not_leak_by(leak):
    sealed = Sealed([Thing(category="a secret")], {})
    with pytest.raises((SealBroken, *REFUSALS)):
        LEAKS[leak](sealed)


def test_a_sealed_answer_prints_alike_whatever_it_holds():
    full, empty = Sealed[Thing]([Thing(category="a secret")], {}), Sealed[Thing]([], {})
    assert {f"{full}", repr(full), str(full), f"{empty}"} == {"<Sealed>"}
    assert isinstance(full, Sealed)
    assert not isinstance(full, Mapping)
    assert not hasattr(full, "__dict__")


def test_what_is_released_cannot_be_made_by_hand():
    forged: dict[str, Any] = {
        "items": ((Thing(), View()),),
        "withheld": 0,
        "withheld_categories": frozenset(),
        "unconfirmed": False,
        "silent": False,
        "failed": False,
    }
    with pytest.raises(SealBroken, match="makes what is released"):
        Released(**forged, token=object())
    released = opened(decided(signed(agreement())))
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(released, items=forged["items"])
    assert "Thing" not in repr(released)


def test_an_item_of_a_category_nobody_asked_for_is_withheld_and_counted():
    decision = decided(signed(agreement()))
    released = opened(decision, Thing(), Thing(category="documents"))
    assert len(released.items) == 1
    assert (released.withheld, released.withheld_categories) == (1, {"documents"})


def test_a_denied_category_is_withheld_even_if_a_source_sends_it():
    decision = decided(signed(agreement()), None, cell(category="documents"))
    released = opened(decision, Thing(category="documents"))
    assert (released.items, released.withheld, released.silent) == ((), 1, False)


def test_releasing_twice_gives_the_same():
    decisions = {"encounters": decided(signed(agreement()))}
    sealed = Sealed([Thing(), Thing(labels=frozenset({"STD"}))], {})
    once, twice = release(sealed, decisions, NOW), release(sealed, decisions, NOW)
    assert once == twice
    assert (len(once.items), once.withheld) == (1, 1)


def test_an_error_while_releasing_withholds_all_and_says_so():
    decision = decided(signed(agreement()))
    nothing: Any = None
    sealed = Sealed[Thing]([Thing(), nothing], {})
    released = release(sealed, {"encounters": decision}, NOW)
    assert (released.items, released.withheld, released.failed) == ((), 2, True)


def test_a_decision_under_another_category_withholds_all():
    decision = decided(signed(agreement()))
    released = release(Sealed([Thing()], {}), {"medications": decision}, NOW)
    assert (released.items, released.failed) == ((), True)


def test_a_label_makes_another_grant_the_authority_with_its_own_view():
    policy_set = signed(
        agreement(
            clause(obligations={"max_age_days": 365}, cleared_labels=[]),
            clause(id="c2", obligations={"no_onward": True, "max_age_days": 1825}),
        )
    )
    decision = decided(policy_set)
    assert decision.view == View(max_age_days=365)
    assert decision.reach_days == 1825
    things = [Thing(), Thing(labels=frozenset({"PSY"}))]
    views = [view for _, view in opened(decision, *things).items]
    assert views == [View(max_age_days=365), View(no_onward=True, max_age_days=1825)]


def test_a_query_reaches_as_far_as_any_grant_that_is_not_vetoed():
    policy_set = signed(
        agreement(
            clause(obligations={"max_age_days": 365}),
            clause(id="c2", relationships=["self-claimed"], obligations={}),
        ),
        local_rule(rule(when={"relationships": ["self-claimed"]})),
    )
    both = frozenset({"registered", "self-claimed"})
    asked = request(relationships=both)
    assert decided(policy_set, asked).reach_days == 365
    unbounded = signed(agreement(clause(obligations={})))
    assert decided(unbounded).reach_days is None
    assert decided(signed(agreement(clause(roles=["nurse"])))).reach_days is None


def test_a_flag_stated_though_never_promised_counts_if_present():
    policy_set = signed(agreement())
    decision = decided(policy_set)
    assert len(opened(decision).items) == 1
    present = {"local-dissent": (True, NOW)}
    assert opened(decision, flags=present).withheld == 1
    unpromised = decided(signed(agreement(clause(honours=["ndo"]))))
    assert unpromised.effect == "deny"


def test_the_oldest_day_is_of_london_and_never_before_the_calendar():
    assert oldest_day(NOW, 365) == date(2030, 6, 1)
    late = datetime.fromisoformat("2031-05-31T23:30:00Z")
    assert oldest_day(late, 1) == date(2031, 5, 31)
    assert oldest_day(NOW, 999_999_999) == date(1, 1, 1)


def test_an_unlabelled_source_needs_its_own_clearance_beside_each_label():
    policy_set = signed(
        agreement(
            clause(cleared_labels=["PSY"]),
            clause(id="c2", cleared_labels=["unlabelled"]),
        )
    )
    decision = decided(policy_set, None, cell(labels="unlabelled"))
    released = opened(decision, Thing(), Thing(labels=frozenset({"PSY"})))
    assert [thing.labels for thing, _ in released.items] == [frozenset()]
    both = signed(agreement(clause(cleared_labels=["PSY", "unlabelled"])))
    decision = decided(both, None, cell(labels="unlabelled"))
    assert len(opened(decision, Thing(labels=frozenset({"PSY"}))).items) == 1


def test_a_veto_on_a_label_holds_where_labels_are_not_known():
    policy_set = signed(agreement(), local_rule(rule(when={"labels_any": ["STD"]})))
    unsure = decided(policy_set, None, cell(labels="unlabelled"))
    assert [(each.code, each.authority) for each in unsure.because] == [
        ("unknown", "LR-Z9B-1/v1@1")
    ]
    labelled = decided(policy_set)
    psychiatric = Thing(labels=frozenset({"PSY"}))
    assert len(opened(labelled, Thing(), psychiatric).items) == 2


STATES = {"legally-restricted": "states", "sensitive-record": "states"}
RESTRICTED = {
    "legally-restricted": (True, NOW),
    "sensitive-record": (False, NOW),
    "local-dissent": (False, NOW),
}


def test_a_silent_veto_hides_that_anything_else_was_withheld():
    decision = decided(signed(agreement()), None, cell(flags=STATES))
    things = [Thing(), Thing(category="documents")]
    released = opened(decision, *things, flags=RESTRICTED)
    assert (released.silent, released.withheld) == (True, 0)
    assert released.withheld_categories == frozenset()


def test_a_silent_veto_that_leaves_something_leaves_no_sign():
    policy_set = signed(agreement())
    decisions = {
        "encounters": decided(policy_set, None, cell(flags=STATES)),
        "medications": decided(policy_set, None, cell(category="medications")),
    }
    stale = {flag: (False, NOW - timedelta(days=8)) for flag in STATES}
    items = [Thing(), Thing(category="medications")]
    released = release(Sealed(items, stale), decisions, NOW)
    assert [thing for thing, _ in released.items] == [items[1]]
    assert (released.silent, released.withheld) == (False, 0)


def filtering(*flags, **changed):
    """A set whose clause leaves out whoever has one of these flags."""
    obligations = {"row_filters": list(flags)}
    return signed(agreement(clause(obligations=obligations, **changed)))


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("registered", "stated", "shown", "unconfirmed"),
    [
        ("states", (False, HOUR), True, False),
        ("states", (True, HOUR), False, False),
        ("states", None, False, True),
        ("states", (False, timedelta(days=8)), False, True),
        ("states", (True, timedelta(days=8)), False, True),
        ("prefiltered", None, True, False),
        ("prefiltered", (True, HOUR), False, False),
        ("none", None, False, True),
        ("none", (False, HOUR), False, True),
        ("none", (True, HOUR), False, False),
    ],
)
def test_a_row_filter_lets_through_only_whoever_is_known_not_to_have_the_flag(
    registered, stated, shown, unconfirmed
):
    decision = decided(filtering("ndo"), None, cell(flags={"ndo": registered}))
    assert decision.effect == "permit"
    told = {} if stated is None else {"ndo": (stated[0], NOW - stated[1])}
    released = opened(decision, flags=told)
    assert len(released.items) == shown
    assert (released.withheld, released.unconfirmed) == (not shown, unconfirmed)
    assert not released.silent


def test_of_several_row_filters_each_must_be_known_and_one_present_is_no_doubt():
    policy_set = filtering("ndo", "type1")
    asked = cell(flags={"ndo": "states", "type1": "states"})
    decision = decided(policy_set, None, asked)
    absent, present = (False, NOW), (True, NOW)
    for told, unconfirmed in (
        ({"ndo": absent, "type1": present}, False),
        ({"ndo": absent}, True),
        ({"type1": present}, False),
    ):
        released = opened(decision, flags=told)
        assert (released.items, released.unconfirmed) == ((), unconfirmed)
    assert len(opened(decision, flags={"ndo": absent, "type1": absent}).items) == 1


def test_a_row_filter_of_a_rule_narrows_a_grant_that_has_none():
    demand = rule(effect="constrain", obligations={"row_filters": ["ndo"]})
    policy_set = signed(agreement(), local_rule(demand))
    decision = decided(policy_set, None, cell(flags={"ndo": "states"}))
    released = opened(decision, flags={})
    assert (released.withheld, released.unconfirmed) == (1, True)


def test_nothing_withheld_or_only_by_a_label_is_no_want_of_confirmation():
    decision = decided(filtering("ndo"), None, cell(flags={"ndo": "states"}))
    absent = {"ndo": (False, NOW)}
    released = opened(decision, Thing(labels=frozenset({"STD"})), flags=absent)
    assert (released.withheld, released.unconfirmed) == (1, False)


def test_a_silent_veto_leaves_no_sign_of_a_filter_either():
    flags = {**STATES, "ndo": "states"}
    decision = decided(filtering("ndo"), None, cell(flags=flags))
    released = opened(decision, flags=RESTRICTED)
    assert (released.silent, released.withheld, released.unconfirmed) == (
        True,
        0,
        False,
    )
