"""What the source file of a CSV drop may say."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from adapters.arrivals import ArrivalSettings, Directory
from adapters.csv_drop.rules import Drops
from adapters.mapping import MappingSpec, Place, named
from adapters.source_file import Settings

_ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".tar")


class DropFile(Settings):
    """A directory of drops, how their files are written, and what they mean."""

    kind: Literal["csv_drop"]
    directory: Path
    pattern: Annotated[str, Field(min_length=1)] = "*.csv"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(max_length=1)] = '"'
    header: bool = True
    columns: tuple[str, ...] = ()
    encoding: Literal["utf-8", "cp1252"] = "utf-8"
    mode: Literal["replace", "append"] = "replace"
    newest: Literal["modified", "name"] | None = None  # None: "modified"
    manifest: Annotated[str, Field(min_length=1)] | None = None
    settle_s: Annotated[float, Field(ge=0, le=3600)] = 2.0
    arrival: ArrivalSettings = Directory()
    drops: Drops = Drops()
    mapping: MappingSpec

    @field_validator("pattern", "manifest")
    @classmethod
    def _inside(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        if "/" in pattern or "\\" in pattern or pattern in {".", ".."}:
            message = "names files in the directory itself; take the path out."
            raise ValueError(message)
        if pattern.lower().endswith(_ARCHIVES):
            message = "names archives, which are not opened. Unpack them first."
            raise ValueError(message)
        return pattern

    @field_validator("delimiter")
    @classmethod
    def _divides(cls, delimiter: str) -> str:
        if delimiter in '\r\n\0"':
            message = 'cannot divide cells. Use one such as ",", "|" or "\\t".'
            raise ValueError(message)
        return delimiter

    @field_validator("drops")
    @classmethod
    def _of_one_mind(cls, drops: Drops, other: ValidationInfo) -> Drops:
        cls._inside(drops.deletions)
        if drops.deletions is not None and other.data.get("mode") == "replace":
            message = 'deletions are lists beside other files: say mode = "append".'
            raise ValueError(message)
        if drops.order is not None and other.data.get("manifest") is None:
            message = 'order = "manifest" needs manifest = "…", the names of those.'
            raise ValueError(message)
        if drops.is_ordered and other.data.get("newest") is not None:
            message = "newest is what drops say themselves here; take newest out."
            raise ValueError(message)
        return drops

    @model_validator(mode="after")
    def _named_columns(self) -> Self:
        if self.header == bool(self.columns):
            message = (
                "a file with a header names its own columns; one without needs "
                'header = false and columns = ["…"]'
            )
            raise ValueError(message)
        if self.quote == self.delimiter:
            message = "the quote and the delimiter must differ."
            raise ValueError(message)
        return self

    def takes(self, name: str) -> bool:
        """Whether a file of this name is a drop, or a list of deletions."""
        return fnmatch.fnmatchcase(name, self.pattern) or self.deletes(name)

    def deletes(self, name: str) -> bool:
        """Whether a file of this name is a list of deletions."""
        deletions = self.drops.deletions
        return deletions is not None and fnmatch.fnmatchcase(name, deletions)

    def promises(self, name: str) -> bool:
        """Whether a file of this name is a manifest."""
        return self.manifest is not None and fnmatch.fnmatchcase(name, self.manifest)

    def gone(
        self, columns: Sequence[str], *, deletes: bool = False
    ) -> tuple[tuple[Place, str], ...]:
        """Each column that a file needs and has not, or has twice, with its key."""
        needed = [*named(self.mapping), *self.drops.columns]
        if deletes:
            needed = [(("mapping", "record_id"), c) for c in self.mapping.record_id]
        return tuple(
            (at, column) for at, column in needed if columns.count(column) != 1
        )
