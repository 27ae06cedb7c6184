"""Sources are asked in one place only."""

import ast
from pathlib import Path

from tests.laws.tree import PRODUCT, modules

ASKER = Path("gateway/journey/ask.py")
# Asks adapters on behalf of their authors, before any of them is a source.
SUITE = Path("adapters/conformance")


def asked_elsewhere(root: Path) -> list[str]:
    """Calls and references of `.ask` outside the fan-out."""
    return [
        f"{module.at(node)}: asks a source. Only {ASKER} may."
        for module in modules(root, *PRODUCT)
        if module.path != ASKER and SUITE not in module.path.parents
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr == "ask"
    ]
