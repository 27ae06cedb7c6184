"""Which grant decides, under which evidence, and with what view."""

from dataclasses import replace

from policies.decide import decide_all
from policies.obligations import View
from tests.spec.policies.shared_care import (
    EVERY_AXIS,
    GP,
    HOSPITAL,
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

WIDE = {"max_age_days": 1825}
NARROW = {"max_age_days": 365}
OTHER = {"no_onward": True}


def graded(*obligations, **changed):
    """An agreement with a clause for each of these obligations, in this order."""
    return agreement(
        *(
            clause(id=f"c{number}", obligations=each, **changed)
            for number, each in enumerate(obligations)
        )
    )


def test_authority_moves_on_to_strictly_wider_grants_alone():
    decision = decided(signed(graded(NARROW, OTHER, WIDE, {}, WIDE)))
    assert decision.authority == "DSA-2031-017/c3@1#Z9B"
    assert decided(signed(graded(NARROW, OTHER))).view == View(max_age_days=365)


def test_equal_views_keep_the_first_authority():
    decision = decided(signed(graded(WIDE, NARROW, WIDE)))
    assert decision.authority == "DSA-2031-017/c0@1#Z9B"


def test_the_strongest_evidence_decides_unless_a_weaker_one_sees_more():
    def under(registered, referral):
        policy_set = signed(
            agreement(
                clause(obligations=registered, relationships=["registered"]),
                clause(id="c2", obligations=referral, relationships=["referral"]),
            )
        )
        both = frozenset({"registered", "referral"})
        return decided(policy_set, request(relationships=both)).relationship

    assert under(NARROW, WIDE) == "referral"
    assert under(WIDE, NARROW) == "registered"
    assert under(NARROW, OTHER) == "registered"


def test_what_cannot_be_done_under_one_relationship_may_be_under_another():
    policy_set = signed(
        agreement(clause(relationships=["registered", "none"], obligations={})),
        local_rule(
            rule(
                effect="constrain",
                when={"relationships": ["registered"]},
                obligations=OTHER,
            )
        ),
    )
    decision = decided(policy_set, supported=frozenset())
    assert (decision.effect, decision.relationship) == ("permit", "none")


def test_cells_are_decided_in_their_order_and_share_their_reasons():
    cells = [cell(), cell(category="documents"), cell(category="medications")]
    cells.append(cell(owner=GP, labels="unlabelled"))
    decisions = decide_all(signed(agreement()), request(), cells, supported=EVERY_AXIS)
    assert [(each.owner, each.category) for each in decisions] == [
        (each.owner, each.category) for each in cells
    ]
    assert [each.effect for each in decisions] == ["permit", "deny", "permit", "permit"]
    assert decisions[0].because is decisions[2].because
    assert decisions[0].because[0].organisation == HOSPITAL


def test_cells_of_one_source_are_refused_alike_and_each_in_its_own_name():
    one = cell()
    cells = [
        replace(one, owner=owner, category=category)
        for owner in (GP, HOSPITAL)
        for category in ("documents", "allergies", "encounters")
    ]
    alone = [decided(signed(agreement()), None, each) for each in cells]
    together = decide_all(signed(agreement()), request(), cells, supported=EVERY_AXIS)
    assert list(together) == alone
    assert together[0].because is together[1].because
    assert [codes(each)[0] for each in together] == [
        "no_grant",
        "no_grant",
        "granted",
    ] * 2
    assert [each.because[0].organisation for each in together] == [GP] * 3 + [
        HOSPITAL
    ] * 3


def test_a_veto_on_evidence_that_is_not_there_is_no_reason():
    policy_set = signed(
        agreement(clause(roles=["nurse"])),
        local_rule(rule(when={"relationships": ["self-claimed"]})),
    )
    assert codes(decided(policy_set)) == ["no_grant"]


def test_nothing_is_supported_unless_it_is_said():
    decisions = decide_all(signed(agreement()), request(), [cell()])
    assert codes(decisions[0]) == ["obligation_unsupported"]


def test_a_glass_that_is_neither_whole_nor_broken_is_unknown():
    odd = request(break_glass="false")
    assert codes(decided(signed(agreement()), odd)) == ["unknown"]


def test_a_decision_prints_without_what_it_saved():
    assert "saved" not in repr(decided(signed(agreement())))


def test_a_duty_to_tell_is_done_only_for_those_who_can_be_told():
    policy_set = signed(agreement(clause(obligations={"notify": ["owner"]})))
    officer = decided(policy_set, supported=frozenset({"notify:privacy-officer"}))
    assert codes(officer) == ["obligation_unsupported"]
    owner = decided(policy_set, supported=frozenset({"notify:owner"}))
    assert (owner.effect, owner.view) == ("permit", View(notify=frozenset({"owner"})))
