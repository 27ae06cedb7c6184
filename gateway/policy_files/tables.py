"""Tables of questions, as YAML or CSV: every row with the place where it stands."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from adapters.errors import ConfigurationError
from gateway.policy_files.marked import Marked, key_of, read_marked
from policies.errors import Invalid
from policies.reading import Node

_BYTES: Final = 1024 * 1024
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a row stands, for people to find it."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One row of a CSV file, by its columns; what is empty is left out."""

    node: Node
    place: Place
    head: int  # the line of the columns' names

    def wrong(self, error: Invalid) -> ConfigurationError:
        """The same error with file, line and column."""
        # Of a column that is unknown no row is to blame.
        is_of_the_head = error.code == "unknown" and not error.pointer
        return ConfigurationError(
            error.message,
            file=self.place.file,
            line=self.head if is_of_the_head else self.place.line,
            key=f"column {key_of(error)}",
        )


def read_rows(
    path: Path, key: str, read: Callable[[Node, Place], _Row]
) -> tuple[_Row, ...]:
    """What is read of each row of a table: CSV by its suffix, else YAML under `key`.

    ConfigurationError, with file, line, column and remedy, for the first that is
    wrong, and for a table without rows.
    """
    rows = _csv_rows if path.suffix.casefold() == ".csv" else _yaml_rows
    found = tuple(rows(path, key, read))
    if not found:
        message = "holds no rows, so it would prove nothing. Add one."
        raise ConfigurationError(message, file=str(path))
    return found


def _yaml_rows(
    path: Path, key: str, read: Callable[[Node, Place], _Row]
) -> Iterator[_Row]:
    for marked in read_marked(path):
        try:
            root = Node(marked.data, path.name)
            entries = root.fields(required=(key,))[key].entries()
            for each in entries:
                yield read(each, _placed(marked, each))
        except Invalid as error:
            raise marked.wrong(error) from None


def _placed(marked: Marked, node: Node) -> Place:
    return Place(file=str(marked.path), line=marked.line_of(node.pointer))


def _csv_rows(
    path: Path, _key: str, read: Callable[[Node, Place], _Row]
) -> Iterator[_Row]:
    for line in _csv_lines(path):
        try:
            yield read(line.node, line.place)
        except Invalid as error:
            raise line.wrong(error) from None


def _csv_lines(path: Path) -> Iterator[_Line]:
    reader = csv.reader(_text_of(path).splitlines(keepends=True), strict=True)
    columns: list[str] = []
    begins = head = 1
    while (cells := _next(reader, path)) is not None:
        line, begins = begins, reader.line_num + 1
        if not any(each.strip() for each in cells):
            continue
        if not columns:
            columns, head = _columns(cells, path, line), line
            continue
        if len(cells) != len(columns):
            message = (
                f"has {len(cells)} cells, and the first line {len(columns)}. "
                "Correct the row; quote a cell that holds a comma."
            )
            raise ConfigurationError(message, file=str(path), line=line)
        pairs = zip(columns, (each.strip() for each in cells), strict=True)
        said = {column: cell for column, cell in pairs if cell}
        place = Place(file=str(path), line=line)
        yield _Line(node=Node(said, path.name), place=place, head=head)


def _next(reader: Iterator[Sequence[str]], path: Path) -> Sequence[str] | None:
    try:
        return next(reader, None)
    except csv.Error:
        message = "is not CSV. Close its quotes; part its cells with commas."
        line = getattr(reader, "line_num", None)
        raise ConfigurationError(message, file=str(path), line=line) from None


def _columns(cells: Sequence[str], path: Path, line: int) -> list[str]:
    columns = [each.strip() for each in cells]
    for place, name in enumerate(columns):
        if not name or name in columns[:place]:
            problem = "is there twice" if name else "has no name"
            message = f"column {place + 1} {problem}. Rename or remove it."
            raise ConfigurationError(message, file=str(path), line=line)
    return columns


def _text_of(path: Path) -> str:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        message = "cannot be read as UTF-8. Correct the path, or save it as UTF-8."
        raise ConfigurationError(message, file=str(path)) from None
    if len(data) > _BYTES:
        message = "is larger than 1 MiB. Split it."
        raise ConfigurationError(message, file=str(path))
    return text
