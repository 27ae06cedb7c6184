"""Fenced blocks of the guides, and what each asks of a test.

    ```console   `$ ` lines are run in order, one session a file; what follows a
                 command is its output, where `…` stands for anything
    ```python    run, one namespace a file
    ```toml      a source file (with `kind`) is built, a configuration (with
                 `environment`) is checked, anything else is parsed
    ```json, ```yaml   parsed;  ```text, ```mermaid, ```http   looked at

Nothing else may be fenced, but after a line `<!-- not run: why -->`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RUN: Final = frozenset({"console", "python", "toml", "json", "yaml"})
SHOWN: Final = frozenset({"text", "mermaid", "http", "diff"})
WAIVED: Final = re.compile(r"\s*<!-- not run: \S.{5,} -->\s*")
FENCE: Final = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w-]*).*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block: its language, its first line's number, its lines."""

    path: Path
    line: int
    language: str
    lines: tuple[str, ...]
    waived: bool = False

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command as typed, and the output the guide shows for it."""

    typed: str
    shown: tuple[str, ...]


def guides(root: Path) -> list[Path]:
    """Every Markdown file of the project, from the root."""
    found = [*root.glob("*.md")]
    for folder in ("docs", "examples", "bench", "openapi"):
        found += (root / folder).rglob("*.md")
    return sorted(path.relative_to(root) for path in found)


def blocks(root: Path, guide: Path) -> Iterator[Block]:
    """The fenced blocks of one guide."""
    lines = iter(enumerate((root / guide).read_text("utf-8").splitlines(), 1))
    before = ""
    for number, line in lines:
        if opened := FENCE.fullmatch(line):
            inside = _until(opened["fence"], lines, len(opened["indent"]))
            yield Block(
                path=guide,
                line=number,
                language=opened["language"],
                lines=inside,
                waived=WAIVED.fullmatch(before) is not None,
            )
        if line.strip():
            before = line


def _until(
    fence: str, lines: Iterator[tuple[int, str]], indent: int
) -> tuple[str, ...]:
    inside: list[str] = []
    for _, line in lines:
        if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            break
        inside.append(line[indent:])
    return tuple(inside)


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block; a line ending in a backslash goes on."""
    typed: list[str] = []
    shown: list[str] = []
    for line in block.lines:
        goes_on = bool(typed) and not shown and typed[-1].endswith("\\")
        if line.startswith("$ "):
            if typed:
                yield Command(typed="\n".join(typed), shown=tuple(shown))
            typed, shown = [line[2:]], []
        elif goes_on:
            typed.append(line)
        else:
            shown.append(line)
    if typed:
        yield Command(typed="\n".join(typed), shown=tuple(shown))


def unrunnable(root: Path) -> list[str]:
    """Blocks that no test runs and no reason excuses."""
    return [
        f"{block.place}: nothing runs a block of {block.language or 'no language'}. "
        "Use console, python, toml, json, yaml, text, mermaid or http, "
        "or say above it <!-- not run: why -->."
        for guide in guides(root)
        for block in blocks(root, guide)
        if block.language not in RUN | SHOWN and not block.waived
    ]


def matches(shown: tuple[str, ...], told: str) -> bool:
    """Whether what was told is what the guide shows; `…` stands for anything."""
    pattern = "\n".join(
        ".*".join(re.escape(part) for part in line.rstrip().split("…"))
        for line in shown
    )
    found = "\n".join(line.rstrip() for line in told.splitlines())
    return re.fullmatch(pattern.strip(), found.strip(), flags=re.DOTALL) is not None


def links(text: str) -> list[str]:
    """The files that links and pictures lead to, without their fragments."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    inside = [t.partition("#")[0] for t in targets if "://" not in t]
    return [t for t in inside if t and not t.startswith("mailto:")]
