"""What spoilt files once brought down, in little: each answers or fails by name."""

import contextlib
import json
import sqlite3
import time

import pytest

from adapters import sql
from adapters.contract import Identifier, Identifiers, Query
from adapters.errors import Unreadable
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.fhir_asking import about, asking, caveats, condition, observation, patient
from tests.people import LOCAL
from tests.stub_fhir import Misbehaviour, StubFhir
from tests.surroundings import in_folder

pytestmark = pytest.mark.fault

SOURCE = f"""
kind = "sql"
url = "sqlite:///contacts.db"
table = "contacts"

[mapping]
record_id = "contact"
kind = "community_contact"
start = "day"

[[mapping.identifiers]]
column = "person"
system = "{LOCAL}"
key = true
"""


def spoilt(folder, before: bytes, after: bytes):
    """A database of one contact, with some of its bytes changed on disk."""
    path = folder / "contacts.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE contacts (contact, person, day, remark)")
        connection.execute(
            "INSERT INTO contacts VALUES ('c1', 'p1', '2024-05-06', 'hello')"
        )
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after))
    source = folder / "source.toml"
    source.write_text(SOURCE, "utf-8")
    return source


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"CREATE TABLE", b"CREATE\xd3TABLE"),
        (b"c1p1", b"c\xd3p1"),
        (b"2024-05", b"2024\xff05"),
    ],
)
async def test_text_that_is_not_utf8_makes_a_database_unreadable(
    tmp_path, before, after
):
    adapter = sql.build(spoilt(tmp_path, before, after), in_folder(tmp_path))
    person = Identifiers(others=frozenset({Identifier(LOCAL, "p1")}))
    query = Query(
        person=person, since=None, until=None, categories=CATEGORIES, limit=10
    )
    with pytest.raises(Unreadable) as refused:
        await adapter.ask(query)
    assert "2024" not in str(refused.value)
    await adapter.aclose()


async def test_many_records_under_one_id_are_told_apart_in_time(tmp_path):
    """Compared one by one they would hold the event loop for long: they are hashed."""
    one = json.dumps({"resource": observation("same", None, valueString="#")})
    entries = ",".join(one.replace("#", str(n)) for n in range(18_000))
    page = f'{{"resourceType":"Bundle","type":"searchset","entry":[{entries}]}}'
    server = StubFhir([patient()])
    server.wrong = Misbehaviour(
        bodies={"Observation": ("application/fhir+json", page.encode())}
    )
    settings = 'types = ["Observation"]\n'
    async with server, asking(server.base_url, tmp_path, settings) as adapter:
        began = time.monotonic()
        answer = await adapter.ask(about(limit=20_000))
        took = time.monotonic() - began
    assert len(answer.events) == 18_000
    assert caveats(answer)["duplicate_record"] == 17_999
    assert took < Limits().source_s


async def test_a_copy_of_the_second_of_two_that_differ_is_told_once(tmp_path):
    first, second = condition(), condition(code={"text": "Eczema"})
    settings = 'types = ["Condition"]\n'
    async with (
        StubFhir([patient(), first, second, second]) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        answer = await adapter.ask(about())
    assert sorted(event.title for event in answer.events) == ["Asthma", "Eczema"]
    assert caveats(answer)["duplicate_record"] == 2


async def test_a_damaged_index_gives_nobody_elses_record(tmp_path):
    """SQLite would give the name in the index with the record of the table's row."""
    source = tmp_path / "source.toml"
    source.write_text(SOURCE, "utf-8")
    path = tmp_path / "contacts.db"
    key = "contact TEXT PRIMARY KEY, person, day"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE contacts ({key})")
        connection.execute("INSERT INTO contacts VALUES ('c1', 'mine', '2024-05-06')")
        connection.execute("INSERT INTO contacts VALUES ('c2', 'else', '2024-05-07')")
        connection.execute("CREATE INDEX by_person ON contacts (person)")
    data = path.read_bytes()
    # The last page is the index: there, and nowhere else, `else` becomes `mine`.
    page = len(data) - int.from_bytes(data[16:18], "big")
    path.write_bytes(data[:page] + data[page:].replace(b"else", b"mine"))
    adapter = sql.build(source, in_folder(tmp_path))
    person = Identifiers(others=frozenset({Identifier(LOCAL, "mine")}))
    query = Query(
        person=person, since=None, until=None, categories=CATEGORIES, limit=10
    )
    answer = await adapter.ask(query)
    await adapter.aclose()
    assert [event.record_id for event in answer.events] == ["c1"]
