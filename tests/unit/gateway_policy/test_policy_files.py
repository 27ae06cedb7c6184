"""Policy kept as files: read strictly, signed by text, and planned by."""

import pytest

from adapters.errors import ConfigurationError
from gateway.policy.published import load_policy, read_yaml
from gateway.policy.signing import sign
from policies.documents import parse_document
from tests import configuration
from tests.fakes import FakeClock

AGREEMENT = """\
kind: agreement
id: DSA-1
parties: {providers: [Z9A01], recipients: [Z9B02]}
dpia: DPIA-1
review_by: 2027-01-01
valid: {from: 2026-01-01, through: 2027-12-31}
clauses:
- id: c1
  purposes: [direct-care]
  legal_basis: {art6: 6(1)(e), art9: 9(2)(h), confidentiality: implied-consent}
  operations: [journey.read]
  modes: [identified]
  roles: [doctor]
  relationships: [registered]
  assurance: [aal2]
  categories: [encounters]
  why: Shared care
"""
RULE = """\
kind: local-rule
id: LR-1
org: Z9A01
rules:
- {id: v1, effect: veto, when: {purposes: [research]}, overridable: false, why: Board}
"""


def written(folder, text, name="a.yaml"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def signed(path, organisation, clock=None):
    return sign(
        path,
        organisation,
        person="A Signatory",
        capacity="caldicott",
        clock=clock or FakeClock(),
    )


def settings_with(folder, *texts):
    found = configuration.settings(folder)
    for nth, text in enumerate(texts):
        written(folder / "policy", text, f"{nth}.yaml")
    return found


def test_agreements_rules_and_signatures_are_compiled_into_one_set(tmp_path):
    path = written(tmp_path, AGREEMENT)
    texts = [
        AGREEMENT + signed(path, "Z9A01") + signed(path, "Z9B02"),
        RULE,
    ]
    compiled = load_policy(settings_with(tmp_path, *texts))
    assert compiled.version.startswith("sha256:")
    authorities = [line.authority for line in compiled.lines]
    assert any(each.startswith("DSA-1/c1@") for each in authorities)
    unsigned = load_policy(settings_with(tmp_path / "other", AGREEMENT))
    assert unsigned.version != compiled.version


def test_without_a_file_nothing_is_granted(tmp_path):
    compiled = load_policy(settings_with(tmp_path))
    assert not any("DSA" in line.authority for line in compiled.lines)


def test_a_wrong_document_stops_the_start_and_says_where(tmp_path):
    wrong = AGREEMENT.replace("[doctor]", "[docter]")
    with pytest.raises(ConfigurationError) as caught:
        load_policy(settings_with(tmp_path, wrong))
    assert "0.yaml" in caught.value.file
    assert "clauses[0].roles[0]" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [RULE.replace("LR-1", "LR-9990000018"), RULE.replace("v1", "999-000-0018")],
)
def test_an_id_that_holds_a_number_of_a_person_stops_the_start(tmp_path, text):
    with pytest.raises(ConfigurationError, match="holds an NHS number") as caught:
        load_policy(settings_with(tmp_path, text))
    assert "0018" not in str(caught.value)


def test_a_rule_for_another_body_stops_the_start(tmp_path):
    twice = RULE + "---\n" + RULE
    with pytest.raises(ConfigurationError) as caught:
        load_policy(settings_with(tmp_path, twice))
    assert caught.value.file == "policy"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("a: [1\n", "not YAML", 2),
        ("a: 1\na: 2\n", "a key stands twice", 1),
        ("a: &x 1\nb: *x\n", "an alias is not taken", 2),
        ("- 1\n", "not a document", None),
        ("just words\n", "not a document", None),
        ("? [1, 2]\n: 3\n", "not YAML", 1),
        ("[" * 3000, "nested too deeply", None),
    ],
)
def test_yaml_that_cannot_be_signed_by_text_is_refused(tmp_path, text, says, line):
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(path)
    assert says in str(caught.value)
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_codes_stay_text(tmp_path):
    path = written(tmp_path, "a: 5E1\nb: no\nc: 012\nd: 2026-01-01\n")
    assert read_yaml(path) == [{"a": "5E1", "b": "no", "c": "012", "d": "2026-01-01"}]


def test_an_empty_document_is_no_document(tmp_path):
    assert read_yaml(written(tmp_path, "---\n---\na: b\n---\n")) == [{"a": "b"}]


def test_a_file_too_large_or_not_text_or_gone_is_refused(tmp_path):
    large = written(tmp_path, "a: " + "x" * (1024 * 1024))
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        read_yaml(large)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: caf\xe9\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_yaml(latin)
    with pytest.raises(ConfigurationError, match="permissions"):
        read_yaml(tmp_path / "gone.yaml")


def test_a_signature_is_of_the_very_text_and_reads_back(tmp_path):
    path = written(tmp_path, AGREEMENT + "---\n" + RULE)
    clock = FakeClock()
    text = signed(path, "Z9B02", clock)
    (data,) = read_yaml(written(tmp_path, text, "signature.yaml"))
    signature = parse_document(data, where="signature")
    assert signature.organisation == "Z9B02"  # type: ignore[union-attr]  # a signature
    assert data["at"] == clock.now().isoformat(timespec="seconds")
    changed = written(tmp_path, AGREEMENT.replace("Shared care", "Other"), "b.yaml")
    (other,) = read_yaml(written(tmp_path, signed(changed, "Z9B02"), "c.yaml"))
    assert other["hash"] != data["hash"]


def test_an_organisation_code_that_looks_like_a_number_is_signed_as_text(tmp_path):
    parties = AGREEMENT.replace("recipients: [Z9B02]", 'recipients: ["5E1"]')
    text = signed(written(tmp_path, parties), "5E1")
    (data,) = read_yaml(written(tmp_path, text, "signature.yaml"))
    assert data["organisation"] == "5E1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULE, "no agreement, or several"),
        (AGREEMENT + "---\n" + AGREEMENT, "no agreement, or several"),
        (AGREEMENT.replace("[doctor]", "[docter]"), "roles"),
    ],
)
def test_only_a_file_that_holds_one_right_agreement_is_signed(tmp_path, text, says):
    with pytest.raises(ConfigurationError, match=says):
        signed(written(tmp_path, text), "Z9A01")


@pytest.mark.parametrize("organisation", ["Z9Z99", "not a code", ""])
def test_only_a_party_can_sign(tmp_path, organisation):
    """A signature that counts for nothing would look like one that counts."""
    with pytest.raises(ConfigurationError, match="not a party"):
        signed(written(tmp_path, AGREEMENT), organisation)
