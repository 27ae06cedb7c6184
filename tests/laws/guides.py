"""Every setting and every error code is named in a guide."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import name_of


def unnamed(root: Path) -> list[str]:
    """Settings and error codes that no guide of docs/ names in backticks."""
    named = _named(root)
    return [
        f"{what} {name}: no guide names it. Add it to docs/{guide}."
        for what, guide, names in [
            ("setting", "settings.md", settings(root)),
            ("error code", "errors.md", codes(root)),
        ]
        for name in names
        if name not in named
    ]


def codes(root: Path) -> list[str]:
    """The keys of PROBLEMS, as written."""
    tree = ast.parse((root / "gateway/problems.py").read_text("utf-8"))
    for node in tree.body:
        match node:
            case ast.AnnAssign(
                target=ast.Name(id="PROBLEMS"), value=ast.Dict(keys=keys)
            ):
                return [str(k.value) for k in keys if isinstance(k, ast.Constant)]
            case _:
                continue
    return []


def settings(root: Path) -> list[str]:
    """The fields of every settings class, under the names they have in the file."""
    tree = ast.parse((root / "gateway/settings.py").read_text("utf-8"))
    return sorted({name for node in tree.body for name in _fields(node)})


def _fields(node: ast.stmt) -> Iterator[str]:
    if not (
        isinstance(node, ast.ClassDef)
        and any(name_of(base) == "Settings" for base in node.bases)
    ):
        return
    for field in node.body:
        match field:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                # Tables of the file are headings; `class_` is `class` in the file.
                yield name.rstrip("_")
            case _:
                continue


def _named(root: Path) -> set[str]:
    named: set[str] = set()
    for guide in (root / "docs").rglob("*.md"):
        for quoted in re.findall(r"`([^`\n]+)`", guide.read_text("utf-8")):
            named |= set(re.findall(r"[\w-]+", quoted))
    return named
