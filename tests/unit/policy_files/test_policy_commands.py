"""`throughline policy …` on files: what each command prints, and how it ends."""

import json

import pytest
import yaml

from gateway import policy_commands
from gateway.policy.oracle import Opinion
from tests import configuration
from tests.filing import (
    AGREEMENT,
    AT,
    QUESTION,
    REQUEST,
    RULE,
    row,
    run,
    signed,
    table,
    varied,
    write,
)
from tests.unit.decisions.test_entries import decided
from tests.unit.policy_files.test_recorded_lines import file_of, line

WIDER = varied("[doctor]", "[doctor, paramedic]")
MASKED = varied(
    "why: Shared care",
    "obligations: {hide_fields: [person.address], mask_fields: {person.name: full}, "
    "max_age_days: 30}\n  why: Shared care",
)


@pytest.fixture
def policy(tmp_path):
    """A signed agreement and a local rule, in a folder."""
    write(tmp_path / "policy", "a.yaml", signed(AGREEMENT), RULE)
    return tmp_path / "policy"


@pytest.fixture
def draft(tmp_path):
    """The same in another folder, its agreement wider and signed by nobody."""
    write(tmp_path / "draft", "a.yaml", WIDER, RULE)
    return tmp_path / "draft"


def questions(folder, *changes):
    rows = [QUESTION | {"name": str(n)} | each for n, each in enumerate(changes)]
    return write(folder, "q.yaml", yaml.safe_dump({"questions": rows}))


def told(ran):
    return json.loads(ran.stdout)


def test_lint_says_what_there_is_to_mend_and_fails(policy):
    path = write(policy, "b.yaml", varied("[care-coordination]", "[research]", WIDER))
    ran = run("lint", path, "--no-oracle", "--at", AT)
    assert ran.exit_code == 1
    first, *_, last = ran.stdout.splitlines()
    assert first.startswith(f"{path}, line 18: refuse: ndo_not_honoured")
    assert last == "2 to mend, 1 to note"


def test_lint_succeeds_with_warnings_alone(draft):
    ran = run("lint", draft, "--no-oracle", "--json")
    assert ran.exit_code == 0
    assert [(each["code"], each["severity"]) for each in told(ran)] == [
        ("not_signed", "warn")
    ]
    assert set(told(ran)[0]) == {
        *("code", "severity", "file", "line", "document", "path", "message"),
    }


def test_lint_without_a_word_has_nothing_to_mend(policy):
    ran = run("lint", policy, "--no-oracle")
    assert (ran.exit_code, ran.stdout) == (0, "nothing to mend\n")


def test_lint_knows_the_practices_of_a_configuration(tmp_path):
    text = varied("[care-coordination]", "[research]").replace(
        "why: Shared lists", "honours: [ndo]\n  why: Shared lists"
    )
    config = configuration.write(tmp_path)
    path = write(tmp_path / "policy", "a.yaml", signed(text))
    for named in (["--config", config], [config], [path, "--config", config]):
        assert "type1_not_honoured" in run("lint", *named, "--no-oracle").stdout
    assert "type1_not_honoured" not in run("lint", path, "--no-oracle").stdout
    practice = ("--general-practice", "Z9A01")
    assert "type1_not_honoured" in run("lint", path, *practice).stdout


def test_lint_asks_for_a_second_opinion_unless_told_not_to(policy, monkeypatch):
    differs = Opinion(outcome="disagrees", problem="Cedar cannot read the text.")
    monkeypatch.setattr(policy_commands, "second_opinion", lambda *_: differs)
    assert "oracle_disagreement" in run("lint", policy).stdout
    assert run("lint", policy, "--no-oracle").exit_code == 0


def test_a_difference_is_told_with_an_example_and_whether_it_narrows(policy, draft):
    ran = run("diff", policy, draft, "--as-signed", "--at", AT)
    assert ran.exit_code == 1
    first, sentence, example, *_, verdict = ran.stdout.splitlines()
    assert first == "Newly allowed (2):"  # with the glass broken, others are told
    assert sentence.startswith("- Newly allowed: paramedic of Z9B02 sees encounters")
    assert "role=paramedic" in example
    assert verdict.startswith("Z9A01: not proven to narrow (DSA-1/z1@1#Z9A01 may give")
    assert ran.stderr == ""


def test_the_example_of_a_difference_can_be_asked(policy, draft):
    example = run("diff", policy, draft, "--as-signed", "--at", AT).stdout.splitlines()
    request = example[2].partition("for example: ")[2].partition(" (")[0]
    before = run("explain", policy, "--request", request)
    after = run("explain", draft, "--as-signed", "--request", request)
    assert before.stdout.startswith("deny\n")
    assert after.stdout.startswith("permit\n")


def test_the_same_policy_is_answered_alike(policy):
    ran = run("diff", policy, policy / "a.yaml")
    assert ran.exit_code == 0
    assert ran.stdout == (
        "Every request is answered alike.\n"
        "Z9A01: a proven narrowing: one signature of it is enough.\n"
    )


def test_a_narrowing_is_told_as_one_by_every_kind_of_change(policy, tmp_path):
    write(tmp_path, "b.yaml", signed(MASKED))
    ran = run("diff", policy, tmp_path / "b.yaml", "--json", "--at", AT)
    found = told(ran)
    assert found["is_complete"] is True
    assert {each["kind"] for each in found["changes"]} == {
        *("newly_allowed", "tightened"),
    }
    assert found["owners"]["Z9A01"]["is_narrowing"] is False
    tightened = next(e for e in found["changes"] if e["kind"] == "tightened")
    assert tightened["before"] == {}
    assert tightened["after"] == {
        "hide_fields": ["person.address"],
        "mask_fields": {"person.name": "full"},
        "max_age_days": 30,
    }
    assert tightened["witness"]["role"] == "doctor"
    refused = next(e for e in found["changes"] if e["kind"] == "newly_allowed")
    assert (refused["before"], refused["owner"]) == (None, "Z9A01")


def test_without_a_signature_a_draft_gives_nothing_and_that_is_said(policy, draft):
    ran = run("diff", policy, draft)
    assert "Newly refused (" in ran.stdout
    assert ran.stderr == (
        "note: DSA-1 is not signed in this text by Z9A01, Z9B02; it gives nothing of "
        "theirs and nothing to them. --as-signed supposes that it were.\n"
    )
    both = run("diff", draft, draft / "a.yaml", "--both-as-signed")
    assert (both.exit_code, both.stderr) == (0, "")


def test_a_difference_that_is_not_whole_is_never_none(policy, monkeypatch):
    from gateway.policy_files import comparing  # noqa: PLC0415 - of this test alone
    from policies.analysis.difference import Difference  # noqa: PLC0415 - as above

    partial = Difference(is_complete=False)
    monkeypatch.setattr(comparing, "difference", lambda *_, **__: partial)
    ran = run("diff", policy, policy)
    assert ran.exit_code == 1
    assert "what is told is not all" in ran.stdout


def test_what_if_tells_each_question_before_and_after(policy, draft, tmp_path):
    asked = questions(tmp_path, {}, {"role": "paramedic"}, {"role": "gp"})
    given = (draft, "--against", policy, "--questions", asked, "--as-signed")
    ran = run("what-if", *given)
    assert ran.exit_code == 1
    assert ran.stdout.splitlines() == [
        "0: permit (granted DSA-1/z1@1#Z9A01, all of it)",
        "1: deny (no_grant) -> permit (granted DSA-1/z1@1#Z9A01, all of it)",
        "2: deny (no_grant)",
    ]
    found = told(run("what-if", *given, "--json"))
    assert [each["is_changed"] for each in found] == [False, True, False]
    assert found[1]["asked"]["role"] == "paramedic"
    assert found[1]["before"]["because"][0]["code"] == "no_grant"


def test_what_if_succeeds_where_nothing_would_change(tmp_path):
    config = configuration.write(tmp_path)
    write(tmp_path / "policy", "a.yaml", signed(AGREEMENT))
    asked = questions(tmp_path, {})
    assert run("what-if", "--config", config, "--questions", asked).exit_code == 0


def test_an_example_says_what_its_source_states(policy, tmp_path):
    rule = RULE.replace("roles: [nurse]", "flags_any: [ndo], labels_any: [PSY]")
    clears = varied("why: Shared care", "cleared_labels: [PSY]\n  why: Shared care")
    write(tmp_path, "before.yaml", signed(clears))
    write(tmp_path, "after.yaml", signed(clears), rule)
    ran = run("diff", tmp_path / "before.yaml", tmp_path / "after.yaml", "--at", AT)
    assert "(ndo present, labelled PSY)" in ran.stdout
    assert "Z9A01: a proven narrowing" in ran.stdout


def test_a_refusal_is_explained_as_its_caller_would_be_told(policy):
    ran = run("explain", policy, "--request", REQUEST.replace("doctor", "midwife"))
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [
        "deny",
        "because no_grant: No agreement covers this",
        "it would be permitted if role were doctor: Shared care (DSA-1/z1@1#Z9A01)",
    ]


def test_in_full_every_reason_and_near_miss_is_told(policy):
    write(policy, "b.yaml", RULE.replace("LR-1", "LR-2"))
    request = REQUEST.replace("doctor", "nurse")
    short = run("explain", policy, "--request", request)
    full = run("explain", policy, "--request", request, "--full")
    assert short.stdout.count("because veto") == 1
    assert full.stdout.count("because veto") == 2
    other = REQUEST.replace("doctor", "gp")
    assert "if purpose" not in run("explain", policy, "--request", other).stdout
    wanted = other.replace("encounters", "medications")
    full = run("explain", policy, "--request", wanted, "--full")
    assert "it would be permitted if purpose were care-coordination" in full.stdout


def test_a_citation_to_leave_out_is_told_in_words(policy):
    ran = run("explain", policy, "--full", "--request", f"{REQUEST} agreement=DSA-9")
    assert "if agreement were none cited or DSA-1" in ran.stdout


def test_a_permit_is_explained_with_its_duties(tmp_path):
    path = write(tmp_path, "a.yaml", MASKED)
    asked = ("explain", path, "--as-signed", "--request", REQUEST)
    assert (
        "shown: person.address hidden, person.name masked (full), "
        "nothing older than 30 days\n"
    ) in run(*asked).stdout
    found = told(run(*asked, "--json"))
    assert (found["effect"], found["authority"]) == ("permit", "DSA-1/z1@1#Z9A01")
    assert found["obligations"]["max_age_days"] == 30
    assert found["near_misses"] == []


def test_near_misses_are_told_to_programs_too(policy):
    request = REQUEST.replace("doctor", "midwife")
    found = told(run("explain", policy, "--request", request, "--json"))
    (near,) = found["near_misses"]
    assert (near["attribute"], near["needed"]) == ("role", ["doctor"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--request", "role=docter"), "--request: owner: missing"),
        (("--request", REQUEST.replace("doctor", "dr")), "--request: role: unknown"),
        (("--request", REQUEST, "--at", "noon"), "--at: must be a time"),
    ],
)
def test_a_question_that_is_wrong_ends_in_one_line(policy, arguments, message):
    ran = run("explain", policy, *arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"throughline: {message}")
    assert ran.stderr.count("\n") == 1


def test_recorded_decisions_are_made_again_under_a_draft(tmp_path):
    text = varied("Z9A01", "Z9B02").replace(
        "recipients: [Z9B02]", "recipients: [Z9R01]"
    )
    parties = ("Z9B02", "Z9R01")
    write(tmp_path, "before.yaml", signed(text.replace("[doctor]", "[gp]"), *parties))
    write(tmp_path, "after.yaml", signed(text, *parties))
    path = file_of(tmp_path, line(decided(0)), line(decided(1)))
    given = (
        *("replay", tmp_path / "after.yaml", "--against", tmp_path / "before.yaml"),
        *("--decisions", path),
    )
    ran = run(*given)
    assert ran.exit_code == 1
    first, flips, changed, _ = ran.stdout.splitlines()
    assert first.startswith("2 decisions replayed: 2 would change, 2 of them flipped;")
    assert flips == "flipped 2: doctor of Z9R01 for direct-care"
    assert changed == f"dec_{'b' * 24}: newly allowed: encounters of Z9B02"
    found = told(run(*given, "--json", "--last", "1"))
    assert (found["replayed"], found["flips"][0]["decisions"]) == (1, 1)
    assert found["changed"][0]["cells"] == [
        {"owner": "Z9B02", "category": "encounters", "change": "newly_allowed"}
    ]
    same = run(*given[:2], "--against", given[1], *given[4:])
    assert same.exit_code == 0


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ("cedar", '@id("DSA-1/z1@1#Z9A01")'),
        ("cedar-constraints", '@id("floor/'),
        ("cedar-schema", "entity Organisation"),
        ("fhir-permission", '"resourceType": "Permission"'),
    ],
)
def test_a_set_is_exported_in_each_form(policy, form, word):
    ran = run("export", policy, "--as", form)
    assert ran.exit_code == 0
    assert word in ran.stdout


def test_a_table_of_expected_decisions_is_held_against_a_set(policy, tmp_path):
    path = table(
        tmp_path,
        row("a doctor", "permit"),
        row("a nurse", "permit", role="nurse"),
        row("nobody", "deny", relationship="none"),
    )
    ran = run("test", policy, "--expect", path)
    assert ran.exit_code == 1
    assert ran.stdout == (
        f"{path}, line 3: a nurse\n"
        "  expected: permit\n"
        "  got:      deny (veto LR-1/v1@1)\n"
        "2 of 3 as expected\n"
    )
    found = told(run("test", policy, "--expect", path, "--json"))
    assert (found["rows"], len(found["missed"])) == (3, 1)
    assert found["missed"][0]["line"] == 3
    assert found["missed"][0]["got"]["because"][0]["code"] == "veto"


def test_a_body_that_no_document_names_is_noted_as_it_may_be_misspelt(tmp_path):
    rule = RULE.replace("{roles: [nurse]}", "{recipients: [Z9E05]}")
    path = write(tmp_path, "a.yaml", signed(AGREEMENT), rule)
    expect = table(
        tmp_path,
        row("a", "deny", owner="Z9A1"),
        row("b", "deny", recipient="Z9E05"),
        row("c", "deny", recipient="Z9E5"),
    )
    ran = run("test", path, "--expect", expect)
    assert ran.exit_code == 0
    assert ran.stderr == (
        f"note: {expect}, line 2: no document names its owner.\n"
        f"note: {expect}, line 4: no document names its recipient.\n"
    )


def test_a_table_that_is_met_succeeds(policy, tmp_path):
    ran = run("test", policy, "--expect", table(tmp_path, row("a doctor", "permit")))
    assert (ran.exit_code, ran.stdout) == (0, "1 of 1 as expected\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("lint", "none.yaml"),
        ("diff", "none.yaml", "none.yaml"),
        ("what-if", "none.yaml", "--questions", "none.yaml"),
        ("explain", "none.yaml", "--request", REQUEST),
        ("replay", "none.yaml", "--decisions", "none.jsonl"),
        ("export", "none.yaml", "--as", "cedar"),
        ("test", "none.yaml", "--expect", "none.csv"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_file_that_is_not_there_ends_the_command_in_one_line(arguments):
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("throughline: ")
    assert ran.stderr.count("\n") == 1


def test_text_that_would_redraw_the_screen_is_printed_plain(tmp_path, policy):
    path = write(tmp_path, "b.yaml", '"\\e[2Jkind": agreement\n')
    assert "\x1b" not in run("lint", path).output
    assert "\x1b" not in run("explain", path, "--request", REQUEST).output
    asked = f"{REQUEST} \x1b[2J=1"
    assert "\x1b" not in run("explain", policy, "--request", asked).output
