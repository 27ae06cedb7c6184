"""The ambulance's and the council's records as CSV drops, with their manifests."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Final

from gateway.demo.chronicle import Entry, Record, When
from gateway.demo.dirt import UNREADABLE_ROWS

Row = Sequence[str]

_LEGS: Final = {
    "ambulance_call": "CALL",
    "ambulance_attendance": "SCENE",
    "ambulance_conveyance": "CONVEY",
}
_AMBULANCE_COLUMNS: Final = (
    "leg_id", "leg", "nhs_number", "hospital_number", "family_name", "given_name",
    "born", "postcode", "clock_start", "clock_stop", "complaint_code", "complaint",
    "summary", "destination", "state",
)  # fmt: skip
_EVENT_TYPES: Final = {
    "social_care_request": "Request",
    "social_care_assessment": "Assessment",
    "social_care_service": "Service",
    "social_care_review": "Review",
}
_SOCIAL_CARE_COLUMNS: Final = (
    "Event_Reference", "Event_Type", "NHS_Number", "LA_Person_Unique_Identifier",
    "Date_of_Birth", "Gender", "Postcode", "Event_Start_Date", "Event_End_Date",
    "Event_Description", "Event_Outcome", "Provider", "Event_Status",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A file as it is handed over: its bytes and how many rows it promises."""

    name: str
    content: bytes
    rows: int

    def write(self, directory: Path, as_of: datetime) -> None:
        """The file, then its manifest, which says that the file is whole."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / self.name).write_bytes(self.content)
        manifest = {
            "file": self.name,
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "rows": self.rows,
            "as_of": as_of.isoformat(),
        }
        text = json.dumps(manifest, indent=2) + "\n"
        (directory / f"{self.name}.manifest.json").write_text(text, "utf-8")


def as_of(today: date, *, days_late: int = 0) -> datetime:
    """When a drop was cut: the evening before, or so many evenings earlier."""
    evening = today - timedelta(days=1 + days_late)
    return datetime.combine(evening, clock(22), tzinfo=UTC)


def ambulance(entries: Iterable[Entry]) -> Drop:
    """Pipes and a byte order mark; wall clocks without an offset."""
    rows = [_leg(entry) for entry in entries]
    text = _written(_AMBULANCE_COLUMNS, rows, delimiter="|")
    return Drop(name="incidents.csv", content=text.encode("utf-8-sig"), rows=len(rows))


def _leg(entry: Entry) -> Row:
    record, who = entry.record, entry.resident
    facts = {fact.element: fact.value for fact in record.facts}
    return (
        entry.record_id,
        _LEGS[record.kind],
        entry.nhs_number or "",
        entry.hospital_number or "",
        who.family,
        who.given,
        who.birth_date.isoformat(),
        who.postcode,
        _clock(record.start),
        _clock(record.end),
        (record.code.code or "") if record.code else "",
        record.code.display if record.code else "",
        record.title,
        facts.get("destination", ""),
        record.status,
    )


def social_care(entries: Iterable[Entry]) -> Drop:
    """Commas, DD/MM/YYYY, in cp1252, as client-level data is often handed over."""
    rows = [_care_event(entry) for entry in entries]
    rows += [_unreadable(row, n) for n, row in enumerate(rows[:UNREADABLE_ROWS], 1)]
    text = _written(_SOCIAL_CARE_COLUMNS, rows, delimiter=",")
    return Drop(
        name="client-level-data.csv", content=text.encode("cp1252"), rows=len(rows)
    )


def _care_event(entry: Entry) -> Row:
    record, who = entry.record, entry.resident
    facts = {fact.element: fact.value for fact in record.facts}
    return (
        entry.record_id,
        _EVENT_TYPES[record.kind],
        entry.nhs_number or "",
        entry.local_id or "",
        who.birth_date.strftime("%d/%m/%Y"),
        who.gender.capitalize(),
        who.postcode,
        _british(record.start),
        _british(record.end),
        record.title,
        facts.get("outcome", ""),
        "Brontë Home Care (synthetic)" if record.kind.endswith("service") else "",
        _status(record),
    )


def _unreadable(row: Row, n: int) -> Row:
    """A row like another, whose start nobody can read."""
    reference, *rest = row
    rest[6] = "see notes"
    return (f"{reference}-{n}X", *rest)


def _status(record: Record) -> str:
    return "Open" if record.status == "active" else "Closed"


def _written(columns: Row, rows: Iterable[Row], *, delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _clock(when: When | None) -> str:
    return "" if when is None else when.at.strftime("%Y-%m-%d %H:%M")


def _british(when: When | None) -> str:
    return "" if when is None else when.at.strftime("%d/%m/%Y")
