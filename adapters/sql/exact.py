"""A column as text that equals another only where each character is the same.

Most servers take upper and lower case for one, and leave spaces at the end out of it.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, FunctionElement, String
from sqlalchemy.ext.compiler import compiles

_WRITTEN: Final = {
    "mysql": "CONVERT({} USING utf8mb4) COLLATE utf8mb4_nopad_bin",
    "mariadb": "CONVERT({} USING utf8mb4) COLLATE utf8mb4_nopad_bin",
    "mssql": "CAST({} AS NVARCHAR(4000)) COLLATE Latin1_General_100_BIN2",
    "oracle": "TO_CHAR({})",
}


class _Exact(FunctionElement[str]):
    name = "exact"
    type = String()
    inherit_cache = True


def exact(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The column as text, compared character by character."""
    return _Exact(column)


@compiles(_Exact)
def _written(element: _Exact, compiler: Any, **more: Any) -> str:  # noqa: ANN401 - as SQLAlchemy calls it
    own = compiler.process(element.clauses, **more)
    known = _WRITTEN.get(compiler.dialect.name, "CAST({} AS VARCHAR)")
    return known.format(own)
