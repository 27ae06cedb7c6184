"""The kinds of adapter: ours, and those others install.

A kind is a function that builds an adapter from its source file. Others are found
in the entry-point group `throughline.adapters`.
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from adapters import csv_drop, fhir, hl7v2, site, sql
from adapters.contract import Adapter
from adapters.errors import ConfigurationError
from adapters.source_file import kind_of
from adapters.surroundings import Surroundings

Build = Callable[[Path, Surroundings], Adapter]

KINDS: Final[dict[str, Build]] = {
    "fhir": fhir.build,
    "csv_drop": csv_drop.build,
    "hl7v2": hl7v2.build,
    "site": site.build,
    "sql": sql.build,
}


def open_source(path: Path, surroundings: Surroundings) -> Adapter:
    """The adapter that a source file asks for, validated, not yet connected.

    ConfigurationError, naming file, line, key and remedy, if the file is wrong.
    A source that cannot be reached is not an error here: it is found out when
    asked, and asked again next time.
    """
    kind = kind_of(path)
    build = KINDS.get(kind) or _installed(kind)
    if build is None:
        known = ", ".join(sorted(KINDS))
        message = f"unknown kind of source. Use one of {known}."
        raise ConfigurationError(message, file=str(path), key="kind")
    return build(path, surroundings)


def _installed(kind: str) -> Build | None:
    for found in entry_points(group="throughline.adapters", name=kind):
        build: Build = found.load()
        return build
    return None
