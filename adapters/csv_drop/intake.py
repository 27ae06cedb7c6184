"""Intake: every row of a drop validated, bad ones set aside with a reason, counted.

Memory stays flat: files are copied first, and what is read afterwards is our own copy,
in pieces. A large drop is read by two processes at once, which leaves the gateway's own
to its callers.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from adapters.csv_drop.building import Building
from adapters.csv_drop.changes import Rows
from adapters.csv_drop.choosing import Choosing, Chosen
from adapters.csv_drop.directory import (
    Drop,
    Holding,
    Promise,
    open_drop,
    promises,
)
from adapters.csv_drop.index import Account, Copied, Copy, Imprint
from adapters.csv_drop.portion import Portion, Region, Span
from adapters.csv_drop.records import Lines, Record, Writing, records_of
from adapters.csv_drop.repeats import Repeats
from adapters.csv_drop.settings import DropFile
from adapters.csv_drop.sharing import Sharing, Taken
from adapters.errors import Unreadable
from adapters.mapping import looks_foreign, not_there

_MAGIC: Final = {
    b"PK\x03\x04": "is an archive; unpack it first",
    b"\x1f\x8b": "is an archive; unpack it first",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
}
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes in what lies in a directory, into an index at `path`."""

    root: Path
    settings: DropFile
    writing: Writing
    mapping_print: str
    path: Path
    stop: threading.Event
    shared_from: int = 64 << 20  # bytes of a drop that two processes read

    def run(self, holding: Holding) -> Account:
        """Builds the index and puts it in place.

        Unreadable if a file is half-written, is not what its manifest promises,
        lacks a mapped column, or has rows of which none can be read. Stopped if told
        to; OSError if the index cannot be written.
        """
        zone = ZoneInfo(self.settings.mapping.zone)
        promised = promises(self.root, holding, zone)
        choosing = Choosing(
            root=self.root,
            settings=self.settings,
            promised=promised,
            stop=self.stop.is_set,
        )
        chosen = choosing.choose(holding)
        building = Building.at(self.path)
        try:
            for drop in chosen.drops:
                self._copy(drop, promised.get(drop.name), building)
            spans = [self._span(each, building) for each in building.files]
            sharing = Sharing(
                texts=building.path,
                writing=self.writing,
                mapping=self.settings.mapping,
                rules=self.settings.drops,
                stop=self.stop.is_set,
                shared_from=self.shared_from,
            )
            taken = sharing.take(spans)
            _hold_to(promised, taken.portions)
            if self.settings.drops.corrects == "period":
                _refuse_unread(taken.portions)
            imprint = partial(
                Imprint,
                signature=holding.signature,
                mapping=self.mapping_print,
                as_of=self._as_of(chosen, promised),
            )
            return self._settled(
                chosen, imprint=imprint, building=building, taken=taken
            )
        finally:
            building.abandon()

    def _copy(self, drop: Drop, promise: Promise | None, building: Building) -> None:
        if self.settings.manifest is not None and promise is None:
            raise _incomplete(drop.name, "no manifest names it yet")
        with open_drop(self.root, drop) as stream:
            self._refuse_strangers(drop, stream)
            digest = building.copy(
                drop, stream, stop=self.stop.is_set, digested=promise is not None
            )
        if promise is not None and digest != promise.sha256.lower():
            raise _incomplete(drop.name, "its sha256 is not the manifest's")

    def _span(self, file: Copied, building: Building) -> Span:
        """The records of a file, after its header."""
        span = Span(
            file=file.name,
            place=file.place,
            size=file.size,
            start=0,
            until=math.inf,
            line=0,
            columns=self.settings.columns,
            deletes=self.settings.deletes(file.name),
        )
        if not self.settings.header:
            return span
        lines = Lines(Region.of(span, building.stream), self.writing)
        columns = self._columns(file.name, lines)
        return replace(
            span, start=lines.following, line=lines.number, columns=tuple(columns)
        )

    def _settled(
        self,
        chosen: Chosen,
        *,
        imprint: Callable[..., Imprint],
        building: Building,
        taken: Taken,
    ) -> Account:
        """The index of what was taken in, one row of each record, in place."""
        columns = {each.file: each.columns for p in taken.portions for each in p.spans}
        quarantine = taken.quarantine
        settled = Repeats(
            portions=taken.portions,
            copy=Copy(building.stream.fileno(), building.files, self.writing),
            rows_of={file: self._rows(file, own) for file, own in columns.items()},
            quarantine=quarantine,
            is_log=self.settings.drops.action is not None,
        ).settle()
        rows = sum(each.rows for each in taken.portions) - settled.count
        quarantine.write(self.path.with_name("quarantine.csv"))
        if not rows and quarantine.count:
            message = (
                f"none of {quarantine.count} rows could be read; quarantine.csv in the "
                "source's state directory says why"
            )
            raise Unreadable("unreadable", message)
        told = imprint(
            columns={file: list(own) for file, own in columns.items()},
            rows=rows,
            rejected=quarantine.count,
            repeated=settled.repeated,
            superseded=settled.superseded,
            missing=chosen.missing,
        )
        return building.finish(told, taken.portions, settled.gone)

    def _as_of(self, chosen: Chosen, promised: dict[str, Promise]) -> datetime:
        """When the newest was made; or came, where drops do not say their order."""
        drops = chosen.drops[-1:] if self.settings.drops.is_ordered else chosen.drops
        return max(_made(drop, promised.get(drop.name)) for drop in drops)

    def _rows(self, file: str, columns: Sequence[str]) -> Rows:
        return Rows.of(
            self.settings.mapping,
            self.settings.drops,
            columns,
            deletes=self.settings.deletes(file),
        )

    def _refuse_strangers(self, drop: Drop, stream: BinaryIO) -> None:
        if drop.size == 0:
            raise _incomplete(drop.name, "it is empty")
        first = stream.read(4)
        for magic, why in _MAGIC.items():
            if first.startswith(magic):
                raise Unreadable("unreadable", f"{drop.name} {why}")
        if self.writing.encoding != "utf-8" and first.startswith(_BOM):
            message = f'{drop.name} is UTF-8; set encoding = "utf-8"'
            raise Unreadable("unreadable", message)
        if self.settings.manifest is None:
            stream.seek(-1, 2)
            if stream.read(1) != b"\n":
                raise _incomplete(drop.name, "its last line has no end")
        stream.seek(0)

    def _columns(self, name: str, lines: Lines) -> list[str]:
        if not self.settings.header:
            return list(self.settings.columns)
        first = next(records_of(lines), None)
        if not isinstance(first, Record):
            raise Unreadable("unreadable", f"{name} has no header that can be read")
        columns = [cell.strip() for cell in first.cells]
        _refuse_columns(name, self.settings, columns)
        return columns


def _refuse_columns(name: str, settings: DropFile, columns: list[str]) -> None:
    """Unreadable `schema` naming the first column in use that is not there."""
    deletes = settings.deletes(name)
    gone = settings.gone(columns, deletes=deletes)
    if not gone:
        return
    place, column = gone[0]
    foreign = looks_foreign(settings.mapping, columns)
    if deletes:
        foreign = set(settings.mapping.record_id).isdisjoint(columns)
    if foreign:
        why = "its first line is not the header that the mapping expects"
    else:
        why = not_there(column, columns)
    key = ".".join(str(part) for part in place)
    raise Unreadable("schema", f"{name}, {key}: {why}")


def _refuse_unread(portions: Sequence[Portion]) -> None:
    """Unreadable for a file that would leave nothing of a period, all being bad."""
    rows: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for each in (each for portion in portions for each in portion.spans):
        rows[each.file] += each.rows
        kept[each.file] += each.kept
    for file, count in rows.items():
        if count and not kept[file]:
            message = f"none of {count} rows of {file} could be read; correct the file"
            raise Unreadable("unreadable", f"{message} or the mapping")


def _hold_to(promised: dict[str, Promise], portions: Sequence[Portion]) -> None:
    counts: dict[str, int] = {}
    for portion in portions:
        for each in portion.spans:
            counts[each.file] = counts.get(each.file, 0) + each.rows
    for file, rows in counts.items():
        if file in promised and promised[file].rows != rows:
            raise _incomplete(file, "its number of rows is not the manifest's")


def _incomplete(name: str, why: str) -> Unreadable:
    return Unreadable("incomplete", f"{name} is not whole: {why}")


def _made(drop: Drop, promise: Promise | None) -> datetime:
    if promise is not None and promise.as_of is not None:
        return promise.as_of
    return datetime.fromtimestamp(drop.modified_ns / 1e9, UTC)
