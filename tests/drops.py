"""Generated events in a CSV drop, with the source file that reads them back."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.contract import Event
from adapters.csv_drop import CsvDrop, build
from adapters.surroundings import Surroundings
from tests.rows import Rows, as_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a drop is written."""

    delimiter: str = ","
    header: bool = True
    encoding: str = "utf-8"
    bom: bool = False
    line_end: str = "\n"
    quote_all: bool = False
    manifest: bool = False


PLAIN = Style()


def write_drop(
    folder: Path,
    events: Sequence[Event],
    *,
    key: str | None = None,
    style: Style = PLAIN,
) -> Path:
    """Writes `folder`/drops/events.csv and `folder`/source.toml; gives the latter."""
    rows = as_rows(events, key=key)
    (folder / "drops").mkdir(parents=True, exist_ok=True)
    data = as_csv(rows, style)
    (folder / "drops" / "events.csv").write_bytes(data)
    if style.manifest:
        promise = manifest("events.csv", data, len(rows.cells))
        (folder / "drops" / "events.csv.manifest.json").write_text(promise, "utf-8")
    source = folder / "source.toml"
    source.write_text(source_file(rows, style), "utf-8")
    return source


def open_drop(
    folder: Path,
    events: Sequence[Event],
    surroundings: Surroundings,
    *,
    key: str | None = None,
    style: Style = PLAIN,
) -> CsvDrop:
    """An adapter that reads these events from a drop."""
    return build(write_drop(folder, events, key=key, style=style), surroundings)


def as_csv(rows: Rows, style: Style = PLAIN) -> bytes:
    """The drop as it lies on disk."""
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=style.delimiter,
        lineterminator=style.line_end,
        quoting=csv.QUOTE_ALL if style.quote_all else csv.QUOTE_MINIMAL,
    )
    if style.header:
        writer.writerow(rows.columns)
    writer.writerows(rows.cells)
    encoding = "utf-8-sig" if style.bom else style.encoding
    return text.getvalue().encode(encoding)


def source_file(rows: Rows, style: Style = PLAIN) -> str:
    """The source file that reads it; it settles at once, for tests do not wait."""
    lines = [
        'kind = "csv_drop"',
        'directory = "drops"',
        'pattern = "*.csv"',
        f"delimiter = {json.dumps(style.delimiter)}",
        f'encoding = "{style.encoding}"',
        "settle_s = 0",
    ]
    if style.manifest:
        lines.append('manifest = "*.manifest.json"')
    if not style.header:
        names = ", ".join(json.dumps(name) for name in rows.columns)
        lines += ["header = false", f"columns = [{names}]"]
    return "\n".join(lines) + "\n" + rows.mapping


def manifest(name: str, data: bytes, rows: int) -> str:
    """What a sender promises of a file."""
    digest = hashlib.sha256(data).hexdigest()
    return json.dumps({"file": name, "sha256": digest, "rows": rows})
