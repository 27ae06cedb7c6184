"""The directory of drops: which files are there, and what their manifests promise."""

import csv
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapters.csv_drop.settings import DropFile
from adapters.errors import Unavailable, Unreadable

_MANIFEST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A file as it lies there now."""

    name: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @property
    def signature(self) -> str:
        """Differs whenever the file may have another content."""
        return (
            f"{self.name}:{self.size}:{self.modified_ns}:{self.changed_ns}:{self.inode}"
        )


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) else value


class Promise(BaseModel):
    """What a manifest promises of one file."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    file: str
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]
    rows: Annotated[int, Field(ge=0)]
    as_of: datetime | None = None
    period: Annotated[str, BeforeValidator(_as_text)] | None = None
    sequence: Annotated[int, Field(ge=0)] | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Everything that decides what the source says now."""

    drops: tuple[Drop, ...]  # those that may count, oldest first as far as is known
    manifests: tuple[Drop, ...]

    @property
    def signature(self) -> str:
        """Short, and different whenever anything changed."""
        lines = "\n".join(d.signature for d in (*self.drops, *self.manifests))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def changed_last(self) -> datetime:
        newest = max((drop.modified_ns for drop in self.drops), default=0)
        return datetime.fromtimestamp(newest / 1e9, UTC)


def look(root: Path, settings: DropFile) -> Holding:
    """What lies in the directory. Unavailable `drop_missing` if nothing does."""
    try:
        found = list(_files(root))
    except OSError:
        message = "the drop directory is not there or cannot be read"
        raise Unavailable("drop_missing", message) from None
    manifests = tuple(d for d in found if settings.promises(d.name))
    drops = [d for d in found if settings.takes(d.name) and d not in manifests]
    if not drops:
        message = "no file in the drop directory fits the pattern"
        raise Unavailable("drop_missing", message)
    by_name = settings.newest == "name" or settings.drops.is_ordered
    drops.sort(key=_by_name if by_name else _by_time)
    if settings.mode == "replace" and not settings.drops.is_ordered:
        drops = drops[-1:]
    return Holding(drops=tuple(drops), manifests=manifests)


def _files(root: Path) -> Iterator[Drop]:
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # taken away while the directory was read
            if stat.S_ISREG(status.st_mode):
                yield _drop(entry.name, status)


def _drop(name: str, status: os.stat_result) -> Drop:
    return Drop(
        name=name,
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
        inode=status.st_ino,
    )


def _by_name(drop: Drop) -> tuple[str]:
    return (drop.name,)


def _by_time(drop: Drop) -> tuple[int, str]:
    return drop.modified_ns, drop.name


def open_drop(root: Path, drop: Drop) -> BinaryIO:
    """The file, never through a link. Unreadable `incomplete` if it is another now."""
    try:
        number = os.open(root / drop.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise replaced(drop) from None
    stream = os.fdopen(number, "rb", buffering=0)
    if not is_same(stream, drop):
        stream.close()
        raise replaced(drop)
    return stream


def is_same(stream: BinaryIO, drop: Drop) -> bool:
    """Whether the open file is still the one that was looked at."""
    now = _drop(drop.name, os.fstat(stream.fileno()))
    return (now.size, now.modified_ns) == (drop.size, drop.modified_ns)


def replaced(drop: Drop) -> Unreadable:
    message = f"{drop.name} was changed while it was read; it is read again when asked"
    return Unreadable("incomplete", message)


def promises(root: Path, holding: Holding, zone: tzinfo) -> dict[str, Promise]:
    """What the manifests say, by file. Unreadable `incomplete` if one is broken."""
    found: dict[str, Promise] = {}
    for manifest in holding.manifests:
        with open_drop(root, manifest) as stream:
            data = stream.read(_MANIFEST_BYTES)  # a longer one is cut, so not whole
        for promise in _read_manifest(manifest, data):
            times = {"as_of": promise.as_of, "created": promise.created}
            zoned = {k: _zoned(at, zone) for k, at in times.items()}
            found[promise.file] = promise.model_copy(update=zoned)
    return found


def _zoned(at: datetime | None, zone: tzinfo) -> datetime | None:
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=zone)


def _read_manifest(manifest: Drop, data: bytes) -> Sequence[Promise]:
    try:
        text = data.decode("utf-8-sig")
        return [Promise.model_validate(item) for item in _items(text)]
    except (ValueError, TypeError, ValidationError, RecursionError, csv.Error):
        message = (
            f"{manifest.name} is no whole manifest of file, sha256 and rows; "
            "correct it, or wait until it is written"
        )
        raise Unreadable("incomplete", message) from None


def _items(text: str) -> list[Any]:
    if not text.lstrip().startswith(("{", "[")):
        rows = csv.DictReader(io.StringIO(text), strict=True)
        return [{name: cell for name, cell in row.items() if cell} for row in rows]
    loaded = json.loads(text)
    if isinstance(loaded, dict) and isinstance(loaded.get("files"), list):
        shared = {"as_of": loaded.get("as_of")}
        return [{**shared, **item} for item in loaded["files"]]
    return loaded if isinstance(loaded, list) else [loaded]
