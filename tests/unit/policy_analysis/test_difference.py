"""What a change newly allows, relaxes, refuses and tightens, and how it is said."""

from datetime import UTC, datetime

import pytest

from policies import vocabulary
from policies.analysis.difference import difference
from policies.clauses import Member
from policies.compile import compile_set
from policies.obligations import View
from tests.unit.policy_analysis.changes import (
    GP,
    HOSPITAL,
    TRUST,
    agreement,
    alone,
    clause,
    compiled,
    documents,
    local_rule,
    rule,
    ruled,
    vetoed,
)

ADDRESS = View(hide_fields=frozenset({"person.address"}))


def kinds(found):
    return {(region.kind, region.owner) for region in found.regions}


def regions_of(found, owner, **values):
    return [
        region
        for region in found.regions
        if region.owner == owner
        and all(region.values[name] == codes for name, codes in values.items())
    ]


def test_the_same_set_differs_in_nothing():
    found = difference(alone(), alone())
    assert found.regions == ()
    assert found.is_complete


def test_another_name_and_another_reason_are_no_difference():
    renamed = agreement(clause(id="other", why="In other words"), id="DSA-9")
    found = difference(alone(), compiled(renamed))
    assert [region.values["agreements"] for region in found.newly_allowed] == [
        ("DSA-9",)
    ] * len(found.newly_allowed)
    assert difference(alone(), alone(id="c9", why="In other words")).regions == ()


def test_a_role_more_is_newly_allowed_and_a_role_less_newly_refused():
    narrow, wide = alone(), alone(roles=["gp", "doctor", "nurse", "midwife"])
    grown, shrunk = difference(narrow, wide), difference(wide, narrow)
    assert kinds(grown) == {("newly_allowed", GP), ("newly_allowed", HOSPITAL)}
    assert kinds(shrunk) == {("newly_refused", GP), ("newly_refused", HOSPITAL)}
    assert {region.values["roles"] for region in grown.regions} == {("midwife",)}
    assert {region.values["roles"] for region in shrunk.regions} == {("midwife",)}


def test_a_duty_less_relaxes_and_a_duty_more_tightens():
    hiding, showing = alone(), alone(obligations={})
    relaxed, tightened = difference(hiding, showing), difference(showing, hiding)
    assert kinds(relaxed) == {("relaxed", GP), ("relaxed", HOSPITAL)}
    assert kinds(tightened) == {("tightened", GP), ("tightened", HOSPITAL)}
    plain = regions_of(relaxed, HOSPITAL, break_glass=("no",))
    assert {(region.before, region.after) for region in plain} == {(ADDRESS, View())}


def test_another_duty_both_relaxes_and_tightens():
    found = difference(alone(), alone(obligations={"date_grain": "day"}))
    assert kinds(found) == {
        (kind, owner) for kind in ("relaxed", "tightened") for owner in (GP, HOSPITAL)
    }


def test_a_veto_refuses_its_own_owners_data_alone():
    found = difference(compiled(agreement()), vetoed(rule(when={"roles": ["nurse"]})))
    assert kinds(found) == {("newly_refused", HOSPITAL)}
    assert {region.values["roles"] for region in found.regions} == {("nurse",)}
    assert {region.authority for region in found.regions} == {"DSA-2031-017/c1@1#Z9B"}


def test_a_constraint_tightens():
    when = {"categories": ["encounters"]}
    aged = rule(effect="constrain", when=when, obligations={"max_age_days": 365})
    found = difference(compiled(agreement()), vetoed(aged))
    assert kinds(found) == {("tightened", HOSPITAL)}
    assert {region.values["categories"] for region in found.regions} == {
        ("encounters",)
    }


def test_a_flag_a_label_and_a_period_are_told_where_they_matter():
    before = compiled(agreement())
    honouring = alone(honours=["local-dissent", "ndo"])
    (region, *_) = difference(before, honouring).newly_refused
    assert region.values["flag:ndo"] == ("present", "unknown")
    assert "where ndo is present or unknown" in region.sentence
    uncleared = alone(cleared_labels=["PSY"])
    (region, *_) = difference(before, uncleared).newly_refused
    assert region.values["label:unlabelled"] == ("present",)
    assert "from a source that does not label" in region.sentence
    assert region.witness.cell.labels == "unlabelled"
    unsensitive = alone(cleared_labels=["unlabelled"])
    (region, *_) = difference(before, unsensitive).newly_refused
    assert "labelled PSY" in region.sentence
    assert region.witness.labels == {"PSY"}
    longer = compiled(agreement(valid={"from": "2031-04-01", "through": "2033-12-31"}))
    (region, *_) = difference(before, longer).newly_allowed
    assert region.values["periods"] == ("2033-04-01/2033-12-31",)
    assert "from 2033-04-01 to 2033-12-31" in region.sentence


def test_periods_that_meet_are_told_as_one():
    early = agreement(id="A", valid={"from": "2031-04-01", "through": "2031-12-31"})
    late = agreement(id="B", valid={"from": "2032-01-01", "through": "2032-12-31"})
    vetoing = local_rule(rule())
    found = difference(compiled(early, late), compiled(early, late, vetoing))
    uncited = regions_of(found, HOSPITAL, break_glass=("no",))
    assert {region.values["periods"] for region in uncited} == {
        ("2031-04-01/2031-12-31",),
        ("2032-01-01/2032-12-31",),
    }
    whole = agreement(valid={"from": "2031-04-01", "through": "2032-12-31"})
    found = difference(compiled(whole, early), compiled(whole, early, vetoing))
    assert ("2031-04-01/2032-12-31",) in {
        region.values["periods"] for region in found.regions
    }


def test_a_past_that_is_over_makes_no_difference():
    before = compiled(agreement(valid={"from": "2031-04-01", "through": "2031-04-30"}))
    found = difference(before, compiled(), since=datetime(2031, 5, 1, tzinfo=UTC))
    assert found.regions == ()
    now = datetime(2031, 4, 20, 9, tzinfo=UTC)
    (region, *_) = difference(before, compiled(), since=now).regions
    assert region.witness.request.now == now


def test_signing_and_suspending_make_a_difference():
    held, signatures = documents(agreement())
    unsigned = compile_set(held, ())
    signed = compile_set(held, signatures)
    assert kinds(difference(unsigned, signed)) == {
        ("newly_allowed", GP),
        ("newly_allowed", HOSPITAL),
    }
    member = Member(document=held[0], suspended=frozenset({HOSPITAL}))
    suspended = compile_set([member], signatures)
    assert kinds(difference(signed, suspended)) == {("newly_refused", HOSPITAL)}


def test_evidence_that_stands_beside_every_other_is_counted():
    """Without a relationship a grant permits already; one with it adds nothing."""
    bare = agreement(clause(id="a", relationships=["none"]))
    both = agreement(
        clause(id="a", relationships=["none"]),
        clause(id="b", relationships=["registered"]),
    )
    assert difference(compiled(bare), compiled(both)).regions == ()
    # But where it shows more, it relaxes.
    more = agreement(
        clause(id="a", relationships=["none"]),
        clause(id="b", relationships=["registered"], obligations={}),
    )
    found = difference(compiled(bare), compiled(more))
    assert {region.kind for region in found.regions} == {"relaxed"}
    assert {region.values["relationships"] for region in found.regions} == {
        ("registered",)
    }


def test_a_view_beside_the_evidence_counts_where_it_is_wider():
    narrow = agreement(clause(id="b", relationships=["registered"]))
    wide = agreement(
        clause(id="a", relationships=["none"], obligations={}),
        clause(id="b", relationships=["registered"]),
    )
    found = difference(compiled(narrow), compiled(wide))
    by_kind = {(each.kind, each.values["relationships"]) for each in found.regions}
    assert ("relaxed", ("registered",)) in by_kind
    allowed = {
        code for kind, codes in by_kind if kind == "newly_allowed" for code in codes
    }
    assert allowed == set(vocabulary.RELATIONSHIPS) - {"registered"}


def test_what_needs_no_relationship_is_given_with_any():
    found = difference(compiled(), alone(relationships=["none"], obligations={}))
    plain, *_ = regions_of(found, HOSPITAL, break_glass=("no",))
    assert set(plain.values["relationships"]) >= {"registered", "caseload", "none"}
    assert plain.witness.request.relationships == frozenset()


def test_an_order_that_changes_the_answer_is_a_difference():
    one = clause(id="a", obligations={"hide_fields": ["person.address"]})
    two = clause(id="b", obligations={"hide_fields": ["person.name"]})
    swapped = [{**one, "id": "b"}, {**two, "id": "a"}]
    found = difference(compiled(agreement(one, two)), compiled(agreement(*swapped)))
    assert {region.kind for region in found.regions} == {"relaxed", "tightened"}


def test_a_later_clause_that_shows_more_decides_as_far_as_it_reaches():
    hiding = {"hide_fields": ["person.address", "person.name"]}
    before = agreement(clause(id="a", obligations=hiding))
    reaching = clause(id="b", roles=["gp"])
    further = clause(id="c", roles=["gp", "nurse"], categories=["encounters"])
    after = agreement(clause(id="a", obligations=hiding), reaching, further)
    found = difference(compiled(before), compiled(after))
    plain = regions_of(found, HOSPITAL, break_glass=("no",))
    assert {(each.kind, each.authority[:-2]) for each in plain} == {
        ("relaxed", "DSA-2031-017/b@1#Z"),
        ("relaxed", "DSA-2031-017/c@1#Z"),
    }
    assert {each.values["roles"] for each in plain} == {("gp",), ("nurse",)}


def test_a_citation_is_asked_for_only_where_it_matters():
    silent = rule(when={"agreements": ["DSA-2031-017"]})
    other = agreement(id="DSA-9")
    before = compiled(agreement(), other)
    after = compiled(agreement(), other, local_rule(silent))
    found = difference(before, after)
    assert {region.values["agreements"] for region in found.regions} == {
        ("", "DSA-2031-017")
    }
    # With the rule in force, only who cites the other agreement gains by it.
    found = difference(compiled(agreement(), local_rule(silent)), after)
    gained = regions_of(found, HOSPITAL)
    assert {region.values["agreements"] for region in gained} == {("DSA-9",)}
    assert "only when DSA-9 is cited" in gained[0].sentence


def test_broken_glass_is_for_individual_care_alone():
    only = alone(break_glass="only", purposes=["direct-care", "research"])
    found = difference(compiled(), only)
    assert {region.values["purposes"] for region in found.regions} == {("direct-care",)}
    assert "only with broken glass" in found.regions[0].sentence
    assert found.regions[0].witness.request.break_glass is True


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [agreement()]),
        ([agreement()], [agreement(), local_rule(rule(when={"same_org": True}))]),
        ([agreement()], [agreement(), local_rule(rule(when={"same_org": False}))]),
        ([agreement()], [agreement(), local_rule(rule(when={"labels_any": ["PSY"]}))]),
        ([agreement()], [agreement(), local_rule(rule(when={"flags_any": ["ndo"]}))]),
        ([agreement()], [agreement(clause(relationships=["none"]))]),
        ([agreement()], [agreement(clause(cleared_labels=[]))]),
    ],
)
def test_every_witness_flips_the_reference(before, after):
    found = difference(compiled(*before), compiled(*after))
    assert found.regions
    for region in found.regions:
        answers = ruled(before, region.witness), ruled(after, region.witness)
        assert answers == (region.before, region.after)
        assert answers == (
            region.witness.answered(compiled(*before)),
            region.witness.answered(compiled(*after)),
        )


def test_a_rule_for_ones_own_or_for_other_organisations_finds_its_recipients():
    own = vetoed(rule(when={"same_org": True}))
    found = difference(compiled(agreement()), own)
    assert {region.values["recipients"] for region in found.regions} == {(HOSPITAL,)}
    foreign = vetoed(rule(when={"same_org": False}))
    found = difference(compiled(agreement()), foreign)
    assert {region.values["recipients"] for region in found.regions} == {(GP, TRUST)}


def test_a_sentence_says_who_sees_what_for_what():
    open_to_all = clause(
        roles=sorted(vocabulary.ROLES),
        relationships=["registered"],
        assurance=["aal1", "aal2", "aal3"],
        purposes=["direct-care"],
        obligations={"notify": ["owner"], "date_grain": "day"},
        honours=[],
        cleared_labels=[],
    )
    found = difference(compiled(), compiled(agreement(open_to_all)))
    plain, *_ = regions_of(found, HOSPITAL, break_glass=("no",))
    assert plain.sentence == (
        "Newly allowed: any role of Z9A01 or Z9C sees encounters or medications of "
        "Z9B for direct-care; journey.read, identified; with registered at any "
        "assurance; from 2031-04-01 to 2033-03-31; shown: dates to the day, owner told."
    )
    relaxed = difference(alone(), alone(obligations={})).relaxed
    assert "before: person.address hidden; then: all of it" in relaxed[0].sentence


def test_too_many_boxes_are_told_and_not_hidden():
    found = difference(alone(), alone(roles=["gp"]), most_boxes=0)
    assert not found.is_complete
