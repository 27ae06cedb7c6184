"""A stranger finds things where the design says they are."""

from pathlib import Path

FOLDERS = frozenset(
    {
        *("gateway", "adapters", "policies", "openapi", "tests", "docs"),
        *("examples", "bench", ".ci"),
    }
)
TEST_FOLDERS = frozenset(
    {
        *("unit", "spec", "conformance", "generative", "faults", "integration"),
        *("browser", "docs"),
        *("laws", "parts"),  # what tests are made of
    }
)
VAGUE = frozenset(
    {
        "utils",
        "util",
        "helpers",
        "helper",
        "common",
        "manager",
        "base",
        "misc",
        "shared",
    }
)
# Made by tools, and kept out of the repository by .gitignore.
MADE = frozenset({".git", ".venv", "dist", "var", "__pycache__"})


def misplaced(root: Path) -> list[str]:
    """Folders of no place in the layout, and files with names that say nothing."""
    found = [
        f"{path.name}/: has no place in the layout."
        for path in _folders(root)
        if path.name not in FOLDERS | MADE
        and not path.name.endswith("_cache")
        and not path.name.startswith((".hypothesis", ".coverage"))
        and path.suffix != ".egg-info"
    ]
    found += [
        f"tests/{path.name}/: tests are sorted by the confidence they give."
        for path in _folders(root / "tests")
        if path.name not in TEST_FOLDERS | MADE
    ]
    found += [
        f"{path.relative_to(root)}: says nothing. Name what it holds."
        for folder in sorted(FOLDERS)
        for path in sorted((root / folder).rglob("*"))
        if path.stem in VAGUE and path.suffix in {"", ".py"}
    ]
    return found


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir())
