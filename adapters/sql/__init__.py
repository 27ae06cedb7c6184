"""The kind `sql`: a mapped table, view or query of SQLite or PostgreSQL."""

from adapters.sql.adapter import Sql
from adapters.sql.build import build

__all__ = ["Sql", "build"]
