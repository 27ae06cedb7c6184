"""Drops of a series as a sender sends them, and what they say, told the plain way."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.contract import Answer, Identifier, Identifiers, Query
from adapters.csv_drop import CsvDrop, build
from adapters.surroundings import Surroundings
from adapters.vocabulary import CATEGORIES
from tests.surroundings import in_folder

COLUMNS = ("id", "who", "start", "note", "action")
SOURCE = """\
kind = "csv_drop"
directory = "drops"
mode = "append"
settle_s = 0
{top}
[drops]
{drops}
[mapping]
record_id = "id"
kind = "ed_attendance"
title = "{{note}}"
start = "start"

[[mapping.identifiers]]
column = "who"
system = "urn:who"
"""
EVENT_COLUMNS = ("id", "who", "number", "start", "end", "type", "rank", "action")
EVENTS = {
    "record_id": "id",
    "kind": "ed_attendance",
    "start": "start",
    "end": {"column": "end", "formats": ["%d/%m/%Y"], "unreadable": "undated"},
    "absent": ["null"],
    "identifiers": [
        {"column": "who", "system": "urn:x"},
        {"column": "number", "system": "https://fhir.nhs.uk/Id/nhs-number"},
    ],
}
BY_NAME = r"name = 'd_(?P<period>[0-9]{4}-[0-9]{2})_(?P<sequence>[0-9]+)\.csv'"
ACTION = 'action = { column = "action", deleted = ["D"], stated = ["N", "U"] }'


@dataclass(frozen=True, slots=True)
class Row:
    """A row about `who`; `note` is what it says of the record."""

    record: str
    note: str
    action: str = "N"
    who: str = "Ann"

    @property
    def cells(self) -> tuple[str, ...]:
        return self.record, self.who, "2024-03-01", self.note, self.action


@dataclass(frozen=True, slots=True)
class Sent:
    """A drop as it was sent: of which period, which number of it, and its rows."""

    period: str
    sequence: int
    rows: tuple[Row, ...] = field(default=())

    @property
    def name(self) -> str:
        return f"d_{self.period}_{self.sequence}.csv"

    @property
    def data(self) -> bytes:
        return as_csv(COLUMNS, (row.cells for row in self.rows))


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def told_plainly(sent: Iterable[Sent], *, by_period: bool = False) -> dict[str, str]:
    """The note of each record, by period and number alone: the last word counts."""
    ordered = sorted(sent, key=lambda each: (each.period, each.sequence))
    if by_period:
        last = {each.period: each for each in ordered}
        ordered = list(last.values())
    said: dict[str, str] = {}
    for each in ordered:
        for row in each.rows:
            if row.action == "D":
                said.pop(row.record, None)
            else:
                said[row.record] = row.note
    return said


class Series:
    """A directory of drops in a folder; `arrives` puts one there, the latest so far."""

    def __init__(
        self,
        folder: Path,
        drops: str,
        *,
        top: str = "",
        surroundings: Surroundings | None = None,
    ) -> None:
        self.directory = folder / "drops"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.source = folder / "source.toml"
        self.source.write_text(SOURCE.format(top=top, drops=drops), "utf-8")
        self.surroundings = surroundings or in_folder(folder)
        self._at = 1_700_000_000

    def arrives(self, name: str, data: bytes) -> None:
        path = self.directory / name
        aside = self.directory / f".{name}.part"
        aside.write_bytes(data)
        self._at += 60
        os.utime(aside, (self._at, self._at))
        aside.replace(path)

    def open(self) -> CsvDrop:
        return build(self.source, self.surroundings)

    async def ask(self) -> Answer:
        """An answer of an adapter of its own, about Ann."""
        adapter = self.open()
        try:
            return await adapter.ask(QUERY)
        finally:
            await adapter.aclose()


QUERY = Query(
    person=Identifiers(others=frozenset({Identifier("urn:who", "Ann")})),
    since=None,
    until=None,
    categories=CATEGORIES,
    limit=999,
)


def notes(answer: Answer) -> dict[str, str]:
    """What an answer says of each record."""
    assert len({event.record_id for event in answer.events}) == len(answer.events)
    return {event.record_id: event.title for event in answer.events}


def codes(answer: Answer) -> dict[str, int]:
    return {caveat.code: caveat.count for caveat in answer.caveats}
