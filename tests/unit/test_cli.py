"""The command line: what each command prints, and how it refuses."""

import json

import httpx
import pytest
import structlog
import yaml
from joserfc import jws
from typer.testing import CliRunner

from gateway import cli
from gateway.api.document import as_text, openapi_of
from gateway.app import routes
from policies.documents import content_hash
from tests.configuration import PRODUCTION, TEXT, changed, write
from tests.houses import clause
from tests.people import number
from tests.unit.test_terminal import JOURNEY, PROBLEM

PERSON = number(0)


@pytest.fixture(autouse=True)
def _own_log():
    yield
    structlog.reset_defaults()


def run(*arguments, typed=None):
    return CliRunner().invoke(cli.app, [str(each) for each in arguments], input=typed)


def claims_of(token):
    return json.loads(jws.extract_compact(token.strip().encode()).payload)


def test_the_document_is_printed_as_it_is_committed():
    ran = run("openapi")
    assert (ran.exit_code, ran.stdout) == (0, as_text(openapi_of(routes())))


def test_a_token_says_what_the_registration_says(tmp_path):
    ran = run("token", "--config", write(tmp_path))
    claims = claims_of(ran.stdout)
    assert ran.exit_code == 0
    assert (claims["client_id"], claims["organisation"]) == ("demo-app", "Z9A01")
    assert (claims["role"], claims["purposes"]) == (
        "doctor",
        ["direct-care", "research"],
    )
    assert claims["relationship"] == [{"kind": "registered", "organisation": "Z9A01"}]


def test_a_token_says_who_it_is_and_as_what_they_sign(tmp_path):
    config = write(
        tmp_path, changed("scopes =", 'capacities = ["caldicott"]\nscopes =')
    )
    ran = run(
        *("token", "--config", config, "--subject", "guardian"),
        *("--capacity", "caldicott"),
    )
    claims = claims_of(ran.stdout)
    assert (claims["sub"], claims["capacities"]) == ("guardian", ["caldicott"])
    assert claims["auth_time"] == claims["iat"]


def test_a_token_says_what_was_asked_for(tmp_path):
    ran = run(
        *("token", "--config", write(tmp_path), "--organisation", "Z9B02"),
        *("--role", "nurse", "--purpose", "direct-care", "--relationship", "none"),
    )
    claims = claims_of(ran.stdout)
    assert (claims["organisation"], claims["role"]) == ("Z9B02", "nurse")
    assert claims["purposes"] == ["direct-care"]
    assert "relationship" not in claims


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--client", "other-app"),
        ("--organisation", "Z9C03"),
        ("--role", "analyst"),
        ("--purpose", "payment-validation"),
        ("--relationship", "friend"),
        ("--capacity", "caldicott"),
    ],
)
def test_a_token_that_would_be_refused_is_not_made(tmp_path, option, value):
    ran = run("token", "--config", write(tmp_path), option, value)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert option in ran.stderr
    assert value not in ran.stderr


def test_production_makes_no_tokens(tmp_path):
    ran = run("token", "--config", write(tmp_path, PRODUCTION))
    assert (ran.exit_code, ran.stdout) == (2, "")


@pytest.mark.parametrize("command", ["serve", "token"])
def test_a_wrong_setting_ends_the_command_with_place_and_remedy(tmp_path, command):
    path = write(tmp_path, changed("source_s", "sauce_s"))
    line = TEXT.splitlines().index("source_s = 2") + 1
    ran = run(command, "--config", path)
    assert ran.exit_code == 2
    assert ran.stderr == (
        f"throughline: {path}, line {line}: limits.sauce_s: is not a setting here. "
        "Did you mean source_s?\n"
    )


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    ran = run("serve", "--config", tmp_path / "none.toml")
    assert ran.exit_code == 2
    assert "none.toml" in ran.stderr
    assert "create the file" in ran.stderr


def test_a_wrong_source_file_ends_the_start(tmp_path):
    path = write(tmp_path)
    (tmp_path / "sources" / "gp.toml").write_text('kind = "csv_drop"\npatern = "*"\n')
    ran = run("serve", "--config", path)
    assert ran.exit_code == 2
    assert "gp.toml, line 2: patern: is not a setting here." in ran.stderr


@pytest.fixture
def agreement(tmp_path):
    document = {
        "kind": "agreement",
        "id": "DSA-1",
        "parties": {"providers": ["Z9A01"], "recipients": ["Z9B02"]},
        "dpia": "DPIA-1",
        "review_by": "2027-01-01",
        "valid": {"from": "2026-01-01", "through": "2027-12-31"},
        "clauses": [clause()],
    }
    path = tmp_path / "agreement.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path, document


def test_a_signature_is_of_the_present_text(agreement):
    path, document = agreement
    ran = run(
        "policy", "sign", path, "--organisation", "Z9A01", "--person", "A N Other"
    )
    signature = yaml.safe_load(ran.stdout)
    assert ran.exit_code == 0
    assert (signature["kind"], signature["document"]) == ("signature", "DSA-1")
    assert signature["hash"] == content_hash(document)
    assert (signature["organisation"], signature["capacity"]) == ("Z9A01", "caldicott")


def test_what_is_no_agreement_cannot_be_signed(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("kind: letter\n", "utf-8")
    ran = run("policy", "sign", path, "--organisation", "Z9A01", "--person", "p")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "x.yaml" in ran.stderr


@pytest.mark.parametrize("fault", ["--slow", "--broken", "--wrong"])
def test_only_a_source_of_the_demo_can_be_broken(fault, tmp_path):
    ran = run("demo", "--once", "--folder", tmp_path, fault, "nothing")
    assert ran.exit_code == 2
    assert "Z9C03.epr" in ran.output
    assert list(tmp_path.iterdir()) == []


class Gateway:
    """Stands where the gateway listens: remembers what came, answers as told."""

    def __init__(self):
        self.asked = []
        self.answer = httpx.Response(200, json=JOURNEY)

    def __call__(self, url, bearer, body):
        self.asked.append((url, bearer, body))
        return self.answer


@pytest.fixture
def gateway(monkeypatch):
    stand_in = Gateway()
    monkeypatch.setattr(cli, "_post", stand_in)
    return stand_in


def test_asking_prints_completeness_first(gateway):
    ran = run("ask", "--nhs-number", PERSON, "--purpose", "direct-care", "--token", "t")
    assert ran.exit_code == 0
    assert ran.stdout.index("Completeness: PARTIAL") < ran.stdout.index("Fall")
    body = {"purpose": "direct-care", "nhs_number": PERSON}
    assert gateway.asked == [("http://127.0.0.1:8000", "t", body)]


def test_a_question_carries_what_was_said(gateway):
    run(
        *("ask", "--identifier", "urn:a|b:c|7", "--purpose", "direct-care"),
        *("--since", "2024-01-01", "--until", "2024-02-01"),
        *("--category", "encounters", "--category", "ambulance"),
    )
    assert gateway.asked[0][2] == {
        "purpose": "direct-care",
        "identifier": {"system": "urn:a|b:c", "value": "7"},
        "since": "2024-01-01",
        "until": "2024-02-01",
        "categories": ["encounters", "ambulance"],
    }


def test_a_number_that_is_not_given_is_asked_for_and_not_shown(gateway):
    ran = run("ask", "--purpose", "direct-care", typed=f"{PERSON}\n")
    assert gateway.asked[0][2]["nhs_number"] == PERSON
    assert PERSON not in ran.output


def test_json_is_printed_as_it_is(gateway):
    ran = run("ask", "--nhs-number", PERSON, "--purpose", "direct-care", "--json")
    assert json.loads(ran.stdout) == JOURNEY


def test_a_problem_is_told_with_its_next_step_and_is_a_failure(gateway):
    gateway.answer = httpx.Response(400, json=PROBLEM)
    ran = run("ask", "--nhs-number", PERSON, "--purpose", "x")
    assert ran.exit_code == 1
    assert "Next: Correct the fields named in errors." in ran.stdout


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"completeness": "all"}),
        httpx.Response(502, json={}),
    ],
)
def test_what_is_no_gateway_is_said_to_be_none(gateway, answer):
    gateway.answer = answer
    ran = run("ask", "--nhs-number", PERSON, "--purpose", "direct-care")
    assert ran.exit_code == 2
    assert "Correct --url" in ran.stderr


@pytest.mark.parametrize(
    ("url", "token", "told"),
    [
        ("http://127.0.0.1:9", "t", "no gateway answers"),
        ("nowhere", "t", "no gateway answers"),
        ("http://[", "t", "no gateway answers"),
        ("http://127.0.0.1:9", "é", "--token"),
    ],
)
def test_a_gateway_that_is_not_there_is_said_to_be_missing(url, token, told):
    ran = run(
        *("ask", "--nhs-number", PERSON, "--purpose", "direct-care"),
        *("--url", url, "--token", token),
    )
    assert ran.exit_code == 2
    assert told in ran.stderr
    assert PERSON not in ran.output
