"""Cells decided before anything is asked, and what they narrow a query to."""

from datetime import date

import pytest

from adapters.vocabulary import CATEGORIES
from gateway.policy.permissions import Permission, permissions
from gateway.policy.plan import SUPPORTED, plan
from policies.obligations import AXES
from policies.release import oldest_day
from tests.houses import NOW, clause, doctor, memory, policy_of, source
from tests.outcomes import request

HELD = ("encounters", "documents")
AT = source("Z9A01.epr", memory(held=HELD))
OTHER = source("Z9B02.x", memory(held=("problems",)))


def planned(*clauses, categories=CATEGORIES, rules=(), sources=(AT,)):
    policy = policy_of(["Z9A01"], *clauses, rules=rules)
    return plan(policy, request(), sources, categories=categories)


def aged(days, categories):
    return clause(
        id=f"c{days}-{len(categories)}",
        categories=list(categories),
        obligations={"max_age_days": days},
    )


def test_each_cell_in_question_is_decided_and_no_other():
    (found,) = planned(clause(categories=["encounters"]), categories={"encounters"})
    assert set(found.decisions) == {"encounters"}
    assert (found.permitted, found.denied) == ({"encounters"}, frozenset())
    assert found.demographics is None


def test_denied_cells_stand_beside_permitted_ones():
    (found,) = planned(clause(categories=["encounters"]))
    assert (found.permitted, found.denied) == ({"encounters"}, {"documents"})


def test_who_the_person_is_is_decided_even_where_no_such_events_are_held():
    (found,) = planned(clause(categories=["encounters", "demographics"]))
    assert found.demographics is not None
    assert found.demographics.effect == "permit"
    assert "demographics" not in found.decisions


def test_sources_keep_their_order_and_their_own_decisions():
    both = planned(clause(), sources=(OTHER, AT))
    assert [each.source for each in both] == [OTHER, AT]
    assert both[0].denied == {"problems"}


def test_a_source_outside_the_question_has_no_cell():
    (found,) = planned(clause(), categories=frozenset({"allergies"}))
    assert (found.decisions, found.permitted, found.denied) == ({}, set(), set())


def test_an_unlabelled_source_needs_that_cleared():
    unlabelled = source("Z9A01.x", memory(), labels="unlabelled")
    strict = clause(cleared_labels=["PSY"])
    assert planned(strict, sources=(unlabelled,))[0].permitted == frozenset()
    assert planned(clause(), sources=(unlabelled,))[0].permitted == {"encounters"}


@pytest.mark.parametrize(
    ("clauses", "asked", "expected"),
    [
        ([clause()], None, None),
        ([clause()], date(2020, 1, 1), date(2020, 1, 1)),
        ([aged(30, HELD)], None, oldest_day(NOW, 30)),
        ([aged(30, HELD)], date(2020, 1, 1), oldest_day(NOW, 30)),
        ([aged(30, HELD)], date(2026, 2, 28), date(2026, 2, 28)),
        (
            [aged(30, ["documents"]), aged(90, ["encounters"])],
            None,
            oldest_day(NOW, 90),
        ),
        ([aged(30, ["documents"]), clause(categories=["encounters"])], None, None),
        ([clause(categories=["allergies"])], date(2020, 1, 1), date(2020, 1, 1)),
    ],
)
def test_the_window_is_moved_up_where_nothing_older_could_be_released(
    clauses, asked, expected
):
    (found,) = planned(*clauses)
    assert found.since(asked, request()) == expected


def test_what_this_gateway_cannot_carry_out_it_denies():
    demands = {"notify": ["owner"], "min_count": "8"}
    assert demands.keys() == set(AXES) - SUPPORTED
    for axis, demanded in demands.items():
        (found,) = planned(clause(obligations={axis: demanded}))
        assert found.permitted == frozenset()
        (because,) = found.decisions["encounters"].because
        assert because.code == "obligation_unsupported"


@pytest.mark.parametrize(
    "demanded",
    [
        {"hide_fields": ["event.title"]},
        {"mask_fields": {"event.title": "full"}},
        {"date_grain": "month"},
        {"max_age_days": "30"},
        {"row_filters": ["ndo"]},
        {"no_onward": "true"},
        {"retain_seconds": "60"},
        {"justify": "true"},
    ],
)
def test_what_this_gateway_can_carry_out_it_permits(demanded):
    assert set(demanded) <= SUPPORTED
    (found,) = planned(clause(obligations=demanded))
    assert found.permitted == set(HELD)


def test_permissions_name_the_relationships_that_open_the_same():
    policy = policy_of(
        ["Z9A01"],
        clause(relationships=["registered", "referral"], categories=["encounters"]),
        clause(id="c2", relationships=["caseload"]),
    )
    found = permissions(policy, doctor(), AT, now=NOW)
    assert found == (
        Permission(
            purpose="direct-care",
            categories=("encounters",),
            relationships=("registered", "referral"),
        ),
        Permission(
            purpose="direct-care",
            categories=("documents", "encounters"),
            relationships=("caseload",),
        ),
    )


def test_permissions_are_for_the_callers_own_purposes_and_role():
    policy = policy_of(["Z9A01"], clause())
    both = frozenset({"direct-care", "research"})
    found = permissions(policy, doctor(purposes=both), AT, now=NOW)
    assert {each.purpose for each in found} == {"direct-care"}
    assert permissions(policy, doctor(role="nurse"), AT, now=NOW) == ()
