"""What a manifest in an inbox promises of the files beside it."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

MANIFEST_BYTES: Final = 1 << 20


def promised(data: bytes) -> dict[str, str]:
    """SHA-256 in lower-case hex by file name; empty for what is no manifest.

    Whether it is a whole manifest is for the source to say, which reads it too.
    """
    try:
        items = list(_items(data.decode("utf-8-sig")))
    except (ValueError, RecursionError, csv.Error):
        return {}
    return {
        item["file"]: item["sha256"].lower()
        for item in items
        if isinstance(item.get("file"), str) and isinstance(item.get("sha256"), str)
    }


def _items(text: str) -> Iterator[dict[str, Any]]:
    if not text.lstrip().startswith(("{", "[")):
        yield from csv.DictReader(io.StringIO(text), strict=True)
        return
    loaded = json.loads(text)
    if isinstance(loaded, dict):
        loaded = loaded.get("files", [loaded])
    if isinstance(loaded, list):
        yield from (item for item in loaded if isinstance(item, dict))
