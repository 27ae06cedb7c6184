"""What only MariaDB does: loose comparisons, odd values, TLS, servers that pretend."""

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from adapters.contract import Identifier
from adapters.errors import (
    AdapterError,
    ConfigurationError,
    Refused,
    Unavailable,
    Unreadable,
)
from adapters.sql import build
from adapters.surroundings import Limits
from tests.databases import MAPPING, MariaDb, asking, held
from tests.parts.mariadb import PASSWORD, READER
from tests.people import LOCAL
from tests.surroundings import in_folder

pytestmark = [pytest.mark.fault, pytest.mark.parts]

PROMPT_S = 0.15


@pytest.fixture
async def database(mariadb, tmp_path):
    async with held(MariaDb(server=mariadb), tmp_path) as opened:
        yield opened


def ids(answer):
    return [event.record_id for event in answer.events]


@pytest.mark.parametrize(
    "column",
    [
        "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        "VARCHAR(20) CHARACTER SET latin1",
        "CHAR(20) CHARACTER SET utf8mb3",
        "TEXT",
    ],
)
async def test_an_identifier_matches_letter_by_letter(database, column):
    await database.run(
        f"ALTER TABLE held MODIFY who {column}",
        "UPDATE held SET who = 'ab' WHERE id = 1",
        "UPDATE held SET who = 'AB' WHERE id = 2",
        "UPDATE held SET who = 'Äb' WHERE id = 3",
    )
    adapter = database.open()
    for value, found in {"ab": ["1"], "AB": ["2"], "Äb": ["3"]}.items():
        answer = await adapter.ask(asking(value))
        assert ids(answer) == found
        assert answer.person.identifiers == {Identifier(LOCAL, value)}
    for value in ("aB", "ab ", " ab", "äb", "a", "a_", "%"):
        assert (await adapter.ask(asking(value))).person is None


async def test_people_who_differ_in_case_alone_are_two(database):
    """Both are read at once, to see whether what they share reaches two people."""
    await database.run(
        "ALTER TABLE held ADD COLUMN old VARCHAR(20) DEFAULT 'TO-FOLLOW'",
        "UPDATE held SET who = 'l-1' WHERE id = 2",
        "UPDATE held SET old = 'to-follow' WHERE id = 3",
    )
    more = '[[mapping.identifiers]]\ncolumn = "old"\nsystem = "urn:old"\n'
    adapter = database.open(mapping=MAPPING + more)
    shared = await adapter.ask(asking("TO-FOLLOW", "urn:old"))
    assert shared.person is None
    assert [c.code for c in shared.caveats] == ["shared_identifier"]
    own = await adapter.ask(asking("L-1"))
    assert own.person.identifiers == {Identifier(LOCAL, "L-1")}
    # In small letters it is another identifier, and of one person alone.
    assert ids(await adapter.ask(asking("to-follow", "urn:old"))) == ["3"]


@pytest.mark.parametrize("column", ["INTEGER", "BIGINT UNSIGNED", "DECIMAL(12)"])
async def test_a_number_is_not_found_by_what_begins_with_it(database, column):
    await database.run(
        "UPDATE held SET who = '123'", f"ALTER TABLE held MODIFY who {column}"
    )
    adapter = database.open()
    assert ids(await adapter.ask(asking("123"))) == ["1", "2", "3"]
    for value in ("123abc", "0123", "123.0", "1.23e2", " 123", "123 OR 1=1", ""):
        assert (await adapter.ask(asking(value))).person is None


async def test_a_large_number_is_told_from_its_neighbour(database):
    await database.run(
        "UPDATE held SET who = '9007199254740993' WHERE id = 1",
        "UPDATE held SET who = '9007199254740992' WHERE id > 1",
        "ALTER TABLE held MODIFY who BIGINT",
    )
    assert ids(await database.open().ask(asking("9007199254740993"))) == ["1"]


async def test_a_day_enumeration_or_uuid_names_people_too(database):
    adapter = database.open()
    for column, value, other in (
        ("ENUM('A', 'b')", "b", "B"),
        ("UUID", "6f1e1f9e-0000-4000-8000-000000000001", "no uuid"),
        ("DATE", "2024-03-09", "yesterday"),
    ):
        await database.run(
            "ALTER TABLE held MODIFY who VARCHAR(40)",
            f"UPDATE held SET who = '{value}'",  # noqa: S608 - constants only
            f"ALTER TABLE held MODIFY who {column}",
        )
        adapter = database.open()
        assert len((await adapter.ask(asking(value))).events) == 3
        assert (await adapter.ask(asking(other))).person is None


async def test_a_column_of_bytes_cannot_name_people(database):
    await database.run("ALTER TABLE held MODIFY who VARBINARY(16)")
    with pytest.raises(AdapterError, match="'who' holds bytes"):
        await database.open().ask(asking())


TYPED = """
CREATE TABLE held (id INTEGER, who VARCHAR(40), began DATETIME(3), ended TIMESTAMP NULL,
  done TINYINT(1), flag BIT(1), amount DECIMAL(8,2), waited TIME, kept VARBINARY(4),
  said VARCHAR(40) CHARACTER SET latin1, ratio DOUBLE);
INSERT INTO held VALUES (1, 'L-1', '2024-07-01 09:30:00', '2024-07-01 10:30:00',
  1, b'1', 1.50, '25:00:00', x'01ff', 'café', 0.1)
"""
MORE = "".join(
    f'[[mapping.detail]]\ncolumn = "{name}"\nelement = "{name}"\n'
    for name in ("done", "flag", "amount", "waited", "kept", "said", "ratio")
)


async def typed(database):
    create, insert = TYPED.split(";\n")
    await database.run("DROP TABLE held", create, "SET time_zone = '+00:00'", insert)
    mapping = MAPPING.replace('title = "{title}"\n', "")
    mapping = mapping.replace('"began"', '"began"\nend = "ended"')
    return database.open(mapping=mapping + MORE)


async def test_typed_columns_read_as_the_server_writes_them(database):
    answer = await (await typed(database)).ask(asking())
    (event,) = answer.events
    # A DATETIME has no zone and is London's; a TIMESTAMP is an instant.
    assert event.start.text == "2024-07-01T09:30:00+01:00"
    assert event.end.text == "2024-07-01T10:30:00+00:00"
    assert [d.value for d in event.detail] == [
        *("1", "1", "1.50", "25:00:00", "01ff", "café", "0.1")
    ]


@pytest.mark.parametrize(
    ("column", "zero"),
    [
        ("DATE", "0000-00-00"),
        ("DATETIME", "0000-00-00 00:00:00"),
        ("TIMESTAMP NULL", "0000-00-00 00:00:00"),
        ("DATE", "2024-03-00"),
    ],
)
async def test_a_zero_date_is_kept_as_written_and_is_no_time(database, column, zero):
    await database.run(
        "SET sql_mode = ''",
        f"ALTER TABLE held MODIFY began {column}",
        f"UPDATE held SET began = '{zero}' WHERE id = 1",  # noqa: S608 - constants only
    )
    answer = await database.open().ask(asking())
    (_, undated) = answer.events
    assert (undated.record_id, undated.start) == ("1", None)
    assert undated.caveats == ("impossible_time",)
    assert [d.value for d in undated.detail if d.element == "start"] == [zero]


@pytest.mark.parametrize("mode", ["", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"])
@pytest.mark.parametrize(
    "value",
    [
        "' OR 1=1 -- ",
        "\\' OR 1=1 -- ",
        '" OR 1=1 -- ',
        "\\",
        "%s",
        "%(w0)s",
        ":w0",
        "\N{BOMB}",
        "a" * 9999,
        "\x00",
        "\ufeff'",
    ],
)
async def test_a_value_is_never_part_of_the_statement(database, value, mode):
    (before,) = (await database.run("SELECT @@global.sql_mode"))[0]
    await database.run(f"SET GLOBAL sql_mode = '{mode}'")
    try:
        answer = await database.open().ask(asking(value))
    finally:
        await database.run(f"SET GLOBAL sql_mode = '{before}'")
    assert answer.person is None
    assert answer.events == ()


async def test_a_function_that_writes_is_refused(database):
    await database.run(
        "CREATE OR REPLACE FUNCTION gone() RETURNS INT MODIFIES SQL DATA"
        " BEGIN DELETE FROM held; RETURN 1; END"
    )
    query = "query = 'SELECT held.*, gone() AS g FROM held WHERE who = :value'"
    with pytest.raises(Refused) as refused:
        await database.open(query).ask(asking())
    assert refused.value.reason == "refused"
    assert len(await database.run("SELECT * FROM held")) == 3


async def test_the_server_itself_caps_rows_and_time_and_takes_one_statement(database):
    adapter = database.open("table = 'held'\nstatement_s = 2", limits=Limits(records=1))
    look = adapter._database.look
    assert len(await look(lambda c: c.execute(text("SELECT * FROM held")).all())) == 2
    assert (
        await look(lambda c: c.scalar(text("SELECT @@max_statement_time")))
        == "2.000000"
    )
    with pytest.raises(Exception, match="syntax"):
        await look(lambda c: c.execute(text("SELECT 1; SELECT 2")))


async def test_a_written_query_is_asked_by_its_value(database):
    query = "query = 'SELECT * FROM held WHERE who = :value AND title LIKE \"F%\"'"
    adapter = database.open(query)
    assert ids(await adapter.ask(asking())) == ["1"]
    assert ids(await adapter.ask(asking("l-2"))) == ["3"]  # as the query itself finds
    lacking = database.open(
        "query = 'SELECT id, who, title FROM held WHERE who = :value'"
    )
    with pytest.raises(AdapterError, match=r"mapping\.start.*'began'"):
        await lacking.ask(asking())


async def test_a_locked_table_is_busy_and_answers_later(database, mariadb):
    adapter = database.open("table = 'held'\nstatement_s = 0.5")
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    async with mariadb.connected() as other:
        await other.run("LOCK TABLES held WRITE")
        with pytest.raises(Unavailable) as refused:
            await adapter.ask(asking())
        assert refused.value.reason == "busy"
    assert ids(await adapter.ask(asking())) == ["1", "2"]


def as_reader(folder, url, word=PASSWORD):
    """An adapter that asks as the user who may only read."""
    source = folder / "reader.toml"
    source.write_text(
        f'kind = "sql"\nurl = "{url}"\ntable = "held"\n'
        f'password = "env:WORD"\n{MAPPING}',
        "utf-8",
    )
    return build(source, replace(in_folder(folder), secret=lambda _: word))


@contextlib.asynccontextmanager
async def closing(adapter):
    try:
        yield adapter
    finally:
        await adapter.aclose()


async def test_a_user_who_may_only_read_is_enough(database, mariadb, tmp_path):
    await database.run("CREATE VIEW seen AS SELECT * FROM held")
    async with closing(as_reader(tmp_path, mariadb.readers_url)) as adapter:
        assert ids(await adapter.ask(asking())) == ["1", "2"]
        rights = await adapter.rights()
        assert (rights.may_write, rights.is_read_only) == (False, True)


@pytest.mark.parametrize("word", ["wrong", "wörd", "wörd\N{BOMB}", ""])
async def test_a_wrong_password_is_refused(database, mariadb, tmp_path, word):
    async with closing(as_reader(tmp_path, mariadb.readers_url, word)) as adapter:
        with pytest.raises(Refused) as refused:
            await adapter.ask(asking())
    assert refused.value.reason == "credentials"


async def test_a_table_that_may_not_be_read_is_told(database, mariadb, tmp_path):
    readers = f"{READER}@'%'"
    await database.run(
        "CREATE OR REPLACE TABLE other (id INTEGER)",
        f"REVOKE SELECT ON events.* FROM {readers}",  # noqa: S608 - constants only
        f"GRANT SELECT ON events.other TO {readers}",
    )
    try:
        async with closing(as_reader(tmp_path, mariadb.readers_url)) as adapter:
            with pytest.raises(Unreadable, match="grant SELECT"):
                await adapter.ask(asking())
    finally:
        await database.run(f"GRANT SELECT ON events.* TO {readers}", "DROP TABLE other")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_what_is_said_to_the_server_is_encrypted(database, mariadb, mode):
    place = f"table = 'held'\nca_file = '{mariadb.authority}'"
    adapter = database.open(place, url=f"{mariadb.url}?ssl={mode}")
    assert ids(await adapter.ask(asking())) == ["1", "2"]
    cipher = text("SHOW STATUS LIKE 'Ssl_cipher'")
    (_, used) = await adapter._database.look(lambda c: c.execute(cipher).one())
    assert used.startswith("TLS")


async def test_a_certificate_that_leads_nowhere_is_not_believed(database, mariadb):
    adapter = database.open(url=f"{mariadb.url}?ssl=verify-full")
    with pytest.raises(Unavailable) as refused:
        await adapter.ask(asking())
    assert refused.value.reason == "tls"
    believing = database.open(url=f"{mariadb.url}?ssl=require")
    assert ids(await believing.ask(asking())) == ["1", "2"]


async def test_a_certificate_that_is_none_stops_the_start(database):
    with pytest.raises(ConfigurationError, match=r"ca_file: .*certificate"):
        database.open("table = 'held'\nca_file = 'absent.pem'")


def greeting(*, version=b"8.0.36", tls=False, plugin=b"mysql_native_password"):
    """The first words of a server of MySQL's family."""
    can = 0xF7FF & ~(0 if tls else 0x800)
    body = b"\x0a" + version + b"\0" + struct.pack("<I", 7) + b"a" * 8 + b"\0"
    body += struct.pack("<HBHH", can, 45, 2, 0x80FF) + bytes([21]) + b"\0" * 10
    body += b"b" * 12 + b"\0" + plugin + b"\0"
    return struct.pack("<I", len(body))[:3] + b"\0" + body


@contextlib.asynccontextmanager
async def pretending(first, then=b""):
    """A server that greets, keeps what it is told, and answers each time the same."""
    told = []

    async def served(reader, writer):
        writer.write(first)
        number = 2
        with contextlib.suppress(ConnectionError):
            while heard := await reader.read(4096):
                told.append(heard)
                if not then:
                    continue
                writer.write(struct.pack("<I", len(then))[:3] + bytes([number]) + then)
                number += 2
        writer.close()

    serving = await asyncio.start_server(served, "127.0.0.1", 0)
    try:
        yield serving.sockets[0].getsockname()[1], told
    finally:
        serving.close()


async def test_a_server_without_tls_is_told_nothing(database, mariadb):
    async with pretending(greeting(version=b"10.11.9-MariaDB")) as (port, told):
        there = mariadb.url.replace(str(mariadb.port), str(port))
        adapter = database.open(url=f"{there}?ssl=require")
        with pytest.raises(Unavailable) as refused:
            await adapter.ask(asking())
        assert refused.value.reason == "tls"
        assert told == []


async def test_a_server_that_is_no_mariadb_is_refused_by_name(database, mariadb):
    async with pretending(greeting()) as (port, told):
        adapter = database.open(url=mariadb.url.replace(str(mariadb.port), str(port)))
        with pytest.raises(Refused, match="no MariaDB"):
            await adapter.ask(asking())
        assert told == []


@pytest.mark.parametrize("when", ["at once", "later"])
async def test_a_password_is_never_told_in_clear(mariadb, tmp_path, when):
    clear = b"mysql_clear_password"
    plugin = clear if when == "at once" else b"mysql_native_password"
    first = greeting(version=b"10.11.9-MariaDB", plugin=plugin)
    async with pretending(first, then=b"\xfe" + clear + b"\0") as (port, told):
        url = mariadb.readers_url.replace(str(mariadb.port), str(port))
        async with closing(as_reader(tmp_path, url)) as adapter:
            with pytest.raises(Refused) as refused:
                await adapter.ask(asking())
        assert refused.value.reason == "credentials"
        assert PASSWORD.encode() not in b"".join(told)


async def test_a_caller_of_a_silent_server_is_let_go_at_once(database, mariadb):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        adapter = database.open(url=mariadb.url.replace(str(mariadb.port), port))
        late = []
        for after_s in (0.2, 0.1, 0.05):
            before = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(after_s):
                    await adapter.ask(asking())
            late.append(time.monotonic() - before - after_s)
        assert min(late) < PROMPT_S
        with pytest.raises(Unavailable) as refused:
            await adapter.ask(asking())
        assert refused.value.reason == "connect"


async def test_sessions_of_others_are_not_ended_with_ours(database):
    """Who leaves ends the session that was theirs, and no later question's."""
    await database.run(
        "CREATE VIEW seen AS SELECT h.*, SLEEP(0.2) AS slept FROM held h WHERE id = 1"
    )
    more = '[[mapping.detail]]\ncolumn = "slept"\nelement = "slept"\n'
    adapter = database.open('view = "seen"', mapping=MAPPING + more)
    await adapter.ask(asking())

    async def leaving(after_s):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                await adapter.ask(asking())

    for _ in range(3):
        left = [leaving(0.05 * n) for n in range(1, 5)]
        *_, answer = await asyncio.gather(*left, adapter.ask(asking()))
        assert ids(answer) == ["1"]
