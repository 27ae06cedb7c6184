"""A database adapter from its source file. Nothing is opened before it is asked."""

from pathlib import Path

from adapters.source_file import fingerprint, read
from adapters.sql.adapter import Sql
from adapters.sql.engine import Database
from adapters.sql.settings import SqlFile
from adapters.surroundings import Surroundings


def build(path: Path, surroundings: Surroundings) -> Sql:
    """The adapter a source file of kind `sql` asks for.

    ConfigurationError if the file is wrong. A database that cannot be reached, or
    lacks a mapped column, is found out when asked.
    """
    settings = read(path, SqlFile)
    password = surroundings.secret(settings.password) if settings.password else None
    database = Database.of(
        settings, folder=path.parent, password=password, limits=surroundings.limits
    )
    return Sql(
        database=database,
        settings=settings,
        fingerprint=fingerprint(path),
        surroundings=surroundings,
    )
