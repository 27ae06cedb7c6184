"""What no file of the project may say: one machine's paths, a registry's hosts."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.laws.layout import FOLDERS

FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.])/(?:home|Users|root|work|mnt)/[A-Za-z]\w*"
    ),
    "a host of a package registry": re.compile(
        r"(?:pypi|pythonhosted|npmjs|crates|rubygems)\.(?:org|io|com)\b"
    ),
    "an index chosen for everybody": re.compile(
        r"--(?:(?:extra-)?index-url|trusted-host)\b"
    ),
}
# The words of a licence are not ours to choose; a lock is made of digests.
TEXT = frozenset({"", ".py", ".md", ".toml", ".lock", ".yaml", ".yml", ".json", ".txt"})


def forbidden(root: Path) -> list[str]:
    """Lines that hold a forbidden word, by place; the word is not repeated."""
    return [
        f"{path.relative_to(root)}:{number}: {what}. Remove it."
        for path in _files(root)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]


def _files(root: Path) -> Iterator[Path]:
    inside = [p for folder in sorted(FOLDERS) for p in (root / folder).rglob("*")]
    for path in sorted([*root.iterdir(), *inside]):
        made = "__pycache__" in path.parts or path.name.startswith(".coverage")
        if path.is_file() and path.suffix in TEXT and not made:
            yield path
