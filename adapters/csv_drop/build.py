"""A CSV drop adapter from its source file, checked against the drop if one is there."""

from pathlib import Path

from adapters.csv_drop.adapter import CsvDrop
from adapters.csv_drop.directory import look, open_drop
from adapters.csv_drop.records import Record, Writing, records
from adapters.csv_drop.settings import DropFile
from adapters.errors import AdapterError
from adapters.mapping import looks_foreign, not_there
from adapters.source_file import fingerprint, read, wrong
from adapters.surroundings import Surroundings


def build(path: Path, surroundings: Surroundings) -> CsvDrop:
    """The adapter a source file of kind `csv_drop` asks for.

    ConfigurationError if the file is wrong, or names a column that neither its own
    list nor the drop now lying there has. A directory that is missing, or a drop
    that cannot be read, is found out when asked.
    """
    settings = read(path, DropFile)
    root = path.parent / settings.directory
    columns = list(settings.columns) or _header(root, settings, surroundings)
    gone = settings.gone(columns) if columns else ()
    if gone and (settings.columns or not looks_foreign(settings.mapping, columns)):
        place, column = gone[0]
        raise wrong(path, place, not_there(column, columns))
    return CsvDrop(
        root=root,
        settings=settings,
        fingerprint=fingerprint(path),
        surroundings=surroundings,
    )


def _header(root: Path, settings: DropFile, surroundings: Surroundings) -> list[str]:
    """The header of the drop lying there; empty if there is none to be read."""
    writing = Writing(
        delimiter=settings.delimiter,
        quote=settings.quote,
        encoding=settings.encoding,
        field_bytes=surroundings.limits.csv_field_bytes,
    )
    try:
        found = look(root, settings).drops
        drop = next(each for each in reversed(found) if not settings.deletes(each.name))
        with open_drop(root, drop) as stream:
            first = next(records(stream, writing), None)
    except (AdapterError, StopIteration):
        return []
    return [c.strip() for c in first.cells] if isinstance(first, Record) else []
