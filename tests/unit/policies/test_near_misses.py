"""What one change would have permitted, in an order that does not change."""

from typing import Any

import pytest

from policies.near_misses import (
    ATTRIBUTES,
    SAFE,
    NearMiss,
    caller_safe,
    decide_and_explain,
    near_misses,
)
from tests.spec.policies.shared_care import (
    EVERY_AXIS,
    GP,
    TRUST,
    agreement,
    cell,
    clause,
    codes,
    decided,
    local_rule,
    request,
    rule,
    signed,
)


def misses(policy_set, asked=None, at=None, **changed: Any):
    options = {"supported": EVERY_AXIS, **changed}
    return near_misses(policy_set, asked or request(), at or cell(), **options)


def briefly(found):
    return [(miss.attribute, miss.needed) for miss in found]


def test_a_near_miss_names_the_values_and_the_clause_with_its_words():
    (miss,) = misses(signed(agreement()), request(role="analyst"))
    assert miss == NearMiss(
        attribute="role",
        needed=("gp", "doctor", "nurse"),
        under="DSA-2031-017/c1@1#Z9B",
        why="Shared frail patients",
    )


@pytest.mark.parametrize(
    ("asked", "at", "attribute", "needed"),
    [
        ({"operation": "population.linked"}, {}, "operation", ("journey.read",)),
        ({"mode": "aggregate"}, {}, "mode", ("identified",)),
        (
            {"purpose": "research"},
            {},
            "purpose",
            ("direct-care", "care-coordination"),
        ),
        ({"role": "analyst"}, {}, "role", ("gp", "doctor", "nurse")),
        ({"assurance": "aal1"}, {}, "assurance", ("aal2", "aal3")),
        (
            {"relationships": frozenset()},
            {},
            "relationship",
            ("active-encounter", "registered"),
        ),
        ({"recipient": "Z9X"}, {}, "recipient", (GP, "Z9B", TRUST)),
        ({"agreement": "DSA-9"}, {}, "agreement", ("", "DSA-2031-017")),
        ({}, {"category": "documents"}, "category", ("encounters", "medications")),
        (
            {},
            {"flags": {"local-dissent": "none"}},
            "flags",
            ("local-dissent:states", "local-dissent:prefiltered"),
        ),
        (
            {"purpose": "research", "break_glass": True},
            {},
            "purpose",
            ("direct-care", "care-coordination"),
        ),
    ],
)
def test_each_attribute_can_be_the_one_that_is_missing(asked, at, attribute, needed):
    (miss,) = misses(signed(agreement()), request(**asked), cell(**at))
    assert (miss.attribute, miss.needed) == (attribute, needed)


def test_a_source_that_labelled_would_be_a_near_miss():
    policy_set = signed(agreement(clause(cleared_labels=["PSY"])))
    found = misses(policy_set, None, cell(labels="unlabelled"))
    assert briefly(found) == [("labels", ("labelled",))]


def test_a_glass_to_break_is_a_near_miss_and_so_is_one_not_to():
    only = signed(agreement(clause(break_glass="only")))
    assert briefly(misses(only)) == [("break_glass", ("yes",))]
    plain = signed(agreement())
    broken = request(break_glass=True)
    able = EVERY_AXIS - {"notify"}
    found = misses(plain, broken, supported=able)
    assert briefly(found) == [("break_glass", ("no",))]


def test_a_veto_leaves_only_changes_that_escape_it():
    policy_set = signed(agreement(), local_rule(rule(when={"roles": ["doctor"]})))
    assert briefly(misses(policy_set)) == [("role", ("gp", "nurse"))]
    always = signed(agreement(), local_rule())
    assert misses(always) == ()


def test_two_things_amiss_are_no_near_miss():
    asked = request(role="analyst", assurance="aal1")
    assert misses(signed(agreement()), asked) == ()


def test_what_is_permitted_has_no_near_miss():
    assert misses(signed(agreement())) == ()


def test_values_that_need_different_clauses_are_told_apart_in_their_order():
    policy_set = signed(
        agreement(
            clause(roles=["nurse"], obligations={"no_onward": "true"}),
            clause(id="c2", roles=["gp", "midwife"]),
        )
    )
    found = misses(policy_set)
    assert [(miss.needed, miss.under) for miss in found] == [
        (("nurse",), "DSA-2031-017/c1@1#Z9B"),
        (("gp", "midwife"), "DSA-2031-017/c2@1#Z9B"),
    ]


def many():
    """A set in which a midwife at aal1 is near in more ways than are told."""
    return signed(
        agreement(
            *(
                clause(id=f"c{number}", roles=[role])
                for number, role in enumerate(["gp", "nurse", "pharmacist", "doctor"])
            ),
            clause(id="c9", roles=["midwife"], purposes=["care-coordination"]),
        )
    )


def test_a_caller_is_told_of_three_and_never_of_the_purpose():
    asked = request(role="midwife")
    every = misses(many(), asked)
    assert [miss.attribute for miss in every] == ["role"] * 4 + ["purpose"]
    told = caller_safe(many(), asked, cell(), supported=EVERY_AXIS)
    assert told == every[:3]


def test_what_a_caller_may_learn_of_speaks_of_no_flag_label_or_purpose():
    assert SAFE == ("relationship", "role", "assurance", "mode", "break_glass")
    assert ATTRIBUTES[: len(SAFE)] == SAFE
    assert len(set(ATTRIBUTES)) == len(ATTRIBUTES)


class Unreadable(dict[str, str]):
    """Registration that fails when read, as a defect of ours would."""

    def items(self):
        raise RuntimeError("a defect")


def test_where_deciding_fails_there_is_no_near_miss():
    broken = cell()
    object.__setattr__(broken, "flags", Unreadable())
    assert misses(signed(agreement()), None, broken) == ()
    decision, near = decide_and_explain(
        signed(agreement()), request(), broken, supported=EVERY_AXIS
    )
    assert (decision.effect, codes(decision), near) == ("deny", ["policy_error"], ())


@pytest.mark.parametrize("in_full", [True, False])
@pytest.mark.parametrize("role", ["midwife", "gp", "analyst"])
def test_to_explain_is_to_decide_and_to_look_for_near_misses(role, in_full):
    policy_set, asked = many(), request(role=role)
    decision, near = decide_and_explain(
        policy_set, asked, cell(), supported=EVERY_AXIS, in_full=in_full
    )
    assert decision == decided(policy_set, asked)
    look = near_misses if in_full else caller_safe
    assert near == look(policy_set, asked, cell(), supported=EVERY_AXIS)
