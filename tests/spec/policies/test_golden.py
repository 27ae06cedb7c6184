"""The golden scenarios of the policy, by number, where deciding can show them."""

from datetime import UTC, datetime, timedelta

import pytest

from policies.compile import compile_set
from policies.decide import decide_all
from policies.errors import Invalid
from policies.obligations import View
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    NOW,
    TRUST,
    Thing,
    agreement,
    cell,
    clause,
    codes,
    decided,
    local_rule,
    opened,
    read,
    request,
    rule,
    signature,
    signed,
)

PLANNING = {
    "purposes": ["service-planning"],
    "relationships": ["none"],
    "honours": ["ndo"],
}
PLANNER = {"purpose": "service-planning", "relationships": frozenset()}
DUTIES = View(
    hide_fields=frozenset({"person.address"}),
    notify=frozenset({"privacy-officer"}),
    justify=True,
)


def basis(confidentiality):
    return {"art6": "6(1)(e)", "art9": "9(2)(h)", "confidentiality": confidentiality}


def test_g01_without_an_agreement_everything_is_denied():
    decision = decided(compile_set([], []))
    assert (decision.effect, codes(decision)) == ("deny", ["no_grant"])


def test_g02_a_recipient_that_has_not_signed_gets_nothing():
    decision = decided(signed(agreement(), by=(HOSPITAL, TRUST)))
    assert (decision.effect, codes(decision)) == ("deny", ["not_signed"])
    assert decision.because[0].authority == "DSA-2031-017/c1@1#Z9B"


def test_g03_two_of_three_providers_signed_gives_their_cells_alone():
    parties = {"providers": [GP, HOSPITAL, TRUST], "recipients": [GP]}
    policy_set = signed(agreement(parties=parties), by=(GP, HOSPITAL))
    decisions = decide_all(
        policy_set,
        request(),
        [cell(owner=owner) for owner in (GP, HOSPITAL, TRUST)],
        supported=frozenset({"hide_fields"}),
    )
    assert [each.effect for each in decisions] == ["permit", "permit", "deny"]
    assert codes(decisions[2]) == ["not_signed"]


def test_g04_a_document_edited_after_signing_grants_nothing():
    before, after = read(agreement()), read(agreement(dpia="DPIA-89"))
    signatures = [signature(before, org) for org in (GP, HOSPITAL, TRUST)]
    decision = decided(compile_set([after], signatures))
    assert codes(decision) == ["not_signed"]


@pytest.mark.parametrize(
    ("at", "code"),
    [
        # 31 March 2033 is summer time already: the London day ends at 23:00 UTC.
        (datetime(2033, 3, 31, 22, 59, 59, tzinfo=UTC), "granted"),
        (datetime(2033, 3, 31, 22, 59, 59, 999_999, tzinfo=UTC), "granted"),
        (datetime(2033, 3, 31, 23, 0, 0, tzinfo=UTC), "expired"),
        (datetime(2031, 3, 31, 23, 0, 0, tzinfo=UTC), "granted"),
        (datetime(2031, 3, 31, 22, 59, 59, tzinfo=UTC), "no_grant"),
    ],
)
def test_g05_the_last_london_day_counts_to_its_last_second(at, code):
    decision = decided(signed(agreement()), request(now=at))
    assert codes(decision) == [code]


@pytest.mark.parametrize("purpose", [None, "", "treatment", "TREAT"])
def test_g06_no_purpose_or_an_unknown_one_is_never_read_as_care(purpose):
    decision = decided(signed(agreement()), request(purpose=purpose))
    assert (decision.effect, codes(decision)) == ("deny", ["unknown"])


def test_g07_a_misspelt_code_refuses_the_document_and_names_the_place():
    with pytest.raises(Invalid) as caught:
        read(agreement(clause(roles=["gp", "docter"])))
    assert caught.value.place == "policy/a.yaml: clauses[0].roles[1]"
    assert 'Did you mean "doctor"?' in caught.value.message


def test_g08_a_grant_for_direct_care_is_none_for_population_health():
    decision = decided(signed(agreement()), request(purpose="population-health"))
    assert codes(decision) == ["no_grant"]


def test_g09_a_role_outside_the_grant_is_denied():
    assert decided(signed(agreement()), request(role="analyst")).effect == "deny"


def test_g10_a_gp_whose_patient_is_registered_is_permitted():
    decision = decided(signed(agreement()), request(role="gp"))
    assert (decision.effect, decision.authority) == (
        "permit",
        "DSA-2031-017/c1@1#Z9B",
    )
    assert decision.relationship == "registered"
    assert decision.view == View(hide_fields=frozenset({"person.address"}))
    assert decision.because[0].why == "Shared frail patients"


@pytest.mark.parametrize("evidence", [frozenset(), frozenset({"none"})])
def test_g11_without_a_relationship_care_is_denied(evidence):
    decision = decided(signed(agreement()), request(relationships=evidence))
    assert codes(decision) == ["no_grant"]


def test_g12_a_claimed_relationship_permits_with_duties():
    policy_set = signed(agreement(clause(relationships=["self-claimed"])))
    decision = decided(policy_set, request(relationships=frozenset({"self-claimed"})))
    assert (decision.effect, decision.view) == ("permit", DUTIES)


def test_g13_a_veto_on_the_claimed_spares_the_registered():
    policy_set = signed(
        agreement(clause(relationships=["registered", "self-claimed"])),
        local_rule(rule(when={"relationships": ["self-claimed"]})),
    )
    both = frozenset({"registered", "self-claimed"})
    assert decided(policy_set, request(relationships=both)).effect == "permit"
    claimed = decided(policy_set, request(relationships=both - {"registered"}))
    assert codes(claimed) == ["veto"]
    assert claimed.because[0].authority == "LR-Z9B-1/v1@1"


def test_g14_an_expired_referral_is_stale():
    policy_set = signed(agreement(clause(relationships=["referral"])))
    lapsed = request(relationships=frozenset({"stale:referral"}))
    assert codes(decided(policy_set, lapsed)) == ["stale"]


STATES_NDO = {"flags": {"ndo": "states"}}
PRESENT = {"ndo": (True, NOW)}


def test_g15_direct_care_does_not_ask_for_the_opt_out():
    released = opened(decided(signed(agreement()), None, cell(**STATES_NDO)))
    assert len(released.items) == 1


def test_g16_research_withholds_whoever_opted_out():
    policy_set = signed(
        agreement(
            clause(**{**PLANNING, "purposes": ["research"]}, legal_basis=basis("s251"))
        )
    )
    asked = request(purpose="research", relationships=frozenset())
    decision = decided(policy_set, asked, cell(**STATES_NDO))
    assert decision.effect == "permit"
    released = opened(decision, flags=PRESENT)
    assert (released.items, released.withheld) == ((), 1)
    assert not released.silent
    assert opened(decision, flags={"ndo": (False, NOW)}).withheld == 0


@pytest.mark.parametrize(
    ("registered", "stated", "shown"),
    [
        ("states", (True, timedelta(hours=23)), 1),
        ("states", (True, timedelta(hours=25)), 0),
        ("states", (False, timedelta(hours=1)), 0),
        ("states", None, 0),
    ],
)
def test_g17_g24_a_study_needs_consent_that_is_present_and_fresh(
    registered, stated, shown
):
    study = clause(
        purposes=["research"],
        relationships=["none"],
        legal_basis=basis("explicit-consent"),
    )
    asked = request(purpose="research", relationships=frozenset())
    flag = "consent:DSA-2031-017"
    decision = decided(signed(agreement(study)), asked, cell(flags={flag: registered}))
    flags = {} if stated is None else {flag: (stated[0], NOW - stated[1])}
    assert len(opened(decision, flags=flags).items) == shown


@pytest.mark.parametrize(("days", "shown"), [(7, 1), (8, 0), (30, 0), (-2, 0)])
def test_g18_an_opt_out_state_too_old_or_from_the_future_withholds(days, shown):
    decision = decided(
        signed(agreement(clause(**PLANNING))), request(**PLANNER), cell(**STATES_NDO)
    )
    flags = {"ndo": (False, NOW - timedelta(days=days))}
    assert len(opened(decision, flags=flags).items) == shown


def test_g19_an_exempt_clause_asks_for_no_opt_out():
    exempt = clause(
        **{**PLANNING, "honours": []},
        legal_basis=basis("reg3"),
        exemption={"code": "reg3", "evidence": "Regulation 3(4)"},
    )
    decision = decided(signed(agreement(exempt)), request(**PLANNER), cell())
    assert opened(decision, flags=PRESENT).withheld == 0


def test_g20_a_count_whose_opt_out_is_not_known_is_refused():
    counting = clause(**PLANNING, operations=["population.additive"])
    asked = request(**PLANNER, operation="population.additive")
    assert codes(decided(signed(agreement(counting)), asked, cell())) == ["unknown"]


@pytest.mark.parametrize(
    ("registered", "purpose", "shown"),
    [
        ("states", "service-planning", 0),
        ("prefiltered", "service-planning", 1),
        ("states", "direct-care", 1),
    ],
    ids=["g21 GP data", "g22 hospital data", "g23 direct care"],
)
def test_g21_to_g23_a_type_1_objection_counts_outside_individual_care(
    registered, purpose, shown
):
    planning = clause(**{**PLANNING, "honours": ["type1"]}, id="c2")
    policy_set = signed(agreement(clause(), planning))
    asked = request(purpose=purpose)
    decision = decided(policy_set, asked, cell(flags={"type1": registered}))
    stated = {} if registered == "prefiltered" else {"type1": (True, NOW)}
    assert len(opened(decision, flags=stated).items) == shown


def test_g25_g26_a_labelled_item_is_withheld_alone():
    decision = decided(signed(agreement()))
    things = [
        Thing(),
        Thing(labels=frozenset({"STD"})),
        Thing(labels=frozenset({"from a list nobody knows"})),
        Thing(labels=frozenset({"PSY", "N"})),
        Thing(labels=frozenset({"PSY", "STD"})),
        Thing(labels=frozenset({"unlabelled"})),
    ]
    released = opened(decision, *things)
    assert [thing for thing, _ in released.items] == [things[0], things[3]]
    assert released.withheld == 4
    assert released.withheld_categories == {"encounters"}


def test_g27_an_unlabelled_source_that_is_not_cleared_is_denied_before_a_call():
    policy_set = signed(agreement(clause(cleared_labels=["PSY"])))
    assert codes(decided(policy_set, None, cell(labels="unlabelled"))) == ["label"]
    cleared = decided(signed(agreement()), None, cell(labels="unlabelled"))
    assert len(opened(cleared).items) == 1


def test_g28_a_vetoed_category_leaves_a_cleared_medication_shown():
    policy_set = signed(
        agreement(clause(categories=["mental-health", "medications"])),
        local_rule(rule(when={"categories": ["mental-health"]})),
    )
    vetoed = decided(policy_set, None, cell(category="mental-health"))
    assert codes(vetoed) == ["veto"]
    decision = decided(policy_set, None, cell(category="medications"))
    lithium = Thing(category="medications", labels=frozenset({"PSY"}))
    assert len(opened(decision, lithium).items) == 1


BROKEN = {"break_glass": True, "purpose": "direct-care"}


def test_g29_breaking_the_glass_overrides_an_overridable_veto_with_duties():
    policy_set = signed(agreement(), local_rule(rule(overridable="true")))
    assert codes(decided(policy_set)) == ["veto"]
    decision = decided(policy_set, request(**BROKEN))
    assert (decision.effect, decision.view) == ("permit", DUTIES)


def test_g30_breaking_the_glass_leaves_other_vetoes_standing():
    policy_set = signed(agreement(), local_rule(rule(overridable="false")))
    assert codes(decided(policy_set, request(**BROKEN))) == ["veto"]


def test_g31_breaking_the_glass_without_a_grant_opens_nothing():
    policy_set = signed(agreement(clause(roles=["midwife"])))
    assert codes(decided(policy_set, request(**BROKEN))) == ["no_grant"]


def test_g32_the_glass_is_not_broken_for_research():
    policy_set = signed(agreement(clause(purposes=["research"])))
    assert decided(policy_set, request(purpose="research")).effect == "permit"
    asked = request(purpose="research", break_glass=True)
    assert codes(decided(policy_set, asked)) == ["unknown"]


def test_a_clause_for_broken_glass_alone_opens_only_then():
    policy_set = signed(agreement(clause(break_glass="only")))
    assert codes(decided(policy_set)) == ["no_grant"]
    assert decided(policy_set, request(**BROKEN)).effect == "permit"


STATED = {"legally-restricted": "states", "sensitive-record": "states"}


@pytest.mark.parametrize("things", [1, 0], ids=["something held", "nothing held"])
def test_g34_a_legally_restricted_person_is_not_known_here(things):
    decision = decided(signed(agreement()), None, cell(flags=STATED))
    flags = {flag: (flag == "legally-restricted", NOW) for flag in STATED}
    released = opened(decision, *[Thing()] * 3 * things, flags=flags)
    assert (released.silent, released.items, released.withheld) == (True, (), 0)
    assert released.withheld_categories == frozenset()


@pytest.mark.parametrize(("owner", "silent"), [(HOSPITAL, True), (GP, False)])
def test_g35_a_sensitive_record_stays_with_its_own_organisation(owner, silent):
    decision = decided(signed(agreement()), None, cell(owner=owner, flags=STATED))
    flags = {flag: (flag == "sensitive-record", NOW) for flag in STATED}
    released = opened(decision, flags=flags)
    assert (released.silent, len(released.items)) == (silent, 0 if silent else 1)


def test_g36_of_incomparable_grants_the_first_decides_and_a_cited_one_may():
    first = agreement(id="DSA-A")
    second = agreement(clause(obligations={"no_onward": "true"}), id="DSA-B")
    policy_set = signed(second, first)
    assert decided(policy_set).authority == "DSA-A/c1@1#Z9B"
    cited = decided(policy_set, request(agreement="DSA-B"))
    assert (cited.authority, cited.view.no_onward) == ("DSA-B/c1@1#Z9B", True)
    absent = decided(policy_set, request(agreement="DSA-C"))
    assert codes(absent) == ["cited_absent"]


def test_g37_a_constraint_meets_the_grant_and_undated_items_are_withheld():
    policy_set = signed(
        agreement(clause(obligations={"max_age_days": 1825})),
        local_rule(
            rule(id="k1", effect="constrain", obligations={"max_age_days": "365"})
        ),
    )
    decision = decided(policy_set)
    assert decision.view == View(max_age_days=365)
    assert decision.reach_days == 365
    # 1 June 2031, less 365 days: London's 1 June 2030 begins at 23:00 UTC of May.
    edge = datetime(2030, 5, 31, 23, tzinfo=UTC)
    things = [
        Thing(earliest=edge),
        Thing(earliest=edge - timedelta(seconds=1)),
        Thing(earliest=None),
        Thing(earliest=datetime(1, 1, 1, tzinfo=UTC)),
    ]
    released = opened(decision, *things)
    assert [thing for thing, _ in released.items] == [things[0]]
    assert released.withheld == 3


@pytest.mark.parametrize("key", ["owner", "owners", "break_glass"])
def test_g38_no_rule_reaches_past_its_own_organisation(key):
    with pytest.raises(Invalid, match=rf"rules\[0\]\.when\.{key}: unknown key"):
        read(local_rule(rule(when={key: [HOSPITAL]})))
    elsewhere = signed(agreement(), local_rule(org=GP))
    assert decided(elsewhere).effect == "permit"
    assert decided(elsewhere, None, cell(owner=GP)).effect == "deny"


class Unreadable(dict[str, str]):
    """Registration that fails when read, as a defect of ours would."""

    def items(self):
        raise RuntimeError("a defect")


def test_g40_an_evaluator_that_fails_denies_every_cell():
    policy_set = signed(agreement())
    broken = cell()
    object.__setattr__(broken, "flags", Unreadable())
    decisions = decide_all(policy_set, request(), [cell(), broken])
    assert [each.effect for each in decisions] == ["deny", "deny"]
    assert [codes(each) for each in decisions] == [["policy_error"]] * 2


def test_a_clock_without_a_zone_denies():
    naive = request(now=datetime(2031, 6, 1))  # noqa: DTZ001 - the fault under test
    assert codes(decided(signed(agreement()), naive)) == ["policy_error"]
