"""An exemption names its rule and gives its reason."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import EVERYTHING, Module, modules

EXEMPTION = re.compile(
    r"#\s*(?:ruff:\s*)?noqa|type:\s*ignore|pragma:\s*no cover", re.IGNORECASE
)
REASONED = re.compile(
    r"#\s(?:ruff: )?noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)* - \S.{3,}"
    r"|#\stype: ignore\[[a-z, -]+\]\s+# \S.{3,}"
    r"|#\spragma: no cover - \S.{3,}"
)


def unreasoned(root: Path) -> list[str]:
    """Exemptions without a code or without a reason."""
    return [
        f"{module.path}:{line}: an exemption needs a code and a reason: "
        "# noqa: CODE - why, # type: ignore[code]  # why, # pragma: no cover - why."
        for module in modules(root, *EVERYTHING)
        for line, comment in _comments(module)
        if EXEMPTION.search(comment) and not REASONED.search(comment)
    ]


def _comments(module: Module) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
