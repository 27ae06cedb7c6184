"""Documents are read strictly, and hash alike however they are written."""

import copy
import json
import unicodedata
from datetime import UTC, date, datetime

import pytest
import yaml

from policies.clauses import LocalRule, Period, Signature
from policies.documents import Agreement, as_data, content_hash, parse_document
from policies.errors import Invalid, PolicyError
from policies.obligations import View
from tests.spec.policies.shared_care import (
    agreement,
    clause,
    local_rule,
    read,
    rule,
    signature,
)

SPEC_EXAMPLE = """
kind: agreement
id: DSA-2031-017
parties: {providers: ["Z9A01", "Z9B"], recipients: ["Z9A01", "Z9B", "Z9C"]}
dpia: DPIA-88
review_by: 2032-04-01
valid: {from: 2031-04-01, through: 2033-03-31}  # London days, <= 3 years
clauses:
- id: c1
  purposes: [direct-care, care-coordination]
  legal_basis: {art6: 6(1)(e), art9: 9(2)(h), confidentiality: implied-consent}
  operations: [journey.read]
  modes: [identified]
  roles: [gp, doctor, nurse]
  relationships: [active-encounter, registered]
  assurance: [aal2, aal3]
  categories: [encounters, medications]
  cleared_labels: [PSY, unlabelled]
  honours: [local-dissent]
  obligations: {hide_fields: [person.address]}
  why: Shared frail patients
---
kind: local-rule
id: LR-Z9B-1
org: "Z9B"
rules:
- {id: v1, effect: veto, when: {purposes: [research]}, overridable: false, why: Board}
- {id: k1, effect: constrain, when: {categories: [documents]}, overridable: true,
   obligations: {max_age_days: 365}, why: Board}
"""


def strings(text):
    return list(yaml.load_all(text, Loader=yaml.BaseLoader))


def test_the_written_example_reads_from_yaml_of_strings():
    granting, narrowing = (
        parse_document(each, where="a.yaml") for each in strings(SPEC_EXAMPLE)
    )
    assert isinstance(granting, Agreement)
    assert granting == read(agreement())
    assert granting.valid == Period(from_=date(2031, 4, 1), through=date(2033, 3, 31))
    assert isinstance(narrowing, LocalRule)
    assert [each.id for each in narrowing.rules] == ["k1", "v1"]
    assert narrowing.rules[0].obligations == View(max_age_days=365)
    assert [each.overridable for each in narrowing.rules] == [True, False]


def test_json_and_yaml_of_one_document_have_one_hash():
    (_, written) = strings(SPEC_EXAMPLE)
    typed = json.loads(json.dumps(written))
    typed["rules"][1] = {
        **typed["rules"][1],
        "obligations": {"max_age_days": 365},
        "overridable": True,
    }
    assert content_hash(typed) == content_hash(read(written))


def test_order_repetition_and_composition_do_not_change_the_hash():
    accented = "Caf\u00e9 patients"
    first = agreement(clause(why=accented), clause(id="c2"))
    second = agreement(
        clause(id="c2", roles=["nurse", "gp", "doctor", "gp"]),
        clause(why=unicodedata.normalize("NFD", accented)),
    )
    assert content_hash(first) == content_hash(second)
    assert content_hash(first) != content_hash(agreement())


def test_a_default_written_out_is_a_default():
    plain = agreement(clause(obligations={}))
    written = agreement(
        clause(
            obligations={
                "date_grain": "exact",
                "no_onward": "false",
                "min_count": "0",
                "mask_fields": {"person.name": "none"},
            },
            break_glass="both",
        )
    )
    assert content_hash(plain) == content_hash(written)


FULL = agreement(
    clause(
        exemption={"code": "reg3", "evidence": "Regulation 3(4)"},
        break_glass="only",
        legal_basis={
            "art6": "6(1)(c)",
            "art9": "9(2)(i)",
            "confidentiality": "reg3",
            "evidence": "A letter",
        },
        obligations={
            "mask_fields": {"person.name": "full", "person.gender": "partial"},
            "retain_seconds": 0,
            "notify": ["owner"],
        },
    )
)
NARROW = local_rule(
    rule(when={"same_org": "true", "flags_any": ["ndo", "consent:DSA-1"]}),
    rule(id="k", effect="constrain", obligations={"justify": "true"}),
)


@pytest.mark.parametrize("data", [FULL, NARROW, agreement()])
def test_a_document_written_out_reads_back_as_itself(data):
    document = read(data)
    assert read(as_data(document)) == document
    assert read(json.loads(json.dumps(as_data(document)))) == document


def test_a_signature_reads_back_and_keeps_its_signatory_out_of_print():
    signed = signature(read(agreement()), "Z9B", at="2031-03-01T10:00:00+01:00")
    assert isinstance(signed, Signature)
    assert signed.at == datetime(2031, 3, 1, 9, tzinfo=UTC)
    assert read(as_data(signed)) == signed
    assert "Signatory" not in repr(signed)


def wrong(message, **changed):
    """A clause with one thing wrong."""
    return agreement(clause(**changed)), message


def without(key):
    return {name: value for name, value in clause().items() if name != key}


OBLIGED = "clauses[0].obligations"
CASES = {
    "not a mapping": ([], "a.yaml: must be a mapping"),
    "no kind": ({"id": "x"}, "a.yaml: kind: missing"),
    "unknown kind": ({"kind": "agrement"}, 'kind: unknown code. Did you mean "agree'),
    "unknown key": (agreement(partys=1), 'partys: unknown key. Did you mean "parties"'),
    "key that is no text": ({**agreement(), 7: 1}, "7: unknown key. Allowed: kind"),
    "missing key": (agreement(without("why")), "clauses[0].why: missing"),
    "empty list": wrong("clauses[0].roles: must list at least one", roles=[]),
    "text for a list": wrong("clauses[0].roles: must be a list", roles="gp"),
    "nothing for a list": wrong("clauses[0].honours: must be a list", honours=""),
    "number for a code": wrong("clauses[0].roles[0]: must be text", roles=[1]),
    "unrecognised cleared": wrong(
        "cleared_labels[0]: unknown code", cleared_labels=["unrecognised"]
    ),
    "consent honoured": wrong("honours[0]: unknown code", honours=["consent:DSA-1"]),
    "bad clause id": wrong("clauses[0].id: must be 1 to 64", id="a/b"),
    "same clause twice": (agreement(clause(), clause()), "clauses[1]: its id is taken"),
    "no clauses": (agreement(clauses=[]), "clauses: must list at least one."),
    "no why": wrong("clauses[0].why: must be 1 to 500", why="  "),
    "long why": wrong("clauses[0].why: must be 1 to 500", why="x" * 501),
    "control character": wrong("clauses[0].why: must be 1 to 500", why="a\x00b"),
    "bad truth": wrong(
        f"{OBLIGED}.no_onward: must be true or false", obligations={"no_onward": "yes"}
    ),
    "number for truth": wrong(
        f"{OBLIGED}.justify: must be true or false", obligations={"justify": 1}
    ),
    "bad number": wrong(
        f"{OBLIGED}.max_age_days: must be a whole", obligations={"max_age_days": "1y"}
    ),
    "number too small": wrong(
        f"{OBLIGED}.max_age_days: must be a whole", obligations={"max_age_days": "0"}
    ),
    "number too large": wrong(
        f"{OBLIGED}.max_age_days: must be a whole", obligations={"max_age_days": 10**9}
    ),
    "truth for a number": wrong(
        f"{OBLIGED}.min_count: must be a whole", obligations={"min_count": True}
    ),
    "float": wrong(
        f"{OBLIGED}.min_count: must be a whole", obligations={"min_count": 5.0}
    ),
    "unknown field": wrong(
        f'{OBLIGED}.hide_fields[0]: unknown code. Did you mean "person.address"',
        obligations={"hide_fields": ["person.adress"]},
    ),
    "unknown masked field": wrong(
        f"{OBLIGED}.mask_fields.name: unknown key",
        obligations={"mask_fields": {"name": "full"}},
    ),
    "basis in part": wrong(
        "clauses[0].legal_basis.art9: missing", legal_basis={"art6": "6(1)(e)"}
    ),
    "exemption without evidence": wrong(
        "clauses[0].exemption.evidence: missing", exemption={"code": "cag"}
    ),
    "bad organisation": (
        agreement(parties={"providers": ["Z 9"], "recipients": ["Z9B"]}),
        "parties.providers[0]: must be an ODS code",
    ),
    "number for organisation": (
        agreement(parties={"providers": ["Z9B"], "recipients": [12]}),
        "parties.recipients[0]: must be text. Quote it",
    ),
    "no end": (agreement(valid={"from": "2031-04-01"}), "valid.through: missing"),
    "ends first": (
        agreement(valid={"from": "2031-04-01", "through": "2031-03-31"}),
        "valid.through: ends before it starts",
    ),
    "four years": (
        agreement(valid={"from": "2031-04-01", "through": "2034-04-01"}),
        "valid.through: lasts more than 3 years",
    ),
    "leap day and on": (
        agreement(valid={"from": "2032-02-29", "through": "2035-03-01"}),
        "valid.through: lasts more than 3 years",
    ),
    "no such day": (agreement(review_by="2031-02-30"), "review_by: must be a day of"),
    "other form of day": (agreement(review_by="1/4/2032"), "review_by: must be a day"),
    "day out of reach": (agreement(review_by="9999-12-31"), "review_by: must lie in"),
    "veto with duties": (
        local_rule(rule(obligations={"justify": True})),
        "rules[0].obligations: a veto has none",
    ),
    "constraint of nothing": (
        local_rule(rule(effect="constrain")),
        "rules[0]: a constraint demands something",
    ),
    "constraint of defaults": (
        local_rule(rule(effect="constrain", obligations={"min_count": 0})),
        "rules[0]: a constraint demands something",
    ),
    "overridable left out": (
        local_rule({k: v for k, v in rule().items() if k != "overridable"}),
        "rules[0].overridable: missing",
    ),
    "empty test": (
        local_rule(rule(when={"roles": []})),
        "rules[0].when.roles: must list at least one",
    ),
    "when of nothing": (local_rule(rule(when="")), "rules[0].when: must be a mapping"),
    "unknown flag": (
        local_rule(rule(when={"flags_any": ["consent:"]})),
        "rules[0].when.flags_any[0]: unknown code",
    ),
    "same rule twice": (local_rule(rule(), rule()), "rules[1]: its id is taken"),
    "too many clauses": (
        agreement(*(clause(id=f"c{n}") for n in range(501))),
        "clauses: lists more than 500. Split the document.",
    ),
    "too many rules": (
        local_rule(*(rule(id=f"v{n}") for n in range(501))),
        "rules: lists more than 500",
    ),
    "too many providers": (
        agreement(
            parties={
                "providers": [f"Z{n:04}" for n in range(251)],
                "recipients": ["Z9A"],
            },
        ),
        "parties.providers: lists more than 250. Split the agreement.",
    ),
    "too many providers for its clauses": (
        agreement(
            *(clause(id=f"c{n}") for n in range(51)),
            parties={
                "providers": [f"Z{n:04}" for n in range(100)],
                "recipients": ["Z9A"],
            },
        ),
        "clauses: clauses times providers are more than 5000",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_document_is_refused_with_its_place(case):
    data, message = CASES[case]
    with pytest.raises(Invalid) as caught:
        parse_document(copy.deepcopy(data), where="a.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("a.yaml: ")
    assert isinstance(caught.value, PolicyError)


@pytest.mark.parametrize(
    ("valid", "last"),
    [
        ({"from": "2031-04-01", "through": "2034-03-31"}, date(2034, 3, 31)),
        ({"from": "2032-02-29", "through": "2035-02-28"}, date(2035, 2, 28)),
        ({"from": "2031-04-01", "through": "2031-04-01"}, date(2031, 4, 1)),
    ],
)
def test_a_period_may_last_from_one_day_to_three_years(valid, last):
    assert read(agreement(valid=valid)).valid.through == last


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hash": "sha256:12"}, 'hash: must be "sha256:" and 64'),
        ({"at": "yesterday"}, "at: must be a time such as"),
        ({"at": "2031-03-01T09:00:00"}, "at: must state its offset"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at: must lie in the years"),
        ({"person": ""}, "person: must be 1 to 500"),
    ],
)
def test_a_wrong_signature_is_refused_with_its_place(changed, message):
    with pytest.raises(Invalid, match=r"a\.yaml: ") as caught:
        signature(read(agreement()), "Z9B", **changed)
    assert message in str(caught.value)


def test_no_message_repeats_what_was_written():
    with pytest.raises(Invalid) as caught:
        read(agreement(clause(roles=["9990000018"])))
    assert "9990000018" not in str(caught.value)
