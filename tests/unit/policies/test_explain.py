"""A refusal names the nearest obstacle, and a certain veto before an unsure one."""

import pytest

from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
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


def test_every_veto_is_named():
    rules = [rule(id="v1"), rule(id="v2", when={"roles": ["doctor"]})]
    decision = decided(signed(agreement(), local_rule(*rules)))
    assert [(each.code, each.authority) for each in decision.because] == [
        ("veto", "LR-Z9B-1/v1@1"),
        ("veto", "LR-Z9B-1/v2@1"),
    ]


def test_a_consent_the_owner_filters_out_is_a_flag_and_an_unstated_one_unknown():
    basis = {
        "art6": "6(1)(e)",
        "art9": "9(2)(j)",
        "confidentiality": "explicit-consent",
    }
    policy_set = signed(agreement(clause(legal_basis=basis)))
    filtered = cell(flags={"consent:DSA-2031-017": "prefiltered"})
    assert codes(decided(policy_set, None, filtered)) == ["flag"]
    assert codes(decided(policy_set)) == ["unknown"]


@pytest.mark.parametrize(
    ("changed", "by", "code"),
    [
        ({}, (GP, TRUST), "not_signed"),
        ({"valid": {"from": "2029-01-01", "through": "2030-01-01"}}, None, "expired"),
        ({"valid": {"from": "2032-01-01", "through": "2033-01-01"}}, None, "no_grant"),
    ],
)
def test_the_nearest_grant_is_named_with_what_it_lacks(changed, by, code):
    policy_set = signed(agreement(**changed), by=by or (GP, HOSPITAL, TRUST))
    (because,) = decided(policy_set).because
    assert (because.code, because.authority) == (code, "DSA-2031-017/c1@1#Z9B")
    assert because.organisation == HOSPITAL


def test_a_lapsed_relationship_no_grant_asks_for_is_no_grant():
    asked = request(relationships=frozenset({"stale:caseload", "nonsense"}))
    assert codes(decided(signed(agreement()), asked)) == ["no_grant"]


def test_a_refusal_has_a_reason_though_a_code_is_no_relationship():
    veto = rule(when={"relationships": ["self-claimed"]})
    asked = request(relationships=frozenset({"nonsense"}), role="analyst")
    assert codes(decided(signed(local_rule(veto)), asked)) == ["no_grant"]


def test_something_unknown_is_blamed_only_if_it_stands_in_the_way():
    asked = request(role="king", purpose="research")
    assert codes(decided(signed(agreement()), asked)) == ["no_grant"]


def test_no_reason_speaks_of_a_person():
    decision = decided(signed(agreement()), request(role="analyst"))
    assert decision.because[0].why == "No agreement covers this"
