"""What may not be known is not fetched, and what links nobody is found out."""

import contextlib
import sqlite3

import pytest
from sqlalchemy import event

from adapters.contract import Identifier, Identifiers, Query
from adapters.sql import build
from adapters.vocabulary import CATEGORIES
from tests.surroundings import in_folder

OWN, OLD = "urn:own", "urn:old"
SOURCE = f"""\
kind = "sql"
url = "sqlite:///a.db"
table = "t"

[mapping]
record_id = "id"
title = "{{note}}"
start = "began"
person = {{ birth_date = "dob", gender = "sex" }}

[mapping.kind]
column = "type"
codes = {{ "C" = "condition", "M" = "medication", "m" = "medication" }}

[[mapping.identifiers]]
column = "pid"
system = "{OWN}"
key = true

[[mapping.identifiers]]
column = "old"
system = "{OLD}"
absent = ["none"]

[[mapping.flags]]
flag = "local-dissent"
column = "dissent"
present = ["Y"]
"""
COLUMNS = "id, pid, old, type, note, began, dob, sex, dissent"
ROWS = [
    ("1", "P1", "X1", "C", "asthma", "2024-01-01", "1950-01-01", "F", ""),
    ("2", "P1", "X1", "M", "lithium", "2024-01-02", "1950-01-01", "F", "Y"),
    ("3", "P1", "none", "?", "who knows", "2024-01-03", "1950-01-01", "F", ""),
    ("4", "P2", "X1x", "C", "gout", "2024-01-04", "1960-01-01", "M", ""),
    ("5", "P2", "SAME", "C", "gout again", "2024-01-05", "1960-01-01", "M", ""),
    ("6", "P3", "SAME", "C", "flu", "2024-01-06", "1970-01-01", "M", ""),
    ("7", "P1", "SAME", "C", "flu too", "2024-01-07", "1950-01-01", "F", ""),
]


@pytest.fixture
async def opening(tmp_path):
    opened = []
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as database, database:
        database.execute(f"CREATE TABLE t ({COLUMNS})")
        marks = ", ".join("?" * len(ROWS[0]))
        database.executemany(f"INSERT INTO t VALUES ({marks})", ROWS)  # noqa: S608 - marks only

    def open_(text=SOURCE):
        (tmp_path / "source.toml").write_text(text, "utf-8")
        opened.append(build(tmp_path / "source.toml", in_folder(tmp_path)))
        return opened[-1]

    yield open_
    for adapter in opened:
        await adapter.aclose()


def about(system, value, categories=CATEGORIES):
    return Query(
        person=Identifiers(others=frozenset({Identifier(system, value)})),
        since=None,
        until=None,
        categories=frozenset(categories),
        limit=100,
    )


def fetched(adapter) -> list[tuple[object, ...]]:
    """Every row that reached this process, as SQLite itself handed it over."""
    rows: list[tuple[object, ...]] = []

    def kept(_cursor, row):
        rows.append(row)
        return row

    @event.listens_for(adapter._database.engine.sync_engine, "connect")
    def _watch(connection, _record):
        sent = connection.driver_connection._conn
        sent.row_factory = kept

    return rows


async def test_rows_of_a_kind_that_may_not_be_known_never_leave_the_database(opening):
    adapter = opening()
    rows = fetched(adapter)
    answer = await adapter.ask(about(OWN, "P1", {"problems"}))
    assert [e.title for e in answer.events] == ["asthma", "flu too"]
    assert rows
    assert not any({"lithium", "who knows"} & set(row) for row in rows)
    assert {c.code: c.count for c in answer.caveats} == {"rows_rejected": 1}


async def test_who_the_person_is_does_not_hang_on_what_may_be_known(opening):
    adapter = opening()
    rows = fetched(adapter)
    answer = await adapter.ask(about(OWN, "P1", {"documents"}))
    assert answer.events == ()
    assert answer.person is not None
    assert answer.person.gender == "F"
    assert Identifier(OLD, "X1") in answer.person.identifiers
    assert [(f.flag, f.present) for f in answer.flags] == [("local-dissent", True)]
    assert not any({"asthma", "lithium"} & set(row) for row in rows)


async def test_an_identifier_beside_two_keys_links_nobody_and_is_not_passed_on(opening):
    adapter = opening()
    shared = await adapter.ask(about(OLD, "SAME"))
    assert (shared.events, shared.person) == ((), None)
    assert [c.code for c in shared.caveats] == ["shared_identifier"]
    narrowed = await adapter.ask(about(OLD, "SAME", {"medications"}))
    assert narrowed.person is None
    known = await adapter.ask(about(OWN, "P1"))
    assert known.person is not None
    assert known.person.identifiers == {Identifier(OWN, "P1"), Identifier(OLD, "X1")}
    assert len(known.events) == 3


async def test_without_a_key_birth_dates_tell_people_apart(opening):
    adapter = opening(SOURCE.replace("key = true\n", ""))
    shared = await adapter.ask(about(OLD, "SAME"))
    assert (shared.events, shared.person) == ((), None)
    alone = await adapter.ask(about(OLD, "X1"))
    assert [e.record_id for e in alone.events] == ["1", "2"]


async def test_without_key_or_birth_date_nobody_can_be_told_apart(opening):
    text = SOURCE.replace("key = true\n", "").replace('birth_date = "dob", ', "")
    answer = await opening(text).ask(about(OLD, "X1"))
    assert [e.record_id for e in answer.events] == ["1", "2"]


async def test_an_otherwise_kind_is_narrowed_here(opening):
    text = SOURCE.replace("codes = {", 'otherwise = "other"\ncodes = {')
    answer = await opening(text).ask(about(OWN, "P1", {"encounters"}))
    assert [e.record_id for e in answer.events] == ["3"]
    assert answer.events[0].kind_code == "?"


async def test_a_system_the_source_does_not_know_finds_nobody(opening):
    answer = await opening().ask(about("urn:elsewhere", "P1", {"problems"}))
    assert (answer.events, answer.person) == ((), None)
