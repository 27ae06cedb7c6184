"""Every kind of adapter passes the shipped suite."""

import ast
from pathlib import Path

from tests.laws.tree import modules, name_of


def kinds(root: Path) -> list[str]:
    """The keys of KINDS in the registry, as written there."""
    tree = ast.parse((root / "adapters/registry.py").read_text("utf-8"))
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="KINDS"), value=ast.Dict(keys=keys)):
                return [str(k.value) for k in keys if isinstance(k, ast.Constant)]
            case _:
                continue
    return []


def untested(root: Path) -> list[str]:
    """Kinds without a class of the suite in tests/conformance."""
    kept = {
        module.path.stem.removeprefix("test_")
        for module in modules(root, "tests/conformance")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and any(name_of(base) == "AdapterContract" for base in node.bases)
    }
    return [
        f"{kind}: no conformance class. Write tests/conformance/test_{kind}.py."
        for kind in [*kinds(root), "memory"]
        if kind not in kept
    ]
