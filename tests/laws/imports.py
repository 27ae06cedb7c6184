"""Deciding needs the standard library alone."""

import ast
import sys
from pathlib import Path

from tests.laws.tree import modules

ALLOWED = sys.stdlib_module_names | {"policies"}


def foreign_to_policies(root: Path) -> list[str]:
    """Imports of `policies` from outside it and the standard library."""
    return [
        f"{module.at(node)}: policies imports {name}. Keep it in the gateway."
        for module in modules(root, "policies")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _imported(node)
        if name.split(".")[0] not in ALLOWED
    ]


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [node.module or ""]
