"""What is proven to narrow, and what is not, one owner at a time."""

from datetime import UTC, datetime

import pytest

from policies.analysis.narrowing import narrowing
from policies.clauses import Member
from policies.compile import compile_set
from tests.unit.policy_analysis.changes import (
    GP,
    HOSPITAL,
    agreement,
    alone,
    clause,
    compiled,
    documents,
    local_rule,
    rule,
    vetoed,
)

NAME = {"hide_fields": ["person.name"]}
ADDRESS = {"hide_fields": ["person.address"]}
BOTH = {"hide_fields": ["person.address", "person.name"]}


def is_proven(before, after, owner=HOSPITAL):
    return narrowing(before, after, owner=owner).is_proven


def constrained(*, data=None, **changed):
    return vetoed(rule(effect="constrain", **changed), data=data)


def test_no_change_narrows():
    assert is_proven(alone(), alone())
    assert is_proven(alone(), alone(id="c9", why="Otherwise"))


@pytest.mark.parametrize(
    "changed",
    [
        {"roles": ["gp"]},
        {"purposes": ["direct-care"]},
        {"relationships": ["registered"]},
        {"assurance": ["aal3"]},
        {"categories": ["encounters"]},
        {"cleared_labels": ["PSY"]},
        {"cleared_labels": []},
        {"honours": ["local-dissent", "ndo"]},
        {"obligations": BOTH},
        {"obligations": {**ADDRESS, "max_age_days": 365}},
        {"break_glass": "only"},
    ],
)
def test_a_clause_with_less_in_it_narrows_and_its_return_widens(changed):
    """N1 in every dimension a clause has."""
    assert is_proven(alone(), alone(**changed))
    widened = narrowing(alone(**changed), alone(), owner=HOSPITAL)
    assert not widened.is_proven
    assert widened.unproven == "DSA-2031-017/c1@1#Z9B"


@pytest.mark.parametrize("key", ["operations", "modes"])
def test_an_operation_or_a_mode_less_narrows(key):
    codes = {
        "operations": ["journey.read", "population.additive"],
        "modes": ["identified", "aggregate"],
    }[key]
    wide, narrow = alone(**{key: codes}), alone(**{key: codes[:1]})
    assert is_proven(wide, narrow)
    assert not is_proven(narrow, wide)


def test_a_period_or_a_party_less_narrows():
    short = agreement(valid={"from": "2031-04-01", "through": "2031-12-31"})
    assert is_proven(alone(), compiled(short))
    assert not is_proven(compiled(short), alone())
    fewer = agreement(parties={"providers": [GP, HOSPITAL], "recipients": [GP]})
    assert is_proven(alone(), compiled(fewer))
    assert not is_proven(compiled(fewer), alone())


def test_a_change_that_only_the_past_would_feel_is_none():
    before = agreement(valid={"from": "2031-04-02", "through": "2033-03-31"})
    earlier, later = compiled(before), alone()
    assert not is_proven(earlier, later)
    now = datetime(2031, 5, 1, tzinfo=UTC)
    assert narrowing(earlier, later, owner=HOSPITAL, since=now).is_proven


def test_two_clauses_that_share_out_an_old_one_narrow():
    shared = compiled(
        agreement(
            clause(id="a", roles=["gp", "doctor"]),
            clause(id="b", roles=["nurse"], obligations=BOTH),
        )
    )
    assert is_proven(alone(), shared)
    assert not is_proven(shared, alone())


def test_a_withdrawn_agreement_narrows_and_a_new_one_widens():
    assert is_proven(alone(), compiled())
    assert not is_proven(compiled(), alone())
    assert is_proven(compiled(), compiled())


def test_another_agreement_that_gives_no_more_narrows():
    """A caller could always cite the first."""
    second = agreement(clause(roles=["gp"], obligations=BOTH), id="DSA-9")
    assert is_proven(alone(), compiled(agreement(), second))
    more = agreement(clause(roles=["gp"], obligations=NAME), id="DSA-9")
    assert not is_proven(alone(), compiled(agreement(), more))


def test_a_suspension_narrows_and_its_end_widens():
    held, signatures = documents(agreement())
    member = Member(document=held[0], suspended=frozenset({HOSPITAL}))
    signed, suspended = compile_set(held, signatures), compile_set([member], signatures)
    assert is_proven(signed, suspended)
    assert not is_proven(suspended, signed)
    assert is_proven(suspended, signed, owner=GP)


def test_a_veto_narrows_and_its_end_widens():
    """N2."""
    free, bound = compiled(agreement()), vetoed(rule(when={"roles": ["nurse"]}))
    assert is_proven(free, bound)
    assert not is_proven(bound, free)


def test_a_veto_that_another_covers_may_go():
    one = rule(id="v1", when={"roles": ["nurse"]})
    all_ = rule(id="v2", when={"roles": ["nurse", "doctor"]})
    assert is_proven(vetoed(one), vetoed(all_))
    assert not is_proven(vetoed(all_), vetoed(one))
    split = [rule(id=each, when={"roles": [each]}) for each in ("nurse", "doctor")]
    assert is_proven(vetoed(all_), vetoed(*split))


def test_a_veto_on_what_no_grant_gives_may_go():
    assert is_proven(vetoed(rule(when={"roles": ["analyst"]})), compiled(agreement()))


def test_a_veto_made_overridable_widens():
    assert not is_proven(vetoed(rule()), vetoed(rule(overridable="true")))
    assert is_proven(vetoed(rule(overridable="true")), vetoed(rule()))


def test_a_constraint_narrows_and_its_end_widens():
    """N3."""
    free, bound = compiled(agreement()), constrained(obligations={"date_grain": "day"})
    assert is_proven(free, bound)
    assert not is_proven(bound, free)


def test_a_constraint_may_go_where_a_clause_a_veto_or_another_demands_as_much():
    aged = {"max_age_days": 365}
    bound = constrained(obligations=aged)
    assert is_proven(bound, alone(obligations={**ADDRESS, **aged}))
    assert is_proven(bound, vetoed(rule()))
    assert is_proven(bound, constrained(obligations={**aged, "no_onward": "true"}))
    assert is_proven(bound, constrained(obligations={"max_age_days": 30}))
    assert not is_proven(bound, constrained(obligations={"max_age_days": 366}))
    part = {"categories": ["encounters"]}
    assert not is_proven(bound, constrained(obligations=aged, when=part))
    shared = [
        rule(id=each, effect="constrain", obligations=aged, when={"categories": [each]})
        for each in ("encounters", "medications")
    ]
    assert is_proven(bound, vetoed(*shared))


def test_each_atom_of_a_constraint_counts_by_itself():
    bound = constrained(obligations={"date_grain": "day", "no_onward": "true"})
    halves = [
        rule(id="a", effect="constrain", obligations={"date_grain": "month"}),
        rule(id="b", effect="constrain", obligations={"no_onward": "true"}),
    ]
    assert is_proven(bound, vetoed(*halves))
    assert not is_proven(bound, vetoed(halves[0]))


def test_a_rule_on_one_agreement_does_not_reach_another():
    """An unchanged rule that tests a citation binds nobody who cites a copy."""
    tested = {"when": {"agreements": ["DSA-2031-017"]}}
    copy = agreement(id="DSA-9")
    for each in (rule(**tested), rule(effect="constrain", obligations=NAME, **tested)):
        bound = compiled(agreement(), local_rule(each))
        evaded = compiled(agreement(), copy, local_rule(each))
        assert not is_proven(bound, evaded)
        assert is_proven(evaded, bound)


def test_what_an_earlier_clause_hid_is_no_measure():
    """Of two incomparable clauses the first decided; a copy of the second widens."""
    first, second = (
        clause(id="a", obligations=ADDRESS),
        clause(id="b", obligations=NAME),
    )
    before = compiled(agreement(first, second))
    copied = compiled(agreement(first, second), agreement(second, id="DSA-9"))
    assert not is_proven(before, copied)
    # So does the end of the first: now the second decides.
    assert not is_proven(before, compiled(agreement(second)))
    # Under agreements of their own, either could be cited all along.
    apart = compiled(agreement(first, id="A"), agreement(second, id="B"))
    assert is_proven(apart, compiled(agreement(second, id="B")))


def test_an_earlier_clause_that_is_wider_or_narrower_hides_nothing():
    wide, narrow = clause(id="a", obligations={}), clause(id="b", obligations=BOTH)
    before = compiled(agreement(wide, narrow))
    assert is_proven(before, compiled(agreement(narrow)))
    before = compiled(agreement({**narrow, "id": "a"}, {**wide, "id": "b"}))
    assert is_proven(before, compiled(agreement(wide)))


def test_relationships_are_looked_at_singly():
    """Registered callers gain nothing; those without a relationship do."""
    before = alone(relationships=["registered"])
    after = alone(relationships=["registered", "none"])
    assert is_proven(after, before)
    assert not is_proven(before, after)


def test_another_owners_change_is_not_ones_own():
    before = compiled(agreement())
    after = vetoed(rule(), data=agreement())
    assert is_proven(after, after, GP)
    assert is_proven(after, before, GP)
    assert not is_proven(after, before, HOSPITAL)


def test_beyond_the_most_boxes_nothing_is_proven():
    found = narrowing(alone(), alone(roles=["gp"]), owner=HOSPITAL, most_boxes=0)
    assert (found.is_proven, found.unproven) == (False, None)
    assert found.boxes == 1
