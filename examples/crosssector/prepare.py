"""Five sources of five organisations, from a folder of CSV files of known names.

Emergency, community and social care stay CSV drops, byte for byte where they can;
inpatient episodes and mental-health referrals become tables of two databases.
"""

import contextlib
import csv
import io
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from adapters.csv_drop.settings import DropFile
from adapters.mapping import named
from adapters.moment import LONDON
from adapters.source_file import read
from adapters.sql.settings import SqlFile
from gateway.access.demo_issuer import create_keys
from gateway.audit.keys import create_key
from policies.documents import content_hash

HERE: Final = Path(__file__).resolve().parent
_OURS: Final = ("keys", "policy", "sources", "state")
_VALID: Final = timedelta(days=700)


class Unusable(Exception):
    """The folder cannot be prepared from; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Table:
    """One of the five files: where it goes, and what it cannot do without."""

    name: str
    source: str
    needs: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"{self.name}.csv"


DROPS: Final = (
    Table("ecds_attendances", "emergency", ("attendance_id", "arrival_datetime")),
    Table("csds_contacts", "community", ("contact_id", "contact_date")),
    Table("social_care", "social-care", ("package_id", "start_date")),
)
DATABASES: Final = (
    Table("sus_episodes", "inpatient", ("episode_id", "admission_date")),
    Table("mhsds_referrals", "mental-health", ("referral_id", "referral_date")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file as read: its header, and its rows as wide as that."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    misfits: int  # rows of another width, of which only id and person are kept


def prepare(given: Path, out: Path, *, today: date, port: int = 8000) -> list[str]:
    """Writes a whole configuration into `out`; gives remarks for whoever runs it.

    What an earlier preparation wrote is replaced. Unusable, naming the file, if one
    of the five is missing, is not UTF-8, or lacks its id, person or date column.
    """
    contents = {t: _read(given / t.file, t) for t in (*DROPS, *DATABASES)}
    _clear(out)
    shutil.copytree(HERE / "sources", out / "sources")
    remarks = []
    for table in DROPS:
        _write_drop(given, out, table, content=contents[table])
    for table in DATABASES:
        content = contents[table]
        _write_database(out, table, content)
        if content.misfits:
            remarks.append(
                f"{table.file}: {content.misfits} rows of another width keep only "
                "their id and person"
            )
    _write_policy(out / "policy", today)
    create_keys(out / "keys")
    create_key(out / "keys" / "audit.key")
    text = (HERE / "throughline.toml").read_text("utf-8")
    (out / "throughline.toml").write_text(text.replace("{port}", str(port)), "utf-8")
    return remarks


def _clear(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in _OURS:
        shutil.rmtree(out / name, ignore_errors=True)
    for store in out.glob("throughline.db*"):
        store.unlink()


def _read(path: Path, table: Table) -> Content:
    try:
        text = path.read_text("utf-8-sig")
    except OSError:
        message = f"{path.name} is not there or cannot be read. Put it into DIR."
        raise Unusable(message) from None
    except UnicodeDecodeError:
        raise Unusable(f"{path.name} is not UTF-8. Save it as UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(cell.strip() for cell in next(reader, []))
        rows = [tuple(row) for row in reader if row]
    except csv.Error:
        message = f"{path.name}, line {reader.line_num}: its quotes do not match."
        raise Unusable(message) from None
    for column in ("patient_id", *table.needs):
        if header.count(column) != 1:
            there = f"there are {', '.join(header)}" if len(header) > 1 else "no header"
            message = f"{path.name} has no one column {column}; {there}."
            raise Unusable(message)
    kept = tuple(_kept(row, header, table) for row in rows)
    misfits = sum(len(row) != len(header) for row in rows)
    return Content(header=header, rows=kept, misfits=misfits)


def _kept(
    row: tuple[str, ...], header: tuple[str, ...], table: Table
) -> tuple[str, ...]:
    """A row of the header's width; of another width, only whose it is, and its id.

    Cells may have moved into their neighbours' columns, so the rest is not believed:
    the event stands without a date rather than with a wrong one.
    """
    if len(row) == len(header):
        return row
    believed = {"patient_id", "nhs_number", table.needs[0]}
    return tuple(
        row[place] if name in believed and place < len(row) else ""
        for place, name in enumerate(header)
    )


def _write_drop(given: Path, out: Path, table: Table, *, content: Content) -> None:
    folder = out / "sources" / "drops" / table.source
    folder.mkdir(parents=True)
    lacking = _lacking(out, table, content=content, model=DropFile)
    if not lacking:
        shutil.copyfile(given / table.file, folder / table.file)
        return
    # The mapping names columns this file has not: they stand there, blank.
    with (folder / table.file).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*content.header, *lacking))
        writer.writerows((*row, *("" for _ in lacking)) for row in content.rows)


def _write_database(out: Path, table: Table, content: Content) -> None:
    path = out / "sources" / "databases" / f"{table.source}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = (*content.header, *_lacking(out, table, content=content, model=SqlFile))
    declared = ", ".join(f"{_quoted(name)} TEXT" for name in columns)
    marks = ", ".join("?" * len(content.header))
    into = ", ".join(_quoted(name) for name in content.header)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE {table.name} ({declared})")
        database.executemany(
            f"INSERT INTO {table.name} ({into}) VALUES ({marks})",  # noqa: S608 - names are quoted, values are bound
            content.rows,
        )
        for column in ("patient_id", "nhs_number"):
            index = f"CREATE INDEX {table.name}_{column} ON {table.name} ({column})"
            database.execute(index)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _lacking(
    out: Path, table: Table, *, content: Content, model: type[DropFile | SqlFile]
) -> tuple[str, ...]:
    """Columns that the mapping names and the file has not."""
    settings = read(out / "sources" / f"{table.source}.toml", model)
    wanted = dict.fromkeys(column for _, column in named(settings.mapping))
    return tuple(name for name in wanted if name not in content.header)


def _write_policy(folder: Path, today: date) -> None:
    text = (HERE / "agreement.yaml").read_text("utf-8")
    last = (today + _VALID).isoformat()
    filled = text.replace("{from}", today.isoformat()).replace("{through}", last)
    agreement: dict[str, Any] = yaml.safe_load(filled)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agreement.yaml").write_text(filled, "utf-8")
    signatures = yaml.safe_dump_all(
        _signatures(agreement, today), sort_keys=False, explicit_start=True
    )
    (folder / "signatures.yaml").write_text(signatures, "utf-8")


def _signatures(agreement: dict[str, Any], today: date) -> Iterator[dict[str, Any]]:
    signed = datetime.combine(today, time(0), tzinfo=LONDON)
    for organisation in agreement["parties"]["providers"]:
        yield {
            "kind": "signature",
            "document": agreement["id"],
            "hash": content_hash(agreement),
            "organisation": organisation,
            "person": f"Caldicott guardian of {organisation} (synthetic)",
            "capacity": "caldicott",
            "at": signed.isoformat(),
        }
