"""A synthetic drop of any size for benchmarks, with the source file that reads it."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.nhs_number import passes

SYSTEM: Final = "urn:example:patient-id"
EACH: Final = 10  # rows of a person, on average
_COLUMNS: Final = (
    "attendance_id,patient_id,nhs_number,dob,arrival,departure,kind,state,site,triage,"
    "diagnosis,complaint,disposal,notes\n"
)
_COMPLAINTS: Final = (
    "Fall from standing height",
    "Chest pain on exertion",
    "Shortness of breath",
    '"Pain, abdominal"',
)
_SOURCE: Final = """\
kind = "csv_drop"
directory = "drops"
settle_s = 0

[mapping]
dates = ["%Y-%m-%d %H:%M:%S", "iso"]
absent = ["null", "none"]
record_id = "attendance_id"
title = "{complaint}"
status = "finished"
start = "arrival"
end = "departure"
person = { birth_date = "dob" }

[mapping.kind]
column = "kind"
codes = { A = "ed_attendance", B = "outpatient_appointment" }

[[mapping.identifiers]]
column = "patient_id"
system = "urn:example:patient-id"
key = true

[[mapping.identifiers]]
column = "nhs_number"
system = "https://fhir.nhs.uk/Id/nhs-number"

[[mapping.codes]]
column = "diagnosis"
system = "http://hl7.org/fhir/sid/icd-10"
"""


def write(folder: Path, rows: int, *, seed: int = 13) -> Path:
    """A drop of rows of some 200 bytes, in no order, beside `folder`/source.toml."""
    (folder / "drops").mkdir(parents=True)
    (folder / "source.toml").write_text(_SOURCE, "utf-8")
    drop = folder / "drops" / "attendances.csv"
    with drop.open("w", encoding="utf-8") as stream:
        stream.write(_COLUMNS)
        stream.writelines(_lines(rows, random.Random(seed)))  # noqa: S311 - no secret is made
    return drop


def _lines(rows: int, chance: random.Random) -> Iterator[str]:
    people = max(rows // EACH, 1)
    numbers = _numbers(people)
    ids = list(range(rows))
    chance.shuffle(ids)  # an index that rose by itself would be too easy
    for number, record in enumerate(ids):
        who, day, minute = (chance.randrange(n) for n in (people, 3650, 1440))
        date = f"{2015 + day // 365}-{day % 12 + 1:02d}-{day % 28 + 1:02d}"
        born = f"{1930 + who % 90}-{who % 12 + 1:02d}-{who % 28 + 1:02d}"
        complaint = _COMPLAINTS[-1 if number % 50 == 0 else number % 3]
        yield (
            f"A{record:09d},P{who:08d},{numbers[who]},{born},"
            f"{date} {minute // 60:02d}:{minute % 60:02d}:00,{date} 23:59:00,"
            f"{'AB'[number % 2]},Done,Z9C03,{number % 5 + 1},S72.{number % 9},"
            f"{complaint},Discharged to usual residence,"
            f"Seen by the emergency team and given advice sheet {minute}\n"
        )


def _numbers(count: int) -> list[str]:
    """Test numbers of the 999 range, begun again where it ends."""
    found: list[str] = []
    for stem in range(1_000_000):
        first = f"999{stem:06d}"
        found += (n for digit in "0123456789" if passes(n := first + digit))
        if len(found) >= count:
            return found[:count]
    return (found * (count // len(found) + 1))[:count]
