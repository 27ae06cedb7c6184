"""Statements for servers that are not at hand: written out, and read by a parser.

Nothing here says that SQL Server or Oracle would take them: no live one was tried,
and a source file that names one is refused (Oracle, for one, holds "" for NULL).
"""

from typing import Any

import pytest
import sqlglot
from sqlalchemy import column, table, types
from sqlalchemy.dialects import mssql, mysql, oracle
from sqlalchemy.sql.elements import quoted_name
from sqlglot import expressions

from adapters.contract import Identifier
from adapters.mapping import MappingSpec
from adapters.nhs_number import SYSTEM
from adapters.sql.relation import Relation
from tests.people import number

KEY = "urn:pid"
# Names that only quoting makes names, in any of the three.
WHO, NHS, KIND, BORN = "Order", 'nhs "no"', "select ]", "b`orn"
SPEC = MappingSpec.model_validate(
    {
        "record_id": "id",
        "kind": {"column": KIND, "codes": {"A": "ed_attendance", "B": "referral"}},
        "start": "began",
        "identifiers": [
            {"column": WHO, "system": KEY, "key": True},
            {"column": NHS, "system": SYSTEM},
        ],
        "person": {"birth_date": BORN},
    }
)
TYPES: dict[str, types.TypeEngine[Any]] = {
    "id": types.Integer(),
    WHO: types.String(20),
    NHS: types.BigInteger(),
    KIND: types.String(1),
    "began": types.DateTime(),
    BORN: types.Date(),
}
DIALECTS = {
    "tsql": mssql.dialect(),
    "oracle": oracle.dialect(),
    "mysql": mysql.dialect(is_mariadb=True),
}
ASKED = frozenset({Identifier(KEY, "P-secret"), Identifier(SYSTEM, number(0))})


def relation() -> Relation:
    place = table(
        quoted_name("Contacts of 2024", quote=True),
        *(column(quoted_name(name, quote=True), kind) for name, kind in TYPES.items()),
        schema=quoted_name("own.schema", quote=True),
    )
    return Relation(spec=SPEC, place=place, by="text", families={})


def statements():
    found = relation()
    words = found.words(ASKED)
    return {
        "records": found.records(words, kinds=None, limit=7),
        "records of kinds": found.records(words, kinds=("A",), limit=7),
        "people": found.people(words, limit=7),
        "strange": found.strange(words),
        "apart": found.apart([(Identifier(SYSTEM, number(0)), "P-secret")]),
    }


def compiled(name, parser):
    asked = statements()[name]
    made = asked.statement.executable.params(**asked.values).compile(
        dialect=DIALECTS[parser], compile_kwargs={"render_postcompile": True}
    )
    return str(made), asked


NAMES = list(statements())


@pytest.mark.parametrize("parser", DIALECTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_one_that_reads_and_nothing_else(name, parser):
    written, _ = compiled(name, parser)
    (parsed,) = sqlglot.parse(written.replace("%s", "?"), read=parser)
    assert isinstance(parsed, expressions.Select | expressions.Union)
    writing = (
        expressions.Insert,
        expressions.Update,
        expressions.Delete,
        expressions.Into,
        expressions.Command,
        expressions.Lock,
    )
    assert parsed.find(*writing) is None


@pytest.mark.parametrize("parser", DIALECTS)
@pytest.mark.parametrize("name", NAMES)
def test_no_value_stands_in_a_statement(name, parser):
    written, asked = compiled(name, parser)
    assert "secret" not in written
    assert number(0) not in written
    assert "secret" in repr(dict(asked.values))
    assert "secret" not in repr(asked)
    parsed = sqlglot.parse_one(written.replace("%s", "?"), read=parser)
    assert list(parsed.find_all(expressions.Parameter, expressions.Placeholder))


@pytest.mark.parametrize("parser", DIALECTS)
@pytest.mark.parametrize("name", ["records", "records of kinds", "people"])
def test_the_server_itself_is_told_how_many_rows_at_most(name, parser):
    written, _ = compiled(name, parser)
    parsed = sqlglot.parse_one(written.replace("%s", "?"), read=parser)
    assert parsed.args.get("limit") is not None
    said = {"tsql": "TOP 7", "oracle": "FETCH FIRST 7 ROWS ONLY", "mysql": "LIMIT %s"}
    assert said[parser] in written


@pytest.mark.parametrize("parser", DIALECTS)
def test_every_name_is_quoted_and_is_the_one_that_was_mapped(parser):
    written, _ = compiled("records", parser)
    parsed = sqlglot.parse_one(written.replace("%s", "?"), read=parser)
    found = {each.this for each in parsed.find_all(expressions.Column)}
    assert {each.name for each in found} == set(TYPES)
    assert all(each.quoted for each in found)
    (place,) = parsed.find_all(expressions.Table)
    assert (place.db, place.name) == ("own.schema", "Contacts of 2024")


@pytest.mark.parametrize(
    ("parser", "written"),
    [
        ("tsql", "COLLATE Latin1_General_100_BIN2 IN"),
        ("oracle", "TO_CHAR("),
        ("mysql", "COLLATE utf8mb4_nopad_bin IN"),
    ],
)
def test_words_are_compared_letter_by_letter(parser, written):
    for name in NAMES:
        assert written in compiled(name, parser)[0]


def test_a_number_is_compared_as_text_alone_where_text_would_be_made_a_number():
    written, _ = compiled("records", "tsql")
    assert written.count("[Order] IN") == 1
    assert "AS NVARCHAR(4000)) COLLATE Latin1_General_100_BIN2 IN" in written
    assert '.[nhs "no"] IN' not in written
