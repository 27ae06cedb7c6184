"""`throughline source new`: from a sample of each kind to a source file that loads."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters import nhs_number
from adapters.errors import ConfigurationError
from adapters.source_file import load
from gateway import cli
from gateway.onboarding.interview import Said, Unanswered
from gateway.onboarding.making import Means, Wanted, make, save
from gateway.onboarding.sample import NotASample
from tests.configuration import write
from tests.corpus import corpus
from tests.extracts import HEADER, text, visits
from tests.people import number
from tests.stub_fhir import Misbehaviour, StubFhir

NOW = datetime(2031, 5, 6, 12, 0, tzinfo=UTC)
CSV = text(visits())
SEGMENTS = (
    r"MSH|^~\&|PAS|Z9B02|TL|Z9B02|202503010910||ADT^A01|{n}|P|2.4",
    "PID|1||H{n}^^^MARSH^MR~{number}^^^NHS^NH||Oak^Ann||19430121|F",
    "PV1|1|I|W1^^^Z9B02||||||||||||||||V{n}|||||||||||||||||||||||||202503010900",
)


def means(*, secret=None, **options):
    said = {f"--{name.replace('_', '-')}": each for name, each in options.items()}
    return Means(
        asks=Said(options=said, prompt=None),
        now=lambda: NOW,
        secret=lambda reference: secret or reference,
        say=lambda _: None,
    )


def wanted(folder, place, kind="csv_drop", **more):
    given = {"sector": "community", "ods": "Z9K11", "out": folder / "s" / "new.toml"}
    return Wanted(kind=kind, place=str(place), **(given | more))


async def made(folder, place, kind="csv_drop", *, said=None, **more):
    """The source file's text, once it was written and did load."""
    asked = wanted(folder, place, kind, **more)
    given = means(**(said or {}))
    done = await make(asked, given)
    save(done, asked, given)
    return done, asked.out.read_text("utf-8"), load(asked.out)


def run(*arguments, typed=None):
    given = ["source", "new", *(str(each) for each in arguments)]
    return CliRunner().invoke(cli.app, given, input=typed)


def sample(folder, data=CSV, name="visits_2026-03-27.csv"):
    path = folder / "drops" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


async def test_a_file_becomes_a_drop_that_loads(tmp_path):
    done, told, tables = await made(tmp_path, sample(tmp_path))
    assert tables["kind"] == "csv_drop"
    assert tables["directory"] == "../drops"
    assert tables["pattern"] == "visits_*.csv"
    assert tables["mapping"]["record_id"] == "Visit Ref"
    assert tables["mapping"]["start"]["formats"] == ["%d/%m/%Y"]
    assert (done.to_look_at, told.count("# guessed:")) == (0, done.guesses)


async def test_nothing_of_a_person_is_written(tmp_path):
    _, told, _ = await made(tmp_path, sample(tmp_path))
    cells = {cell for row in visits() for cell in row} - {"Attended", "DNA"}
    assert not [cell for cell in cells if cell in told]


async def test_a_file_without_a_header_lists_its_columns(tmp_path):
    place = sample(tmp_path, text(visits(), header=None))
    _, told, tables = await made(tmp_path, place)
    assert tables["header"] is False
    assert len(tables["columns"]) == len(HEADER)
    assert tables["mapping"]["record_id"] == "column_1"
    assert "rename the columns" in told


async def test_a_header_that_cannot_be_seen_is_asked_about(tmp_path):
    rows = [(f"a{n}", f"b{n % 3}", f"{13 + n}/01/2025") for n in range(9)]
    place = sample(tmp_path, text(rows, header=("alpha", "beta", "gamma")))
    with pytest.raises(Unanswered, match="--header of: yes, no"):
        await make(wanted(tmp_path, place), means())
    said = {"header": "yes", "person_key": "beta"}
    _, _, tables = await made(tmp_path, place, said=said)
    assert tables["mapping"]["start"]["column"] == "gamma"


async def test_placeholders_and_days_of_nobody_are_written(tmp_path):
    rows = [
        (*r[:2], "0000000001", r[3], "01/01/1800", r[5]) if n % 12 < 5 else r
        for n, r in enumerate(visits())
    ]
    place = sample(tmp_path, text(rows))
    _, _, tables = await made(tmp_path, place, said={"placeholders": "yes"})
    by_system = {i["system"]: i for i in tables["mapping"]["identifiers"]}
    assert by_system[nhs_number.SYSTEM]["absent"] == ["0000000001"]
    assert tables["mapping"]["start"]["absent"] == ["01/01/1800"]


async def test_a_shared_number_that_passes_is_told_of_and_never_written(tmp_path):
    rows = [
        (*r[:2], number(40), *r[3:]) if n % 12 < 6 else r
        for n, r in enumerate(visits())
    ]
    _, told, tables = await made(tmp_path, sample(tmp_path, text(rows)))
    assert number(40) not in told
    assert "beside 6 people stands one value" in told.replace("\n# ", " ")
    assert all("absent" not in each for each in tables["mapping"]["identifiers"])


async def test_two_columns_of_a_date_and_its_clock_load(tmp_path):
    rows = [(*r, f"{n % 24:02d}15", "40055000") for n, r in enumerate(visits())]
    place = sample(tmp_path, text(rows, header=(*HEADER, "Visit Time", "Reason Code")))
    _, _, tables = await made(tmp_path, place)
    assert tables["mapping"]["start"]["time"] == "Visit Time"
    assert tables["mapping"]["start"]["time_formats"] == ["%H%M"]


async def test_names_that_toml_must_quote_load(tmp_path):
    header = ('Visit "Ref"', "Client\\No", *HEADER[2:])
    cells = ",".join('"' + name.replace('"', '""') + '"' for name in header)
    data = cells + "\n" + text(visits(), header=None)
    said = {"record_id": 'Visit "Ref"', "person_key": "Client\\No"}
    _, _, tables = await made(tmp_path, sample(tmp_path, data), said=said)
    assert tables["mapping"]["record_id"] == 'Visit "Ref"'


def database(folder):
    path = folder / "clinic.db"
    with closing(sqlite3.connect(path)) as store, store:
        names = ", ".join(f'"{name}" TEXT' for name in HEADER)
        store.execute(f"CREATE TABLE visits ({names})")
        marks = ", ".join("?" for _ in HEADER)
        store.executemany(f"INSERT INTO visits VALUES ({marks})", visits())  # noqa: S608 - our own names
        store.execute("CREATE TABLE hollow (a TEXT)")
    return path


async def test_a_table_becomes_a_source_that_loads(tmp_path):
    database(tmp_path)
    _, _, tables = await made(tmp_path, "sqlite:///../clinic.db", "sql", table="visits")
    assert (tables["kind"], tables["table"]) == ("sql", "visits")
    assert tables["mapping"]["identifiers"][0]["column"] == "Client No"


@pytest.mark.parametrize(
    ("table", "says"),
    [("visit", "There are: hollow, visits"), ("hollow", "holds no row")],
)
async def test_a_table_that_cannot_be_looked_at_is_said(tmp_path, table, says):
    database(tmp_path)
    with pytest.raises(NotASample, match=says):
        await make(
            wanted(tmp_path, "sqlite:///../clinic.db", "sql", table=table), means()
        )


async def test_a_database_needs_a_table_and_a_right_url(tmp_path):
    with pytest.raises(Unanswered, match="--table"):
        await make(wanted(tmp_path, "sqlite:///x.db", "sql"), means())
    with pytest.raises(NotASample, match="Oracle is not read"):
        await make(wanted(tmp_path, "oracle://x", "sql", table="t"), means())


def statement(*types, version="4.0.1", security=False):
    rest: dict[str, Any] = {
        "mode": "server",
        "resource": [
            {
                "type": name,
                "interaction": [{"code": "search-type"}],
                "searchParam": [{"name": each} for each in parameters],
            }
            for name, parameters in types
        ],
    }
    if security:
        rest["security"] = {"service": [{"text": "OAuth"}]}
    return {
        "resourceType": "CapabilityStatement",
        "fhirVersion": version,
        "software": {"name": "A Server"},
        "rest": [rest],
    }


WHOLE = statement(
    ("Patient", ["identifier"]),
    ("Encounter", ["patient", "date"]),
    ("Condition", ["code"]),
    ("Basic", ["code"]),
)


async def test_a_server_becomes_a_source_that_loads(tmp_path):
    async with StubFhir([], wrong=Misbehaviour(capabilities=WHOLE)) as server:
        _, told, tables = await made(tmp_path, server.base_url, "fhir")
    assert tables["types"] == ["Encounter", "Condition"]
    assert tables["identifiers"]["systems"] == [nhs_number.SYSTEM]
    assert "sure: it speaks FHIR R4 (4.0.1)" in told
    assert "no parameter patient or subject of Condition" in told.replace("\n# ", " ")
    assert "A Server" in told


@pytest.mark.parametrize(
    ("statement_", "says"),
    [
        (statement(("Patient", []), version="3.0.2"), "STU3 (3.0.2)"),
        (statement(("Patient", []), version="5.0.0"), "R4 and STU3 are read"),
        (
            statement(("Encounter", ["patient"]), security=True),
            "wants to know who asks",
        ),
        (statement(("Patient", ["name"])), "lists no parameter identifier"),
        ({"resourceType": "CapabilityStatement"}, "does not say which version"),
        ({"resourceType": "CapabilityStatement", "rest": 7}, "all are asked"),
    ],
)
async def test_what_a_server_says_of_itself_is_said(tmp_path, statement_, says):
    asked = Misbehaviour(capabilities=statement_)
    async with StubFhir([], wrong=asked) as server:
        done = await make(wanted(tmp_path, server.base_url, "fhir"), means())
    assert says in done.text.replace("\n# ", " ")


async def test_a_server_of_stu3_is_declared_as_one(tmp_path):
    told = statement(("ReferralRequest", ["patient"]), version="3.0.2")
    async with StubFhir([], wrong=Misbehaviour(capabilities=told)) as server:
        _, _, tables = await made(tmp_path, server.base_url, "fhir")
    assert (tables["version"], tables["types"]) == ("STU3", ["ReferralRequest"])


async def test_a_server_that_searches_nothing_we_know_is_asked_for_all(tmp_path):
    told = statement(("Basic", ["code"]))
    async with StubFhir([], wrong=Misbehaviour(capabilities=told)) as server:
        _, text_, tables = await made(tmp_path, server.base_url, "fhir")
    assert "types" not in tables
    assert "none of the types" in text_.replace("\n# ", " ")


async def test_a_token_and_a_system_of_its_own_are_written_by_reference(tmp_path):
    async with StubFhir([], wrong=Misbehaviour(capabilities=WHOLE)) as server:
        said = {"key_system": "urn:example:pas"}
        _, _, tables = await made(
            tmp_path, server.base_url, "fhir", said=said, secret="env:EPR"
        )
    assert tables["auth"] == {"kind": "bearer", "token": "env:EPR"}
    assert tables["identifiers"]["systems"][1] == "urn:example:pas"


@pytest.mark.parametrize(
    ("misbehaviour", "says"),
    [
        ({"statuses": {"metadata": 401}}, "without a token"),
        ({"statuses": {"metadata": 500}}, "answered 500"),
        ({"capabilities": {"resourceType": "Patient"}}, "told no CapabilityStatement"),
    ],
)
async def test_a_server_that_cannot_be_looked_at_is_said(tmp_path, misbehaviour, says):
    async with StubFhir([], wrong=Misbehaviour(**misbehaviour)) as server:
        with pytest.raises(NotASample, match=says):
            await make(wanted(tmp_path, server.base_url, "fhir"), means())


async def test_a_server_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NotASample, match="cannot be asked"):
        await make(wanted(tmp_path, "http://127.0.0.1:9/fhir", "fhir"), means())


def messages(count=6):
    return "".join(
        segment.format(n=f"{100 + n}", number=number(n)) + "\r\n"
        for n in range(count)
        for segment in SEGMENTS
    )


async def test_messages_become_a_feed_that_loads(tmp_path):
    place = sample(tmp_path, messages(), "adt.hl7")
    _, told, tables = await made(tmp_path, place, "hl7v2", sector="acute")
    assert tables["reads"] == ["ADT"]
    assert tables["authorities"]["MARSH"] == tables["key"]
    assert tables["authorities"]["NHS"] == nhs_number.SYSTEM
    assert tables["pattern"] == "*.hl7"
    assert "PAS (6)" in told
    assert number(0) not in told


async def test_few_messages_of_a_sender_are_counted_as_few(tmp_path):
    place = sample(tmp_path, messages(2).encode("cp1252") + b"\xc9", "adt.hl7")
    done = await make(wanted(tmp_path, place, "hl7v2"), means())
    assert "PAS (<5)" in done.text
    assert 'encoding = "cp1252"' in done.text


async def test_a_file_without_messages_is_refused(tmp_path):
    with pytest.raises(NotASample, match="no HL7 v2 message"):
        await make(wanted(tmp_path, sample(tmp_path), "hl7v2"), means())


async def test_a_sample_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NotASample, match="cannot be opened"):
        await make(wanted(tmp_path, tmp_path / "none.csv"), means())


async def test_a_source_file_that_is_there_is_never_written_over(tmp_path):
    await made(tmp_path, sample(tmp_path))
    with pytest.raises(FileExistsError):
        await made(tmp_path, sample(tmp_path))


async def test_a_source_file_that_does_not_load_is_not_left_behind(tmp_path):
    asked = wanted(tmp_path, sample(tmp_path))
    done = await make(asked, means(key_system="NHS"))  # no URI: the mapping refuses it
    with pytest.raises(ConfigurationError):
        save(done, asked, means())
    assert not asked.out.exists()


def options(folder, **more):
    given = {
        "--from": sample(folder),
        "--sector": "community",
        "--organisation": "Z9B02",
        "--out": folder / "sources" / "visits.toml",
    }
    told = given | {f"--{k.replace('_', '-')}": v for k, v in more.items()}
    return [part for pair in told.items() for part in pair]


def test_the_command_writes_registers_and_is_then_ready(tmp_path):
    config = write(tmp_path)
    more = {"register": config, "restricted": "prefiltered", "sensitive": "prefiltered"}
    ran = run(*options(tmp_path, **more), "--yes")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "Registered: Z9B02.visits" in ran.stdout
    checked = CliRunner().invoke(
        cli.app, ["source", "check", "Z9B02.visits", "--config", str(config)]
    )
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert "Z9B02.visits: ready" in checked.stdout


def test_a_registration_that_does_not_load_leaves_the_configuration_alone(tmp_path):
    config = write(tmp_path)
    before = config.read_bytes()
    ran = run(*options(tmp_path, register=config, fresh_s="soon"), "--yes")
    assert ran.exit_code == 2
    assert "fresh_s" in ran.stderr
    assert config.read_bytes() == before


def test_without_a_configuration_the_file_is_written_and_that_is_said(tmp_path):
    ran = run(*options(tmp_path, register=tmp_path / "none.toml"), "--yes")
    assert ran.exit_code == 2
    assert "is written, and not registered" in ran.stderr
    assert (tmp_path / "sources" / "visits.toml").exists()


def test_whoever_is_there_is_asked(tmp_path):
    config = write(tmp_path)
    answers = [
        *("", "Z9B02", "acute", str(tmp_path / "sources" / "v.toml")),
        *("ed_attendance", "", "", "", "", "", "urn:example:client"),
        *("Z9B02.v", "3600", "prefiltered", "states"),
    ]
    ran = run(
        *("--from", sample(tmp_path), "--register", config),
        typed="".join(f"{each}\n" for each in answers),
    )
    assert ran.exit_code == 0, ran.output
    told = (tmp_path / "sources" / "v.toml").read_text("utf-8")
    assert 'kind = "ed_attendance"' in told
    assert 'system = "urn:example:client"' in told
    assert 'sensitive-record = "states"' in config.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--yes"], "Say it with --from"),
        (["--yes", "--from", "nowhere.csv"], "Say it with --organisation"),
    ],
)
def test_what_nobody_says_is_named_with_its_option(arguments, says):
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert says in ran.stderr


def test_what_cannot_be_opened_ends_the_command_with_the_next_step(tmp_path):
    for place, more, says in (
        (tmp_path / "none.csv", [], "--from: cannot be opened"),
        ("sqlite:///none.db", ["--table", "t"], "--from: connect"),
        ("ftp://x", ["--table", "t"], "is not read"),
        ("http://127.0.0.1:9", ["--secret", "env:NO_SUCH_NAME"], "leads to no secret"),
    ):
        told = ["--from", place, *options(tmp_path)[2:], *more, "--yes"]
        ran = run(*told)
        assert (ran.exit_code, says in ran.stderr) == (2, True), ran.stderr
    run(*options(tmp_path), "--yes")
    assert "is not written over" in run(*options(tmp_path), "--yes").stderr


def test_a_secret_may_lie_in_a_file(tmp_path):
    (tmp_path / "secret").write_text("t\n")
    told = ["--from", "http://127.0.0.1:9", *options(tmp_path)[2:]]
    ran = run(*told, "--secret", f"file:{tmp_path / 'secret'}", "--yes")
    assert "cannot be asked" in ran.stderr


FAMILIES = ("csv-nhs-crosssector-synthetic", "csv-synthea", "csv-hes-artificial")
MORE = ("csv-nhs-immunisation-batch", "csv-gpconnect-pds", "csv-ods-providers-gb")


@pytest.mark.corpus
@pytest.mark.parametrize("family", [*FAMILIES, *MORE, "csv-nhs-field-specs"])
async def test_every_extract_is_understood_or_refused_with_the_next_step(
    tmp_path, family
):
    written, refused = 0, 0
    places = sorted(corpus(family).rglob("*.csv"))
    for nth, place in enumerate(places):
        try:
            _, told, _ = await made(
                tmp_path, place, out=tmp_path / f"{nth}.toml", said={"header": "yes"}
            )
        except (Unanswered, NotASample) as error:
            refused += str(error).endswith(".")
            continue
        written += 1
        assert not nhs_number.is_within(told), place.name
    assert written + refused == len(places) > 0
    assert written > 0 or family not in FAMILIES
