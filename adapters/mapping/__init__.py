"""One mapping format for CSV drops and databases: `docs/mapping.md` shows it whole."""

from adapters.mapping.answering import Found, Source, answer
from adapters.mapping.cells import Column, Layout, Row, TimeCell
from adapters.mapping.columns import Place, looks_foreign, missing, named, not_there
from adapters.mapping.columnwise import (
    Checked,
    Columnwise,
    Table,
    texts,
    values_of,
)
from adapters.mapping.compiled import (
    Indexed,
    Mapping,
    Read,
    RecordId,
    Rejected,
    layout_of,
)
from adapters.mapping.likenesses import candidates, written_days
from adapters.mapping.people import NameColumn
from adapters.mapping.specification import MappingSpec, Time

__all__ = [
    "Checked",
    "Column",
    "Columnwise",
    "Found",
    "Indexed",
    "Layout",
    "Mapping",
    "MappingSpec",
    "NameColumn",
    "Place",
    "Read",
    "RecordId",
    "Rejected",
    "Row",
    "Source",
    "Table",
    "Time",
    "TimeCell",
    "answer",
    "candidates",
    "layout_of",
    "looks_foreign",
    "missing",
    "named",
    "not_there",
    "texts",
    "values_of",
    "written_days",
]
