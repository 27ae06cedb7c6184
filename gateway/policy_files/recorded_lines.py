"""Recorded decisions as lines of a file: audit records as the trail holds them.

One JSON object a line. What is no decision is passed over; what is cut or is no
record at all is an error, for a replay of some decisions proves nothing of the rest.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from adapters.errors import ConfigurationError
from gateway import safe_json
from gateway.decisions.entries import Entry, entry_of
from gateway.decisions.recorded import recorded_of
from policies.analysis.replay import Recorded

_FILE_BYTES: Final = 256 * 1024 * 1024
_LINE_BYTES: Final = 4 * 1024 * 1024


def read_recorded(path: Path, *, most: int) -> list[Recorded]:
    """At most so many decisions of a file, the newest first: those that stand last.

    ConfigurationError, with the line, for the first thing wrong, and for none at all.
    """
    entries = deque(_entries(path), maxlen=most)
    if not entries:
        message = "holds no recorded decision. Export the trail's records, one a line."
        raise ConfigurationError(message, file=str(path))
    return recorded_of(reversed(entries))


def _entries(path: Path) -> Iterator[Entry]:
    parts: dict[str, list[str]] = {}
    for number, line in _lines(path):
        try:
            record = safe_json.read_object(line)
            whole = _rejoined(record, parts) if record.get("type") == "part" else line
            entry = None if whole is None else entry_of(whole)
        except (ValueError, KeyError, TypeError):
            message = "is not a record of the trail. Export it again, one a line."
            raise ConfigurationError(message, file=str(path), line=number) from None
        if entry is not None:
            yield entry
    if parts:
        message = "ends in the middle of a record. Export it again."
        raise ConfigurationError(message, file=str(path))


def _rejoined(record: dict[str, Any], parts: dict[str, list[str]]) -> bytes | None:
    """A record of several parts, with its last. ValueError if one is missing."""
    seen = parts.setdefault(record["id"], [])
    if record["part"] != len(seen) + 1:
        message = "a part of the record is missing"
        raise ValueError(message)
    seen.append(record["text"])
    if record["part"] < record["parts"]:
        return None
    return "".join(parts.pop(record["id"])).encode()


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        if path.stat().st_size > _FILE_BYTES:
            message = "is larger than 256 MiB. Export fewer records."
            raise ConfigurationError(message, file=str(path))
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if len(line) > _LINE_BYTES:
                    message = "is too long for a record. Export one a line."
                    raise ConfigurationError(message, file=str(path), line=number)
                if line.strip():
                    yield number, line.strip()
    except OSError:
        message = "cannot be read. Correct the path or its permissions."
        raise ConfigurationError(message, file=str(path)) from None
