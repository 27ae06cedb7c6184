"""The kind `sql`: a mapped table, view or query of SQLite or PostgreSQL."""

from adapters.sql.adapter import Sql, SqlPlace
from adapters.sql.build import build

__all__ = ["Sql", "SqlPlace", "build"]
