"""Each code of the gate: the draft that meets it, and the change that opens it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from policies import vocabulary
from policies.analysis.gate import Circumstances, Tried, gate, unreadable
from policies.analysis.replay import Recorded, replay
from policies.clauses import Member, Rule, When
from policies.errors import Invalid
from tests.spec.policies.shared_care import cell, request
from tests.unit.policy_analysis.changes import (
    GP,
    HOSPITAL,
    agreement,
    clause,
    compiled,
    documents,
    local_rule,
    read,
    rule,
)

NOW = datetime(2031, 4, 1, 9, tzinfo=UTC)
WORLD = Circumstances(now=NOW, general_practices=frozenset({GP}))
DRAFT = "DSA-2031-017"
PLANNING: dict[str, Any] = {
    "purposes": ["service-planning"],
    "honours": ["ndo", "type1"],
    "legal_basis": {
        "art6": "6(1)(e)",
        "art9": "9(2)(h)",
        "confidentiality": "legal-obligation",
    },
}


def basis(confidentiality, **more):
    return {**PLANNING["legal_basis"], "confidentiality": confidentiality, **more}


def planning(**changed):
    return clause(**{**PLANNING, **changed})


def report(*data, draft=DRAFT, world=WORLD, **tried):
    members = [read(each) for each in data]
    return gate(members, draft=draft, circumstances=world, tried=Tried(**tried))


def refused(*clauses, **known):
    found = report(agreement(*clauses), **known)
    assert found.is_open == (not found.refusals)
    return [(lint.code, lint.path) for lint in found.refusals]


def test_the_gate_is_open_for_a_plain_draft():
    found = report(agreement())
    assert found.is_open
    assert (found.refusals, found.warnings) == ((), ())


def test_planning_that_honours_what_it_must_is_let_through():
    assert refused(planning()) == []


def test_consent_is_implied_for_individual_care_alone():
    path = "clauses[0].legal_basis.confidentiality"
    mixed = planning(legal_basis=basis("implied-consent"))
    assert refused(mixed) == [("implied_consent_outside_individual", path)]
    for purpose in ("record-administration", "research"):
        other = planning(purposes=[purpose], legal_basis=basis("implied-consent"))
        assert refused(other) == [("implied_consent_outside_individual", path)]
    assert refused(clause(legal_basis=basis("implied-consent"))) == []


@pytest.mark.parametrize(
    ("evidence", "is_open"),
    [
        (None, False),
        ("Approved last year", False),
        ("CAG", False),
        ("21/CAG/0001", True),
        ("cag 8-02(a)/2014", True),
        ("ECC 8-05(f)/2010", True),
    ],
)
def test_section_251_support_names_its_reference(evidence, is_open):
    given = {} if evidence is None else {"evidence": evidence}
    found = refused(planning(legal_basis=basis("s251", **given)))
    path = "clauses[0].legal_basis.evidence"
    assert found == ([] if is_open else [("s251_without_cag", path)])


def test_a_reference_in_the_exemption_counts_for_section_251():
    exempt = {"code": "cag", "evidence": "21/CAG/0001"}
    assert refused(planning(legal_basis=basis("s251"), exemption=exempt)) == []


def test_outside_individual_care_the_opt_out_is_honoured_or_exempt():
    path = "clauses[0].honours"
    assert refused(planning(honours=["type1"])) == [("ndo_not_honoured", path)]
    for mode, is_refused in (
        ("identified", True),
        ("pseudonymised", True),
        ("aggregate", False),
    ):
        found = refused(planning(honours=["type1"], modes=[mode]))
        assert bool(found) == is_refused
    exempt = {"code": "reg3", "evidence": "Regulation 3(4)"}
    assert refused(planning(honours=[], exemption=exempt)) == []


def test_data_of_general_practice_honours_type_1_or_is_exempt():
    path = "clauses[0].honours"
    assert refused(planning(honours=["ndo"])) == [("type1_not_honoured", path)]
    hospital_alone = Circumstances(now=NOW, general_practices=frozenset({"Z9X"}))
    assert refused(planning(honours=["ndo"]), world=hospital_alone) == []
    assert refused(planning(honours=["ndo"], modes=["aggregate"])) == []
    exempt = {"code": "legal-obligation", "evidence": "Direction 12"}
    assert refused(planning(honours=["ndo"], exemption=exempt)) == []


@pytest.mark.parametrize("flag", ["ndo", "type1"])
def test_individual_care_honours_no_opt_out(flag):
    path = "clauses[0].honours"
    assert refused(clause(honours=[flag])) == [("opt_out_in_individual", path)]
    assert refused(clause(honours=["local-dissent"])) == []


def test_a_clause_for_care_and_for_planning_must_be_two():
    mixed = planning(purposes=["direct-care", "service-planning"])
    assert refused(mixed) == [("opt_out_in_individual", "clauses[0].honours")]


def test_a_claimed_relationship_needs_more_than_the_weakest_sign_in():
    claimed = {"relationships": ["self-claimed"]}
    weak = clause(assurance=["aal1", "aal2"], **claimed)
    assert refused(weak) == [("self_claimed_at_aal1", "clauses[0].assurance")]
    assert refused(clause(assurance=["aal2"], **claimed)) == []
    assert refused(clause(assurance=["aal1"])) == []


def test_a_dead_clause_is_refused():
    parties = {"providers": [HOSPITAL], "recipients": [GP]}
    found = report(agreement(parties=parties), local_rule(rule()))
    assert [lint.code for lint in found.refusals] == ["dead_clause"]
    late = replace(WORLD, now=datetime(2034, 1, 1, tzinfo=UTC))
    assert refused(clause(), world=late) == [("dead_clause", "clauses[0]")]


def test_a_document_made_by_hand_still_names_its_assessment_and_article():
    held = read(agreement())
    (first,) = held.clauses
    bare = replace(first, legal_basis=replace(first.legal_basis, art9=" "))
    made = replace(held, dpia=" ", clauses=(bare,))
    found = gate([made], draft=DRAFT, circumstances=WORLD)
    assert [(lint.code, lint.path) for lint in found.refusals] == [
        ("no_dpia", "dpia"),
        ("no_art9", "clauses[0].legal_basis.art9"),
    ]


def many(count):
    """A local rule of so many rules."""
    held = read(local_rule())
    tested = When(roles=frozenset({"gp"}))
    rules = tuple(
        Rule(id=f"r{n}", effect="veto", when=tested, overridable=False, why="Why")
        for n in range(count)
    )
    return replace(held, rules=rules)


def test_a_set_too_large_is_refused():
    found = gate(
        [read(agreement()), many(5_001)], draft="LR-Z9B-1", circumstances=WORLD
    )
    assert [lint.code for lint in found.refusals] == ["too_many_clauses"]


def test_two_documents_of_one_id_are_refused():
    again = replace(read(agreement()), review_by=date(2032, 1, 1))
    found = gate([read(agreement()), again], draft=DRAFT, circumstances=WORLD)
    assert [lint.code for lint in found.refusals] == ["schema"]


def test_where_the_oracle_disagrees_nothing_is_published():
    found = report(agreement(), disagreements=("a nurse is permitted.",))
    assert [lint.code for lint in found.refusals] == ["oracle_disagreement"]
    assert "a nurse is permitted" in found.refusals[0].message


def replayed(*, flipped, of):
    recorded = [
        Recorded(
            id=str(number),
            request=request(role="nurse" if number < flipped else "gp"),
            cells=(cell(),),
            effects=("permit",),
        )
        for number in range(of)
    ]
    vetoed = compiled(agreement(), local_rule(rule(when={"roles": ["nurse"]})))
    return replay(recorded, compiled(agreement()), vetoed)


def test_more_than_one_in_a_hundred_flipped_is_warned_of():
    found = report(agreement(), replayed=replayed(flipped=3, of=200))
    assert [lint.code for lint in found.warnings] == ["replay_flips"]
    assert "3 of 200 recorded decisions" in found.warnings[0].message
    assert found.is_open
    assert report(agreement(), replayed=replayed(flipped=2, of=200)).warnings == ()


@pytest.mark.parametrize(
    ("data", "draft", "code"),
    [
        (
            [agreement(clause(id="a"), clause(id="b"))],
            DRAFT,
            "shadowed_clause",
        ),
        (
            [agreement(), local_rule(rule(when={"roles": ["analyst"]}))],
            "LR-Z9B-1",
            "idle_rule",
        ),
        (
            [
                agreement(
                    clause(categories=["allergies"], obligations={"max_age_days": 9})
                )
            ],
            DRAFT,
            "max_age_on_allergies",
        ),
    ],
)
def test_what_gives_pause_leaves_the_gate_open(data, draft, code):
    found = report(*data, draft=draft)
    assert [lint.code for lint in found.warnings] == [code]
    assert found.is_open


def test_every_value_there_is_gives_pause_where_all_organisations_are_known():
    broad = clause(roles=sorted(vocabulary.ROLES))
    assert [lint.code for lint in report(agreement(broad)).warnings] == ["over_broad"]
    known = replace(WORLD, organisations=frozenset({GP, HOSPITAL, "Z9C", "Z9D"}))
    assert report(agreement(broad), world=known).warnings == ()


def test_only_the_draft_is_spoken_of():
    broken = agreement(planning(honours=[]), clause(id="z"), id="DSA-1")
    assert not report(agreement(), broken, draft="DSA-1").is_open
    found = report(agreement(clause(roles=["midwife"])), broken)
    assert (found.refusals, found.warnings) == ((), ())


def test_of_two_versions_the_newer_is_the_draft():
    old = Member(document=read(agreement(planning(honours=[]))), standing=frozenset())
    new = Member(document=read(agreement()), version=2)
    held, signatures = documents(agreement())
    assert gate([old, new], signatures, draft=DRAFT, circumstances=WORLD).is_open
    assert held[0] == new.document


def test_a_draft_that_is_not_there_is_no_draft():
    with pytest.raises(KeyError):
        report(agreement(), draft="DSA-9")


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (lambda data: data.pop("dpia"), "no_dpia", "dpia"),
        (lambda data: data.pop("review_by"), "no_review_date", "review_by"),
        (lambda data: data.pop("valid"), "no_end_date", "valid"),
        (lambda data: data["valid"].pop("through"), "no_end_date", "valid.through"),
        (
            lambda data: data["clauses"][0]["legal_basis"].pop("art9"),
            "no_art9",
            "clauses[0].legal_basis.art9",
        ),
        (lambda data: data.pop("clauses"), "schema", "clauses"),
        (lambda data: data.update(dpia=""), "schema", "dpia"),
    ],
)
def test_what_is_no_document_is_refused_with_its_code_and_place(change, code, path):
    data = agreement()
    change(data)
    with pytest.raises(Invalid) as caught:
        read(data)
    lint = unreadable(caught.value, document=DRAFT)
    assert (lint.code, lint.path, lint.severity) == (code, path, "refuse")
    assert lint.message == caught.value.message
