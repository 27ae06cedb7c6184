"""Each lint, what raises it, and the change that stills it."""

from datetime import UTC, datetime

import pytest

from policies import vocabulary
from policies.analysis import lints as linting
from policies.analysis.boxes import Budget
from policies.analysis.lints import lints
from policies.clauses import Member
from policies.errors import Invalid
from tests.unit.policy_analysis.changes import (
    GP,
    HOSPITAL,
    agreement,
    clause,
    documents,
    local_rule,
    read,
    rule,
)

NAME = {"hide_fields": ["person.name"]}
ADDRESS = {"hide_fields": ["person.address"]}


def linted(*data, **known):
    return lints([read(each) for each in data], **known)


def codes(*data, **known):
    return [(lint.code, lint.document, lint.path) for lint in linted(*data, **known)]


def one_provider(*clauses, **changed):
    parties = {"providers": [HOSPITAL], "recipients": [GP]}
    return agreement(*clauses, parties=parties, **changed)


def test_a_plain_agreement_and_a_plain_rule_raise_nothing():
    assert codes(agreement(), local_rule(rule(when={"roles": ["nurse"]}))) == []


def test_a_clause_that_its_owner_always_vetoes_is_dead():
    (lint,) = linted(one_provider(), local_rule(rule()))
    assert (lint.code, lint.severity) == ("dead_clause", "refuse")
    assert (lint.path, lint.pointer) == ("clauses[0]", "/clauses/0")
    assert lint.message == (
        "c1: always vetoed by LR-Z9B-1/v1@1. Remove it, or narrow the veto."
    )


def test_vetoes_that_share_a_clause_out_between_them_make_it_dead():
    shares = [
        rule(id="a", when={"roles": ["gp", "doctor"]}),
        rule(id="b", when={"roles": ["nurse"], "categories": ["encounters"]}),
        rule(id="c", when={"roles": ["nurse"], "categories": ["medications"]}),
    ]
    assert codes(one_provider(), local_rule(*shares))[0][0] == "dead_clause"
    assert codes(one_provider(), local_rule(*shares[:2])) == []


@pytest.mark.parametrize(
    "when",
    [
        {"roles": ["gp", "doctor"]},
        {"agreements": ["DSA-9"]},
        {"flags_any": ["legally-restricted"]},
        {"labels_any": ["PSY"]},
        {"same_org": True},
    ],
)
def test_a_veto_that_leaves_something_makes_nothing_dead(when):
    found = codes(one_provider(), local_rule(rule(when=when)))
    assert "dead_clause" not in [code for code, _, _ in found]


def test_an_overridable_veto_leaves_broken_glass():
    assert codes(one_provider(), local_rule(rule(overridable="true"))) == []


def test_a_veto_of_one_provider_of_two_makes_nothing_dead():
    assert codes(agreement(), local_rule(rule())) == []


def test_broken_glass_for_what_is_no_care_is_dead():
    dead = clause(break_glass="only", purposes=["research"])
    (lint,) = linted(agreement(dead))
    assert lint.code == "dead_clause"
    assert "nobody breaks the glass" in lint.message
    alive = clause(break_glass="only", purposes=["research", "direct-care"])
    assert codes(agreement(alive)) == []


def test_a_clause_whose_period_is_over_is_dead():
    over = datetime(2033, 3, 31, 23, tzinfo=UTC)
    (lint,) = linted(agreement(), now=over)
    assert lint.code == "dead_clause"
    assert "period is over" in lint.message
    assert codes(agreement(), now=over.replace(hour=22)) == []


def test_a_clause_that_others_always_decide_for_is_shadowed():
    two = [clause(id="a"), clause(id="b", roles=["gp"])]
    (lint,) = linted(agreement(*two))
    assert (lint.code, lint.severity, lint.path) == (
        "shadowed_clause",
        "warn",
        "clauses[1]",
    )
    assert "as DSA-2031-017/a@1 always do" in lint.message


def test_a_clause_is_shadowed_by_several_that_cover_it_together():
    parts = [clause(id="a", roles=["gp"]), clause(id="b", roles=["doctor", "nurse"])]
    whole = clause(id="c")
    assert codes(agreement(*parts, whole)) == [
        ("shadowed_clause", "DSA-2031-017", "clauses[2]")
    ]
    wider = clause(id="c", roles=["gp", "doctor", "nurse", "midwife"])
    assert codes(agreement(*parts, wider)) == []


def test_a_clause_that_shows_more_is_not_shadowed_but_shadows():
    hiding, showing = clause(id="a"), clause(id="b", obligations={})
    assert codes(agreement(hiding, showing)) == [
        ("shadowed_clause", "DSA-2031-017", "clauses[0]")
    ]


def test_a_clause_reached_by_way_of_another_is_not_shadowed():
    """Earlier ones cover it, and still it decides, where it shows more than one."""
    narrow = clause(
        id="a", obligations={"hide_fields": ["person.address", "person.name"]}
    )
    other = clause(id="b", obligations={"date_grain": "day"}, roles=["gp"])
    reached = clause(id="c", obligations=ADDRESS)
    assert codes(agreement(narrow, other, reached)) == [
        ("shadowed_clause", "DSA-2031-017", "clauses[0]"),
        ("shadowed_clause", "DSA-2031-017", "clauses[1]"),
    ]


def test_a_clause_shadowed_for_one_provider_alone_is_not():
    first = one_provider(clause(id="a"), id="A")
    assert codes(first, agreement(clause(id="b"), id="B")) == []
    second = one_provider(clause(id="b"), id="B")
    assert codes(first, second) == [("shadowed_clause", "B", "clauses[0]")]


def test_a_clause_dead_for_one_provider_and_shadowed_for_another_is_shadowed():
    first = agreement(
        clause(id="a"), id="A", parties={"providers": [GP], "recipients": [GP]}
    )
    both = agreement(
        clause(id="b"),
        id="B",
        parties={"providers": [GP, HOSPITAL], "recipients": [GP]},
    )
    found = codes(first, both, local_rule(rule()))
    assert found == [("shadowed_clause", "B", "clauses[0]")]


def test_a_clause_only_who_cites_it_gets_is_not_shadowed():
    uncited = rule(when={"agreements": ["DSA-9"]})
    found = codes(one_provider(), agreement(id="DSA-9"), local_rule(uncited))
    assert found == []


def test_what_its_provider_suspended_is_neither_dead_nor_shadowing():
    member = Member(document=read(one_provider()), suspended=frozenset({HOSPITAL}))
    assert lints([member]) == ()
    other = read(one_provider(clause(id="b"), id="DSA-9"))
    held, signatures = documents(one_provider())
    found = lints(
        [Member(document=held[0], suspended=frozenset({HOSPITAL})), other], signatures
    )
    assert found == ()


def test_a_rule_that_meets_no_grant_is_idle():
    for when in (
        {"roles": ["analyst"]},
        {"categories": ["documents"]},
        {"recipients": ["Z9X"]},
        {"labels_any": ["HIV"]},
        {"flags_any": ["local-dissent"]},  # every grant honours it already
    ):
        idle = rule(when=when)
        (lint,) = linted(agreement(clause(cleared_labels=["PSY"])), local_rule(idle))
        assert (lint.code, lint.severity, lint.path) == (
            "idle_rule",
            "warn",
            "rules[0]",
        )
    for when in ({"roles": ["gp"]}, {"labels_any": ["PSY"]}, {"flags_any": ["ndo"]}):
        assert codes(agreement(), local_rule(rule(when=when))) == []


def test_a_rule_of_an_organisation_that_gives_nothing_is_idle():
    assert codes(agreement(), local_rule(org="Z9X")) == [
        ("idle_rule", "LR-Z9B-1", "rules[0]")
    ]


def test_every_value_in_two_dimensions_is_too_broad():
    whole = {
        "roles": sorted(vocabulary.ROLES),
        "relationships": sorted(vocabulary.RELATIONSHIPS),
        "categories": sorted(vocabulary.CATEGORIES),
    }
    some = {"parties": {"providers": [GP, HOSPITAL], "recipients": [GP]}}
    for one, codes_ in whole.items():
        assert codes(agreement(clause(**{one: codes_}), **some)) == []
        two = clause(**{each: held for each, held in whole.items() if each != one})
        ((code, _, path),) = codes(agreement(two, **some))
        assert (code, path) == ("over_broad", "clauses[0]")
        # Every recipient there is counts too, and who else there is.
        ((code, _, _),) = codes(agreement(clause(**{one: codes_})))
        assert code == "over_broad"
        known = frozenset({GP, HOSPITAL, "Z9C", "Z9D"})
        assert codes(agreement(clause(**{one: codes_})), organisations=known) == []


def test_an_age_limit_on_allergies_is_warned_of():
    aged = {"max_age_days": 365}
    limited = clause(categories=["allergies"], obligations=aged)
    assert codes(agreement(limited)) == [
        ("max_age_on_allergies", "DSA-2031-017", "clauses[0].obligations.max_age_days")
    ]
    assert codes(agreement(clause(obligations=aged))) == []
    assert codes(agreement(clause(categories=["allergies"]))) == []
    constrain = {"effect": "constrain", "obligations": aged}
    for when, found in (
        ({}, 1),
        ({"categories": ["encounters", "allergies"]}, 1),
        ({"categories": ["encounters"]}, 0),
    ):
        rules = local_rule(rule(when=when, **constrain))
        assert len(codes(agreement(), rules)) == found


def test_what_would_take_too_long_says_nothing(monkeypatch):
    monkeypatch.setattr(linting, "Budget", lambda: Budget(0))
    two = [clause(id="a"), clause(id="b", roles=["gp"])]
    assert codes(agreement(*two)) == []


def test_no_set_is_linted_that_cannot_be():
    with pytest.raises(Invalid):
        linted(agreement(), agreement())


def test_versions_are_told_apart():
    old = Member(document=read(agreement(clause(roles=["gp"]))), standing=frozenset())
    broad = clause(
        roles=sorted(vocabulary.ROLES), relationships=sorted(vocabulary.RELATIONSHIPS)
    )
    (lint,) = lints([old, Member(document=read(agreement(broad)), version=2)])
    assert (lint.code, lint.version) == ("over_broad", 2)


def test_a_lint_of_a_clause_says_its_provider_nothing_of_other_owners():
    found = linted(one_provider(), local_rule(rule(), org=GP))
    assert [lint.code for lint in found] == ["idle_rule"]
