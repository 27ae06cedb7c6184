"""YAML documents with the line of everything in them, so that a finding has a place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from adapters.errors import ConfigurationError
from gateway.policy.published import read_nodes, read_yaml
from policies.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """One document of a file: its data, every scalar as text, and where it stands.

    `lines` are counted from 1, by JSON pointer; "" is the document itself.
    """

    path: Path
    data: Mapping[str, object]
    lines: Mapping[str, int] = field(repr=False)

    def line_of(self, pointer: str) -> int:
        """The line of a pointer, or of what it would stand in."""
        while pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines[pointer]

    def wrong(self, error: Invalid) -> ConfigurationError:
        """The same error, of reading this very document, with file and line."""
        return ConfigurationError(
            error.message,
            file=str(self.path),
            key=key_of(error),
            line=self.line_of(error.pointer),
        )


def key_of(error: Invalid) -> str | None:
    """The path that an error of reading names, without the file's name before it."""
    _, _, path = error.place.partition(": ")
    return "".join(each if each.isprintable() else " " for each in path) or None


def read_marked(path: Path) -> list[Marked]:
    """The documents of a YAML or JSON file. ConfigurationError as `read_yaml`."""
    return [
        Marked(path=path, data=data, lines=dict(_lines(node)))
        for data, node in zip(read_yaml(path), read_nodes(path), strict=True)
    ]


def _lines(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """The line of every value by its pointer; in a mapping, the line of its key."""
    yield "", node.start_mark.line + 1
    left = [("", node)]
    while left:
        pointer, within = left.pop()
        for name, mark, held in _inside(within):
            place = f"{pointer}/{name}"
            yield place, mark.line + 1
            left.append((place, held))


def _inside(node: yaml.Node) -> Iterator[tuple[str, yaml.Mark, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, held in node.value:
            yield str(key.value), key.start_mark, held
    elif isinstance(node, yaml.SequenceNode):
        for place, held in enumerate(node.value):
            yield str(place), held.start_mark, held
