"""What the source file of a CSV drop may say."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from adapters.mapping import MappingSpec
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
    newest: Literal["modified", "name"] = "modified"
    manifest: Annotated[str, Field(min_length=1)] | None = None
    settle_s: Annotated[float, Field(ge=0, le=3600)] = 2.0
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
