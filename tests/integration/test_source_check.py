"""`throughline source check` against sources of each kind, whole and broken."""

import json
import os
import sqlite3
import stat
from contextlib import closing

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.audit.chain import Entry, first_broken
from gateway.audit.trail import open_trail
from gateway.checking.check import Means, check, check_source
from gateway.checking.of_person import QUESTIONS
from gateway.checking.registered import Registered
from gateway.clock import SystemClock
from gateway.settings import load_settings
from tests.checks import TEXT, checked_in, fake, found, is_told_whole, means, results
from tests.fakes import FakeClock
from tests.fhir_records import resources
from tests.gateways import PERSON, write_gateway
from tests.houses import ANN, NOW, answer, event
from tests.stub_fhir import Misbehaviour, StubFhir

DROP, TABLE, SERVER = "Z9A01.gp", "Z9B02.epr", "Z9C03.asc"
LONG_AGO = 1_780_000_000  # a drop that nobody writes any more


@pytest.fixture
def config(tmp_path):
    path = write_gateway(tmp_path)
    settle(path)
    return path


def settle(config):
    for drop in drops_of(config).iterdir():
        os.utime(drop, (LONG_AGO, LONG_AGO))


def drops_of(config):
    return config.parent / "sources" / DROP / "drops"


def run(*arguments, typed=None):
    given = ["source", "check", *(str(each) for each in arguments)]
    return CliRunner().invoke(cli.app, given, input=typed)


def told(config, source, *arguments):
    """The exit status and the JSON of a check."""
    ran = run(source, "--config", config, "--json", *arguments)
    assert ran.stderr == ""
    return ran.exit_code, json.loads(ran.stdout)


def full(text):
    """A configuration whose disk has never room enough."""
    assert "min_free = 0" in text
    return text.replace("min_free = 0", f"min_free = {2**60}")


def wrong_in(report):
    return {e["question"]: e for e in report["findings"] if e["result"] == "wrong"}


def audited(config):
    """The records of the trail, and whether it is whole."""
    with closing(sqlite3.connect(config.parent / "throughline.db")) as store:
        rows = store.execute("SELECT n, record, chain FROM audit_record ORDER BY n")
        kept = rows.fetchall()
        head = store.execute("SELECT n, chain FROM audit_head").fetchone()
    assert first_broken(kept, Entry(n=head[0], chain=bytes(head[1]))) is None
    return [json.loads(record) for _, record, _ in kept]


@pytest.mark.parametrize("source", [DROP, TABLE])
def test_a_whole_source_is_ready(config, source):
    status, report = told(config, source)
    assert (status, report["verdict"], report["source"]) == (0, "ready", source)
    assert report["adapter"] in {"csv_drop/1", "sql/1"}
    assert report["held"] == ["encounters"]
    assert wrong_in(report) == {}
    unasked = {e["question"] for e in report["findings"] if e["result"] == "not-asked"}
    assert set(QUESTIONS) <= unasked


def test_what_a_drop_holds_is_profiled_and_its_level_told(config):
    _, report = told(config, DROP, "--nhs-number", PERSON)
    profile = report["profile"]
    assert profile["is_whole"] is True
    assert {"record_id", "start", "kind"} <= {c["key"] for c in profile["columns"]}
    assert report["maturity"]["level"] in {1, 2, 3}
    assert "Watches" in report["abilities"]
    assert PERSON not in json.dumps(report)


def test_a_profile_may_be_left_out_or_cut_short(config):
    _, without = told(config, TABLE, "--rows", "0")
    assert without["profile"] is None
    _, cut = told(config, TABLE, "--rows", "1")
    assert cut["profile"]["is_whole"] is False


def test_the_profile_and_the_level_are_printed(config):
    ran = run(DROP, "--config", config)
    assert "Mapped as" in ran.stdout
    assert "Maturity: 0 of 3" in ran.stdout
    assert "for 1: it finds the right person" in ran.stdout


def test_a_file_of_another_header_has_no_profile_and_says_so(config):
    for drop in drops_of(config).iterdir():
        if drop.suffix == ".csv":
            drop.write_text("a,b\n1,2\n")
    settle(config)
    status, report = told(config, DROP)
    assert status == 1
    assert wrong_in(report)["reached"]["says"].startswith("schema")


def test_nobody_asked_for_is_nobody_audited(config):
    told(config, DROP)
    assert not (config.parent / "throughline.db").exists()


@pytest.mark.parametrize("source", [DROP, TABLE])
def test_a_person_shows_the_rest_and_is_audited_first(config, source):
    status, report = told(config, source, "--nhs-number", PERSON)
    assert (status, wrong_in(report)) == (0, {})
    asked = {e["question"] for e in report["findings"] if e["result"] == "ok"}
    assert {"known-person", "nobody-else", "record-ids", "time-zones"} <= asked
    records = audited(config)
    assert [each["type"] for each in records] == ["start", "source_check", "stop"]
    assert records[1]["source"] == source
    assert records[1]["operator"] == f"uid:{os.getuid()}"
    assert len(records[1]["subjects"]) == 1
    assert PERSON not in json.dumps([report, records])


def test_the_window_of_a_drop_is_seen_to_end_where_it_should(config):
    _, report = told(config, DROP, "--nhs-number", PERSON)
    results = {e["question"]: e["result"] for e in report["findings"]}
    assert results["window-ends"] == results["limit-kept"] == "ok"
    assert results["flags-stated"] == "ok"


def test_a_number_may_be_asked_for_unseen(config):
    ran = run(TABLE, "--config", config, "--nhs-number", "-", typed=f"{PERSON}\n")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "known-person" in ran.stdout
    assert f"{TABLE}: ready" in ran.stdout
    assert PERSON not in ran.output


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("9990001007", "is not an NHS number"),
        ("4505577104", "may be a real person's"),
    ],
)
def test_only_a_synthetic_number_is_taken(config, given, says):
    ran = run(DROP, "--config", config, "--nhs-number", given)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert says in ran.stderr
    assert given not in ran.stderr


def test_a_source_that_is_not_registered_is_not_checked(config):
    ran = run("Z9Z09.moon", "--config", config)
    assert ran.exit_code == 2
    assert f"Use one of: {DROP}, {TABLE}, {SERVER}." in ran.stderr


def test_a_person_whom_the_source_does_not_hold_is_told(config):
    status, report = told(config, TABLE, "--nhs-number", "9990001006")
    assert (status, list(wrong_in(report))) == (1, ["known-person"])


def test_a_store_that_cannot_be_written_asks_for_nobody(config):
    config.write_text(full(config.read_text()))
    status, report = told(config, TABLE, "--nhs-number", PERSON)
    assert (status, list(wrong_in(report))) == (1, ["audit"])
    results = {e["question"]: e["result"] for e in report["findings"]}
    assert {results[each] for each in QUESTIONS} == {"not-asked"}


async def test_no_number_reaches_a_source_before_the_trail_has_it(tmp_path):
    adapter = fake(lambda query: answer(about=ANN if query.person == ANN else None))
    checked = checked_in(tmp_path, adapter, text=full(TEXT))
    report = await check(checked, means(number=PERSON))
    audit = found(report.findings, "audit")
    assert audit.where == "throughline.toml: store"
    assert "(no-space)" in audit.says
    assert {query.person.nhs_number for query in adapter.asked} != {PERSON}
    assert all(query.person.nhs_number != PERSON for query in adapter.asked)


async def test_a_gateway_that_serves_keeps_its_trail_and_its_index(config):
    settings = load_settings(config, {})
    trail = open_trail(settings, SystemClock())
    await trail.start("0.1.0")
    (own,) = (each for each in settings.sources if each.id == DROP)
    registered = Registered(settings=settings, source=own, config=config)
    own.state.mkdir(parents=True)
    (own.state / "index.sqlite").write_bytes(b"the gateway's own")
    asked = Means(clock=SystemClock(), operator="uid:0", first_s=9, number=PERSON)
    report = await check_source(registered, asked)
    await trail.aclose()
    assert report.is_ready
    assert [e["type"] for e in audited(config)] == [
        "start",
        "start",
        "source_check",
        "stop",
        "stop",
    ]
    assert [each.name for each in own.state.iterdir()] == ["index.sqlite"]
    assert (own.state / "index.sqlite").read_bytes() == b"the gateway's own"


def test_a_directory_that_is_not_there_is_named(config):
    drops_of(config).rename(config.parent / "elsewhere")
    status, report = told(config, DROP)
    wrong = wrong_in(report)["reached"]
    assert (status, report["verdict"]) == (1, "not-ready")
    assert wrong["says"].startswith("drop_missing: the drop directory is not there")
    assert wrong["where"] == f"sources/{DROP}/source.toml"
    assert "directory or pattern" in wrong["remedy"]


def test_another_header_is_a_wrong_schema(config):
    drop = drops_of(config) / "events.csv"
    drop.write_text(drop.read_text().replace("kind code", "kind cod", 1))
    settle(config)
    _, report = told(config, DROP)
    wrong = wrong_in(report)["source-file"]
    assert "mapping.kind_code: there is no column 'kind code'" in wrong["says"]
    assert wrong["where"] == f"sources/{DROP}/source.toml"


def test_a_table_that_is_gone_is_a_wrong_schema(config):
    with closing(
        sqlite3.connect(config.parent / "sources" / TABLE / "events.db")
    ) as db:
        db.execute("DROP TABLE events")
    _, report = told(config, TABLE)
    assert "there is no table or view 'events'" in wrong_in(report)["reached"]["says"]


def test_rows_that_cannot_be_read_are_told_by_place_and_never_by_value(config):
    drop = drops_of(config) / "events.csv"
    rows = [line.split(",") for line in drop.read_text().splitlines()]
    start = rows[0].index("start")
    rows[2][start] = "Zebrafinch-7731"
    drop.write_text("".join(",".join(row) + "\n" for row in rows))
    settle(config)
    ran = run(DROP, "--config", config)
    assert ran.exit_code == 0
    assert f"{DROP}: ready, with 3 to note" in ran.stdout
    assert "Zebrafinch" not in ran.output
    _, report = told(config, DROP)
    assert report["rejected"] == [
        {
            "file": "events.csv",
            "column": "start",
            "reason": "not_a_time",
            "rows": 1,
            "first_line": 3,
        }
    ]


def test_a_drop_of_which_nothing_can_be_read_says_where(config):
    drop = drops_of(config) / "events.csv"
    first, *rest = drop.read_text().splitlines()
    drop.write_text("\n".join([first, *("x" for _ in rest), ""]))
    settle(config)
    ran = run(DROP, "--config", config)
    assert ran.exit_code == 1
    assert "none of 4 rows could be read" in ran.stdout
    assert "wrong_width" in ran.stdout


def test_a_drop_older_than_promised_is_wrong(config):
    config.write_text(config.read_text().replace("fresh_s = 2000000000", "fresh_s = 9"))
    status, report = told(config, DROP)
    wrong = wrong_in(report)["fresh"]
    assert status == 1
    assert wrong["says"].endswith("s old; fresh_s promises 9 s")
    line = config.read_text().splitlines().index("fresh_s = 9") + 1
    assert wrong["where"] == f"throughline.toml, line {line}: fresh_s of {DROP}"


@pytest.mark.parametrize("flag", ["legally-restricted", "sensitive-record"])
def test_a_flag_that_nobody_tells_of_is_wrong(config, flag):
    text = config.read_text()
    at = text.index(f"{flag} =")
    end = text.index("\n", at)
    config.write_text(f'{text[:at]}{flag} = "none"{text[end:]}')
    status, report = told(config, DROP)
    wrong = wrong_in(report)["flags"]
    assert status == 1
    assert wrong["says"] == f"nobody tells us of {flag}: everything is withheld"
    line = config.read_text().splitlines().index(f'{flag} = "none"') + 1
    assert wrong["where"].startswith(f"throughline.toml, line {line}:")


def test_a_wrong_source_file_is_a_finding(config):
    path = config.parent / "sources" / TABLE / "source.toml"
    path.write_text(path.read_text().replace("[mapping", "[maping", 1))
    status, report = told(config, TABLE)
    wrong = wrong_in(report)["source-file"]
    assert (status, report["adapter"]) == (1, None)
    assert "source.toml" in wrong["says"]


def test_a_source_file_of_another_does_not_matter(config):
    (config.parent / "sources" / TABLE / "source.toml").write_text("kind = 7")
    assert told(config, DROP)[0] == 0


def test_a_state_directory_that_cannot_be_is_a_finding(config):
    (config.parent / "state").write_text("a file")
    status, report = told(config, TABLE)
    assert status == 1
    assert "state directory" in wrong_in(report)["source-file"]["says"]


async def test_what_a_check_takes_in_is_for_its_owner_alone_and_goes(config):
    seen: list[int] = []

    class Looking(SystemClock):
        def now(self):
            seen.extend(stat.S_IMODE(p.stat().st_mode) for p in state.glob("check-*"))
            return super().now()

    settings = load_settings(config, {})
    (own,) = (each for each in settings.sources if each.id == DROP)
    state = own.state
    registered = Registered(settings=settings, source=own, config=config)
    await check_source(registered, Means(clock=Looking(), operator="u", first_s=9))
    assert set(seen) == {0o700}
    assert list(state.iterdir()) == []


async def test_a_source_that_cannot_be_asked_by_number_is_not_asked_for_a_person(
    tmp_path,
):
    adapter = fake(systems=["urn:throughline:test:local"])
    report = await check(checked_in(tmp_path, adapter), means(number=PERSON))
    assert not (tmp_path / "throughline.db").exists()
    assert report.is_ready
    assert results(report.findings)["known-person"] == "not-asked"


@pytest.mark.parametrize(
    ("each_s", "result"), [((3.0, 1.0), "note"), ((1.0, 1.1), "note"), ((2, 1), "ok")]
)
async def test_an_answer_that_leaves_little_time_is_noted(tmp_path, each_s, result):
    clock = FakeClock(NOW)

    def taking(_query):
        clock.pass_by(each_s[0] if len(adapter.asked) == 1 else each_s[1])
        return answer(about=None, as_of=clock.now())

    adapter = fake(taking)
    report = await check(checked_in(tmp_path, adapter), means(clock=clock))
    assert found(report.findings, "timing", result).says == (
        f"first {each_s[0] * 1000:.0f} ms, then p50 {each_s[1] * 1000:.0f} ms, "
        "of 2 s allowed"
    )
    assert report.is_ready


async def test_only_a_first_answer_has_no_timing(tmp_path):
    def once(_query):
        if len(adapter.asked) > 1:
            raise ValueError
        return answer(about=None)

    adapter = fake(once)
    report = await check(checked_in(tmp_path, adapter), means())
    assert results(report.findings)["timing"] == "not-asked"
    assert not report.is_ready


async def test_rows_that_cannot_be_told_are_wrong(tmp_path):
    async def fails():
        raise ValueError

    adapter = fake()
    adapter.rejected = fails
    report = await check(checked_in(tmp_path, adapter), means())
    assert is_told_whole(found(report.findings, "rows"))


async def fhir_report(folder, *, wrong=None, number=None, **server):
    """The report of a FHIR server that holds two of a person's encounters."""
    stays = [
        event("e-1", "2024-03-09T14:05:00+00:00", of=ANN),
        event("e-2", "2024-03-10", of=ANN),
    ]
    async with StubFhir(resources(stays), wrong=wrong, **server) as stub:
        config = write_gateway(folder, fhir_url=stub.base_url)
        settings = load_settings(config, {})
        (own,) = (each for each in settings.sources if each.id == SERVER)
        asked = Means(clock=SystemClock(), operator="uid:0", first_s=1.5, number=number)
        registered = Registered(settings=settings, source=own, config=config)
        return await check_source(registered, asked)


async def test_a_fhir_server_is_ready(tmp_path):
    report = await fhir_report(tmp_path, number=PERSON)
    assert (report.adapter, report.is_ready) == ("fhir/1", True), report.findings
    assert results(report.findings)["window-ends"] == "ok"
    assert results(report.findings)["rows"] == "not-asked"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Misbehaviour(statuses={"*": 401}), "credentials: "),
        (Misbehaviour(statuses={"*": 403}), "refused: "),
        (Misbehaviour(statuses={"*": 500}), "server_error: "),
        (Misbehaviour(statuses={"*": 503}), "busy: "),
        (Misbehaviour(hangs=frozenset({"*"})), "no answer within 1.5 s"),
        (Misbehaviour(bodies={"*": ("text/html", b"<html>")}), "unreadable: "),
    ],
    ids=["401", "403", "500", "503", "hangs", "a web page"],
)
async def test_a_server_that_does_not_answer_says_how(tmp_path, wrong, says):
    report = await fhir_report(tmp_path, wrong=wrong)
    told = found(report.findings, "reached")
    assert told.says.startswith(says), told.says
    assert is_told_whole(told)


def test_a_server_that_is_not_there_is_told(config):
    status, report = told(config, SERVER)
    assert status == 1
    assert wrong_in(report)["reached"]["says"].startswith("connect: ")


async def test_a_server_that_ignores_whom_is_asked_for_is_found_out(tmp_path):
    ignores = Misbehaviour(ignores=frozenset({"identifier"}))
    report = await fhir_report(tmp_path, wrong=ignores)
    assert is_told_whole(found(report.findings, "unknown-person"))
