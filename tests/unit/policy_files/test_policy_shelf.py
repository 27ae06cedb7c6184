"""Files of policy, read with the place of everything in them."""

from datetime import UTC, datetime

import pytest

from adapters.errors import ConfigurationError
from gateway.policy.published import load_policy
from gateway.policy_files.marked import read_marked
from gateway.policy_files.opened import Desk, composition_of, policy_paths
from gateway.policy_files.shelf import (
    as_signed,
    compiled,
    files_of,
    read_shelf,
    unsigned,
)
from policies.clauses import Member
from policies.documents import content_hash, parse_document
from tests import configuration
from tests.filing import AGREEMENT, RULE, signed, varied, write

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DESK = Desk(now=NOW, environ={})


def test_everything_in_a_file_has_its_line(tmp_path):
    path = write(tmp_path, "a.yaml", AGREEMENT, RULE)
    agreement, rule = read_marked(path)
    lines = AGREEMENT.splitlines()
    assert agreement.line_of("") == 1
    assert agreement.line_of("/clauses/1") == lines.index("- id: a1") + 1
    assert (
        agreement.line_of("/clauses/1/roles/0")
        == lines.index("  roles: [nurse, gp]") + 1
    )
    assert agreement.line_of("/clauses/1/honours") == lines.index("- id: a1") + 1
    assert rule.line_of("/rules/0/when") == len(lines) + 6


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[doctor]", "[docter]", "clauses[0].roles[0]"),
        ("dpia: DPIA-1\n", "", "dpia"),
        ("dpia:", "dpai:", "dpai"),
        ("through: 2027-12-31", "through: 2035-12-31", "valid.through"),
    ],
)
def test_a_wrong_document_is_named_by_file_line_and_key(tmp_path, old, new, key):
    path = write(tmp_path, "a.yaml", RULE, varied(old, new))
    with pytest.raises(ConfigurationError) as caught:
        read_shelf([path])
    assert (caught.value.file, caught.value.key) == (str(path), key)
    assert caught.value.line is not None
    assert caught.value.line > len(RULE.splitlines())


def test_a_key_that_would_redraw_the_screen_is_not_printed(tmp_path):
    path = write(tmp_path, "a.yaml", varied("dpia:", '"dp\\eia":'))
    with pytest.raises(ConfigurationError) as caught:
        read_shelf([path])
    assert "\x1b" not in str(caught.value)


def test_json_is_read_as_yaml_is(tmp_path):
    import json  # noqa: PLC0415 - of this test alone

    import yaml  # noqa: PLC0415 - as above

    data = yaml.load(AGREEMENT, Loader=yaml.BaseLoader)  # noqa: S506 - it builds text alone
    path = write(tmp_path, "a.json", json.dumps(data, indent=2))
    ((document, marked),) = read_shelf([path]).documents
    assert document == parse_document(data, where="a")
    assert marked.line_of("/dpia") > 1


def test_a_folder_is_its_files_and_no_others(tmp_path):
    write(tmp_path, "b.yml", RULE)
    write(tmp_path, "a.yaml", AGREEMENT)
    write(tmp_path, "notes.md", "notes")
    write(tmp_path, "tests/t.yaml", "x: y")
    assert [each.name for each in files_of(tmp_path)] == ["a.yaml", "b.yml"]


@pytest.mark.parametrize("name", ["none.yaml", "empty"])
def test_what_is_not_there_is_an_error_and_not_an_empty_set(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError):
        files_of(tmp_path / name)


def test_a_file_named_twice_is_read_once(tmp_path):
    path = write(tmp_path, "a.yaml", AGREEMENT)
    (tmp_path / "link.yaml").symlink_to(path)
    assert len(read_shelf([path, tmp_path / "link.yaml", path]).documents) == 1


def test_two_documents_of_one_id_are_an_error_at_the_second(tmp_path):
    write(tmp_path, "a.yaml", AGREEMENT)
    path = write(tmp_path, "b.yaml", RULE, AGREEMENT)
    with pytest.raises(ConfigurationError) as caught:
        read_shelf([tmp_path / "a.yaml", path])
    assert (caught.value.file, caught.value.line) == (str(path), 8)


def test_a_set_of_files_is_the_one_a_gateway_would_make(tmp_path):
    settings = configuration.settings(tmp_path)
    path = write(tmp_path / "policy", "a.yaml", signed(AGREEMENT), RULE)
    held = read_shelf([path]).composition
    assert unsigned(held) == {}
    assert compiled(held) == load_policy(settings)


def test_who_has_yet_to_sign_is_told_and_can_be_supposed(tmp_path):
    path = write(tmp_path, "a.yaml", signed(AGREEMENT, "Z9A01"), RULE)
    held = read_shelf([path]).composition
    assert unsigned(held) == {"DSA-1": ("Z9B02",)}
    assert unsigned(as_signed(held, NOW)) == {}


def test_a_signature_of_another_text_counts_for_nothing(tmp_path):
    other = signed(varied("[doctor]", "[gp]")).partition("---\n")[2]
    path = write(tmp_path, "a.yaml", AGREEMENT, other)
    assert unsigned(read_shelf([path]).composition) == {"DSA-1": ("Z9A01", "Z9B02")}


def test_a_signature_that_is_carried_is_not_owed(tmp_path):
    path = write(tmp_path, "a.yaml", signed(AGREEMENT, "Z9A01"))
    held = read_shelf([path]).composition
    carried = Member(document=held.members[0].document, carried=frozenset({"Z9B02"}))
    assert unsigned(type(held)(members=(carried,), signatures=held.signatures)) == {}


def test_more_clauses_than_a_set_may_have_are_an_error(tmp_path):
    rules = "\n".join(
        f"- {{id: v{n}, effect: veto, when: {{}}, overridable: false, why: Board}}"
        for n in range(500)
    )
    text = RULE.partition("- ")[0] + rules
    paths = [
        write(tmp_path, f"{n}.yaml", text.replace("LR-1", f"LR-{n}", 1))
        for n in range(11)
    ]
    with pytest.raises(ConfigurationError, match="more than 5000 clauses"):
        compiled(read_shelf(paths).composition)


def test_a_configuration_names_its_own_files(tmp_path):
    config = configuration.write(tmp_path)
    path = write(tmp_path / "policy", "a.yaml", AGREEMENT)
    assert policy_paths([config], DESK) == (path,)
    held = composition_of([config], DESK, may_be_empty=False)
    assert content_hash(held.members[0].document).startswith("sha256:")


def test_a_configuration_without_files_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="names no file"):
        policy_paths([configuration.write(tmp_path)], DESK)


def test_a_configuration_that_keeps_policy_in_the_store_has_no_files(tmp_path):
    text = configuration.changed("[policy]", '[policy]\nsource = "store"')
    with pytest.raises(ConfigurationError, match="kept in the store"):
        policy_paths([configuration.write(tmp_path, text)], DESK)


def test_nothing_to_look_at_is_an_error_unless_it_is_what_stands_before(tmp_path):
    path = write(tmp_path, "a.yaml", "")
    assert composition_of([path], DESK, may_be_empty=True).members == ()
    with pytest.raises(ConfigurationError, match="holds no agreement"):
        composition_of([path], DESK, may_be_empty=False)
