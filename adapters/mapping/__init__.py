"""One mapping format for CSV drops and databases: `docs/mapping.md` shows it whole."""

from adapters.mapping.answering import Found, Source, answer
from adapters.mapping.cells import Row
from adapters.mapping.columns import looks_foreign, missing, named, not_there
from adapters.mapping.columnwise import Columnwise, Table
from adapters.mapping.compiled import Indexed, Mapping, Read, Rejected
from adapters.mapping.specification import MappingSpec

__all__ = [
    "Columnwise",
    "Found",
    "Indexed",
    "Mapping",
    "MappingSpec",
    "Read",
    "Rejected",
    "Row",
    "Source",
    "Table",
    "answer",
    "looks_foreign",
    "missing",
    "named",
    "not_there",
]
