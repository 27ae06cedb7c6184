"""The steps of the migrations make the very tables that the code has in mind."""

from sqlalchemy import inspect
from sqlmodel import SQLModel

from gateway.store import glass_tables, policy_tables, tables
from gateway.store.database import Database
from tests.trails import sqlite_url

MODELS = (tables, policy_tables, glass_tables)


def columns_of(table):
    return {each.name: (each.nullable, each.primary_key) for each in table.columns}


def migrated(connection):
    found = inspect(connection)
    return {
        name: {
            each["name"]: (each["nullable"], bool(each["primary_key"]))
            for each in found.get_columns(name)
        }
        for name in found.get_table_names()
        if name != "alembic_version"
    }


async def test_the_migrations_make_the_tables_of_the_models(tmp_path):
    database = Database(sqlite_url(tmp_path), busy_s=1)
    await database.migrate()
    made = await database.read(migrated)
    await database.aclose()
    meant = {name: columns_of(t) for name, t in SQLModel.metadata.tables.items()}
    assert all(module.__name__ for module in MODELS)
    assert made == meant
