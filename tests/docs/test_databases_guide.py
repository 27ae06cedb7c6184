"""The users of docs/databases.md are granted as written, and may read and no more."""

import re
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from adapters.sql import build
from tests.databases import asking
from tests.surroundings import in_folder

pytestmark = pytest.mark.parts

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "databases.md"
ON_POSTGRES, ON_MARIADB = re.findall(
    r"```sql\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL
)
TABLE = (
    "CREATE TABLE contacts (contact_id INT, patient_id VARCHAR(9), contact_date DATE)"
)
ROW = "INSERT INTO contacts VALUES (1, 'L-1', '2024-05-20')"
SOURCE = """
kind = "sql"
url = "{url}"
password = "env:WORD"
table = "contacts"
[mapping]
record_id = "contact_id"
kind = "community_contact"
start = "contact_date"
[[mapping.identifiers]]
column = "patient_id"
system = "urn:throughline:test:local"
"""


def statements(text):
    return [each for each in text.split(";\n") if each.strip()]


async def reads_and_no_more(folder, url):
    path = folder / "source.toml"
    path.write_text(SOURCE.format(url=url), "utf-8")
    adapter = build(path, replace(in_folder(folder), secret=lambda _: "change me"))
    try:
        answer = await adapter.ask(asking())
        assert [event.record_id for event in answer.events] == ["1"]
        rights = await adapter.rights()
        assert (rights.may_write, rights.is_read_only) == (False, True)
    finally:
        await adapter.aclose()


async def test_a_user_of_postgresql_as_granted_there_is_enough(postgres, tmp_path):
    owner = await asyncpg.connect(postgres.url)
    try:
        for each in ("DROP TABLE IF EXISTS contacts", TABLE, ROW):
            await owner.execute(each)
        for each in statements(ON_POSTGRES):
            await owner.execute(each)
        url = postgres.url.replace("throughline@", "reader@")
        await reads_and_no_more(tmp_path, url)
    finally:
        await owner.execute("DROP TABLE IF EXISTS contacts")
        await owner.execute("DROP OWNED BY reader; DROP ROLE reader")
        await owner.close()


async def test_a_user_of_mariadb_as_granted_there_is_enough(mariadb, tmp_path):
    granted = ON_MARIADB.replace("reader@", "guide@")  # another has the name already
    async with mariadb.connected() as owner:
        await owner.run("CREATE DATABASE community", "USE community", TABLE, ROW)
        try:
            await owner.run(*statements(granted))
            url = f"mariadb://guide@127.0.0.1:{mariadb.port}/community"
            await reads_and_no_more(tmp_path, url)
        finally:
            await owner.run("DROP DATABASE community", "DROP USER IF EXISTS guide@'%'")
