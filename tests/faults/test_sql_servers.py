"""Databases that change overnight, hang, stop, refuse, or never end; of every kind."""

import asyncio
import contextlib
import math
import time
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from adapters.errors import Refused, Unavailable, Unreadable
from adapters.sql import build
from adapters.surroundings import Limits
from adapters.tuples import TupleQuery
from adapters.vocabulary import CATEGORIES
from tests.databases import (
    MAPPING,
    NUMBERS,
    SLEEP,
    Postgres,
    asking,
    database,
    held,
    server,
)
from tests.surroundings import in_folder

__all__ = ["database", "server"]  # fixtures

pytestmark = pytest.mark.fault

AWKWARD = "a b+c@d/e%f:ü"  # of which a url would make something else
# How each kind makes a column of another type: what it held may not fit.
TO_NUMBER = {
    "sqlite": (
        "DROP TABLE held",
        "CREATE TABLE held (id INTEGER, who {who}, began {began}, title VARCHAR(9))",
        "INSERT INTO held VALUES (1, 1, 20240309, 'Fall')",
    ),
    "postgresql": (
        "DELETE FROM held",
        "ALTER TABLE held ALTER COLUMN {name} TYPE INTEGER USING 20240309",
        "INSERT INTO held (id, {name}, title) VALUES (1, 20240309, 'Fall')",
    ),
    "mariadb": (
        "DELETE FROM held",
        "ALTER TABLE held MODIFY {name} INTEGER",
        "INSERT INTO held (id, {name}, title) VALUES (1, 20240309, 'Fall')",
    ),
}


def retyped(database, name):
    types = {"who": "VARCHAR(40)", "began": "DATE"} | {name: "INTEGER"}
    return [each.format(name=name, **types) for each in TO_NUMBER[database.name]]


def ids(answer):
    return [event.record_id for event in answer.events]


def a_day_later(adapter):
    adapter._looking.looked_at = -math.inf


async def test_a_column_renamed_overnight_is_named(database):
    adapter = database.open()
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    await database.run("ALTER TABLE held RENAME COLUMN began TO started")
    for _ in range(2):
        with pytest.raises(Unreadable, match=r"mapping\.start.*'began'.*started") as up:
            await adapter.ask(asking())
        assert up.value.reason == "schema"
    await database.run("ALTER TABLE held RENAME COLUMN started TO began")
    assert ids(await adapter.ask(asking())) == ["1", "2"]


async def test_a_column_dropped_overnight_is_named(database):
    adapter = database.open()
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    await database.run("ALTER TABLE held DROP COLUMN who")
    with pytest.raises(Unreadable, match=r"mapping\.identifiers.*'who'") as told:
        await adapter.ask(asking())
    assert told.value.reason == "schema"


async def test_a_table_dropped_overnight_is_named(database):
    adapter = database.open()
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    await database.run("ALTER TABLE held RENAME TO another")
    with pytest.raises(Unreadable, match="'held'"):
        await adapter.ask(asking())
    await database.run("ALTER TABLE another RENAME TO held")
    assert ids(await adapter.ask(asking())) == ["1", "2"]


@pytest.mark.parametrize(("name", "key"), [("began", "start"), ("who", "identifiers")])
async def test_a_column_of_another_type_overnight_is_named(database, name, key):
    adapter = database.open()
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    await database.run(*retyped(database, name))
    a_day_later(adapter)
    for _ in range(2):
        with pytest.raises(Unreadable, match=f"mapping.{key}.*'{name}' held") as told:
            await adapter.ask(asking())
        assert told.value.reason == "schema"
        assert "now holds numbers" in str(told.value)


async def test_rows_that_cannot_be_read_make_it_look_at_once(database):
    adapter = database.open()
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    await database.run(*retyped(database, "began"))
    adapter._looking.looked_at = time.monotonic() - 2
    await database.run("UPDATE held SET who = 'L-1'")
    with pytest.raises(Unreadable, match="'began' held times and now holds numbers"):
        await adapter.ask(asking())


async def test_a_new_column_overnight_is_nothing(database):
    adapter = database.open()
    await adapter.ask(asking())
    await database.run("ALTER TABLE held ADD COLUMN more INTEGER")
    a_day_later(adapter)
    assert ids(await adapter.ask(asking())) == ["1", "2"]


async def test_a_table_without_end_is_cut_by_the_database(database):
    await database.run(
        "CREATE VIEW seen AS SELECT n.x AS id, h.who, h.began, h.title"  # noqa: S608 - constants only
        f" FROM {NUMBERS[database.name]} AS n CROSS JOIN held h WHERE h.id = 1"
    )
    adapter = database.open('view = "seen"', limits=Limits(records=5))
    answer = await adapter.ask(asking())
    assert len(answer.events) == 5
    assert [caveat.code for caveat in answer.caveats] == ["truncated"]


async def test_nothing_is_written_through_our_connection(database):
    adapter = database.open()
    await adapter.ask(asking())
    for statement in (
        "DELETE FROM held",
        "UPDATE held SET who = 'L-2'",
        "INSERT INTO held (id) VALUES (9)",
        "DROP TABLE held",
        "CREATE TABLE other (id INTEGER)",
    ):
        with pytest.raises(DBAPIError):
            await adapter._database.look(lambda c, s=statement: c.execute(text(s)))
    assert len(await database.run("SELECT * FROM held")) == 3


async def test_a_user_who_could_write_is_known(database):
    rights = await database.open().rights()
    assert rights.is_read_only
    assert rights.may_write == (database.name != "sqlite")


async def slow_view(database, seconds):
    await database.run(
        f"CREATE VIEW seen AS SELECT h.*, {SLEEP[database.name].format(seconds)}"  # noqa: S608 - constants only
        " AS slept FROM held h WHERE id = 1"
    )
    more = '[[mapping.detail]]\ncolumn = "slept"\nelement = "slept"\n'
    return MAPPING + more


async def at_work(server):
    """How many sessions of ours the server works for."""
    asked = {
        "postgresql": "SELECT pid FROM pg_stat_activity WHERE state = 'active'"
        " AND application_name = 'throughline'",
        "mariadb": "SELECT id FROM information_schema.processlist"
        " WHERE command = 'Query' AND id <> CONNECTION_ID()",
    }
    return [row[0] for row in await server.run(asked[server.name])]


async def until_at_work(server, *, how_many):
    for _ in range(60):
        if len(await at_work(server)) == how_many:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the server does not work for {how_many} sessions")


async def cut(server, *, but=0):
    """Cuts the session that the server works for, once it is another than `but`."""
    ending = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL {}"}
    for _ in range(60):
        for session in await at_work(server):
            if session != but:
                await server.run(ending[server.name].format(session))
                return session
        await asyncio.sleep(0.05)
    pytest.fail("the server works for nobody")


async def test_a_slow_statement_is_ended_by_the_server(server):
    mapping = await slow_view(server, 3)
    adapter = server.open('view = "seen"\nstatement_s = 0.4', mapping=mapping)
    before = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        await adapter.ask(asking())
    assert refused.value.reason == "busy"
    assert time.monotonic() - before < 2
    assert await at_work(server) == []


async def test_a_statement_that_was_left_is_ended_at_the_server(server):
    mapping = await slow_view(server, 3)
    adapter = server.open('view = "seen"', mapping=mapping)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await adapter.ask(asking())
    before = time.monotonic()
    await until_at_work(server, how_many=0)
    assert time.monotonic() - before < 1.5


async def test_a_connection_lost_in_a_question_is_asked_again_once(server):
    mapping = await slow_view(server, 1)
    adapter = server.open('view = "seen"', mapping=mapping)
    asked = asyncio.create_task(adapter.ask(asking()))
    await cut(server)
    assert ids(await asked) == ["1"]
    asked = asyncio.create_task(adapter.ask(asking()))
    await cut(server, but=await cut(server))
    with pytest.raises(Unavailable) as refused:
        await asked
    assert refused.value.reason == "cut"


async def test_a_server_restarted_between_questions_is_asked_again(server):
    adapter = server.open()
    answers = await asyncio.gather(*(adapter.ask(asking()) for _ in range(6)))
    assert {tuple(ids(answer)) for answer in answers} == {("1", "2")}
    server.own.server.stop()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await adapter.ask(asking())
    finally:
        server.own.server.start()
    for _ in range(6):
        assert ids(await adapter.ask(asking())) == ["1", "2"]


async def test_an_unknown_database_is_named_as_such(server):
    url = server.own.url.rpartition("/")[0] + "/absent"
    with pytest.raises(Unreadable, match="url"):
        await server.open(url=url).ask(asking())


async def test_a_server_that_is_not_there_is_unavailable(server):
    url = server.own.url.replace(str(server.own.server.port), "1")
    adapter = server.open(url=url)
    for asked in (adapter.ask(asking()), adapter.rights()):
        with pytest.raises(Unavailable) as refused:
            await asked
        assert refused.value.reason == "connect"


async def test_a_servers_name_that_is_not_known_is_told(server):
    url = server.own.url.replace("127.0.0.1", "db.invalid")
    with pytest.raises(Unavailable) as refused:
        await server.open(url=url).ask(asking())
    assert refused.value.reason == "dns"


async def test_where_nothing_can_be_looked_at_a_question_is_answered_yet(server):
    """Every session that a look could have had is taken, and not those of questions."""
    adapter = server.open()
    assert ids(await adapter.ask(asking())) == ["1", "2"]

    async def refusing(_work):
        raise Unavailable("busy", "no session is left")

    looks = adapter._looking
    before = looks.database
    looks.database = Refusing(before, refusing)
    a_day_later(adapter)
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    looks.forget()
    with pytest.raises(Unavailable):
        await adapter.ask(asking())
    looks.database = before
    assert ids(await adapter.ask(asking())) == ["1", "2"]


class Refusing:
    """A database that is asked, and lets nobody look."""

    def __init__(self, own, look):
        self._own = own
        self.look = look

    def __getattr__(self, name):
        return getattr(self._own, name)


async def test_more_questions_than_sessions_are_all_answered(server):
    adapter = server.open()
    answers = await asyncio.gather(*(adapter.ask(asking()) for _ in range(40)))
    assert {tuple(ids(answer)) for answer in answers} == {("1", "2")}


async def test_a_user_who_is_not_known_is_refused(server):
    url = server.own.url.replace("throughline@", "stranger@")
    with pytest.raises(Refused) as refused:
        await server.open(url=url).ask(asking())
    assert refused.value.reason == "credentials"
    assert refused.value.domain == "adapter"


@contextlib.asynccontextmanager
async def keyed(own, postgres):
    """A user of PostgreSQL who is asked for a password, as an adapter of it."""
    rules = postgres.folder / "data" / "pg_hba.conf"
    trusting = rules.read_text("utf-8")
    await own.run(
        f"CREATE ROLE keyed LOGIN PASSWORD '{AWKWARD}'",
        "GRANT SELECT ON held TO keyed",
    )
    rules.write_text(f"host all keyed 127.0.0.1/32 scram-sha-256\n{trusting}", "utf-8")
    await own.run("SELECT pg_reload_conf()")
    source = own.folder / "source.toml"
    url = postgres.url.replace("throughline@", "keyed@")
    text = f'kind = "sql"\nurl = "{url}"\npassword = "env:WORD"\ntable = "held"\n'
    source.write_text(text + MAPPING, "utf-8")

    def opened(word):
        return build(source, replace(in_folder(own.folder), secret=lambda _: word))

    try:
        yield opened
    finally:
        rules.write_text(trusting, "utf-8")
        await own.run(
            "SELECT pg_reload_conf()", "DROP OWNED BY keyed", "DROP ROLE keyed"
        )


@pytest.mark.parts
async def test_a_password_of_postgresql_is_checked_by_either_road(postgres, tmp_path):
    async with (
        held(Postgres(server=postgres), tmp_path) as own,
        keyed(own, postgres) as opened,
    ):
        for word in ("wrong", ""):
            async with contextlib.aclosing(opened(word)) as adapter:
                with pytest.raises(Refused) as refused:
                    await adapter.ask(asking())
            assert refused.value.reason == "credentials"
        async with contextlib.aclosing(opened(AWKWARD)) as adapter:
            assert ids(await adapter.ask(asking())) == ["1", "2"]
            whole = TupleQuery(
                since=None, until=None, categories=CATEGORIES, limit=9, seconds=9
            )
            told = [batch.num_rows async for batch in adapter.tuples(whole)]
            assert told == [3]
