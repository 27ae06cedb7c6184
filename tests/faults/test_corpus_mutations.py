"""Spoilt files of the data through each adapter: its own errors, and nobody else.

Seeded, so that what fails once fails again. A thousand spoilt copies each.
"""

import asyncio
import contextlib
import csv
import io
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

import pytest

from adapters import csv_drop, sql
from adapters.contract import Adapter, Answer, Event, Identifier, Identifiers, Query
from adapters.csv_drop.settings import DropFile
from adapters.errors import AdapterError, ConfigurationError
from adapters.nhs_number import SYSTEM, normalise
from adapters.source_file import read
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.corpus import ROOT, corpus
from tests.drop_corpus import EXTRACTS, HES, Extract
from tests.fhir_corpus import FAMILIES, Offered, desk, files, offer
from tests.mutations import mutated
from tests.surroundings import in_folder

pytestmark = [pytest.mark.corpus, pytest.mark.fault]

TIMES = 1_000
DEADLINE_S = Limits().source_s
_CONTROLS = dict.fromkeys(range(32))
# A control character of an id is shown as U+FFFD, and one that is not text likewise.
_SHOWN = (*range(32), *range(127, 160), 0x2028, 0x2029, 0xFFFD)
_STRAY = {one: None for one in _SHOWN if one != 10}


def about(named: Identifier) -> Query:
    number = named.value if named.system == SYSTEM else None
    return Query(
        person=Identifiers(
            nhs_number=number, others=frozenset() if number else frozenset({named})
        ),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=20_000,
    )


async def answered(adapter: Adapter, query: Query) -> Answer | None:
    """The answer in time, or None for an error of the contract; another one fails."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await adapter.ask(query)
    except AdapterError:
        return None
    finally:
        await adapter.aclose()


# FHIR


def offers(random: Random) -> Iterator[Offered]:
    """Small files of every family, each offered as a server would."""
    found = [f for name in FAMILIES for f in files(corpus(name))]
    small = [f for f in found if f.stat().st_size < 40_000 and f.suffix != ".xml"]
    while True:
        yield offer(random.choice(small))


def strings(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, dict):
        for value in given.values():
            yield from strings(value)
    elif isinstance(given, list):
        for value in given:
            yield from strings(value)


def resources(page: Any) -> list[Any]:
    if not isinstance(page, dict):
        return []
    if page.get("resourceType") != "Bundle":
        return [page]
    entries = page.get("entry")
    held = [e.get("resource") for e in entries or [] if isinstance(e, dict)]
    return [one for one in held if isinstance(one, dict)]


def parsed(body: bytes) -> Any:
    """The page by the standard library. ValueError if it is not JSON.

    What stands in an element that nobody reads may be no UTF-8, and control
    characters are taken out, as the adapter does and says.
    """
    text = body.decode("utf-8-sig", errors="replace").translate(_CONTROLS)
    return json.loads(text, strict=False)


def may_name(event: Event, page: Any) -> bool:
    """Whether the record itself, or a Patient on its page, writes who it is about."""
    everything = resources(page)
    # A record id that cannot be shown is a digest: then any record may be it.
    own = [r for r in everything if event.record_id.endswith(f"/{r.get('id')}")]
    own = own or everything
    people = [r for r in everything if r.get("resourceType") == "Patient"]
    written = [unquote(one) for r in own + people for one in strings(r)]
    said = "\n".join(written + [re.sub(r"[\s-]", "", one) for one in written])
    return all(one.value in said for one in event.subject or ())


async def test_a_thousand_spoilt_replies_of_a_server(tmp_path):
    random = Random(17)  # noqa: S311 - a seed for tests, no secret
    read_some = 0
    async with desk(tmp_path) as at:
        for _, offered in zip(range(TIMES), offers(random), strict=False):
            spoilt = mutated(offered.body, random)
            # Who outlives the deadline ends the test with a TimeoutError.
            async with asyncio.timeout(DEADLINE_S):
                outcome = await at.outcome(replace(offered, body=spoilt))
            if outcome.answer is None:
                continue
            read_some += 1
            assert outcome.reading is not None
            assert outcome.reading.accounted == outcome.reading.resources
            page = parsed(spoilt)  # what is no JSON must not have been half-read
            for event in outcome.answer.events:
                is_asked = (event.subject or frozenset()) <= offered.person.every
                assert is_asked or may_name(event, page)
    assert TIMES > read_some > TIMES / 10


async def test_a_thousand_spoilt_patients_are_never_taken_for_another(tmp_path):
    """Whoever the reply names is the person asked for, or is answered as another."""
    random = Random(18)  # noqa: S311 - a seed for tests, no secret
    asked = 0
    async with desk(tmp_path) as at:
        for offered in offers(random):
            if not offered.patients:
                continue
            if asked == TIMES:
                break
            asked += 1
            spoilt = mutated(offered.patients[0], random)
            async with asyncio.timeout(DEADLINE_S):
                outcome = await at.outcome(replace(offered, patients=(spoilt,)))
            person = outcome.answer.person if outcome.answer else None
            if person is None or person.identifiers & offered.person.every:
                continue
            assert outcome.answer is not None
            numbers = {i for i in person.identifiers if i.system == SYSTEM}
            if numbers and offered.person.nhs_number:
                assert outcome.answer.events == ()
    assert asked == TIMES


# Drops


def heads(random: Random) -> Iterator[tuple[Extract, bytes, dict[str, str]]]:
    """The first lines of an extract, and one of the people in them."""
    given: list[tuple[Extract, bytes, list[dict[str, str]]]] = []
    for extract in EXTRACTS:
        whole = corpus(extract.file).read_bytes()
        lines = whole.splitlines(keepends=True)[:30]
        rows = [r for r in extract.rows(corpus())[:20] if is_named(extract, r)]
        given.append((extract, b"".join(lines), rows))
    while True:
        extract, data, rows = random.choice(given)
        yield extract, data, random.choice(rows)


def is_named(extract: Extract, row: dict[str, str]) -> bool:
    who = row[extract.who].strip()
    return bool(normalise(who) if extract.system == SYSTEM else who)


def cells_of(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def names_in(extract: Extract, data: bytes, columns: list[str]) -> set[tuple[str, str]]:
    """(record id, person) of every row by the csv module, whatever else is wrong."""
    # Only a line feed ends a row there; the csv module ends it at others as well.
    text = data.decode(extract.encoding, errors="replace").translate(_STRAY)
    spec = read(ROOT / "examples" / extract.example, DropFile)
    # A quote gone astray swallows lines: each is read by itself as well.
    every = cells_of(text, extract.delimiter)
    header = [c.strip() for c in every[0]] if extract.header else columns
    named = set()
    for line in text.splitlines():
        every += cells_of(line, extract.delimiter)
    for row in every:
        cells = dict(zip(header, row, strict=False))
        who = cells.get(spec.mapping.identifiers[0].column, "").strip()
        parts = [cells.get(c, "").strip() for c in spec.mapping.record_id]
        named.add(("/".join(parts), normalise(who) or who))
    return named


async def test_a_thousand_spoilt_drops(tmp_path):
    random = Random(19)  # noqa: S311 - a seed for tests, no secret
    told = 0
    given = zip(range(TIMES), heads(random), strict=False)
    for n, (extract, data, row) in given:
        folder = tmp_path / str(n)
        spoilt = mutated(data, random)
        if random.random() < 0.5 and not spoilt.endswith(b"\n"):
            spoilt += b"\n"
        who = row[extract.who].strip()
        named = Identifier(
            extract.system, (normalise(who) or who) if extract.system == SYSTEM else who
        )
        try:
            adapter = csv_drop.build(laid(extract, spoilt, folder), in_folder(folder))
        except ConfigurationError:
            continue  # a spoilt header stops the start, and is said there
        answer = await answered(adapter, about(named))
        if answer is None or not answer.events:
            continue
        told += 1
        spec = read(folder / Path(extract.example).name, DropFile)
        pairs = names_in(extract, spoilt, list(spec.columns))
        for event in answer.events:
            assert named in (event.subject or ())
            assert (event.record_id.translate(_STRAY), named.value) in pairs
    assert told > TIMES / 10


def laid(extract: Extract, data: bytes, folder: Path) -> Path:
    """The example beside a drop of these bytes; no manifest promises anything."""
    example = ROOT / "examples" / extract.example
    drops = folder / "drops" / example.stem
    drops.mkdir(parents=True)
    (drops / Path(extract.file).name).write_bytes(data)
    source = folder / example.name
    text = example.read_text("utf-8")
    source.write_text(re.sub(r"(?m)^manifest = .*\n", "", text), "utf-8")
    return source


# Databases

ROWS = 200
COLUMNS = ("EPIKEY", "PSEUDO_HESID", "EPISTART", "EPIEND", "TRETSPEF")
SOURCE = f"""
kind = "sql"
url = "sqlite:///episodes.db"
table = "episodes"

[mapping]
record_id = "EPIKEY"
kind = "inpatient_episode"
title = "Specialty {{TRETSPEF}}"
start = "EPISTART"
end = "EPIEND"

[[mapping.identifiers]]
column = "PSEUDO_HESID"
system = "{HES}"
key = true
"""


def database(folder: Path) -> tuple[bytes, list[dict[str, str]]]:
    """The first episodes as a SQLite file, and its rows."""
    extract = next(e for e in EXTRACTS if e.example == "hes/apc.toml")
    rows = extract.rows(corpus())[:ROWS]
    path = folder / "whole.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE episodes ({', '.join(COLUMNS)})")
        connection.executemany(
            "INSERT INTO episodes VALUES (?, ?, ?, ?, ?)",
            [[row[name] for name in COLUMNS] for row in rows],
        )
        connection.execute("CREATE INDEX by_person ON episodes (PSEUDO_HESID)")
        connection.commit()
    return path.read_bytes(), rows


def pairs_in(path: Path) -> set[tuple[str, str]]:
    """(record id, person) of the rows SQLite itself still finds, without an index.

    Each is read by itself, for a spoilt page hides those that come after it.
    """
    found: set[tuple[str, str]] = set()
    asking = "SELECT EPIKEY, PSEUDO_HESID FROM episodes NOT INDEXED WHERE rowid = ?"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.text_factory = lambda data: data.decode(errors="replace")
        for number in range(1, ROWS + 1):
            with contextlib.suppress(sqlite3.Error):
                for row in connection.execute(asking, (number,)):
                    key, person = (str(cell).strip() for cell in row)
                    found.add((key, person))
    return found


@contextlib.asynccontextmanager
async def opened(source: Path, folder: Path) -> AsyncIterator[Adapter]:
    adapter = sql.build(source, in_folder(folder))
    try:
        yield adapter
    finally:
        await adapter.aclose()


async def test_a_thousand_spoilt_databases(tmp_path):
    random = Random(20)  # noqa: S311 - a seed for tests, no secret
    whole, rows = database(tmp_path)
    held = {(row["EPIKEY"], row["PSEUDO_HESID"]) for row in rows}
    source = tmp_path / "source.toml"
    source.write_text(SOURCE, "utf-8")
    told = 0
    for _ in range(TIMES):
        path = tmp_path / "episodes.db"
        path.write_bytes(mutated(whole, random))
        named = Identifier(HES, random.choice(rows)["PSEUDO_HESID"])
        async with opened(source, tmp_path) as adapter:
            answer = await answered(adapter, about(named))
        if answer is None or not answer.events:
            continue
        told += 1
        pairs = held | pairs_in(path)
        for event in answer.events:
            persons = [one.value for one in event.subject or ()]
            assert [(event.record_id, one) for one in persons if one] != []
            assert all((event.record_id, one) in pairs for one in persons)
    assert told > TIMES / 10
