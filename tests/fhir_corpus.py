"""Each FHIR file of the data as a server would hold it: offered, asked for, counted.

A file becomes one searchset of its resources, byte for byte as they are written, and
is asked for by its own Patient's identifier, else its subject's, else nobody's.
"""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Identifiers, Query
from adapters.errors import AdapterError
from adapters.fhir import FhirAdapter, Reading, Scope, build, read_bundle
from adapters.fhir.tables import SUPPORTING_STU3, Version
from adapters.http import AiohttpTransport
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.fhir_asking import surroundings
from tests.people import number
from tests.stub_fhir import Misbehaviour, StubFhir

FAMILIES: Final = (
    "fhir-edge-candle",
    "fhir-edge-google-gateway",
    "fhir-edge-microsoft",
    "fhir-edge-validator-cases",
    "fhir-hl7-r4-official-examples",
    "fhir-large",
    "fhir-nhs-bars",
    "fhir-nhs-ers",
    "fhir-nhs-immunisation",
    "fhir-nhs-misc",
    "fhir-nhs-pds",
    "fhir-nhsengland-iops",
    "fhir-nhsengland-iops-json",
    "fhir-stu3-gpconnect",
    "fhir-synthea-bulk-ndjson",
    "fhir-synthea-r4-transaction",
    "fhir-synthea-r4-v3-uscore",
    "fhir-ukcore-json",
    "fhir-ukcore-xml",
)
BOM: Final = b"\xef\xbb\xbf"
JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
_TYPE: Final = "Encounter"  # the one type asked for; the server gives all it holds
_STRANGER: Final = number(7)  # whom a file without any person is asked about
NOBODY: Final = Identifiers(nhs_number=_STRANGER)
_SYSTEM: Final = re.compile(r"[^\s\"\\\x00-\x1f]+")


_HEADS: Final = (
    *("files", "resources", "events", "persons"),
    *("supporting", "unmapped", "twice", "outcomes"),
)


class _Entry(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = msgspec.Raw(b"")
    full_url: msgspec.Raw = msgspec.Raw(b"")


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: Any = None
    entry: list[_Entry] | None = None
    meta: msgspec.Raw = msgspec.Raw(b"")


_OPEN: Final = msgspec.json.Decoder(_Bundle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What the server answers with, and whom it is asked about."""

    body: bytes = field(repr=False)
    content_type: str = JSON
    patients: tuple[bytes, ...] = field(default=(), repr=False)
    person: Identifiers = NOBODY
    asked_by: str = "nobody"  # patient, subject or nobody
    version: Version = "R4"
    resources: int | None = None  # by the standard library; None if it is not JSON
    nested: int = 0  # Bundles taken apart
    is_json: bool = False


def files(folder: Path) -> list[Path]:
    """The FHIR files of a family, in order; verdicts and logs of it are none."""
    found = sorted(folder.rglob("*"))
    return [
        file
        for file in found
        if file.suffix in {".json", ".xml", ".ndjson"} and file.name[0] != "_"
    ]


def version_of(file: Path) -> Version:
    """What an engineer at the source would declare: its families say, or its names."""
    family = file.parent.name
    is_stu3 = (
        family == "fhir-stu3-gpconnect"
        or (family == "fhir-nhs-ers" and file.name.startswith("stu3__"))
        or (family == "fhir-large" and b"/STU3/" in file.read_bytes())
    )
    return "STU3" if is_stu3 else "R4"


def offer(file: Path) -> Offered:
    """The file as one searchset; what cannot be taken apart is sent as it is."""
    body = file.read_bytes()
    if file.suffix == ".xml":
        return Offered(body=body, content_type=XML)
    return offer_json(body, is_lines=file.suffix == ".ndjson", version=version_of(file))


def offer_json(
    body: bytes, *, is_lines: bool = False, version: Version = "R4"
) -> Offered:
    """The same of bytes: of one resource or Bundle, or of a resource a line."""
    bom, plain = (BOM, body[3:]) if body.startswith(BOM) else (b"", body)
    pieces = [line for line in plain.splitlines() if line.strip()]
    pieces = pieces if is_lines else [plain]
    try:
        given = [json.loads(piece.decode()) for piece in pieces]
        taken = _Taken()
        for piece in pieces:
            taken.take(piece)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        # What only one of the two readers takes is for the adapter to judge whole.
        return Offered(body=body, version=version, is_json=_is_json(pieces))
    if not all(isinstance(one, dict) and one.get("resourceType") for one in given):
        return Offered(body=body, version=version, is_json=True)
    counted = sum(_count(one, version) for one in given)
    person, asked_by, own = _person(taken.resources)
    return Offered(
        body=bom + _searchset(taken.entries, taken.meta),
        patients=own,
        person=person,
        asked_by=asked_by,
        version=version,
        resources=counted,
        nested=taken.nested,
        is_json=True,
    )


def _is_json(pieces: list[bytes]) -> bool:
    try:
        for piece in pieces:
            json.loads(piece.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _count(given: Any, version: Version) -> int:
    """Resources of a parsed page, Bundles in it taken apart, by plain recursion.

    A List of STU3 holds records within itself that are records like any other.
    """
    kind = given.get("resourceType")
    if kind == "List" and version == "STU3":
        contained = (one["resourceType"] for one in given.get("contained") or ())
        return 1 + sum(one not in SUPPORTING_STU3 | {"Patient"} for one in contained)
    if kind != "Bundle":
        return 1
    held = (e.get("resource") for e in given.get("entry") or () if isinstance(e, dict))
    present = [one for one in held if one is not None]
    return sum(_count(one, version) if isinstance(one, dict) else 1 for one in present)


@dataclass(slots=True)
class _Taken:
    """A file taken apart into entries, each of them bytes."""

    entries: list[bytes] = field(default_factory=list)
    resources: list[bytes] = field(default_factory=list)
    meta: bytes = b""
    nested: int = 0

    def take(self, piece: bytes, *, full_url: bytes = b"", depth: int = 0) -> None:
        page = _OPEN.decode(piece) if piece.lstrip()[:1] == b"{" else _Bundle()
        if page.resource_type != "Bundle":
            named = b'"fullUrl":' + full_url + b"," if full_url else b""
            self.entries.append(b"{" + named + b'"resource":' + piece + b"}")
            self.resources.append(piece)
            return
        self.nested += depth > 0
        self.meta = self.meta or bytes(page.meta)
        for entry in page.entry or ():
            if bytes(entry.resource) not in {b"", b"null"}:
                url = bytes(entry.full_url)
                self.take(bytes(entry.resource), full_url=url, depth=depth + 1)


def _searchset(entries: list[bytes], meta: bytes = b"") -> bytes:
    kept = b'"meta":' + meta + b"," if meta else b""
    return (
        b'{"resourceType":"Bundle","type":"searchset",'
        + kept
        + b'"entry":['
        + b",".join(entries)
        + b"]}"
    )


def _person(resources: list[bytes]) -> tuple[Identifiers, str, tuple[bytes, ...]]:
    """Whom to ask about, how they were found, and the Patients that answer to it."""
    parsed = [json.loads(one) for one in resources]
    for raw, one in zip(resources, parsed, strict=True):
        if one.get("resourceType") != "Patient" or not isinstance(one.get("id"), str):
            continue
        if person := _named(_several(one.get("identifier"))):
            return person, "patient", (raw,)
    for one in parsed:
        for role in ("subject", "patient"):
            about = one.get(role)
            given = about.get("identifier") if isinstance(about, dict) else None
            if person := _named([given]):
                return person, "subject", ()
    return NOBODY, "nobody", ()


def _several(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _named(given: list[Any]) -> Identifiers | None:
    """The identifiers among these; an NHS number alone where there is just one."""
    found: set[Identifier] = set()
    for one in given:
        system, value = (
            (one.get("system"), one.get("value"))
            if isinstance(one, dict)
            else (None, None)
        )
        if not isinstance(system, str) or not isinstance(value, str) or not value:
            continue
        if system not in nhs_number.SYSTEMS:
            if _SYSTEM.fullmatch(system):
                found.add(Identifier(system, value))
        elif (digits := nhs_number.normalise(value)) and one.get("use") != "old":
            return Identifiers(nhs_number=digits)
    return Identifiers(others=frozenset(found)) if found else None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What the adapter made of one file; `reading` is the page behind its answer."""

    offered: Offered
    answer: Answer | None = None
    reading: Reading | None = None
    refused: AdapterError | None = None

    @property
    def caveats(self) -> dict[str, int]:
        assert self.answer is not None
        return {caveat.code: caveat.count for caveat in self.answer.caveats}


class Desk:
    """One stub server and one way to it; files are offered through it in turn."""

    def __init__(self, server: StubFhir, transport: AiohttpTransport, folder: Path):
        self._server = server
        self._transport = transport
        self._folder = folder

    def _adapter(self, systems: set[str], version: Version) -> FhirAdapter:
        named = ", ".join(json.dumps(system) for system in sorted(systems))
        source = self._folder / "source.toml"
        source.write_text(
            f'kind = "fhir"\nbase_url = "{self._server.base_url}"\n'
            f'version = "{version}"\ntypes = ["{_TYPE}"]\n'
            f"[identifiers]\nsystems = [{named}]\n",
            "utf-8",
        )
        around = surroundings(self._transport, self._folder, limits=Limits())
        return build(source, around)

    async def outcome(self, offered: Offered) -> Outcome:
        """The file asked for through the adapter; its errors are an outcome too."""
        patients = offered.patients or (_standing_in(offered.person),)
        self._server.wrong = Misbehaviour(
            bodies={
                "Patient": (JSON, _searchset([_entry(one) for one in patients])),
                _TYPE: (offered.content_type, offered.body),
            }
        )
        systems = {one.system for one in offered.person.every}
        adapter = self._adapter(systems, offered.version)
        outcome = Outcome(offered=offered)
        query = Query(
            person=offered.person,
            since=None,
            until=None,
            categories=CATEGORIES,
            limit=100_000,
        )
        try:
            outcome.answer = await adapter.ask(query)
            outcome.reading = read_bundle(offered.body, self.scope(offered.version))
        except AdapterError as error:
            outcome.refused = error
        finally:
            await adapter.aclose()
        return outcome

    def scope(self, version: Version) -> Scope:
        return Scope(sector="acute", base=self._server.base_url, version=version)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    """A server of ours on a free port, for as many files as are offered."""
    transport = AiohttpTransport()
    async with StubFhir([]) as server:
        try:
            yield Desk(server, transport, folder)
        finally:
            await transport.aclose()


def _entry(resource: bytes) -> bytes:
    return b'{"resource":' + resource + b"}"


def _standing_in(person: Identifiers) -> bytes:
    """The Patient of a server whose file has none; it is not counted."""
    named = [{"system": one.system, "value": one.value} for one in person.every]
    given = {"resourceType": "Patient", "id": "asked-for", "identifier": named}
    return json.dumps(given).encode()


@dataclass(slots=True, kw_only=True)
class Row:
    """A family's line of the table."""

    files: int = 0
    resources: int = 0
    events: int = 0
    persons: int = 0
    supporting: int = 0
    unmapped: int = 0
    duplicates: int = 0
    outcomes: int = 0
    unaccounted: int = 0
    nested: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    asked_by: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.files += 1
        self.nested += outcome.offered.nested
        if outcome.refused is not None:
            self.refused[refusal(outcome)] += 1
            return
        reading = outcome.reading
        assert reading is not None
        assert outcome.answer is not None
        self.asked_by[outcome.offered.asked_by] += 1
        self.resources += reading.resources
        self.events += len(outcome.answer.events)
        self.persons += len(reading.persons)
        self.supporting += reading.supporting.total()
        self.unmapped += reading.unmapped.total()
        self.duplicates += reading.duplicates
        self.outcomes += reading.outcomes.total()
        self.rejected += reading.rejected
        self.unaccounted += abs((outcome.offered.resources or 0) - reading.accounted)


def refusal(outcome: Outcome) -> str:
    """Why a whole file was refused, as the table says it."""
    assert outcome.refused is not None
    if outcome.refused.reason != "unreadable":
        return outcome.refused.reason
    return "not FHIR" if outcome.offered.is_json else "not JSON"


async def outcomes(folder: Path, at: Desk) -> AsyncIterator[tuple[Path, Outcome]]:
    """Every file of a family and what became of it."""
    for file in files(folder):
        yield file, await at.outcome(offer(file))


async def table(data: Path, scratch: Path) -> dict[str, Row]:
    """Every family offered through one server, file by file."""
    rows: dict[str, Row] = {}
    async with desk(scratch) as at:
        for family in FAMILIES:
            row = rows.setdefault(family, Row())
            async for _, outcome in outcomes(data / family, at):
                row.add(outcome)
    return rows


def lines(rows: dict[str, Row]) -> Iterator[str]:
    """The table as text, a family a line and their sum last."""
    yield f"{'family':31}" + "".join(f"{head:>11}" for head in _HEADS)
    total = Row()
    for name, row in rows.items():
        yield _line(name, row)
        for key in ("rejected", "refused", "asked_by"):
            setattr(total, key, getattr(total, key) + getattr(row, key))
        for key in Row.__dataclass_fields__:
            if isinstance(getattr(row, key), int):
                setattr(total, key, getattr(total, key) + getattr(row, key))
    yield _line("all", total)
    yield f"asked by: {_told(total.asked_by)}; nested Bundles: {total.nested}"
    # A crash is caught nowhere: it would have ended the run before this line.
    yield f"crashes 0; unaccounted {total.unaccounted}"


def _line(name: str, row: Row) -> str:
    figures = (
        *(row.files, row.resources, row.events, row.persons),
        *(row.supporting, row.unmapped, row.duplicates, row.outcomes),
    )
    said = "".join(f"{figure:>11}" for figure in figures)
    rejected, refused = _told(row.rejected), _told(row.refused)
    return f"{name:31}{said}  rejected: {rejected}; refused: {refused}"


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{why} {n}" for why, n in sorted(counts.items())) or "none"
