"""PostgreSQL asked without SQLAlchemy between: what must not change by that."""

import asyncio

import asyncpg
import pytest

from adapters.contract import Identifier, Identifiers, Query
from adapters.errors import AdapterError, Unavailable, Unreadable
from adapters.sql import build
from adapters.vocabulary import CATEGORIES
from tests.people import LOCAL, number
from tests.surroundings import in_folder

pytestmark = [pytest.mark.fault, pytest.mark.parts]

TABLE = """
DROP TABLE IF EXISTS direct; DROP TYPE IF EXISTS sort;
CREATE TYPE sort AS ENUM ('A', 'B', 'never');
CREATE TABLE direct (id integer, who varchar(4), short smallint, nhs char(10),
                     sort sort, began date);
INSERT INTO direct VALUES
  (1, 'P1', 7, NULL, 'A', '2024-03-09'), (2, 'P1', 7, NULL, 'B', '2024-03-10'),
  (3, 'P12', 8, NULL, 'A', '2024-03-11'), (4, 'P1', 7, NULL, 'never', NULL);
"""
MAPPING = f"""
[mapping]
record_id = "id"
start = "began"

[mapping.kind]
column = "sort"
codes = {{ A = "ed_attendance", B = "community_contact" }}

[[mapping.identifiers]]
column = "who"
system = "{LOCAL}"
key = true

[[mapping.identifiers]]
column = "short"
system = "urn:short"

[[mapping.identifiers]]
column = "nhs"
system = "https://fhir.nhs.uk/Id/nhs-number"
"""


def asking(value: str, system: str = LOCAL, categories=CATEGORIES, **more) -> Query:
    return Query(
        person=Identifiers(others=frozenset({Identifier(system, value)}), **more),
        since=None,
        until=None,
        categories=frozenset(categories),
        limit=99,
    )


def ids(answer):
    return [event.record_id for event in answer.events]


@pytest.fixture
async def connection(postgres):
    opened = await asyncpg.connect(postgres.url)
    await opened.execute(TABLE)
    await opened.execute("UPDATE direct SET nhs = $1 WHERE id = 1", number(0))
    yield opened
    await opened.close()


@pytest.fixture
async def opening(postgres, tmp_path, connection):
    opened = []

    def open_(place='table = "direct"', more=""):
        source = tmp_path / "source.toml"
        text = f'kind = "sql"\nurl = "{postgres.url}"\n{place}\n{more}\n{MAPPING}'
        source.write_text(text, "utf-8")
        opened.append(build(source, in_folder(tmp_path)))
        return opened[-1]

    yield open_
    for adapter in opened:
        await adapter.aclose()
        await adapter.aclose()


async def test_a_word_longer_than_its_column_is_not_cut_to_find_another(opening):
    adapter = opening()
    assert ids(await adapter.ask(asking("P12"))) == ["3"]
    for value in ("P1234567", "P12 ", "p12", "P"):
        assert (await adapter.ask(asking(value))).person is None


async def test_a_number_beyond_its_column_finds_nobody(opening):
    adapter = opening()
    assert ids(await adapter.ask(asking("7", "urn:short"))) == ["1", "2"]
    for value in ("70000", str(2**40), str(2**63 - 1), "7.0", "x"):
        assert (await adapter.ask(asking(value, "urn:short"))).person is None


async def test_a_kind_of_an_enumeration_narrows_at_the_source(opening):
    adapter = opening()
    whole = await adapter.ask(asking("P1"))
    assert ids(whole) == ["1", "2"]
    some = await adapter.ask(asking("P1", categories={"encounters"}))
    none = await adapter.ask(asking("P1", categories={"medications"}))
    assert ids(some) == ["1"]
    assert ids(none) == []
    # Each says of the row that no kind is known for.
    for answer in (whole, some, none):
        assert [(c.code, c.count) for c in answer.caveats] == [("rows_rejected", 1)]
        assert answer.person is not None
        assert Identifier(LOCAL, "P1") in answer.person.identifiers


async def test_several_identifiers_are_asked_for_at_once(opening):
    adapter = opening()
    answer = await adapter.ask(asking("P12", nhs_number=number(0)))
    assert ids(answer) == ["1", "3"]


async def test_what_is_named_beside_another_key_links_nobody(opening, connection):
    adapter = opening()
    await connection.execute("UPDATE direct SET short = 7 WHERE id = 3")
    answer = await adapter.ask(asking("P12"))
    assert ids(answer) == ["3"]
    assert Identifier("urn:short", "7") not in answer.person.identifiers


async def test_a_query_without_rows_still_names_the_column_it_lacks(opening):
    query = "query = 'SELECT id, who, short, nhs, sort FROM direct WHERE who = :value'"
    adapter = opening(query, f'value = "{LOCAL}"')
    with pytest.raises(Unreadable, match=r"mapping\.start"):
        await adapter.ask(asking("nobody"))


async def test_a_table_changed_between_two_questions_is_looked_at_again(
    opening, connection
):
    adapter = opening()
    assert ids(await adapter.ask(asking("P1"))) == ["1", "2"]
    await connection.execute("ALTER TABLE direct ALTER COLUMN who TYPE text")
    assert ids(await adapter.ask(asking("P1"))) == ["1", "2"]
    await connection.execute("ALTER TABLE direct ALTER COLUMN short TYPE bigint")
    assert ids(await adapter.ask(asking("7", "urn:short"))) == ["1", "2"]


async def test_more_questions_than_sessions_are_all_answered(opening):
    adapter = opening()
    answers = await asyncio.gather(*(adapter.ask(asking("P1")) for _ in range(40)))
    assert {tuple(ids(answer)) for answer in answers} == {("1", "2")}


async def test_when_every_session_is_busy_others_are_told_so(opening):
    # Each row sleeps, and each session waits for its own.
    query = (
        "query = 'SELECT *, pg_sleep(1.5)::text AS slept FROM direct"
        " WHERE who = :value'"
    )
    adapter = opening(query, f'value = "{LOCAL}"\nstatement_s = 9')
    asked = await asyncio.gather(
        *(adapter.ask(asking("P1")) for _ in range(12)), return_exceptions=True
    )
    refused = [each for each in asked if isinstance(each, AdapterError)]
    assert refused
    assert all(isinstance(each, Unavailable) for each in refused)
    assert {each.reason for each in refused} == {"busy"}


async def test_sessions_cut_by_the_server_are_opened_anew(opening, connection):
    adapter = opening()
    await asyncio.gather(*(adapter.ask(asking("P1")) for _ in range(8)))
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'throughline'"
    )
    for _ in range(8):
        assert ids(await adapter.ask(asking("P1"))) == ["1", "2"]


async def test_a_session_only_reads(opening, connection):
    query = (
        "query = '''WITH gone AS (DELETE FROM direct RETURNING *)"
        " SELECT * FROM gone WHERE who = :value'''"
    )
    adapter = opening(query, f'value = "{LOCAL}"')
    with pytest.raises(AdapterError):
        await adapter.ask(asking("P1"))
    assert await connection.fetchval("SELECT count(*) FROM direct") == 4
