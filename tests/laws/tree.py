"""A tree of source files, parsed: what every law of the house reads.

A law is a function of a tree's root that returns its complaints, each with place
and remedy, so that a copy with a seeded fault can be held to it too.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGES: Final = ("gateway", "adapters", "policies")
PRODUCT: Final = (*PACKAGES, "examples", "bench")
EVERYTHING: Final = (*PRODUCT, "tests")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One file of Python, by its path from the root."""

    path: Path
    text: str
    tree: ast.Module

    def at(self, node: ast.expr | ast.stmt) -> str:
        """Where a node stands, as an editor understands it."""
        return f"{self.path}:{node.lineno}"

    @property
    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


def modules(root: Path, *folders: str) -> Iterator[Module]:
    """The Python files of these folders, in the order of their paths."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            yield Module(path.relative_to(root), text, ast.parse(text))


def name_of(node: ast.expr) -> str:
    """`asked` of `asked` and of `case.asked`; empty for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
