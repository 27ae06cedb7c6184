"""Scenarios beside the golden ones: versions, evidence, duties and dates together."""

from datetime import UTC, date, datetime, timedelta

import pytest

from policies.clauses import Member
from policies.compile import compile_set
from policies.decide import decide_all
from policies.errors import Invalid
from policies.near_misses import caller_safe, near_misses
from policies.obligations import View
from policies.release import Sealed, oldest_day, release
from tests.spec.policies.shared_care import (
    EVERY_AXIS,
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

HIDES_ADDRESS = frozenset({"person.address"})


def in_force(*members, by=(GP, HOSPITAL, TRUST)):
    """The set of these members, every version signed by these."""
    signatures = [
        signature(each.document, organisation)
        for each in members
        for organisation in by
    ]
    return compile_set(members, signatures)


FIRST = read(agreement())
NARROWER = read(agreement(clause(roles=["doctor"])))
OTHER = read(agreement(clause(obligations={"no_onward": "true"}), id="DSA-AAA"))


def test_a_new_version_keeps_its_place_in_the_order_of_authority():
    since = datetime(2031, 3, 1, tzinfo=UTC)
    later = datetime(2031, 5, 1, tzinfo=UTC)
    for active, authority in ((since, "DSA-2031-017/c1@2#Z9B"), (later, "DSA-AAA")):
        second = Member(document=NARROWER, version=2, first_active={HOSPITAL: active})
        policy_set = in_force(
            second,
            Member(document=OTHER, first_active={HOSPITAL: NOW.replace(month=4)}),
        )
        assert str(decided(policy_set).authority).startswith(authority)


def test_two_versions_stand_side_by_side_for_two_providers():
    policy_set = in_force(
        Member(document=FIRST, version=1, standing=frozenset({GP})),
        Member(document=NARROWER, version=2, standing=frozenset({HOSPITAL})),
    )
    nurse = request(role="nurse")
    decisions = decide_all(
        policy_set,
        nurse,
        [cell(owner=GP), cell(owner=HOSPITAL)],
        supported=EVERY_AXIS,
    )
    assert [each.effect for each in decisions] == ["permit", "deny"]
    assert decisions[0].authority == "DSA-2031-017/c1@1#Z9A01"


def test_two_versions_for_one_provider_are_refused():
    with pytest.raises(Invalid, match="two versions stand for one organisation"):
        in_force(Member(document=FIRST), Member(document=NARROWER, version=2))


def test_a_recipient_of_a_narrowed_version_need_not_sign_again():
    signatures = [signature(NARROWER, each) for each in (HOSPITAL, TRUST)]
    carried = Member(document=NARROWER, version=2, carried=frozenset({GP}))
    assert decided(compile_set([carried], signatures)).effect == "permit"
    anew = Member(document=NARROWER, version=2)
    assert codes(decided(compile_set([anew], signatures))) == ["not_signed"]


def test_a_stranger_is_not_carried_into_an_agreement():
    signatures = [signature(FIRST, HOSPITAL)]
    carried = Member(document=FIRST, version=2, carried=frozenset({"Z9X"}))
    asked = request(recipient="Z9X")
    assert decided(compile_set([carried], signatures), asked).effect == "deny"


def test_what_one_provider_suspends_stays_open_at_the_other():
    policy_set = in_force(Member(document=FIRST, suspended=frozenset({HOSPITAL})))
    decision = decided(policy_set)
    assert codes(decision) == ["not_signed"]
    assert decision.because[0].why.startswith("Suspended")
    assert decided(policy_set, None, cell(owner=GP)).effect == "permit"


def test_a_rule_that_no_longer_stands_forbids_nothing():
    vetoing = read(local_rule())
    held = in_force(Member(document=FIRST), Member(document=vetoing))
    assert codes(decided(held)) == ["veto"]
    gone = Member(document=vetoing, standing=frozenset())
    assert decided(in_force(Member(document=FIRST), gone)).effect == "permit"


def test_a_new_version_of_a_rule_takes_the_place_of_the_old():
    wide, narrow = read(local_rule()), read(local_rule(rule(when={"roles": ["nurse"]})))
    policy_set = in_force(
        Member(document=FIRST),
        Member(document=wide, version=1, standing=frozenset()),
        Member(document=narrow, version=2),
    )
    assert decided(policy_set).effect == "permit"
    decision = decided(policy_set, request(role="nurse"))
    assert decision.because[0].authority == "LR-Z9B-1/v1@2"


def test_the_role_that_would_do_is_the_near_miss_of_a_wrong_one():
    misses = caller_safe(
        signed(agreement()), request(role="analyst"), cell(), supported=EVERY_AXIS
    )
    assert [(each.attribute, each.needed) for each in misses] == [
        ("role", ("gp", "doctor", "nurse"))
    ]
    assert misses[0].under == "DSA-2031-017/c1@1#Z9B"


def test_the_evidence_that_would_do_is_the_near_miss_of_none():
    asked = request(relationships=frozenset())
    misses = caller_safe(signed(agreement()), asked, cell(), supported=EVERY_AXIS)
    assert [(each.attribute, set(each.needed)) for each in misses] == [
        ("relationship", {"active-encounter", "registered"})
    ]


def test_the_purpose_that_would_do_is_never_told_to_a_caller():
    asked = request(purpose="research")
    policy_set = signed(agreement())
    assert caller_safe(policy_set, asked, cell(), supported=EVERY_AXIS) == ()
    full = near_misses(policy_set, asked, cell(), supported=EVERY_AXIS)
    assert "purpose" in {each.attribute for each in full}


def test_breaking_the_glass_opens_what_is_for_broken_glass_with_duties():
    policy_set = signed(agreement(clause(break_glass="only", obligations={})))
    asked = request(break_glass=True)
    decision = decided(policy_set, asked)
    assert decision.view == View(notify=frozenset({"privacy-officer"}), justify=True)


def test_breaking_the_glass_lifts_an_overridable_constraint_and_no_other():
    ages = {
        "k1": ("true", {"max_age_days": "30"}),
        "k2": ("false", {"max_age_days": "365"}),
    }
    rules = [
        rule(id=name, effect="constrain", overridable=falls, obligations=demanded)
        for name, (falls, demanded) in ages.items()
    ]
    policy_set = signed(agreement(), local_rule(*rules))
    assert decided(policy_set).view.max_age_days == 30
    assert decided(policy_set, request(break_glass=True)).view.max_age_days == 365


def test_breaking_the_glass_shows_nobody_whom_the_law_hides():
    states = {"legally-restricted": "states", "sensitive-record": "states"}
    decision = decided(
        signed(agreement()), request(break_glass=True), cell(flags=states)
    )
    flags = {flag: (flag == "legally-restricted", NOW) for flag in states}
    released = opened(decision, flags={**flags, "local-dissent": (False, NOW)})
    assert (released.silent, released.items) == (True, ())


def test_dissent_is_honoured_though_the_glass_is_broken():
    registered = cell(flags={"local-dissent": "states"})
    decision = decided(signed(agreement()), request(break_glass=True), registered)
    assert opened(decision, flags={"local-dissent": (True, NOW)}).withheld == 1


def test_a_constraint_on_weak_evidence_spares_the_strong():
    policy_set = signed(
        agreement(clause(relationships=["registered", "self-claimed"], obligations={})),
        local_rule(
            rule(
                effect="constrain",
                when={"relationships": ["self-claimed"]},
                obligations={"date_grain": "year"},
            )
        ),
    )
    both = request(relationships=frozenset({"registered", "self-claimed"}))
    assert decided(policy_set, both).view == View()
    claimed = request(relationships=frozenset({"self-claimed"}))
    assert decided(policy_set, claimed).view.date_grain == "year"


def test_a_person_sees_their_own_record_as_self_before_all_else():
    own = clause(roles=["patient"], relationships=["self"], obligations={})
    policy_set = signed(agreement(clause(roles=["patient"]), {**own, "id": "c2"}))
    asked = request(role="patient", relationships=frozenset({"self", "registered"}))
    decision = decided(policy_set, asked)
    assert (decision.relationship, decision.view) == ("self", View())


def test_two_constraints_tell_everybody_that_either_tells():
    demands = [{"notify": ["owner"], "retain_seconds": "600"}]
    demands += [{"notify": ["patient"], "retain_seconds": "60", "no_onward": "true"}]
    rules = [
        rule(id=f"k{number}", effect="constrain", obligations=each)
        for number, each in enumerate(demands)
    ]
    view = decided(signed(agreement(), local_rule(*rules))).view
    assert view == View(
        hide_fields=HIDES_ADDRESS,
        notify=frozenset({"owner", "patient"}),
        retain_seconds=60,
        no_onward=True,
    )


def test_a_pseudonymised_answer_hides_who_it_is_about_whatever_was_signed():
    policy_set = signed(agreement(clause(modes=["pseudonymised"], obligations={})))
    view = decided(policy_set, request(mode="pseudonymised")).view
    assert {"person.nhs_number", "person.name", "event.record_id"} <= view.hide_fields


@pytest.mark.parametrize(("agreed", "least"), [("5", 8), ("20", 20)])
def test_the_greater_of_two_least_counts_is_kept(agreed, least):
    counting = clause(modes=["aggregate"], obligations={"min_count": agreed})
    decision = decided(signed(agreement(counting)), request(mode="aggregate"))
    assert decision.view.min_count == least


@pytest.mark.parametrize(
    ("now", "oldest"),
    [
        (
            datetime(2031, 10, 27, 12, tzinfo=UTC),
            datetime(2031, 10, 25, 23, tzinfo=UTC),
        ),
        (
            datetime(2031, 10, 26, 0, 30, tzinfo=UTC),
            datetime(2031, 10, 24, 23, tzinfo=UTC),
        ),
        (datetime(2031, 3, 31, 12, tzinfo=UTC), datetime(2031, 3, 30, tzinfo=UTC)),
    ],
    ids=["after the long day", "in the repeated hour", "after the short day"],
)
def test_a_day_of_age_is_a_london_day_long_or_short(now, oldest):
    yearly = agreement(
        clause(obligations={"max_age_days": "1"}),
        valid={"from": "2031-01-01", "through": "2033-03-31"},
    )
    decision = decided(signed(yearly), request(now=now))
    items = [Thing(earliest=oldest), Thing(earliest=oldest - timedelta(microseconds=1))]
    released = release(Sealed(items, {}), {"encounters": decision}, now)
    assert [thing for thing, _ in released.items] == items[:1]
    assert (released.withheld, oldest_day(now, 1)) == (1, now.date() - timedelta(1))


@pytest.mark.parametrize(
    ("first", "last", "is_taken"),
    [
        ("2028-02-29", "2031-02-28", True),
        ("2028-02-29", "2031-03-01", False),
        ("2031-04-01", "2034-03-31", True),
        ("2031-04-01", "2034-04-01", False),
    ],
)
def test_an_agreement_lasts_three_years_at_most_leap_day_or_not(first, last, is_taken):
    data = agreement(valid={"from": first, "through": last})
    if is_taken:
        assert read(data).valid.through == date.fromisoformat(last)
    else:
        with pytest.raises(Invalid, match="more than 3 years"):
            read(data)


def test_a_restricted_record_is_not_cleared_by_clearing_its_subject():
    decision = decided(signed(agreement()))
    labels = [frozenset({"PSY", "R"}), frozenset({"V"}), frozenset({"PSY", "N", "U"})]
    things = [Thing(labels=each) for each in labels]
    released = opened(decision, *things)
    assert [thing.labels for thing, _ in released.items] == [labels[2]]


def test_what_nobody_understands_cannot_be_cleared():
    with pytest.raises(Invalid, match=r"cleared_labels\[0\]: unknown code"):
        read(agreement(clause(cleared_labels=["unrecognised"])))


def test_a_rule_that_tests_nothing_holds_for_whatever_comes():
    policy_set = signed(agreement(), local_rule())
    for changed in ({"role": "gp"}, {"purpose": "care-coordination"}):
        assert codes(decided(policy_set, request(**changed))) == ["veto"]


def test_the_vetoes_of_every_evidence_that_could_have_done_are_named():
    policy_set = signed(
        agreement(clause(relationships=["registered", "referral"])),
        local_rule(
            rule(id="a", when={"relationships": ["registered"]}),
            rule(id="b", when={"relationships": ["referral"]}),
            rule(id="c", when={"relationships": ["caseload"]}),
        ),
    )
    evidence = frozenset({"registered", "referral", "caseload"})
    decision = decided(policy_set, request(relationships=evidence))
    assert {each.authority for each in decision.because} == {
        "LR-Z9B-1/a@1",
        "LR-Z9B-1/b@1",
    }


def test_a_cited_agreement_is_the_only_one_looked_at():
    wider = agreement(clause(obligations={}), id="DSA-WIDE")
    policy_set = signed(agreement(), wider)
    assert decided(policy_set).authority == "DSA-WIDE/c1@1#Z9B"
    cited = decided(policy_set, request(agreement="DSA-2031-017"))
    assert (cited.authority, cited.view.hide_fields) == (
        "DSA-2031-017/c1@1#Z9B",
        HIDES_ADDRESS,
    )


def test_a_duty_that_only_some_can_carry_out_denies_where_they_cannot():
    policy_set = signed(agreement(clause(obligations={"notify": ["patient"]})))
    able = frozenset({"notify:patient"})
    assert decided(policy_set, supported=able).effect == "permit"
    unable = decided(policy_set, supported=frozenset({"notify:owner"}))
    assert codes(unable) == ["obligation_unsupported"]


def test_a_source_that_filters_before_it_answers_is_believed_until_it_says_otherwise():
    planning = clause(
        purposes=["service-planning"], relationships=["none"], honours=["ndo"]
    )
    asked = request(purpose="service-planning", relationships=frozenset())
    at = cell(flags={"ndo": "prefiltered"})
    decision = decided(signed(agreement(planning)), asked, at)
    assert len(opened(decision).items) == 1
    assert opened(decision, flags={"ndo": (True, NOW)}).withheld == 1


def test_one_refused_cell_says_nothing_of_the_others():
    policy_set = signed(
        agreement(), local_rule(rule(when={"categories": ["medications"]}))
    )
    cells = [
        cell(),
        cell(category="medications"),
        cell(owner=GP, category="medications"),
    ]
    decisions = decide_all(policy_set, request(), cells, supported=EVERY_AXIS)
    assert [each.effect for each in decisions] == ["permit", "deny", "permit"]


def test_consent_that_lapsed_at_the_hour_is_no_consent():
    study = clause(
        purposes=["research"],
        relationships=["none"],
        legal_basis={
            "art6": "6(1)(e)",
            "art9": "9(2)(j)",
            "confidentiality": "explicit-consent",
        },
    )
    asked = request(purpose="research", relationships=frozenset())
    flag = "consent:DSA-2031-017"
    decision = decided(signed(agreement(study)), asked, cell(flags={flag: "states"}))
    day = timedelta(hours=24)
    for age, shown in ((day, 1), (day + timedelta(microseconds=1), 0)):
        assert len(opened(decision, flags={flag: (True, NOW - age)}).items) == shown
    other = {"consent:DSA-OTHER": (True, NOW)}
    assert opened(decision, flags=other).withheld == 1


def test_a_grant_to_nobody_in_particular_is_not_a_grant_to_an_unknown_role():
    every_role = clause(roles=["gp", "doctor", "nurse", "analyst", "administrator"])
    for role in ("", "locum", None):
        decision = decided(signed(agreement(every_role)), request(role=role))
        assert codes(decision) == ["unknown"]
