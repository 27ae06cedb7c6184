"""Intake: every row of a drop validated, bad ones set aside with a reason, counted.

Memory stays flat: rows go through in batches, and duplicates are found by the index.
"""

import csv
import hashlib
import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from adapters.csv_drop.directory import (
    Drop,
    Holding,
    Promise,
    is_same,
    open_drop,
    promises,
    replaced,
)
from adapters.csv_drop.index import Building, Imprint, Texts, Written
from adapters.csv_drop.lots import Lot, lots
from adapters.csv_drop.records import Lines, Record, Writing, records_of
from adapters.csv_drop.settings import DropFile
from adapters.errors import Unreadable
from adapters.mapping import (
    Columnwise,
    Mapping,
    Rejected,
    looks_foreign,
    missing,
    not_there,
)

_SEVERAL: Final = "SELECT record FROM rows GROUP BY record HAVING count(*) > 1"
_LISTED: Final = 100_000  # rows named in the quarantine file; all are counted
_MAGIC: Final = {
    b"PK\x03\x04": "is an archive; unpack it first",
    b"\x1f\x8b": "is an archive; unpack it first",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
}
_BOM: Final = b"\xef\xbb\xbf"


class Stopped(Exception):
    """The adapter is closing; nothing was taken in."""


@dataclass(slots=True, kw_only=True)
class Quarantine:
    """Bad rows by file, line, column and reason; never what they hold."""

    path: Path
    count: int = 0
    _listed: list[tuple[str, int, str, str]] = field(default_factory=list)

    def add(self, file: str, line: int, rejected: Rejected) -> None:
        self.count += 1
        if len(self._listed) < _LISTED:
            self._listed.append((file, line, rejected.column or "", rejected.reason))

    def write(self) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("file", "line", "column", "reason"))
            writer.writerows(self._listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes in what lies in a directory, into an index at `path`."""

    root: Path
    settings: DropFile
    writing: Writing
    mapping_print: str
    path: Path
    stop: threading.Event

    def run(self, holding: Holding) -> Imprint:
        """Builds the index and puts it in place.

        Unreadable if a file is half-written, is not what its manifest promises,
        lacks a mapped column, or has rows of which none can be read.
        """
        zone = ZoneInfo(self.settings.mapping.zone)
        promised = promises(self.root, holding, zone)
        building = Building(self.path, len(self.settings.mapping.identifiers))
        quarantine = Quarantine(path=self.path.with_name("quarantine.csv"))
        try:
            columns = {
                drop.name: self._file(
                    drop,
                    promised.get(drop.name),
                    building=building,
                    quarantine=quarantine,
                )
                for drop in holding.drops
            }
            repeated, superseded = _settle(building, quarantine)
            rows = _count(building.connection)
            _refuse_if_nothing(rows, quarantine)
            building.index_names()
            imprint = Imprint(
                signature=holding.signature,
                mapping=self.mapping_print,
                columns=columns,
                as_of=_as_of(holding, promised),
                rows=rows,
                rejected=quarantine.count,
                repeated=repeated,
                superseded=superseded,
            )
            quarantine.write()
            building.finish(imprint)
        finally:
            building.abandon()
        return imprint

    def _file(
        self,
        drop: Drop,
        promise: Promise | None,
        *,
        building: Building,
        quarantine: Quarantine,
    ) -> list[str]:
        if self.settings.manifest is not None and promise is None:
            raise _incomplete(drop, "no manifest names it yet")
        digest = hashlib.sha256()
        with open_drop(self.root, drop) as stream:
            self._refuse_strangers(drop, stream)
            lines = Lines(stream, self.writing, digest.update)
            columns = self._columns(drop, lines)
            mapping = Mapping.compile(self.settings.mapping, columns)
            taking = _Taking(drop.name, Columnwise.of(mapping), quarantine)
            for lot in lots(lines, len(columns)):
                if self.stop.is_set():
                    raise Stopped
                building.add(drop.name, taking.good(lot))
            if not is_same(stream, drop):
                raise replaced(drop)
        if promise is not None:
            _hold_to(promise, drop, digest=digest.hexdigest(), rows=taking.rows)
        return columns

    def _refuse_strangers(self, drop: Drop, stream: BinaryIO) -> None:
        if drop.size == 0:
            raise _incomplete(drop, "it is empty")
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
                raise _incomplete(drop, "its last line has no end")
        stream.seek(0)

    def _columns(self, drop: Drop, lines: Lines) -> list[str]:
        if not self.settings.header:
            return list(self.settings.columns)
        first = next(records_of(lines), None)
        if not isinstance(first, Record):
            raise Unreadable(
                "unreadable", f"{drop.name} has no header that can be read"
            )
        columns = [cell.strip() for cell in first.cells]
        refuse_columns(drop.name, self.settings, columns)
        return columns


def refuse_columns(name: str, settings: DropFile, columns: list[str]) -> None:
    """Unreadable `schema` naming the first mapped column that is not there."""
    gone = missing(settings.mapping, columns)
    if not gone:
        return
    place, column = gone[0]
    if looks_foreign(settings.mapping, columns):
        why = "its first line is not the header that the mapping expects"
    else:
        why = not_there(column, columns)
    key = ".".join(str(part) for part in place)
    raise Unreadable("schema", f"{name}, {key}: {why}")


@dataclass(slots=True)
class _Taking:
    """Rows of one file on their way into the index."""

    file: str
    columnwise: Columnwise
    quarantine: Quarantine
    rows: int = 0

    def good(self, lot: Lot) -> Written:
        """Those of the lot that are events; the others are set aside."""
        self.rows += len(lot.numbers) + len(lot.bad)
        checked = self.columnwise.check(lot.table)
        rejected = checked.rejected
        if rejected or lot.bad:
            aside = [(bad.line, Rejected(bad.reason)) for bad in lot.bad]
            aside += [(lot.numbers[n], why) for n, why in rejected.items()]
            for line, why in sorted(aside, key=_line):
                self.quarantine.add(self.file, line, why)
        if not rejected:
            return Written(lot.numbers, lot.texts, checked.keys)
        kept = [n for n in range(len(checked.keys)) if n not in rejected]
        return Written(
            [lot.numbers[n] for n in kept],
            [lot.texts[n] for n in kept],
            [checked.keys[n] for n in kept],
        )


def _line(aside: tuple[int, Rejected]) -> int:
    return aside[0]


def _settle(building: Building, quarantine: Quarantine) -> tuple[int, int]:
    """Leaves one row per record id: (repeated, superseded) counts of those removed."""
    connection = building.connection
    if building.is_rising or not _has_several(connection):
        return 0, 0
    connection.execute("CREATE INDEX by_record ON rows (record)")
    several = connection.execute(_SEVERAL)
    repeated = superseded = 0
    gone: list[tuple[int]] = []
    reading = connection.cursor()
    texts = Texts(connection)
    for (record,) in several:
        found = reading.execute(
            "SELECT id FROM rows WHERE record = ? ORDER BY id", (record,)
        )
        rows = [(number, texts.hit(number)) for (number,) in found.fetchall()]
        latest = rows[-1][1].file
        kept = next(row for row in rows if row[1].file == latest)
        for number, hit in rows:
            if number == kept[0]:
                continue
            gone.append((number,))
            if hit.file != latest:
                superseded += 1
            elif hit.text == kept[1].text:
                repeated += 1
            else:
                quarantine.add(hit.file, hit.line, Rejected("duplicate_record"))
    connection.executemany("DELETE FROM rows WHERE id = ?", gone)
    connection.execute("DROP INDEX by_record")
    return repeated, superseded


def _has_several(connection: sqlite3.Connection) -> bool:
    # Sorted once without an index, which most drops never need.
    return connection.execute(f"{_SEVERAL} LIMIT 1").fetchone() is not None


def _count(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT count(*) FROM rows").fetchone()
    return int(found[0])


def _refuse_if_nothing(rows: int, quarantine: Quarantine) -> None:
    if rows or not quarantine.count:
        return
    quarantine.write()
    message = (
        f"none of {quarantine.count} rows could be read; quarantine.csv in the "
        "source's state directory says why"
    )
    raise Unreadable("unreadable", message)


def _hold_to(promise: Promise, drop: Drop, *, digest: str, rows: int) -> None:
    if digest != promise.sha256.lower():
        raise _incomplete(drop, "its sha256 is not the manifest's")
    if rows != promise.rows:
        raise _incomplete(drop, "its number of rows is not the manifest's")


def _incomplete(drop: Drop, why: str) -> Unreadable:
    return Unreadable("incomplete", f"{drop.name} is not whole: {why}")


def _as_of(holding: Holding, promised: dict[str, Promise]) -> datetime:
    moments = []
    for drop in holding.drops:
        promise = promised.get(drop.name)
        if promise is not None and promise.as_of is not None:
            moments.append(promise.as_of)
        else:
            moments.append(datetime.fromtimestamp(drop.modified_ns / 1e9, UTC))
    return max(moments)
