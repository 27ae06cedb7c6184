"""Questions and expected decisions in tables, each row with the place of it."""

from datetime import UTC, datetime

import pytest
import yaml

from adapters.errors import ConfigurationError
from gateway.policy_files.asking import Known
from gateway.policy_files.comparing import read_questions, read_request
from gateway.policy_files.expected import missed, read_expected
from gateway.policy_files.shelf import compiled, read_shelf
from policies.errors import Invalid
from tests.filing import (
    AGREEMENT,
    AT,
    QUESTION,
    REQUEST,
    RULE,
    row,
    signed,
    table,
    varied,
    write,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
KNOWN = Known(now=NOW)


def asked(*said):
    return read_request(said, KNOWN)


def wrong_request(said):
    with pytest.raises(Invalid) as caught:
        asked(said)
    return str(caught.value)


def wrong_table(path):
    with pytest.raises(ConfigurationError) as caught:
        read_expected(path, KNOWN)
    assert caught.value.file == str(path)
    return caught.value


def yaml_table(folder, key, *rows):
    return write(folder, "t.yaml", yaml.safe_dump({key: list(rows)}, sort_keys=False))


def test_a_request_is_what_its_pairs_say():
    found = asked(REQUEST, "break_glass=yes mode=pseudonymised agreement=DSA-1")
    request, cell = found.request, found.cell
    assert (request.purpose, request.role, request.recipient) == (
        *("direct-care", "doctor"),
        "Z9B02",
    )
    assert (request.operation, request.mode) == ("journey.read", "pseudonymised")
    assert (request.agreement, request.break_glass) == ("DSA-1", True)
    assert (request.now, request.relationships) == (NOW, frozenset({"registered"}))
    assert (cell.owner, cell.category, cell.labels) == (
        *("Z9A01", "encounters"),
        "labelled",
    )
    assert set(cell.flags.values()) == {"states"}


@pytest.mark.parametrize(
    ("said", "attribute", "value"),
    [
        ("assurance=aal2", "assurance", None),
        ("relationship=registered", "relationships", frozenset()),
        ("role=doctor", "role", "gp"),
    ],
)
def test_what_is_not_known_is_said_and_not_assumed(said, attribute, value):
    word = {"assurance": "unknown", "relationships": "none", "role": "gp"}[attribute]
    found = asked(REQUEST.replace(said, f"{said.partition('=')[0]}={word}"))
    assert getattr(found.request, attribute) == value


def test_evidence_may_be_several_and_may_have_lapsed():
    found = asked(
        REQUEST.replace("relationship=registered", "relationships=referral,stale:proxy")
    )
    assert found.request.relationships == {"referral", "stale:proxy"}


def test_how_the_source_registers_flags_and_labels_may_be_said():
    found = asked(REQUEST, "labels=unlabelled flags=ndo=none,consent:S-1=prefiltered")
    assert found.cell.labels == "unlabelled"
    assert found.cell.flags["ndo"] == "none"
    assert found.cell.flags["consent:S-1"] == "prefiltered"
    assert found.cell.flags["type1"] == "states"


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("rolle=gp", 'rolle: unknown key. Did you mean "role"?'),
        ("role", "must be pairs"),
        ("role=", "must be pairs"),
        ("role=gp", "must be pairs, each key once"),
        ("mode=named", "mode: unknown code."),
        ("break_glass=maybe", "break_glass: must be yes or no."),
        ("at=yesterday", "at: must be a time"),
        ("at=2026-06-01T12:00:00", "at: must state its offset"),
        ("flags=ndo", "flags: must be one of ndo=states"),
        ("flags=nod=none", 'flags: must be flags, such as "ndo=none". Allowed: ndo'),
        ("labels=some", "labels: unknown code."),
        ("relationships=referral", "relationships: is there as relationship too"),
        (f"agreement={'a' * 65}", "agreement: must be 1 to 64"),
        ("agreement=null", "Leave it out if there is none."),
    ],
)
def test_a_pair_that_is_none_is_named_with_what_would_be_right(pair, told):
    assert told in wrong_request(f"{REQUEST} {pair}")


@pytest.mark.parametrize("key", QUESTION)
def test_what_a_question_lacks_is_named(key):
    pairs = (each for each in REQUEST.split() if not each.startswith(f"{key}="))
    assert f"--request: {key}: missing. Add it." in wrong_request(" ".join(pairs))


def test_evidence_must_be_said():
    assert "must name one" in wrong_request(
        REQUEST.replace("relationship=registered", "relationship=,")
    )


def test_questions_of_yaml_are_called_by_their_name_or_their_line(tmp_path):
    path = yaml_table(
        tmp_path,
        "questions",
        QUESTION | {"name": "a doctor", "break_glass": False},
        QUESTION
        | {"relationship": ["registered", "referral"]}
        | {"flags": ["ndo=none"], "break_glass": "no"},
    )
    first, second = read_questions(path, KNOWN)
    assert (first.name, first.asked.request.break_glass) == ("a doctor", False)
    assert second.name == f"line {len(QUESTION) + 4}"
    assert second.asked.request.relationships == {"registered", "referral"}


def test_a_code_of_yaml_that_is_unknown_is_named_with_its_line(tmp_path):
    path = yaml_table(tmp_path, "questions", QUESTION, QUESTION | {"role": "docter"})
    with pytest.raises(ConfigurationError) as caught:
        read_questions(path, KNOWN)
    error = caught.value
    assert (error.file, error.key) == (str(path), "questions[1].role")
    line = path.read_text().splitlines().index("  role: docter") + 1
    assert error.line == line
    assert 'Did you mean "doctor"?' in str(error)


@pytest.mark.parametrize("text", ["asked: []\n", "questions: {}\n", "- a\n"])
def test_what_is_no_table_of_questions_is_an_error(tmp_path, text):
    with pytest.raises(ConfigurationError):
        read_questions(write(tmp_path, "q.yaml", text), KNOWN)


def test_rows_of_csv_and_of_yaml_expect_the_same(tmp_path):
    by_csv = read_expected(table(tmp_path, row("a doctor", "permit")), KNOWN)
    said = QUESTION | {"name": "a doctor", "effect": "permit", "at": AT}
    by_yaml = read_expected(yaml_table(tmp_path, "expected", said), KNOWN)
    assert [(each.name, each.effect, each.asked) for each in by_csv] == [
        (each.name, each.effect, each.asked) for each in by_yaml
    ]
    assert by_csv[0].place.line == 2


def test_a_table_out_of_a_spreadsheet_is_read(tmp_path):
    path = table(tmp_path, row('"one, two"', "permit"), (), row("b", "deny"))
    text = path.read_text().replace("\n", "\r\n") + ",,,,,,,,,\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    first, second = read_expected(path, KNOWN)
    assert (first.name, second.place.line) == ("one, two", 4)


def test_an_empty_cell_is_what_is_not_said(tmp_path):
    head = ",".join(("name", "effect", "at", "code", "break_glass", *QUESTION))
    cells = ("a", "deny", "", "", "", *QUESTION.values())
    (found,) = read_expected(table(tmp_path, cells, head=head), KNOWN)
    assert (found.code, found.asked.request.now) == (None, NOW)
    assert found.asked.request.break_glass is False


def test_a_row_of_several_lines_is_named_by_its_first(tmp_path):
    path = table(
        tmp_path, row('"one\ntwo"', "permit"), row("b", "permit", role="docter")
    )
    assert wrong_table(path).line == 4


@pytest.mark.parametrize(
    ("change", "column", "line"),
    [
        ({"role": "docter"}, "column role", 3),
        ({"category": "encounter"}, "column category", 3),
        ({"relationship": "friend"}, "column relationship", 3),
        ({"owner": ""}, "column owner", 3),
    ],
)
def test_a_cell_that_is_wrong_is_named_by_line_and_column(
    tmp_path, change, column, line
):
    path = table(tmp_path, row("a", "permit"), row("b", "permit", **change))
    error = wrong_table(path)
    assert (error.line, error.key) == (line, column)


def test_the_codes_there_are_are_told(tmp_path):
    path = table(tmp_path, row("a", "allow"))
    assert (
        "column effect: unknown code. Allowed: permit, deny, withhold, unknown-person."
        in str(wrong_table(path))
    )


def test_an_unknown_column_is_named_at_the_head(tmp_path):
    head = ",".join(("name", "effect", "at", *QUESTION)).replace("role", "roel")
    error = wrong_table(table(tmp_path, row("a", "permit"), head=head))
    assert (error.line, error.key) == (1, "column roel")
    assert 'Did you mean "role"?' in str(error)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no rows"),
        ("name,effect\n", "holds no rows"),
        ("name,effect,\n", "column 3 has no name"),
        ("name,effect,name\n", "column 3 is there twice"),
        ("name,effect\na\n", "line 2: has 1 cells, and the first line 2"),
        ('name,effect\n"a,permit\n', "is not CSV"),
        ("name\n" + "x" * 2**20, "larger than 1 MiB"),
        ("expected: []\n", "holds no rows"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_an_error(tmp_path, text, told):
    name = "t.yaml" if text.startswith("expected") else "t.csv"
    assert told in str(wrong_table(write(tmp_path, name, text)))


def test_a_table_that_cannot_be_read_is_an_error(tmp_path):
    assert "cannot be read" in str(wrong_table(tmp_path / "none.csv"))
    (tmp_path / "t.csv").write_bytes("näme".encode("utf-16"))
    assert "cannot be read" in str(wrong_table(tmp_path / "t.csv"))


def test_two_rows_of_one_name_are_an_error(tmp_path):
    path = table(tmp_path, row("a", "permit"), row("a", "deny"))
    assert wrong_table(path).line == 3


@pytest.mark.parametrize(
    ("effect", "code", "authority", "is_met"),
    [
        ("permit", "", "", True),
        ("permit", "granted", "DSA-1/z1", True),
        ("permit", "", "DSA-1/z1@1#Z9A01", True),
        ("permit", "", "DSA-1/a1", False),
        ("permit", "expired", "", False),
        ("deny", "", "", False),
    ],
)
def test_a_decision_is_as_expected_in_effect_code_and_authority(
    tmp_path, effect, code, authority, is_met
):
    head = ",".join(("code", "authority", "name", "effect", "at", *QUESTION))
    path = table(tmp_path, (code, authority, *row("a", effect)), head=head)
    policy = write(tmp_path, "p.yaml", signed(AGREEMENT), RULE)
    found = list(
        missed(compiled(read_shelf([policy]).composition), read_expected(path, KNOWN))
    )
    assert [each.expected.said for each in found] == (
        [] if is_met else [" ".join(each for each in (effect, code, authority) if each)]
    )
    assert [each.got for each in found] == (
        [] if is_met else ["permit (granted DSA-1/z1@1#Z9A01)"]
    )


def test_of_several_vetoes_any_may_be_the_expected_one(tmp_path):
    second = RULE.replace("LR-1", "LR-2")
    policy = write(tmp_path, "p.yaml", signed(AGREEMENT), RULE, second)
    head = ",".join(("code", "authority", "name", "effect", "at", *QUESTION))
    path = table(
        tmp_path,
        ("veto", "LR-2/v1", *row("a", "deny", role="nurse")),
        ("no_grant", "LR-2/v1", *row("b", "deny", role="nurse")),
        head=head,
    )
    held = compiled(read_shelf([policy]).composition)
    (found,) = missed(held, read_expected(path, KNOWN))
    assert found.got == "deny (veto LR-1/v1@1; veto LR-2/v1@1)"


PLANNING = varied(
    "why: Shared care",
    "honours: [ndo]\n  cleared_labels: [PSY]\n"
    "  obligations: {max_age_days: 365, row_filters: [type1]}\n  why: Shared care",
)


@pytest.mark.parametrize(
    ("said", "effect"),
    [
        ({"person_flags": "ndo=absent"}, "permit"),
        ({"person_flags": "ndo=present"}, "withhold"),
        ({"person_flags": "ndo=unknown"}, "withhold"),
        ({"person_flags": "type1=present"}, "withhold"),
        ({"person_flags": "legally-restricted=present"}, "unknown-person"),
        ({"person_flags": "consent:S-1=present"}, "permit"),
        ({"item_labels": "PSY"}, "permit"),
        ({"item_labels": "PSY STD"}, "withhold"),
        ({"item_labels": "unrecognised"}, "withhold"),
        ({"item_age_days": "365"}, "permit"),
        ({"item_age_days": "366"}, "withhold"),
        ({"item_age_days": "undated"}, "withhold"),
        ({"item_labels": "PSY", "role": "gp"}, "deny"),
    ],
)
def test_what_becomes_of_one_item_can_be_expected(tmp_path, said, effect):
    policy = write(tmp_path, "p.yaml", signed(PLANNING))
    held = compiled(read_shelf([policy]).composition)
    row_ = QUESTION | {"name": "a", "effect": effect, "at": AT} | said
    assert not list(
        missed(held, read_expected(yaml_table(tmp_path, "expected", row_), KNOWN))
    )
    other = row_ | {"effect": "withhold" if effect == "permit" else "permit"}
    (found,) = missed(
        held, read_expected(yaml_table(tmp_path, "expected", other), KNOWN)
    )
    assert (found.effect, found.got.split()[0]) == (effect, effect)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"effect": "withhold"}, "effect: is of one item. Say something of it"),
        ({"person_flags": "ndo"}, "person_flags: must be flags and what is said"),
        ({"person_flags": "nod=present"}, "Flags: ndo, type1"),
        ({"item_labels": "psychiatry"}, "item_labels: unknown code."),
        ({"item_age_days": "-1"}, "item_age_days: must be a whole number"),
        ({"item_age_days": "50001"}, "item_age_days: must be 0 to 50000 days"),
    ],
)
def test_what_is_supposed_of_an_item_is_read_as_strictly(tmp_path, said, told):
    row_ = QUESTION | {"name": "a", "effect": "permit"} | said
    assert told in str(wrong_table(yaml_table(tmp_path, "expected", row_)))
