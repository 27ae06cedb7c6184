"""Findings about files of policy: the gate's, and those that only files can have."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.policy.oracle import Opinion
from gateway.policy_files.linting import linted, no_opinion, second_opinion
from gateway.policy_files.shelf import as_signed, read_shelf
from policies.analysis.gate import gate
from policies.analysis.lawfulness import Circumstances
from tests.filing import AGREEMENT, RULE, signed, varied, write

AROUND = Circumstances(now=datetime(2026, 6, 1, 12, tzinfo=UTC))
RESEARCH = varied("[care-coordination]", "[care-coordination, research]")
EVERY_CODE = varied(
    "roles: [nurse, gp]",
    "roles: [nurse, gp]\n  obligations: {max_age_days: 9}",
    varied("[medications]", "[allergies]", RESEARCH),
)


def found(*paths, around=AROUND, oracle=no_opinion):
    return linted(paths, around, oracle=oracle)


def codes(findings):
    return {each.code for each in findings}


def test_nothing_is_said_of_documents_that_are_right(tmp_path):
    assert found(write(tmp_path, "a.yaml", signed(AGREEMENT), RULE)) == ()


@pytest.mark.parametrize(
    "text", [RESEARCH, EVERY_CODE, varied("2027-12-31", "2026-02-01")]
)
def test_what_the_gate_says_of_a_draft_is_said_here(tmp_path, text):
    path = write(tmp_path, "a.yaml", signed(text), RULE)
    held = as_signed(read_shelf([path]).composition, AROUND.now)
    by_gate = [
        lint
        for draft in ("DSA-1", "LR-1")
        for report in [
            gate(held.members, held.signatures, draft=draft, circumstances=AROUND)
        ]
        for lint in (*report.refusals, *report.warnings)
    ]
    told = [(each.code, each.severity, each.message) for each in found(path)]
    assert sorted(told) == sorted((e.code, e.severity, e.message) for e in by_gate)
    assert told


def test_a_finding_stands_where_the_file_has_it_and_not_where_it_is_sorted(tmp_path):
    path = write(tmp_path, "a.yaml", RULE, signed(RESEARCH))
    (basis,) = (
        each
        for each in found(path)
        if each.code == "implied_consent_outside_individual"
    )
    assert basis.path == "clauses[1].legal_basis.confidentiality"
    assert path.read_text().splitlines()[basis.line - 1] == (
        "  legal_basis: {art6: 6(1)(e), art9: 9(2)(h), confidentiality: "
        "implied-consent}"
    )
    assert basis.line > path.read_text().splitlines().index("- id: a1")
    assert basis.sentence.startswith(
        f"{path}, line {basis.line}: refuse: implied_consent"
    )


def test_general_practices_are_known_by_what_one_is_told(tmp_path):
    text = varied("why: Shared lists", "honours: [ndo]\n  why: Shared lists", RESEARCH)
    path = write(tmp_path, "a.yaml", signed(text))
    practice = replace(AROUND, general_practices=frozenset({"Z9A01"}))
    assert "type1_not_honoured" not in codes(found(path))
    assert "type1_not_honoured" in codes(found(path, around=practice))


def test_a_document_that_cannot_be_read_is_a_finding_and_the_others_are_read(tmp_path):
    wrong = write(tmp_path, "a.yaml", varied("[doctor]", "[docter]"))
    broken = write(tmp_path, "b.yaml", "kind: [")
    missing = write(tmp_path, "c.yaml", varied("dpia: DPIA-1\n", ""))
    right = write(tmp_path, "d.yaml", signed(RESEARCH))
    told = found(wrong, broken, missing, right)
    assert {"schema", "no_dpia", "ndo_not_honoured"} <= codes(told)
    first = next(each for each in told if each.file == str(wrong))
    assert (first.line, first.path) == (11 + 2, "clauses[0].roles[0]")
    assert "Did you mean" in first.message
    torn = next(each for each in told if each.file == str(broken))
    assert torn.line == 1
    assert not torn.message.startswith(str(broken))


def test_a_file_that_is_not_text_is_a_finding(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe")
    (finding,) = found(path)
    assert (finding.code, finding.severity, finding.line) == ("schema", "refuse", None)
    assert finding.sentence.startswith(f"{path}: refuse: schema: cannot be read")


def test_an_id_that_is_taken_is_refused_at_the_second(tmp_path):
    one = write(tmp_path, "a.yaml", signed(AGREEMENT))
    other = write(tmp_path, "b.yaml", signed(RESEARCH))
    refusal = found(one, other)[0]
    assert (refusal.code, refusal.file, refusal.line) == ("schema", str(other), 2)
    assert refusal.document == "DSA-1"


def test_an_agreement_that_somebody_has_yet_to_sign_is_warned_of(tmp_path):
    (warning,) = found(write(tmp_path, "a.yaml", signed(AGREEMENT, "Z9B02")))
    assert (warning.code, warning.severity) == ("not_signed", "warn")
    assert "by Z9A01, so" in warning.message


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (varied("[doctor]", "[gp]"), "another text"),
        (varied("DSA-1", "DSA-2"), "not here"),
    ],
)
def test_a_signature_that_counts_for_nothing_is_warned_of(tmp_path, other, word):
    stray = signed(other, "Z9A01").partition("---\n")[2]
    told = found(write(tmp_path, "a.yaml", signed(AGREEMENT), stray))
    assert codes(told) == {"idle_signature"}
    assert word in told[0].message
    assert "A Signatory" not in told[0].sentence


def test_signatures_alone_are_no_policy(tmp_path):
    stray = signed(AGREEMENT).partition("---\n")[2]
    told = found(write(tmp_path, "a.yaml", stray))
    assert told[0].severity == "refuse"
    assert told[0].sentence.startswith("the set: refuse: schema: holds no agreement")


def test_too_many_clauses_are_refused(tmp_path):
    rules = "\n".join(
        f"- {{id: v{n}, effect: veto, when: {{}}, overridable: false, why: Board}}"
        for n in range(500)
    )
    text = RULE.partition("- ")[0] + rules
    many = [text.replace("LR-1", f"LR-{n}", 1) for n in range(11)]
    told = found(*(write(tmp_path, f"{n}.yaml", each) for n, each in enumerate(many)))
    assert codes(told) == {"too_many_clauses"}


def test_the_second_opinion_agrees_where_it_can_be_had(tmp_path):
    path = write(tmp_path, "a.yaml", signed(AGREEMENT), RULE)
    assert codes(found(path, oracle=second_opinion)) <= {"oracle_not_run"}


def test_a_second_opinion_that_differs_is_refused_and_one_not_run_is_said(tmp_path):
    path = write(tmp_path, "a.yaml", signed(AGREEMENT))
    differs = Opinion(outcome="disagrees", problem="Cedar answered with an error.")
    (refusal,) = found(path, oracle=lambda *_: differs)
    assert (refusal.code, refusal.severity) == ("oracle_disagreement", "refuse")
    (warning,) = found(path, oracle=lambda *_: Opinion(outcome="not run"))
    assert (warning.code, warning.severity) == ("oracle_not_run", "warn")
