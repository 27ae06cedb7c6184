"""P13: a drop taken in, every row validated, and one person found in it, beside DuckDB.

Each intake is a process of its own, so that its memory and CPU are its own, with those
of the processes it starts. Both sides must find the same records of the same people
before anything is timed.
"""

import argparse
import asyncio
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.contract import Identifier, Identifiers, Query
from adapters.csv_drop import build
from adapters.http import AiohttpTransport
from adapters.surroundings import Limits, Surroundings
from adapters.vocabulary import CATEGORIES
from bench import drop
from bench.measured import Measured
from gateway.clock import SystemClock

SCANS: Final = 15.0
ONE_PERSON_MS: Final = 1.0
FLAT: Final = 1.5  # of a fifth of the rows, at most
_CHECKED: Final = 20  # people whom both sides must find alike
_ASKED: Final = 500
_NO_FLOOR: Final = "floor not run: pip install duckdb"

Scan = Callable[[str], set[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Rows of the drop (5 million are 1 GB), and rounds of which medians are taken."""

    rows: int = 5_000_000
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """One intake: wall and CPU in s, memory at most in MB, a person's p50 in ms."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    p50_ms: float
    records: dict[str, list[str]]


def run(sizes: Sizes | None = None) -> list[Measured]:
    """Intake, memory and one person, in this order."""
    sizes = sizes or Sizes()
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as name:
        folder = Path(name)
        drop.write(folder / "fifth", max(sizes.rows // 5, 1))
        whole = drop.write(folder / "whole", sizes.rows)
        scan = _scan(whole)
        first = _taken(folder / "whole", sizes)
        if scan is not None and any(
            scan(person) != set(found) for person, found in first.records.items()
        ):
            message = "the two sides found different records; nothing was timed"
            raise RuntimeError(message)
        small = _taken(folder / "fifth", sizes)
        rounds = [
            (_taken(folder / "whole", sizes), _timed(scan)) for _ in range(sizes.rounds)
        ]
    taken = [each for each, _ in rounds]
    return [_intake(rounds, sizes), _memory(taken, small), _one_person(taken)]


def _scan(path: Path) -> Scan | None:
    """A filter of DuckDB over the file; None where DuckDB is not installed."""
    try:
        duckdb: Any = importlib.import_module("duckdb")
    except ImportError:
        return None
    connection = duckdb.connect()
    statement = (
        "SELECT attendance_id FROM read_csv(?, header = true, all_varchar = true)"
        " WHERE patient_id = ?"
    )
    return lambda person: {
        row[0] for row in connection.execute(statement, [str(path), person]).fetchall()
    }


def _timed(scan: Scan | None) -> float | None:
    if scan is None:
        return None
    began = time.perf_counter()
    scan("P00000007")
    return time.perf_counter() - began


def _taken(folder: Path, sizes: Sizes) -> _Taken:
    people = sizes.rows // 5 // drop.EACH
    command = [sys.executable, "-m", "bench.intake", "--child", str(folder)]
    command += ["--people", str(max(people, 1))]
    told = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
    return _Taken(**json.loads(told.stdout))


async def _take_in(folder: Path, people: int) -> _Taken:
    with tempfile.TemporaryDirectory(dir=folder) as state:
        adapter = build(folder / "source.toml", _surroundings(Path(state)))
        began, busy = time.perf_counter(), _cpu_s()
        await adapter.ask(_query(0))
        wall_s, cpu_s = time.perf_counter() - began, _cpu_s() - busy
        peak_mb = _peak_mb()
        records = {}
        for person in range(min(_CHECKED, people)):
            answer = await adapter.ask(_query(person))
            records[f"P{person:08d}"] = [event.record_id for event in answer.events]
        took = []
        for number in range(_ASKED):
            began = time.perf_counter()
            await adapter.ask(_query(number * 7919 % people))
            took.append(time.perf_counter() - began)
        await adapter.aclose()
    return _Taken(
        wall_s=wall_s,
        cpu_s=cpu_s,
        peak_mb=peak_mb,
        p50_ms=statistics.median(took) * 1000,
        records=records,
    )


def _cpu_s() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def _peak_mb() -> float:
    """Our own process at its largest, and two of the largest that it started."""
    # Not getrusage of itself, whose figure begins with that of who started this.
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (int(peak.split()[1]) + 2 * largest) / 1024


def _query(person: int) -> Query:
    asked = Identifier(drop.SYSTEM, f"P{person:08d}")
    return Query(
        person=Identifiers(others=frozenset({asked})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=1000,
    )


def _surroundings(state: Path) -> Surroundings:
    return Surroundings(
        now=SystemClock().now,
        secret=str,
        transport=AiohttpTransport(),
        limits=Limits(),
        state=state,
        source_id="Z9C03.bench",
        sector="acute",
    )


def _intake(rounds: list[tuple[_Taken, float | None]], sizes: Sizes) -> Measured:
    wall_s = statistics.median(each.wall_s for each, _ in rounds)
    cpu_s = statistics.median(each.cpu_s for each, _ in rounds)
    scans = [floor for _, floor in rounds if floor is not None]
    ratios = [each.wall_s / floor for each, floor in rounds if floor is not None]
    return Measured(
        goal="P13",
        work=f"intake of {sizes.rows:,} rows",
        ours=f"{wall_s:.1f} s, {cpu_s / sizes.rows * 1e6:.1f} us CPU a row",
        floor=f"DuckDB scan {statistics.median(scans):.2f} s" if scans else _NO_FLOOR,
        allowed=SCANS,
        ratio=statistics.median(ratios) if ratios else None,
        spread=(min(ratios), max(ratios)) if ratios else None,
        cause="hashing and sorting ids in Python, on what two cores have left",
    )


def _memory(taken: list[_Taken], small: _Taken) -> Measured:
    peaks = [each.peak_mb for each in taken]
    return Measured(
        goal="P13",
        work="memory of intake",
        ours=f"{statistics.median(peaks):.0f} MB at most",
        floor=f"{small.peak_mb:.0f} MB for a fifth of the rows",
        allowed=FLAT,
        ratio=statistics.median(peaks) / small.peak_mb,
        spread=(min(peaks) / small.peak_mb, max(peaks) / small.peak_mb),
    )


def _one_person(taken: list[_Taken]) -> Measured:
    medians = [each.p50_ms for each in taken]
    return Measured(
        goal="P13",
        work="one person after intake",
        ours=f"{statistics.median(medians):.2f} ms p50",
        floor=f"{ONE_PERSON_MS:g} ms",
        allowed=1.0,
        ratio=statistics.median(medians) / ONE_PERSON_MS,
        spread=(min(medians) / ONE_PERSON_MS, max(medians) / ONE_PERSON_MS),
        cause="each row is mapped, checked and made an event in Python; ten a person",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=Sizes().rows)
    parser.add_argument("--rounds", type=int, default=Sizes().rounds)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--people", type=int, default=1, help=argparse.SUPPRESS)
    return parser.parse_args()


def _main(given: argparse.Namespace) -> int:
    if given.child is not None:
        taken = asyncio.run(_take_in(given.child, given.people))
        fields = {name: getattr(taken, name) for name in _Taken.__slots__}
        sys.stdout.write(json.dumps(fields))
        return 0
    rows = run(Sizes(rows=given.rows, rounds=given.rounds))
    sys.stdout.write("".join(f"{row}\n" for row in rows))
    return int(any(row.is_missed for row in rows))


if __name__ == "__main__":
    sys.exit(_main(_arguments()))
