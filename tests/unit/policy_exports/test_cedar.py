"""What the Cedar text says, and what it is asked."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policies.compile import compile_set
from policies.exports.cedar import cedar_request, cedar_texts
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    NOW,
    agreement,
    cell,
    clause,
    local_rule,
    read,
    request,
    rule,
    signature,
    signed,
)


def test_each_policy_has_its_authority_its_words_and_its_obligations():
    texts = cedar_texts(signed(agreement(), local_rule()))
    assert '@id("DSA-2031-017/c1@1#Z9B")\n@why("Shared frail patients")' in texts.grants
    assert '@obligations("{\\"hide_fields\\":[\\"person.address\\"]}")' in texts.grants
    assert '@id("LR-Z9B-1/v1@1")' in texts.vetoes
    assert texts.policies == texts.grants + texts.vetoes
    assert '@id("floor/break-glass")' in texts.constraints
    assert '\\"justify\\":true' in texts.constraints
    assert texts.vetoes.count("@silent") == 2


def test_the_texts_name_the_set_they_come_from():
    policy_set = signed(agreement())
    texts = cedar_texts(policy_set)
    for text in (texts.schema, texts.grants, texts.constraints):
        assert text.startswith(f"// Throughline policy set {policy_set.version}\n")


def test_a_grant_nobody_may_use_is_a_comment_and_no_policy():
    texts = cedar_texts(signed(agreement(), by=(GP,)))
    assert "// not in force: DSA-2031-017/c1@1#Z9B\n" in texts.grants
    assert '"DSA-2031-017/c1@1#Z9B"' not in texts.grants
    assert '@id("DSA-2031-017/c1@1#Z9A01")' in texts.grants


def test_only_recipients_that_signed_are_principals():
    texts = cedar_texts(signed(agreement(), by=(GP, HOSPITAL)))
    assert '"Z9C"' not in texts.grants


def test_words_that_could_end_a_text_are_quoted():
    awkward = 'He said "no" \\ and left'
    texts = cedar_texts(signed(agreement(clause(why=awkward))))
    assert '@why("He said \\"no\\" \\\\ and left")' in texts.grants


def test_what_cannot_be_printed_is_written_by_its_number():
    document = read(agreement())
    odd = replace(document.clauses[0], why="a\nb\u202ec")
    again = replace(document, clauses=(odd,))
    signatures = [signature(again, each) for each in (GP, HOSPITAL)]
    texts = cedar_texts(compile_set([again], signatures))
    assert '@why("a\\u{a}b\\u{202e}c")' in texts.grants


def asked(**changed):
    at = changed.pop("cell", cell())
    return cedar_request(
        request(**changed), at, relationship="registered", flags={}, labels=()
    )


def test_what_is_known_is_in_the_context():
    found = asked(agreement="DSA-2031-017")
    assert found["principal"] == {"type": "Throughline::Organisation", "id": GP}
    assert found["resource"] == {"type": "Throughline::Organisation", "id": HOSPITAL}
    assert found["action"] == {"type": "Throughline::Action", "id": "journey.read"}
    context = found["context"]
    assert context["agreement"] == "DSA-2031-017"
    assert context["role"] == {
        "__entity": {"type": "Throughline::Role", "id": "doctor"}
    }
    assert context["break_glass"] is False


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"purpose": "TREAT"}, "purpose"),
        ({"mode": ""}, "mode"),
        ({"role": "king"}, "role"),
        ({"assurance": None}, "assurance"),
        ({"agreement": ""}, "agreement"),
        ({"agreement": None}, "agreement"),
        ({"break_glass": "true"}, "break_glass"),
        ({"break_glass": True, "purpose": "research"}, "break_glass"),
        ({"cell": cell(category="x")}, "category"),
    ],
)
def test_what_is_not_known_is_left_out(changed, name):
    assert name in asked(agreement="DSA-1")["context"]
    assert name not in asked(**changed)["context"]


def test_a_party_or_operation_that_is_not_known_is_the_empty_one():
    found = asked(recipient=None, operation="x", cell=cell(owner=""))
    ids = [found[key]["id"] for key in ("principal", "action", "resource")]
    assert ids == ["", "", ""]


def test_the_glass_is_broken_for_care_alone():
    assert asked(break_glass=True)["context"]["break_glass"] is True


def test_flags_and_labels_are_told_by_their_state():
    found = cedar_request(
        request(),
        cell(),
        relationship="none",
        flags={
            "ndo": "present",
            "type1": "unknown",
            "local-dissent": "pending",
            "sensitive-record": "absent",
        },
        labels=["PSY"],
    )
    context: Any = found["context"]
    assert context["present"] == ["ndo"]
    assert context["pending"] == ["local-dissent"]
    assert context["absent"] == ["sensitive-record"]
    assert context["labels"] == [
        {"__entity": {"type": "Throughline::Label", "id": "PSY"}}
    ]


def test_time_is_told_to_the_millisecond_and_never_rounded_up():
    late = datetime(2031, 6, 1, 22, 59, 59, 999_999, tzinfo=UTC)
    assert asked(now=late)["context"]["now"] == {
        "__extn": {"fn": "datetime", "arg": "2031-06-01T22:59:59.999Z"}
    }
    assert asked(now=NOW)["context"]["now"]["__extn"]["arg"].endswith("12:00:00.000Z")


def test_a_rule_on_either_organisation_holds_in_both():
    own = signed(agreement(), local_rule(rule(when={"same_org": "true"})))
    other = signed(agreement(), local_rule(rule(when={"same_org": "false"})))
    assert "(principal == resource || " in cedar_texts(own).vetoes
    assert "(principal != resource || " in cedar_texts(other).vetoes


def test_a_rule_holds_for_a_label_or_a_flag_that_is_not_known():
    when = {"labels_any": ["PSY"], "flags_any": ["ndo"], "operations": ["journey.read"]}
    vetoes = cedar_texts(signed(local_rule(rule(when=when)))).vetoes
    assert '(action in [Throughline::Action::"", ' in vetoes
    assert 'Label::"unlabelled", Throughline::Label::"unrecognised"' in vetoes
    settled = 'context.absent.contains("ndo") || context.pending.contains("ndo")'
    assert f"(!({settled}))" in vetoes


def test_a_grant_without_a_period_asks_for_no_time():
    policy_set = signed(agreement())
    ageless = tuple(replace(each, begins=None, ends=None) for each in policy_set.lines)
    assert "context.now" in cedar_texts(policy_set).grants
    assert "context.now" not in cedar_texts(replace(policy_set, lines=ageless)).grants
