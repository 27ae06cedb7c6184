"""A database's source file is refused with line and remedy; cells read as text."""

import socket
import sqlite3
import ssl
import uuid
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pymysql
import pytest
import trustme
from sqlalchemy import column, types
from sqlalchemy.exc import DBAPIError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.errors import AdapterError, ConfigurationError
from adapters.nhs_number import SYSTEM
from adapters.source_file import read
from adapters.sql import build
from adapters.sql.bulk_blocks import libpq
from adapters.sql.engine import Place
from adapters.sql.faults import explained
from adapters.sql.settings import SqlFile
from adapters.sql.statement import Statement
from adapters.sql.tls import context
from adapters.sql.values import cell, holds, parameters, written
from adapters.surroundings import Limits
from tests.people import number
from tests.surroundings import in_folder

WHOLE = """\
kind = "sql"
url = "sqlite:///a.db"
table = "t"

[mapping]
record_id = "id"
kind = "ed_attendance"
start = "began"

[[mapping.identifiers]]
column = "pid"
system = "urn:pid"
"""
TABLE = 'table = "t"'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sqlite:///a.db", "nonsense", r"line 2: url: .*Use"),
        ("sqlite:///a.db", "mysql://h/d", r"line 2: url: .*MySQL is not read"),
        ("sqlite:///a.db", "mssql+pyodbc://h/d", r"SQL Server is not read: no live"),
        ("sqlite:///a.db", "oracle://h/d", r"Oracle is not read: no live .*csv_drop"),
        ("sqlite:///a.db", "duckdb:///d", r"'duckdb' is not read. Use sqlite"),
        ("sqlite:///a.db", "mariadb://u@h/d?ssl=prefer", r"line 2: url: ssl is one of"),
        ("sqlite:///a.db", "postgresql://u@h/d?ssl=yes", r"line 2: url: ssl is one of"),
        ("sqlite:///a.db", "sqlite:///a.db?ssl=require", r"a file takes no option"),
        (TABLE, 'table = "t"\nca_file = "ca.pem"', r"line 4: ca_file: .*Take ca_file"),
        ("sqlite:///a.db", "postgresql://u:p@h/d", r"line 2: url: holds a password"),
        ("sqlite:///a.db", "postgresql://u@h/d?options=-c", r"line 2: url: takes no"),
        (TABLE, 'table = "t"\npassword = "hunter2"', r"line 4: password: .*env:NAME"),
        (TABLE, "", r"one of table, view or query"),
        (TABLE, 'table = "t"\nview = "v"', r"one of table, view or query"),
        (TABLE, 'table = "t"\nvalue = "urn:pid"', r"value goes with a query"),
        (TABLE, "query = 'DELETE FROM t WHERE a = :value'", r"line 3: query: .*SELECT"),
        (TABLE, "query = 'SELECT 1'", r"line 3: query: .*:value"),
        (TABLE, "query = 'SELECT :value, :b'", r"line 3: query: .*no other"),
        (TABLE, "query = 'SELECT :value'\nvalue = 'urn:x'", r"identifier system"),
    ],
)
def test_a_wrong_file_stops_the_start_with_line_and_remedy(tmp_path, old, new, message):
    path = tmp_path / "source.toml"
    path.write_text(WHOLE.replace(old, new), "utf-8")
    with pytest.raises(ConfigurationError, match=message) as refused:
        build(path, in_folder(tmp_path))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("x", "x"),
        (True, "true"),
        (7, "7"),
        (1.5, "1.5"),
        (Decimal("1E+2"), "100"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, 4, tzinfo=UTC), "2024-01-02T03:04:00+00:00"),
        (clock(9, 30), "09:30:00"),
        (b"\x01\xff", "01ff"),
        (["a", None, 1], "a,,1"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_typed_value_reads_as_text(value, text):
    assert cell(value) == text


def test_an_nhs_number_is_sought_however_it_may_be_written():
    digits = number(0)
    spaced = f"{digits[:3]} {digits[3:6]} {digits[6:]}"
    assert written(SYSTEM, spaced) == (digits, spaced, spaced.replace(" ", "-"))
    assert written(SYSTEM, "not one") == ()
    assert written("urn:pid", "as it is") == ("as it is",)


@pytest.mark.parametrize(
    ("kind", "word", "is_sought"),
    [
        (types.Integer(), "12", True),
        (types.BigInteger(), "x", False),
        (types.BigInteger(), "9" * 19, False),
        (types.BigInteger(), "9" * 30, False),
        (types.Uuid(), "no", False),
        (types.Uuid(), "00000000-0000-0000-0000-000000000001", True),
        (types.String(), "x", True),
        (types.Numeric(), "12", True),
    ],
)
def test_a_word_that_cannot_stand_in_a_column_is_not_sought(kind, word, is_sought):
    found = parameters(column("c", kind), [word], by="arrays")
    assert bool(found) == is_sought


def test_a_loose_column_is_sought_as_text_and_as_number():
    assert parameters(column("c"), ["12"], by="anything") == ["12", 12]
    assert parameters(column("c"), ["012"], by="anything") == ["012"]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (types.SmallInteger(), "c = ANY ($1::BIGINT[])"),
        (types.Uuid(), "c = ANY ($1::UUID[])"),
        # With its length the server would cut a longer word, and find another person.
        (types.String(10), "c = ANY ($1::VARCHAR[])"),
        (
            types.Enum("a", "b", name="letters"),
            "CAST(c AS VARCHAR) = ANY ($1::VARCHAR[])",
        ),
        (types.Numeric(), "CAST(c AS VARCHAR) = ANY ($1::VARCHAR[])"),
        (types.Date(), "CAST(c AS VARCHAR) = ANY ($1::VARCHAR[])"),
    ],
)
def test_a_typed_column_is_compared_as_what_it_is(kind, written):
    found = Statement.of(holds(column("c", kind), "w0", by="arrays"), direct=True)
    assert (found.written, found.order) == (written, ("w0",))


class Driver(Exception):
    def __init__(self, sqlstate=None):
        super().__init__("words of the database with a patient in them")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(), "connect"),
        (TimeoutError(), "connect"),
        (PoolTimeoutError(), "busy"),
        (ResourceClosedError(), "unreadable"),
        (asyncpg.InvalidPasswordError("x"), "credentials"),
        (asyncpg.TooManyConnectionsError("x"), "busy"),
        (asyncpg.PostgresError("x"), "connect"),
        (socket.gaierror(), "dns"),
        (ssl.SSLCertVerificationError(), "tls"),
        (sqlite3.OperationalError("x"), "schema"),
        (pymysql.err.OperationalError(1040, "x"), "busy"),
        (pymysql.err.OperationalError(1969, "x", sqlstate="70100"), "busy"),
        (pymysql.err.OperationalError(2013, "x"), "cut"),
        (pymysql.err.OperationalError(9999, "x"), "unreadable"),
        (pymysql.err.InterfaceError("x"), "cut"),
        (pymysql.err.InterfaceError(), "cut"),
        (DBAPIError("s", {}, pymysql.err.ProgrammingError(1142, "x")), "refused"),
        (DBAPIError("s", {}, Driver("25006")), "refused"),
        (DBAPIError("s", {}, Driver("42501")), "refused"),
        (DBAPIError("s", {}, Driver("57014")), "busy"),
        (DBAPIError("s", {}, Driver("42703")), "schema"),
        (DBAPIError("s", {}, Driver("22P02")), "unreadable"),
        (DBAPIError("s", {}, Driver("99999")), "unreadable"),
        (DBAPIError("s", {}, Driver()), "unreadable"),
        (DBAPIError("s", {}, Driver(), connection_invalidated=True), "cut"),
    ],
)
def test_a_drivers_error_becomes_ours_without_its_words(error, reason):
    told = explained(error)
    assert isinstance(told, AdapterError)
    assert told.reason == reason
    assert "patient" not in str(told)


@pytest.mark.parametrize(
    ("mode", "is_checked", "is_named"),
    [
        ("require", False, False),
        ("verify-ca", True, False),
        ("verify-full", True, True),
    ],
)
def test_a_certificate_is_checked_as_far_as_was_asked(mode, is_checked, is_named):
    made = context(mode, None)
    assert made is not None
    assert (made.verify_mode == ssl.CERT_REQUIRED) == is_checked
    assert made.check_hostname == is_named


def test_an_authority_that_is_named_is_always_asked(tmp_path):
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    for mode in (None, "require", "verify-ca", "verify-full"):
        made = context(mode, path)
        assert made is not None
        assert made.verify_mode == ssl.CERT_REQUIRED
        assert made.check_hostname == (mode in {None, "verify-full"})
    assert context(None, None) is None
    assert context("disable", path) is None


async def test_postgresql_is_asked_with_the_authority_that_is_named(tmp_path):
    """By either road: of one person, and of the whole table."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    path = tmp_path / "source.toml"
    url = "postgresql://reader@db.invalid:5432/d"
    named = WHOLE.replace("sqlite:///a.db", url).replace(
        TABLE, f'{TABLE}\nca_file = "ca.pem"'
    )
    path.write_text(named, "utf-8")
    adapter = build(path, in_folder(tmp_path))
    direct = adapter._database.direct
    assert direct is not None
    checked = direct.options["ssl"]
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    place = Place(
        settings=read(path, SqlFile),
        folder=tmp_path,
        password="p@ss word+",
        limits=Limits(),
    )
    told = urlsplit(libpq(place, 5.0))
    assert "+" not in told.query  # which would not be read as a space there
    asked = parse_qs(told.query)
    assert asked["sslmode"] == ["verify-full"]
    assert asked["sslrootcert"] == [str(tmp_path / "ca.pem")]
    assert asked["options"] == [
        "-c default_transaction_read_only=on -c statement_timeout=5000"
    ]
    assert asked["password"] == ["p@ss word+"]
    await adapter.aclose()
