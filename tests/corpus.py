"""Real-shaped data, which is no part of the project: found, or visibly skipped."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def corpus(*parts: str) -> Path:
    """A folder or file of the data; skips the test where it is absent."""
    shared = Path(os.environ.get("THROUGHLINE_CORPUS", "../shared"))
    found = (ROOT / shared).joinpath("data", *parts)
    if not found.exists():
        pytest.skip(f"no {'/'.join(parts)}: set THROUGHLINE_CORPUS to where data/ is")
    return found
