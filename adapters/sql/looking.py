"""The reader of a table, made by looking at it, and made anew when it changed."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from adapters.errors import Unavailable
from adapters.mapping import Mapping
from adapters.sql.engine import Database
from adapters.sql.faults import DRIVER_ERRORS
from adapters.sql.reading import Bounds, QueryReader, Reader, TableReader
from adapters.sql.relation import Relation
from adapters.sql.settings import SqlFile
from adapters.sql.stored import Families, changed

_AGAIN_S: Final = 60.0  # a table may change its columns' types without a word
_DOUBT_S: Final = 1.0  # so soon it is looked at again where rows could not be read


@dataclass(slots=True, kw_only=True)
class Looking:
    """Gives the reader; many first questions look once."""

    database: Database
    settings: SqlFile
    mapping: Mapping
    bounds: Bounds
    reader: Reader | None = None
    looked_at: float = -math.inf
    families: Families | None = None  # as they were when first looked at
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def found(self) -> Reader:
        """The reader. Unreadable `schema` naming a column that is gone or changed."""
        if self.reader is not None and not self._is_older_than(_AGAIN_S):
            return self.reader
        async with self._lock:
            if self.reader is None or self._is_older_than(_AGAIN_S):
                self.reader = await self._made_or(self.reader)
                self.looked_at = time.monotonic()
            return self.reader

    def forget(self) -> None:
        """Look again before the next question."""
        self.reader = None

    async def doubt(self) -> None:
        """Some row could not be read: look whether the table itself changed."""
        if self._is_older_than(_DOUBT_S):
            self.looked_at = -math.inf
            await self.found()

    def _is_older_than(self, most_s: float) -> bool:
        return time.monotonic() - self.looked_at > most_s

    async def _made_or(self, before: Reader | None) -> Reader:
        """A reader made now; where nothing can be looked at just now, the one before.

        The question itself may yet be answered: it has other sessions than this look.
        """
        try:
            return await self._made()
        except (Unavailable, *DRIVER_ERRORS):
            if before is None:
                raise
            return before

    async def _made(self) -> Reader:
        if self.settings.query is not None:
            return self.reader or QueryReader.of(
                self.settings,
                self.mapping,
                self.bounds,
                direct=self.database.is_direct,
            )
        return TableReader(
            relation=await self.relation(), mapping=self.mapping, bounds=self.bounds
        )

    async def relation(self) -> Relation:
        """The table or view as it is now, if it holds what it held."""

        def look(connection: Connection) -> Relation:
            name = self.settings.relation or ""
            return Relation.found(connection, self.settings.mapping, name=name)

        found = await self.database.look(look)
        if self.families is None:
            self.families = found.families
        elif (error := changed(found.spec, self.families, found.families)) is not None:
            raise error
        return found
