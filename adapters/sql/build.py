"""A database adapter from its source file. Nothing is opened before it is asked."""

from pathlib import Path

from adapters import tuples
from adapters.source_file import fingerprint, read, wrong
from adapters.sql.adapter import Own, Sql, SqlPlace
from adapters.sql.bulk import SqlTable
from adapters.sql.bulk_blocks import reads_of
from adapters.sql.engine import Database, Place
from adapters.sql.settings import SqlFile
from adapters.surroundings import Surroundings


def build(path: Path, surroundings: Surroundings) -> Sql:
    """The adapter a source file of kind `sql` asks for.

    ConfigurationError if the file is wrong. A database that cannot be reached, or
    lacks a mapped column, is found out when asked.
    """
    settings = read(path, SqlFile)
    password = surroundings.secret(settings.password) if settings.password else None
    place = Place(
        settings=settings,
        folder=path.parent,
        password=password,
        limits=surroundings.limits,
    )
    own = Own(
        database=_opened(path, place),
        settings=settings,
        fingerprint=fingerprint(path),
        surroundings=surroundings,
    )
    if settings.relation is None:
        return Sql(own)  # it asks for one person
    if not tuples.is_possible():
        return SqlPlace(own)  # Arrow is of the extra `population`
    return SqlTable(own, reads=reads_of(place))


def _opened(path: Path, place: Place) -> Database:
    try:
        return Database.of(place)
    except OSError:  # ssl.SSLError is one
        message = "cannot be read as a certificate. Correct the path or the file."
        raise wrong(path, ("ca_file",), message) from None
