"""`throughline audit reconcile`: two ends' trails, equal, differing, or none."""

import asyncio
import json
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner

from adapters.warrant import Exchange
from gateway import cli
from gateway.audit.exchanged import exchanged
from gateway.audit.reconcile import Counted, Span, pairs
from gateway.audit.records import NotTaken, Outcome, SourceOutcome
from tests.gateways import write_house
from tests.parts.stores import new_database
from tests.sites import GATEWAY, SITE
from tests.trails import intent, outcome, sqlite_url, trail_at

EPR, OTHER = "Z9B02.epr", "Z9C03.asc"
HASHES = {f"{each:032x}": f"{each:064x}" for each in range(1, 6)}


SITE_TOML = f"""\
environment = "development"
id = "{SITE}"
organisation = "Z9B02"
name = "Hospital (synthetic)"
keys = "file:keys/private.jwks"

[store]
url = "sqlite+aiosqlite:///store.db"

[audit]
key = "file:keys/audit.key"
key_id = "s1"

[gateway]
id = "{GATEWAY}"
keys = "keys/gateway.jwks"

[[sources]]
id = "{EPR}"
sector = "acute"
file = "source.toml"
labels = "labelled"
[sources.flags]
legally-restricted = "prefiltered"
sensitive-record = "prefiltered"
"""


def run(*arguments):
    return CliRunner().invoke(
        cli.app, ["audit", "reconcile", *(str(each) for each in arguments)]
    )


def found(ran):
    """Kind and question of each difference listed."""
    return [tuple(line.split("\t")[:2]) for line in ran.stdout.splitlines()[:-1]]


def with_site(answers, source=EPR):
    told = SourceOutcome(
        source=source,
        state="answered",
        exchanges=tuple(Exchange(question=q, answer=a) for q, a in answers.items()),
    )
    return Outcome(journey="jny_1", result="released", level="partial", sources=(told,))


async def write(url, *records):
    """A trail of these records, as a gateway or a site writes it."""
    trail = trail_at(url, write_s=10)
    await trail.start("test")
    for each in records:
        await trail.append(each)
    await trail.aclose()
    return url


async def write_site(url, answers):
    """What a site records: an intent before, an outcome after."""
    records = []
    for question, answer in answers.items():
        exchange = Exchange(question=question)
        records += [
            replace(intent(), exchange=exchange),
            with_site({question: answer}),
        ]
    return await write(url, *records)


@pytest.fixture
async def ends(tmp_path):
    """The stores of a gateway and a site that tell of the same exchanges."""
    folders = [tmp_path / "gateway", tmp_path / "site"]
    for each in folders:
        each.mkdir()
    await write(sqlite_url(folders[0]), intent(), with_site(HASHES), outcome())
    await write_site(sqlite_url(folders[1]), HASHES)
    return [each / "store.db" for each in folders]


def change(store, statement, *values):
    with closing(sqlite3.connect(store)) as opened, opened:
        opened.execute(statement, values)


def seen(store):
    with closing(sqlite3.connect(store)) as opened:
        return opened.execute(
            "SELECT n, record FROM audit_record ORDER BY n"
        ).fetchall()


async def test_trails_that_tell_the_same_are_equal(ends):
    ran = run(*ends)
    assert (ran.exit_code, found(ran)) == (0, [])
    assert ran.stdout == "A has 5 questions, B 5; 5 alike.\n"


async def test_a_record_that_went_missing_at_the_site_is_found(ends):
    question = f"{3:032x}"
    outcomes = [n for n, text in seen(ends[1]) if question in text]
    change(ends[1], "DELETE FROM audit_record WHERE n = ?", outcomes[-1])
    ran = run(*ends)
    assert (ran.exit_code, found(ran)) == (1, [("answer-only-a", question)])
    change(ends[1], "DELETE FROM audit_record WHERE n = ?", outcomes[0])
    ran = run(*ends)
    assert (ran.exit_code, found(ran)) == (1, [("only-a", question)])
    assert found(run(*reversed(ends))) == [("only-b", question)]


async def test_a_record_that_went_missing_at_the_gateway_is_found(ends):
    change(ends[0], "DELETE FROM audit_record WHERE record LIKE '%question%'")
    ran = run(*ends)
    assert ran.exit_code == 1
    assert found(ran) == [("only-b", each) for each in sorted(HASHES)]


async def test_another_hash_is_found_and_told(ends):
    question = f"{2:032x}"
    change(
        ends[0],
        "UPDATE audit_record SET record = replace(record, ?, ?)",
        HASHES[question],
        "f" * 64,
    )
    ran = run(*ends)
    assert (ran.exit_code, found(ran)) == (1, [("answers-differ", question)])
    assert ran.stdout.splitlines()[0].endswith(f"\t{'f' * 64}\t{HASHES[question]}")


async def test_what_is_read_is_not_written(ends):
    before = [each.read_bytes() for each in ends]
    run(*ends)
    assert [each.read_bytes() for each in ends] == before


async def test_some_sources_of_the_gateway_alone_may_be_meant(tmp_path, ends):
    (tmp_path / "wider").mkdir()
    other = with_site({"e" * 32: "e" * 64}, source=OTHER)
    await write(sqlite_url(tmp_path / "wider"), with_site(HASHES), other)
    wider = tmp_path / "wider" / "store.db"
    assert found(run(wider, ends[1])) == [("only-a", "e" * 32)]
    assert run(wider, ends[1], "--source", EPR).exit_code == 0
    assert run(wider, ends[1], "--source", OTHER).exit_code == 1


async def test_a_span_may_be_meant(ends):
    change(ends[1], "DELETE FROM audit_record WHERE record LIKE '%question%'")
    assert run(*ends).exit_code == 1
    assert run(*ends, "--before", "2020-01-01").exit_code == 0
    assert run(*ends, "--since", "2020-01-01").exit_code == 1
    assert run(*ends, "--since", "2999-01-01T00:00:00Z").exit_code == 0
    assert run(*ends, "--since", "0001-01-01T00:00:00+23:00").exit_code == 2
    ran = run(*ends, "--before", "soon")
    assert (ran.exit_code, "--before is not" in ran.stderr) == (2, True)


async def test_what_a_site_did_not_take_and_the_gateway_saw_refused_is_alike(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    question = "d" * 32
    await write(sqlite_url(tmp_path / "a"), with_site({question: None}))
    refused = NotTaken(code="expired", digest="c" * 64, question=question)
    unread = NotTaken(code="forged", digest="c" * 64)
    await write(sqlite_url(tmp_path / "b"), refused, unread)
    ran = run(tmp_path / "a" / "store.db", tmp_path / "b" / "store.db")
    assert (ran.exit_code, found(ran)) == (0, [])


async def test_what_is_no_trail_cannot_be_read(tmp_path, ends):
    (tmp_path / "text.db").write_text("no store")
    with closing(sqlite3.connect(tmp_path / "other.db")) as store, store:
        store.execute("CREATE TABLE other (n INTEGER)")
    (tmp_path / "bad.toml").write_text("[", "utf-8")
    (tmp_path / "none.toml").write_text('kind = "fhir"\n', "utf-8")
    for name in ("none.db", "text.db", "other.db", "bad.toml", "none.toml"):
        for order in ((tmp_path / name, ends[1]), (ends[0], tmp_path / name)):
            ran = run(*order)
            assert (ran.exit_code, ran.stdout) == (2, "")
            assert name in ran.stderr
    assert not (tmp_path / "none.db").exists()
    change(ends[0], 'UPDATE audit_record SET record = \'{"question":"\' WHERE n = 2')
    ran = run(*ends)
    assert (ran.exit_code, "an entry is no record" in ran.stderr) == (2, True)


@pytest.fixture
async def configured(tmp_path, ends):
    """The configurations of the two: one site among others behind the gateway."""
    folder = tmp_path / "gateway"
    path = write_house(folder, {EPR: "acute", OTHER: "social-care"})
    text = path.read_text("utf-8").replace("throughline.db", "store.db", 1)
    path.write_text(text, "utf-8")
    for source, site in ((EPR, SITE), (OTHER, "z9c03-site")):
        file = folder / "sources" / source / "source.toml"
        file.parent.mkdir(parents=True)
        file.write_text(f'kind = "site"\n[site]\nid = "{site}"\n', "utf-8")
    (tmp_path / "site" / "site.toml").write_text(SITE_TOML, "utf-8")
    (tmp_path / "site" / "source.toml").write_text('kind = "csv_drop"\n', "utf-8")
    other = with_site({"e" * 32: "e" * 64}, source=OTHER)
    await write(sqlite_url(folder), other)
    return path, tmp_path / "site" / "site.toml"


async def test_of_configurations_the_exchanges_with_that_site_alone_are_meant(
    configured, ends
):
    assert run(*configured).stderr == ""
    assert run(*configured).stdout == "A has 5 questions, B 5; 5 alike.\n"
    assert run(*reversed(configured)).exit_code == 0
    assert found(run(configured[0], ends[1])) == [("only-a", "e" * 32)]


async def test_a_gateway_with_nothing_behind_that_site_says_so(configured):
    _, site = configured
    text = site.read_text("utf-8").replace(f'id = "{SITE}"', 'id = "z9b02-other"')
    site.write_text(text, "utf-8")
    ran = run(*configured)
    assert (ran.exit_code, "no source is behind" in ran.stderr) == (2, True)


@pytest.mark.parts
async def test_a_trail_on_postgresql_is_read_as_one_in_a_file(
    configured, ends, postgres, monkeypatch
):
    url = await new_database(postgres)
    await write(url, with_site(HASHES))
    path, _ = configured
    plain = url.render_as_string(hide_password=False)
    text = path.read_text("utf-8")
    path.write_text(text.replace("sqlite+aiosqlite:///store.db", plain), "utf-8")
    # The command starts a loop of its own, in a thread that has none.
    ran = await asyncio.to_thread(run, path, ends[1])
    assert (ran.exit_code, ran.stdout) == (0, "A has 5 questions, B 5; 5 alike.\n")


def test_a_long_trail_takes_no_more_memory_than_a_short_one(tmp_path):
    """Seeded defect: what is told kept in a list fails this."""
    template = json.dumps(
        {"at": "2026-06-15T11:00:00.000000Z", "exchange": {"question": "%"}},
        separators=(",", ":"),
    )

    def peak(rows):
        store = tmp_path / f"{rows}.db"
        with closing(sqlite3.connect(store)) as opened, opened:
            opened.execute("CREATE TABLE audit_record (n INTEGER PRIMARY KEY, record)")
            opened.executemany(
                "INSERT INTO audit_record (record) VALUES (?)",
                ((template.replace("%", f"{each:032x}"),) for each in range(rows)),
            )
        engine = create_engine(f"sqlite:///{store}")
        tracemalloc.start()
        counted = Counted()
        with engine.connect() as connection, pairs() as held:
            held.put("a", exchanged(connection))
            held.put("b", exchanged(connection))
            assert list(held.differences(counted, Span())) == []
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        engine.dispose()
        assert counted.alike == rows
        return most

    short = peak(1_500)
    assert peak(9_000) < 1.5 * short
