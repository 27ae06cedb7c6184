"""`throughline source try`: one synthetic person, one source, the whole path."""

import json
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.checking.origins import origins_of
from tests.gateways import PERSON, write_gateway
from tests.people import number
from tests.stub_fhir import StubFhir

DROP, TABLE, SERVER = "Z9A01.gp", "Z9B02.epr", "Z9C03.asc"


@pytest.fixture
def config(tmp_path):
    return write_gateway(tmp_path)


def run(*arguments, typed=None):
    given = ["source", "try", *(str(each) for each in arguments)]
    return CliRunner().invoke(cli.app, given, input=typed, env={"COLUMNS": "160"})


def told(config, source, *arguments):
    ran = run(source, "--config", config, "--json", "--nhs-number", PERSON, *arguments)
    assert ran.stderr == ""
    return ran.exit_code, json.loads(ran.stdout)


def records(config):
    with closing(sqlite3.connect(config.parent / "throughline.db")) as store:
        rows = store.execute("SELECT record FROM audit_record ORDER BY n").fetchall()
    return [json.loads(record) for (record,) in rows]


@pytest.mark.parametrize("source", [DROP, TABLE])
def test_one_person_is_shown_from_this_source_alone(config, source):
    status, journey = told(config, source)
    assert status == 0
    assert [each["source"] for each in journey["completeness"]["sources"]] == [source]
    assert journey["completeness"]["level"] == "complete"
    assert {e["provenance"]["source"] for e in journey["events"]} == {source}


def test_the_trail_has_the_intent_and_the_outcome(config):
    told(config, TABLE)
    kinds = [each["type"] for each in records(config)]
    assert kinds.index("intent") < kinds.index("outcome")
    assert PERSON not in json.dumps(records(config))
    assert "source-try" in json.dumps(records(config))


def test_where_each_field_comes_from_is_shown(config):
    ran = run(TABLE, "--config", config, "--nhs-number", PERSON)
    assert ran.exit_code == 0
    assert "Completeness: COMPLETE" in ran.stdout
    assert "Comes from" in ran.stdout
    for origin in origins_of(config.parent / "sources" / TABLE / "source.toml"):
        assert origin.field.split()[0] in ran.stdout


def test_a_number_is_asked_for_unseen(config):
    ran = run(TABLE, "--config", config, typed=f"{PERSON}\n")
    assert ran.exit_code == 0
    assert PERSON not in ran.stdout.partition("Completeness")[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("4505577104", "may be a real person's"),
        ("9990001007", "is not an NHS number"),
    ],
)
def test_a_number_that_may_be_somebodys_is_refused(config, given, says):
    ran = run(TABLE, "--config", config, "--nhs-number", given)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert says in ran.stderr
    assert given not in ran.stderr
    assert not (config.parent / "throughline.db").exists()


def test_what_is_asked_is_audited(config):
    run(TABLE, "--config", config, "--nhs-number", PERSON)
    assert "intent" in [each["type"] for each in records(config)]


def test_a_window_is_kept_to(config):
    status, journey = told(
        config, TABLE, "--since", "2031-01-01", "--until", "2031-02-01"
    )
    assert (status, journey["events"]) == (0, [])
    assert journey["window"] == {"since": "2031-01-01", "until": "2031-02-01"}


def test_a_day_that_is_none_is_refused(config):
    ran = run(TABLE, "--config", config, "--nhs-number", PERSON, "--since", "soon")
    assert (ran.exit_code, "--since is not a day" in ran.stderr) == (2, True)


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_source_that_cannot_be_reached_is_told_with_place_and_remedy(config, as_json):
    ran = run(SERVER, "--config", config, "--nhs-number", PERSON, *as_json)
    assert ran.exit_code == 1
    assert "connect" in ran.stdout
    assert "See that it runs" in ran.stdout


def test_a_trail_that_cannot_be_written_shows_nothing(config):
    text = config.read_text("utf-8")
    config.write_text(text.replace("min_free = 0", f"min_free = {2**60}"), "utf-8")
    ran = run(TABLE, "--config", config, "--nhs-number", PERSON)
    assert ran.exit_code == 1
    assert "audit" in ran.stdout.lower()
    assert "Comes from" not in ran.stdout


def test_a_source_whose_flags_nobody_states_asks_for_nobody(config):
    text = config.read_text("utf-8").replace('"prefiltered"', '"none"')
    config.write_text(text.replace('"states"', '"none"'), "utf-8")
    status, missed = told(config, TABLE)
    assert status == 1
    assert "everything is withheld" in missed["says"]
    assert missed["remedy"].endswith(".")
    assert not (config.parent / "throughline.db").exists()


async def test_the_origins_of_kinds_without_a_mapping_are_told(tmp_path):
    async with StubFhir([]) as server:
        path = tmp_path / "s.toml"
        path.write_text(f'kind = "fhir"\nbase_url = "{server.base_url}"\n')
    assert any("resource" in each.comes_from for each in origins_of(path))
    path.write_text('kind = "of_others"\n')
    assert origins_of(path) == ()


def test_a_fixed_kind_and_status_are_told_as_such(tmp_path):
    path = tmp_path / "s.toml"
    mapping = """
        kind = "csv_drop"
        [mapping]
        record_id = "id"
        kind = "other"
        start = "on"
        [[mapping.identifiers]]
        column = "n"
        system = "urn:example:n"
        [[mapping.detail]]
        column = "d"
        element = "dose"
        [[mapping.flags]]
        flag = "sensitive-record"
        column = "f"
        present = ["Y"]
        {status}
    """
    path.write_text(mapping.replace("{status}", ""), "utf-8")
    told_ = {each.field: each.comes_from for each in origins_of(path)}
    assert told_["kind"] == "fixed in the source file: other"
    assert told_["status"] == "fixed in the source file: unknown"
    assert told_["detail dose"] == "column 'd'"
    assert told_["flag sensitive-record"] == "column 'f'"
    assert number(0) not in str(told_)
