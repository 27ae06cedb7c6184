"""What a store can raise. The drivers' own come through while connecting."""

import sqlite3
from typing import Final

import asyncpg
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

FAILURES: Final = (
    SQLAlchemyError,
    CommandError,  # tables of a later version than this
    OSError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
