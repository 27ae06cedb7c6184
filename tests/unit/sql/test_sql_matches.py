"""Whom a table describes as born on a day, and what of its rows is told."""

import contextlib
import sqlite3

import pytest

from adapters import nhs_number
from adapters.contract import Candidate, Identifier, Matches, Person
from adapters.errors import Unreadable
from adapters.mapping import written_days
from adapters.mapping.time_format import TimeFormat
from adapters.sql import build
from tests import registers
from tests.people import LOCAL, number
from tests.surroundings import in_folder

DAY = "1956-03-04"


def born(text):
    return Person(birth_date=registers.moment(text))


def row(nth, **told):
    plain = {
        "id": f"r-{nth}",
        "seen": "2026-01-05",
        "mrn": "K-1",
        "nhs": None,
        "name": "Ann Marham",
        "born": DAY,
        "sex": "female",
        "pcd": "QZ1 4AB",
        "flag": None,
    }
    return tuple((plain | told).values())


@contextlib.asynccontextmanager
async def opened(folder, *rows, dates="iso"):
    style = registers.Style(dates=dates)
    async with registers.open_sqlite(folder, (), LOCAL, style=style) as adapter:
        with contextlib.closing(sqlite3.connect(folder / "people.db")) as store, store:
            marks = ", ".join("?" * len(registers.COLUMNS))
            statement = f"INSERT INTO people VALUES ({marks})"  # noqa: S608 - marks only
            store.executemany(statement, rows)
        yield adapter


async def told(folder, *rows, limit=5):
    async with opened(folder, *rows) as adapter:
        return await adapter.match(born(DAY), limit=limit)


def key(value="K-1"):
    return Identifier(LOCAL, value)


async def test_many_rows_of_one_person_are_one_candidate(tmp_path):
    (only,) = await told(tmp_path, *(row(nth) for nth in range(50)))
    assert isinstance(only, Candidate)
    assert only.person.identifiers == {key()}
    assert (only.person.name, only.person.gender) == ("Ann Marham", "female")


async def test_what_rows_of_one_person_contradict_each_other_in_is_left_out(tmp_path):
    (only,) = await told(
        tmp_path, row(1), row(2, pcd="QZ9 9ZZ"), row(3, name=None), row(4, sex="male")
    )
    person = only.person
    assert (person.name, person.gender, person.postcode) == ("Ann Marham", None, None)


async def test_every_number_that_stands_beside_a_key_is_told(tmp_path):
    (only,) = await told(
        tmp_path, row(1, nhs=number(0)), row(2, nhs=number(1)), row(3, nhs="9990000000")
    )
    told_numbers = {i.value for i in only.person.identifiers - {key()}}
    assert told_numbers == {number(0), number(1)}
    assert {i.system for i in only.person.identifiers} == {LOCAL, nhs_number.SYSTEM}


async def test_rows_that_name_nobody_are_each_somebody(tmp_path):
    found = await told(tmp_path, row(1, mrn=None), row(2, mrn=None, sex="male"))
    assert [each.person.identifiers for each in found] == [frozenset()] * 2


async def test_what_a_source_states_of_a_candidate_is_told(tmp_path):
    (only,) = await told(tmp_path, row(1), row(2, flag="R"))
    assert [(e.flag, e.present) for e in only.flags] == [("sensitive-record", True)]
    (other,) = await told(tmp_path / "plain", row(1))
    assert [each.present for each in other.flags] == [False]


async def test_a_cell_that_only_looks_like_the_day_is_of_another(tmp_path):
    assert await told(tmp_path, row(1, born="1956-03"), row(2, born="04/03/1956")) == ()


async def test_a_cell_that_another_format_reads_otherwise_is_of_another_day(tmp_path):
    both = '%d/%m/%Y", "%m/%d/%Y'
    cells = (row(1, born="03/04/1956"), row(2, mrn="K-2", born="04/03/1956"))
    async with opened(tmp_path, *cells, dates=both) as adapter:
        (only,) = await adapter.match(born(DAY), limit=5)
    assert only.person.identifiers == {key("K-2")}


async def test_so_many_ways_to_describe_so_few_are_too_many_to_tell_apart(tmp_path):
    many = [row(nth, name=f"Ann Marham {chr(97 + nth)}") for nth in range(20)]
    with pytest.raises(Unreadable) as caught:
        await told(tmp_path, *many, limit=2)
    assert caught.value.reason == "too_large"


async def test_more_people_than_the_limit_are_one_more(tmp_path):
    many = [row(nth, mrn=f"K-{nth}") for nth in range(90)]
    assert len(await told(tmp_path, *many, limit=2)) == 3


async def test_a_mapping_without_a_column_of_birth_tells_nobody(tmp_path):
    async with opened(tmp_path, row(1)):
        path = tmp_path / "people.toml"
        kept = [e for e in path.read_text().splitlines() if "birth_date" not in e]
        path.write_text("\n".join(kept))
        adapter = build(path, in_folder(tmp_path))
        assert isinstance(adapter, Matches)
        assert await adapter.match(born(DAY), limit=5) == ()
        await adapter.aclose()


async def test_a_written_query_cannot_be_asked_whom_it_holds(tmp_path):
    async with opened(tmp_path, row(1)) as table:
        path = tmp_path / "people.toml"
        query = 'query = "SELECT * FROM people WHERE mrn = :value"'
        text = path.read_text().replace('table = "people"', query)
        path.write_text(text.replace(query, f'{query}\nvalue = "{LOCAL}"'))
        adapter = build(path, in_folder(tmp_path))
        assert isinstance(table, Matches)
        assert not isinstance(adapter, Matches)
        await adapter.aclose()


async def test_a_column_that_is_gone_is_named(tmp_path):
    async with opened(tmp_path, row(1)) as adapter:
        await adapter.match(born(DAY), limit=5)
        with contextlib.closing(sqlite3.connect(tmp_path / "people.db")) as store:
            store.execute("ALTER TABLE people RENAME COLUMN born TO birth")
        with pytest.raises(Unreadable) as caught:
            await adapter.match(born(DAY), limit=5)
    assert caught.value.reason == "schema"


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("iso", "1956-03-04"),
        ("iso", "1956-03-04T00:00:00"),
        ("%d/%m/%Y", "04/03/1956"),
        ("%d/%m/%Y", "4/3/1956"),
        ("%Y%m%d", "19560304"),
        ("%d-%b-%Y", "04-MAR-1956"),
        ("%d %B %Y", "4 March 1956"),
        ("%d/%m/%Y %H:%M:%S", "04/03/1956 00:00:00"),
    ],
)
def test_a_day_is_looked_for_as_its_cells_may_write_it(written, cell):
    form = TimeFormat.read(written)
    days = written_days(born(DAY).birth_date.at.date(), [form])
    assert cell in days
    assert form.parse(cell, born(DAY).birth_date.at.tzinfo) is not None


def test_a_format_that_tells_no_day_is_not_looked_for():
    formats = [TimeFormat.read("%Y"), TimeFormat.read("%m/%Y")]
    assert written_days(born(DAY).birth_date.at.date(), formats) == ()
