"""Every field of a document turns something: flip it, and a decision changes."""

from dataclasses import dataclass, field, fields
from typing import Any

import pytest

from policies.clauses import (
    Agreement,
    Clause,
    Exemption,
    LegalBasis,
    LocalRule,
    Parties,
    Period,
    Rule,
    When,
)
from policies.compile import compile_set
from policies.obligations import AXES, View
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
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

STUDY = {"art6": "6(1)(e)", "art9": "9(2)(j)", "confidentiality": "explicit-consent"}

# What each dimension of a clause is narrowed to, so that the usual request misses.
MISSES = {
    "purposes": ["care-coordination"],
    "legal_basis": STUDY,
    "operations": ["population.additive"],
    "modes": ["pseudonymised"],
    "roles": ["nurse"],
    "relationships": ["active-encounter"],
    "assurance": ["aal3"],
    "categories": ["medications"],
    "honours": ["ndo"],
    "break_glass": "only",
}
# What changes something other than the effect.
CHANGES = {
    "id": "c9",
    "why": "Another reason",
    "obligations": {"no_onward": "true"},
}
# What a signature covers, though deciding does not read it.
SIGNED_ONLY = {
    "exemption": {"code": "reg3", "evidence": "Regulation 3(4)"},
    "cleared_labels": [],
}


@pytest.mark.parametrize("name", MISSES)
def test_a_clause_that_misses_in_one_field_grants_nothing(name):
    assert decided(signed(agreement())).effect == "permit"
    policy_set = signed(agreement(clause(**{name: MISSES[name]})))
    assert decided(policy_set).effect == "deny"


@pytest.mark.parametrize("name", CHANGES)
def test_a_clause_that_says_something_else_decides_something_else(name):
    changed = decided(signed(agreement(clause(**{name: CHANGES[name]}))))
    assert changed.effect == "permit"
    assert changed != decided(signed(agreement()))


def test_a_cleared_label_decides_whether_its_items_are_shown():
    item = Thing(labels=frozenset({"PSY"}))
    cleared = decided(signed(agreement()))
    uncleared = decided(signed(agreement(clause(cleared_labels=[]))))
    assert len(opened(cleared, item).items) == 1
    assert len(opened(uncleared, item).items) == 0


EDITS = {
    "dpia": "DPIA-89",
    "review_by": "2032-04-02",
    "valid": {"from": "2031-04-01", "through": "2033-03-30"},
    "parties": {"providers": [HOSPITAL], "recipients": [GP, HOSPITAL, TRUST]},
    "clauses": [clause(exemption=SIGNED_ONLY["exemption"])],
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_anywhere_voids_the_signatures(name):
    before = read(agreement())
    after = read(agreement(**{name: EDITS[name]}))
    signatures = [signature(before, org) for org in (GP, HOSPITAL, TRUST)]
    assert codes(decided(compile_set([after], signatures))) == ["not_signed"]


@pytest.mark.parametrize("part", ["art6", "art9", "confidentiality", "evidence"])
def test_an_edit_of_the_legal_basis_voids_the_signatures(part):
    basis = {**STUDY, "confidentiality": "implied-consent"}
    other = {"art6": "6(1)(c)", "art9": "9(2)(c)", "confidentiality": "reg3"}
    edited = {**basis, part: {**other, "evidence": "A letter"}[part]}
    before, after = (read(agreement(clause(legal_basis=b))) for b in (basis, edited))
    signatures = [signature(before, org) for org in (GP, HOSPITAL)]
    assert decided(compile_set([before], signatures)).effect == "permit"
    assert codes(decided(compile_set([after], signatures))) == ["not_signed"]


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "DSA-OTHER"},
        {"parties": {"providers": [GP], "recipients": [GP, HOSPITAL, TRUST]}},
        {"parties": {"providers": [GP, HOSPITAL], "recipients": [HOSPITAL, TRUST]}},
        {"valid": {"from": "2031-04-01", "through": "2031-05-31"}},
        {"valid": {"from": "2031-06-02", "through": "2033-03-31"}},
    ],
    ids=["id", "providers", "recipients", "through", "from"],
)
def test_an_agreement_that_differs_in_one_field_decides_otherwise(changed):
    assert decided(signed(agreement(**changed))) != decided(signed(agreement()))


WHENS = {
    "purposes": (["direct-care"], ["research"]),
    "operations": (["journey.read"], ["population.linked"]),
    "modes": (["identified"], ["aggregate"]),
    "agreements": (["DSA-2031-017"], ["DSA-2"]),
    "recipients": ([GP], [TRUST]),
    "roles": (["doctor"], ["nurse"]),
    "assurance": (["aal2"], ["aal1"]),
    "relationships": (["registered"], ["proxy"]),
    "categories": (["encounters"], ["documents"]),
    "same_org": ("false", "true"),
    "flags_any": (["ndo"], ["local-dissent"]),
    "labels_any": (["unlabelled"], None),
}


@pytest.mark.parametrize("name", WHENS)
def test_a_veto_holds_where_its_test_does_and_nowhere_else(name):
    hit, miss = WHENS[name]
    asked = request(agreement="DSA-2031-017")
    at = cell(labels="unlabelled" if name == "labels_any" else "labelled")
    for tested, effect in ((hit, "deny"), (miss, "permit")):
        rules = [] if tested is None else [local_rule(rule(when={name: tested}))]
        policy_set = signed(agreement(), *rules)
        assert decided(policy_set, asked, at).effect == effect


UNKNOWN: dict[str, dict[str, Any]] = {
    "purposes": {"purpose": "x"},
    "operations": {"operation": ""},
    "modes": {"mode": "raw"},
    "roles": {"role": "king"},
    "assurance": {"assurance": None},
    "recipients": {"recipient": ""},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_attribute_fits_no_grant_and_every_rule(name):
    policy_set = signed(agreement(), local_rule(rule(when={name: WHENS[name][1]})))
    assert decided(policy_set).effect == "permit"
    # Nothing granted, and the rule holds: both unknown, and the rule is named.
    decision = decided(policy_set, request(**UNKNOWN[name]))
    assert [(each.code, each.authority) for each in decision.because] == [
        ("unknown", "LR-Z9B-1/v1@1")
    ]
    alone = decided(signed(agreement()), request(**UNKNOWN[name]))
    assert [(each.code, each.authority) for each in alone.because] == [
        ("unknown", None)
    ]


@pytest.mark.parametrize("changed", [{"category": "x"}, {"owner": ""}])
def test_an_unknown_cell_is_denied(changed):
    assert codes(decided(signed(agreement()), None, cell(**changed))) == ["unknown"]


def test_a_rule_that_tests_the_agreement_holds_when_none_is_cited():
    policy_set = signed(agreement(), local_rule(rule(when={"agreements": ["DSA-2"]})))
    assert codes(decided(policy_set)) == ["unknown"]


@pytest.mark.parametrize(
    ("changed", "effect"),
    [
        ({"effect": "veto"}, "deny"),
        ({"effect": "constrain", "obligations": {"no_onward": True}}, "permit"),
    ],
)
def test_the_effect_and_obligations_of_a_rule_are_what_it_does(changed, effect):
    decision = decided(signed(agreement(), local_rule(rule(**changed))))
    assert decision.effect == effect
    assert decision.view.no_onward == ("obligations" in changed)


def test_a_rule_is_named_by_its_document_and_its_own_id_and_words():
    data = local_rule(rule(id="v7", why="Because we say so"), id="LR-7")
    (because,) = decided(signed(agreement(), data)).because
    assert (because.authority, because.why, because.organisation) == (
        "LR-7/v7@1",
        "Because we say so",
        HOSPITAL,
    )


DEMANDS = {
    "hide_fields": ["event.detail"],
    "mask_fields": {"person.name": "partial"},
    "date_grain": "month",
    "max_age_days": "90",
    "min_count": "5",
    "row_filters": ["ndo"],
    "no_onward": "true",
    "retain_seconds": "60",
    "notify": ["owner"],
    "justify": "true",
}


@pytest.mark.parametrize("axis", AXES)
def test_an_obligation_reaches_the_view_or_denies_if_it_cannot_be_done(axis):
    policy_set = signed(agreement(clause(obligations={axis: DEMANDS[axis]})))
    able = decided(policy_set, supported=frozenset({axis}))
    assert able.view.axes == {axis}
    unable = decided(policy_set, supported=frozenset(AXES) - {axis})
    assert codes(unable) == ["obligation_unsupported"]
    assert unable.because[0].authority == "DSA-2031-017/c1@1#Z9B"


@pytest.mark.parametrize(
    ("asked", "axes"),
    [
        ({"break_glass": True}, {"notify", "justify"}),
        ({"relationships": frozenset({"self-claimed"})}, {"notify", "justify"}),
        ({"mode": "aggregate"}, {"min_count"}),
        ({"mode": "pseudonymised"}, {"hide_fields"}),
    ],
)
def test_the_floors_hold_whatever_the_documents_say(asked, axes):
    granted = clause(
        modes=["identified", "pseudonymised", "aggregate"],
        relationships=["registered", "self-claimed"],
        obligations={},
    )
    decision = decided(signed(agreement(granted)), request(**asked))
    assert (decision.effect, decision.view.axes) == ("permit", axes)


SIGNATURE_FIELDS = {
    "document": "DSA-OTHER",
    "hash": "sha256:" + "0" * 64,
    "organisation": TRUST,
}


@pytest.mark.parametrize("name", SIGNATURE_FIELDS)
def test_a_signature_for_something_else_signs_nothing(name):
    document = read(agreement())
    own = signature(document, HOSPITAL)
    theirs = signature(document, GP, **{name: SIGNATURE_FIELDS[name]})
    assert decided(compile_set([document], [own, theirs])).effect == "deny"
    right = compile_set([document], [own, signature(document, GP)])
    assert decided(right).effect == "permit"


def test_the_time_of_a_signature_settles_which_agreement_came_first():
    one = read(agreement(id="DSA-A"))
    other = read(agreement(clause(obligations={"no_onward": True}), id="DSA-B"))
    for later, first in ((one, "DSA-B"), (other, "DSA-A")):
        signatures = [
            signature(
                document,
                organisation,
                at="2031-05-01T00:00:00Z" if document is later else "2031-04-30T23:59Z",
            )
            for document in (one, other)
            for organisation in (GP, HOSPITAL)
        ]
        decision = decided(compile_set([one, other], signatures))
        assert decision.authority == f"{first}/c1@1#Z9B"


@pytest.mark.parametrize(
    "changed",
    [
        {"person": "Another"},
        {"capacity": "chief"},
        {"at": "2031-03-02T00:00:00Z"},
    ],
)
def test_who_signed_and_when_is_part_of_the_version_of_the_set(changed):
    document = read(agreement())
    before = compile_set([document], [signature(document, GP)])
    after = compile_set([document], [signature(document, GP, **changed)])
    again = compile_set([document], [signature(document, GP)])
    assert before.version == again.version != after.version
    assert before.version.startswith("sha256:")


@pytest.mark.parametrize(
    "flag", ["legally-restricted", "sensitive-record"], ids=str.upper
)
def test_a_source_that_does_not_state_what_the_law_needs_is_denied(flag):
    silent = cell(flags={flag: "none"})
    decision = decided(signed(agreement()), None, silent)
    assert [(each.code, each.authority) for each in decision.because] == [
        ("unknown", f"floor/{flag}")
    ]


PLAIN = Thing()


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Documents before and after one field is turned, and the question that sees it.

    `voids`: deciding does not read the field, but the signatures cover it.
    """

    before: list[dict[str, Any]] = field(default_factory=lambda: [agreement()])
    after: list[dict[str, Any]]
    asked: dict[str, Any] = field(default_factory=dict)
    at: dict[str, Any] = field(default_factory=dict)
    item: Thing = PLAIN
    voids: bool = False


def of_clause(name: str, value: Any, /, **changed: Any) -> Flip:
    return Flip(after=[agreement(clause(**{name: value}))], **changed)


def of_rule(before: dict[str, Any], after: dict[str, Any], /, **changed: Any) -> Flip:
    both = [[agreement(), local_rule(rule(**each))] for each in (before, after)]
    return Flip(before=both[0], after=both[1], **changed)


def of_basis(part: str, value: str) -> Flip:
    basis = {**STUDY, "confidentiality": "implied-consent"}
    return Flip(
        before=[agreement(clause(legal_basis=basis))],
        after=[agreement(clause(legal_basis={**basis, part: value}))],
        voids=part != "confidentiality",
    )


def of_exemption(part: str, value: str) -> Flip:
    exempt = {"code": "reg3", "evidence": "Regulation 3(4)"}
    return Flip(
        before=[agreement(clause(exemption=exempt))],
        after=[agreement(clause(exemption={**exempt, part: value}))],
        voids=True,
    )


def of_when(name: str) -> Flip:
    hit, miss = WHENS[name]
    rules = [
        [] if tested is None else [local_rule(rule(when={name: tested}))]
        for tested in (hit, miss)
    ]
    return Flip(
        before=[agreement(), *rules[0]],
        after=[agreement(), *rules[1]],
        asked={"agreement": "DSA-2031-017"},
        at={"labels": "unlabelled" if name == "labels_any" else "labelled"},
    )


PARTIES = {"providers": [GP, HOSPITAL], "recipients": [GP, HOSPITAL, TRUST]}
VALID = {"from": "2031-04-01", "through": "2033-03-31"}
PSYCHIATRIC = Thing(labels=frozenset({"PSY"}))
CONSTRAIN = {"effect": "constrain", "obligations": {"no_onward": True}}

FLIPS: dict[type, dict[str, Flip]] = {
    Agreement: {
        "id": Flip(after=[agreement(id="DSA-OTHER")]),
        "parties": Flip(after=[agreement(parties={**PARTIES, "providers": [GP]})]),
        "dpia": Flip(after=[agreement(dpia="DPIA-89")], voids=True),
        "review_by": Flip(after=[agreement(review_by="2032-04-02")], voids=True),
        "valid": Flip(after=[agreement(valid={**VALID, "from": "2031-07-01"})]),
        "clauses": Flip(after=[agreement(clause(roles=["nurse"]))]),
    },
    Parties: {
        "providers": Flip(after=[agreement(parties={**PARTIES, "providers": [GP]})]),
        "recipients": Flip(
            after=[agreement(parties={**PARTIES, "recipients": [HOSPITAL]})]
        ),
    },
    Period: {
        "from_": Flip(after=[agreement(valid={**VALID, "from": "2031-06-02"})]),
        "through": Flip(after=[agreement(valid={**VALID, "through": "2031-05-31"})]),
    },
    Clause: {
        **{name: of_clause(name, value) for name, value in (MISSES | CHANGES).items()},
        "cleared_labels": of_clause("cleared_labels", ["STD"], item=PSYCHIATRIC),
        "exemption": of_clause("exemption", SIGNED_ONLY["exemption"], voids=True),
    },
    LegalBasis: {
        "art6": of_basis("art6", "6(1)(c)"),
        "art9": of_basis("art9", "9(2)(c)"),
        "confidentiality": of_basis("confidentiality", "explicit-consent"),
        "evidence": of_basis("evidence", "A letter"),
    },
    Exemption: {
        "code": of_exemption("code", "cag"),
        "evidence": of_exemption("evidence", "Another"),
    },
    LocalRule: {
        "id": Flip(
            before=[agreement(), local_rule()],
            after=[agreement(), local_rule(id="LR-OTHER")],
        ),
        "org": Flip(
            before=[agreement(), local_rule()], after=[agreement(), local_rule(org=GP)]
        ),
        "rules": Flip(
            before=[agreement(), local_rule()],
            after=[agreement(), local_rule(rule(when={"roles": ["nurse"]}))],
        ),
    },
    Rule: {
        "id": of_rule({}, {"id": "v2"}),
        "effect": of_rule({}, CONSTRAIN),
        "when": of_rule({}, {"when": {"roles": ["nurse"]}}),
        "overridable": of_rule({}, {"overridable": True}, asked={"break_glass": True}),
        "why": of_rule({}, {"why": "Another reason"}),
        "obligations": of_rule(
            CONSTRAIN, {**CONSTRAIN, "obligations": {"justify": True}}
        ),
    },
    When: {name: of_when(name) for name in WHENS},
    View: {name: of_clause("obligations", {name: DEMANDS[name]}) for name in DEMANDS},
}
KNOBS = [(kind, name) for kind, flips in FLIPS.items() for name in flips]


@pytest.mark.parametrize("kind", FLIPS)
def test_every_field_of_a_document_has_a_flip(kind):
    assert set(FLIPS[kind]) == {each.name for each in fields(kind)}


def answered(flip: Flip, documents: list[Any], signatures: list[Any]) -> Any:
    """All that can be seen of an answer: the decision, and what it lets through."""
    policy_set = compile_set(documents, signatures)
    decision = decided(policy_set, request(**flip.asked), cell(**flip.at))
    return decision, opened(decision, flip.item)


def signatures_of(documents: list[Any]) -> list[Any]:
    return [
        signature(document, organisation)
        for document in documents
        if isinstance(document, Agreement)
        for organisation in (GP, HOSPITAL, TRUST)
    ]


@pytest.mark.parametrize(
    ("kind", "name"), KNOBS, ids=[f"{kind.__name__}.{name}" for kind, name in KNOBS]
)
def test_to_flip_a_field_changes_an_answer(kind, name):
    flip = FLIPS[kind][name]
    before, after = (
        [read(each) for each in data] for data in (flip.before, flip.after)
    )
    signed_before = signatures_of(before)
    signed_after = signed_before if flip.voids else signatures_of(after)
    told = answered(flip, before, signed_before)
    assert told == answered(flip, before, signatures_of(before))
    assert told != answered(flip, after, signed_after)
    if flip.voids:
        # Signed anew, the answer is the same: the gate and people judge this field.
        assert told == answered(flip, after, signatures_of(after))
