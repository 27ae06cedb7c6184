"""What the user we ask as may do, and whether the database holds us to reading."""

import re
from typing import Final

from sqlalchemy import Connection, text

from adapters.contract import Rights

_GRANTED: Final = re.compile(r"GRANT (.+?) ON ", re.IGNORECASE)
_OF_COLUMNS: Final = re.compile(r"\([^)]*\)")
_READING: Final = frozenset(
    {"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROCESS", "REPLICATION CLIENT"}
)
_WRITABLE: Final = text(
    "SELECT EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname <> 'information_schema'"
    " AND nspname NOT LIKE 'pg\\_%'"
    " AND has_table_privilege(pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))"
)


def rights(connection: Connection) -> Rights:
    """What the database says of our user and of this connection."""
    match connection.dialect.name:
        case "postgresql":
            held = connection.scalar(text("SHOW default_transaction_read_only"))
            return Rights(
                may_write=bool(connection.scalar(_WRITABLE)), is_read_only=held == "on"
            )
        case "mariadb" | "mysql":
            granted = connection.scalars(text("SHOW GRANTS")).all()
            held = connection.scalar(text("SELECT @@tx_read_only"))
            return Rights(
                may_write=any(map(_lets_write, granted)), is_read_only=int(held) == 1
            )
        case _:
            # A SQLite file has no users. It is opened for reading; that this file
            # could be written to says nothing of what is asked of it.
            return Rights(may_write=False, is_read_only=True)


def _lets_write(grant: str) -> bool:
    """Whether a line of SHOW GRANTS gives more than reading."""
    found = _GRANTED.match(grant)
    if found is None:
        return False  # a role, whose own grants stand beside it
    words = _OF_COLUMNS.sub("", found[1]).split(",")
    return not {word.strip().upper() for word in words} <= _READING
