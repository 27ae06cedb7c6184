"""P14: one person from PostgreSQL through the adapter, beside asyncpg's bare `fetch`.

Both ask the same statement of the same table, and must find the same records.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from adapters.contract import Identifier, Identifiers, Query
from adapters.http import AiohttpTransport
from adapters.sql import Sql, build
from adapters.surroundings import Limits, Surroundings
from adapters.vocabulary import CATEGORIES
from bench.measured import Measured
from gateway.clock import SystemClock
from tests.parts.postgres import installed, running

GOAL: Final = 2.5
_WORK: Final = "one person from PostgreSQL"
_SYSTEM: Final = "urn:example:patient-id"
_COLUMNS: Final = ("contact_id", "title", "started", "ended", "state", "patient_id")
_STATEMENT: Final = (
    f"SELECT {', '.join(_COLUMNS)} FROM contacts WHERE patient_id IN ($1) LIMIT 20001"  # noqa: S608 - constants only
)
_SOURCE: Final = """\
kind = "sql"
url = "{url}"
table = "contacts"

[mapping]
record_id = "contact_id"
kind = "community_contact"
title = "{{title}}"
start = "started"
end = "ended"

[mapping.status]
column = "state"
codes = {{ Done = "finished" }}

[[mapping.identifiers]]
column = "patient_id"
system = "urn:example:patient-id"
key = true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many people, rows of each, questions of a round, and rounds."""

    people: int = 20_000
    each: int = 10
    questions: int = 200
    rounds: int = 5


def run(sizes: Sizes | None = None) -> list[Measured]:
    """One row: ours beside the floor."""
    programs = installed()
    if programs is None:
        floor = "not run: apt-get install postgresql"
        return [Measured(goal="P14", work=_WORK, ours="-", floor=floor, allowed=GOAL)]
    with running(programs) as server, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measured(server.url, Path(folder), sizes or Sizes()))


async def _measured(url: str, folder: Path, sizes: Sizes) -> list[Measured]:
    await _filled(url, sizes)
    source = folder / "source.toml"
    source.write_text(_SOURCE.format(url=url), "utf-8")
    adapter = build(source, surroundings(folder))
    connection = await asyncpg.connect(url)
    try:
        await _refuse_if_unlike(adapter, connection)

        async def bare(person: str) -> object:
            return await connection.fetch(_STATEMENT, person)

        async def ours(person: str) -> object:
            return await adapter.ask(_query(person))

        rounds = [
            (await _medians(ours, people), await _medians(bare, people))
            for people in _rounds(sizes)
        ]
    finally:
        await connection.close()
        await adapter.aclose()
    return [_row(rounds[1:])]  # the first round warms both


async def _filled(url: str, sizes: Sizes) -> None:
    connection = await asyncpg.connect(url)
    columns = ", ".join(f"{name} text" for name in _COLUMNS)
    await connection.execute(f"CREATE TABLE contacts ({columns})")
    await connection.copy_records_to_table(
        "contacts",
        records=(
            (
                f"C{person:06d}-{n}",
                "Visit",
                f"20{n:02d}-03-09",
                None,
                "Done",
                f"P{person}",
            )
            for person in range(sizes.people)
            for n in range(sizes.each)
        ),
    )
    await connection.execute("CREATE INDEX ON contacts (patient_id); ANALYZE contacts")
    await connection.close()


async def _refuse_if_unlike(adapter: Sql, connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    for person in ("P0", "P7", "nobody"):
        bare = {row["contact_id"] for row in await connection.fetch(_STATEMENT, person)}
        ours = {event.record_id for event in (await adapter.ask(_query(person))).events}
        if bare != ours:
            message = "the two sides found different records; nothing was timed"
            raise RuntimeError(message)


def _rounds(sizes: Sizes) -> Iterator[list[str]]:
    for number in range(sizes.rounds + 1):
        first = number * sizes.questions
        yield [f"P{n % sizes.people}" for n in range(first, first + sizes.questions)]


async def _medians(
    ask: Callable[[str], Awaitable[object]], people: list[str]
) -> tuple[float, float]:
    """(p50 of the wall, mean CPU of this process), in milliseconds a question."""
    took = []
    busy = time.process_time()
    for person in people:
        began = time.perf_counter()
        await ask(person)
        took.append(time.perf_counter() - began)
    busy = time.process_time() - busy
    return statistics.median(took) * 1000, busy / len(people) * 1000


def _row(rounds: list[tuple[tuple[float, float], tuple[float, float]]]) -> Measured:
    ratios = [ours[0] / bare[0] for ours, bare in rounds]
    ratio = statistics.median(ratios)
    (ours, ours_cpu), (bare, bare_cpu) = (
        tuple(statistics.median(values) for values in zip(*side, strict=True))
        for side in zip(*rounds, strict=True)
    )
    return Measured(
        goal="P14",
        work=_WORK,
        ours=f"{ours:.2f} ms p50, {ours_cpu:.2f} ms CPU",
        floor=f"asyncpg fetch {bare:.2f} ms p50, {bare_cpu:.2f} ms CPU",
        allowed=GOAL,
        ratio=ratio,
        spread=(min(ratios), max(ratios)),
        cause="each row is mapped, checked and made an event in Python; ten a person",
    )


def _query(person: str) -> Query:
    asked = Identifiers(others=frozenset({Identifier(_SYSTEM, person)}))
    return Query(
        person=asked, since=None, until=None, categories=CATEGORIES, limit=1000
    )


def surroundings(folder: Path) -> Surroundings:
    """Those of a source that keeps nothing but in `folder`."""
    return Surroundings(
        now=SystemClock().now,
        secret=str,
        transport=AiohttpTransport(),
        limits=Limits(),
        state=folder / "state",
        source_id="Z9B02.bench",
        sector="community",
    )


def _arguments() -> Sizes:
    parser = argparse.ArgumentParser(description=__doc__)
    whole = Sizes()
    parser.add_argument("--people", type=int, default=whole.people)
    parser.add_argument("--questions", type=int, default=whole.questions)
    parser.add_argument("--rounds", type=int, default=whole.rounds)
    given = parser.parse_args()
    return Sizes(people=given.people, questions=given.questions, rounds=given.rounds)


if __name__ == "__main__":
    results = run(_arguments())
    sys.stdout.write("".join(f"{each}\n" for each in results))
    sys.exit(any(each.is_missed for each in results))
