"""CSV files nobody here wrote, each read whole through a mapping of `examples/`."""

import csv
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.csv_drop import CsvDrop, build
from adapters.csv_drop.index import read_imprint
from adapters.nhs_number import SYSTEM as NHS
from adapters.nhs_number import normalise
from adapters.source_file import fingerprint
from adapters.vocabulary import CATEGORIES
from tests.corpus import ROOT
from tests.drops import manifest
from tests.surroundings import in_folder

HES = "urn:throughline:example:hes-id"
SYNTHEA = "urn:throughline:example:synthea"
_BATCH = "csv-nhs-immunisation-batch"
_NGUYEN, _ADIHEHE, _BARE = (
    f"csv-synthea/{name}"
    for name in ("andrew-nguyen", "adihehe", "parkererickson-headerless")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """One file of the data, how it is written, and the example that maps it."""

    file: str
    example: str
    who: str  # the column, or its place where there is no header, that names people
    system: str
    delimiter: str = ","
    encoding: str = "utf-8"
    header: bool = True

    def rows(self, data: Path) -> list[dict[str, str]]:
        """Every row by the standard library: the recount that nothing here shares."""
        with (data / self.file).open(encoding=self.encoding, newline="") as stream:
            every = list(csv.reader(stream, delimiter=self.delimiter))
        names = every.pop(0) if self.header else list(map(str, range(len(every[0]))))
        return [dict(zip(names, row, strict=True)) for row in every]

    def people(self, rows: list[dict[str, str]]) -> list[str]:
        """Each person once, as the source names them."""
        named = {row[self.who].strip() for row in rows}
        if self.system == NHS:
            return sorted({number for one in named if (number := normalise(one))})
        return sorted(named - {""})


def _synthea(folder: str, example: str, **more: str) -> Extract:
    name = example.partition("-")[0]
    who = more.get("who", "Id" if name == "patients" else "PATIENT")
    return Extract(
        file=f"{folder}/{name}.csv",
        example=f"synthea/{example}.toml",
        who=who,
        system=SYNTHEA,
        header=folder != _BARE,
    )


def _hes(part: str, year: str) -> Extract:
    return Extract(
        file=f"csv-hes-artificial/artificial_hes_{part}_{year}_truncated.csv",
        example=f"hes/{part}.toml",
        who="PSEUDO_HESID",
        system=HES,
    )


EXTRACTS = (
    _hes("ae", "0708"),
    _hes("apc", "0102"),
    _hes("op", "0304"),
    Extract(
        file=f"{_BATCH}/test-batch-data.csv",
        example="immunisation/batch.toml",
        who="NHS_NUMBER",
        system=NHS,
        delimiter="|",
    ),
    Extract(
        file=f"{_BATCH}/test-batch-data-cp1252.csv",
        example="immunisation/batch-cp1252.toml",
        who="NHS_NUMBER",
        system=NHS,
        delimiter="|",
        encoding="cp1252",
    ),
    Extract(
        file=f"{_BATCH}/testData.csv",
        example="immunisation/people.toml",
        who="nhs_number",
        system=NHS,
    ),
    _synthea(_NGUYEN, "encounters"),
    *(_synthea(_NGUYEN, name) for name in ("devices", "procedures", "imaging_studies")),
    _synthea(_ADIHEHE, "encounters-plain"),
    *(
        _synthea(folder, name)
        for folder in (_NGUYEN, _ADIHEHE)
        for name in ("patients", "conditions", "allergies", "careplans")
    ),
    *(_synthea(folder, "immunizations") for folder in (_NGUYEN, _ADIHEHE)),
    _synthea(_BARE, "encounters-headerless", who="4"),
    _synthea(_BARE, "patients-headerless", who="0"),
)


@dataclass(slots=True, kw_only=True)
class Taken:
    """What became of one file's rows."""

    rows: int
    events: list[Event] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    caveats: Counter[str] = field(default_factory=Counter)

    @property
    def accounted(self) -> int:
        """How many rows have a place: it must equal `rows`."""
        return len(self.events) + self.rejected.total() + self.repeated


def lay_out(extract: Extract, data: Path, folder: Path) -> Path:
    """A copy of the example beside a drop of the file; gives the source file."""
    example = ROOT / "examples" / extract.example
    source = folder / example.name
    shutil.copy(example, source)
    drops = folder / "drops" / example.stem
    drops.mkdir(parents=True)
    dropped = Path(shutil.copy(data / extract.file, drops))
    if "manifest =" in example.read_text("utf-8"):
        rows = len(extract.rows(data))
        promise = manifest(dropped.name, dropped.read_bytes(), rows)
        dropped.with_suffix(".manifest.json").write_text(promise, "utf-8")
    return source


async def take(extract: Extract, data: Path, folder: Path) -> Taken:
    """The whole file through the adapter, person by person."""
    rows = extract.rows(data)
    source = lay_out(extract, data, folder)
    around = in_folder(folder)
    adapter = build(source, around)
    taken = Taken(rows=len(rows))
    try:
        for who in extract.people(rows):
            await _ask(adapter, extract, who, taken)
        imprint = read_imprint(around.state / "index.drop")
    finally:
        await adapter.aclose()
        await around.transport.aclose()
    assert imprint is not None
    assert imprint.mapping == fingerprint(source)
    taken.repeated = imprint.repeated
    with (around.state / "quarantine.csv").open(encoding="utf-8") as stream:
        taken.rejected = Counter(row["reason"] for row in csv.DictReader(stream))
    assert taken.caveats["rows_rejected"] in {0, taken.rejected.total()}
    return taken


async def _ask(adapter: CsvDrop, extract: Extract, who: str, taken: Taken) -> None:
    named = Identifier(extract.system, who)
    number = who if extract.system == NHS else None
    others = frozenset() if number else frozenset({named})
    query = Query(
        person=Identifiers(nhs_number=number, others=others),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=20_000,
    )
    answer = await adapter.ask(query)
    assert all(named in (event.subject or ()) for event in answer.events)
    taken.events += answer.events
    for caveat in answer.caveats:
        # Rows set aside are the whole file's, and told in every answer.
        if caveat.code == "rows_rejected":
            taken.caveats[caveat.code] = caveat.count
        else:
            taken.caveats[caveat.code] += caveat.count
