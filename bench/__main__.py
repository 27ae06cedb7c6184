"""`python -m bench`: every benchmark beside its floor and its peers, in one table.

`make bench` writes bench/RESULTS.md, and ends with status 1 where a goal is missed.
"""

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench import (
    analysing,
    appending,
    bulk,
    crowd,
    deciding,
    fhir_reading,
    gates,
    intake,
    journeys,
    one_person,
    peered,
    replicas,
    weaving,
    widening,
)
from bench.measured import Measured
from gateway.clock import SystemClock

_RESULTS: Final = Path(__file__).parent / "RESULTS.md"
_LIBRARIES: Final = ("aiohttp", "fastapi", "msgspec", "sqlalchemy", "uvicorn", "uvloop")


def _intake(*, quick: bool) -> list[Measured]:
    sizes = intake.Sizes(rows=200_000, rounds=1) if quick else intake.Sizes()
    return intake.run(sizes)


def _one_person(*, quick: bool) -> list[Measured]:
    few = one_person.Sizes(people=500, questions=50, rounds=2)
    return one_person.run(few if quick else None)


def _bulk(*, quick: bool) -> list[Measured]:
    return bulk.run(bulk.Sizes(rows=20_000, rounds=2) if quick else None)


def _reading(*, quick: bool) -> list[Measured]:
    """P11's rows, which stand in words of their own."""
    found = fhir_reading.run()
    work = "FHIR pages parsed and made events"
    if not found:
        floor = "not run: no real-shaped data beside the project"
        return [Measured(goal="P11", work=work, ours="-", floor=floor, allowed=1.5)]
    return [
        Measured(
            goal="P11",
            work=row["work"],
            ours=row["ours"],
            floor=row["floor"],
            allowed=fhir_reading.GOAL,
            at_least=True,
            ratio=float(row["ratio"].split()[0]),
            spread=_spread(row["ratio"]),
            cause="a record's references, times and codes are each read in Python",
        )
        for row in found[: 2 if quick else None]
    ]


def _spread(ratio: str) -> tuple[float, float]:
    least, _, most = ratio.partition("(")[2].rstrip(")").partition(" to ")
    return float(least), float(most)


_ALL: Final[dict[str, tuple[str, Callable[..., list[Measured]]]]] = {
    "journeys": ("P1 P2", journeys.latency),
    "cpu": ("P3 P4", journeys.cpu),
    "peers": ("P5 P6", peered.run),
    "sources": ("P7", widening.run),
    "policy": ("P8", deciding.run),
    "analysis": ("P8", analysing.run),
    "gates": ("P9", gates.run),
    "audit": ("P10", appending.run),
    "reading": ("P11", _reading),
    "weave": ("P12", weaving.run),
    "drop": ("P13", _intake),
    "sql": ("P14", _one_person),
    "bulk": ("ARROW", _bulk),
    "crowd": ("P17", crowd.run),
    "workers": ("P18", replicas.run),
}


def main() -> int:
    """0 if every goal that was judged is met, else 1."""
    given = _arguments()
    wanted = {each.strip().upper() for each in given.only.split(",") if each.strip()}
    rows: list[Measured] = []
    for goals, work in _ALL.values():
        if not wanted or wanted & set(goals.split()):
            began = time.monotonic()
            found = work(quick=given.quick)
            found = [row for row in found if not wanted or row.goal in wanted]
            sys.stdout.write("".join(f"{row}\n" for row in found))
            sys.stdout.write(f"    {goals}: {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()
            rows += found
    if given.write:
        _RESULTS.write_text(_document(rows, quick=given.quick), "utf-8")
    return int(any(row.is_missed for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default="", help="goals, as P1,P8")
    parser.add_argument("--quick", action="store_true", help="few and small: to try it")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    return parser.parse_args()


def _document(rows: Sequence[Measured], *, quick: bool) -> str:
    day = SystemClock().now().date().isoformat()
    missed = sum(row.is_missed for row in rows)
    head = [
        "# Benchmarks beside their floors and peers",
        "",
        "Written by `make bench`. Ratios are medians of alternating rounds, with their",
        "least and most; absolute times belong to this machine and hour.",
        "",
        f"- Date: {day}; commit {_commit()}{'; quick, so not to be quoted' * quick}",
        f"- Machine: {os.cpu_count()} cores, {_processor()}; load {_load()} at the end",
        f"- Versions: {', '.join(_versions())}",
        f"- Missed: {missed} of {len(rows)} rows",
        "",
        "| # | work | ours | floor or peer | ratio | goal | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(_line, rows)]) + "\n"


def _line(row: Measured) -> str:
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    if row.spread is not None:
        ratio += f" ({row.spread[0]:.2f} to {row.spread[1]:.2f})"
    verdict = f"MISSED: {row.cause}" if row.is_missed and row.cause else row.verdict
    goal = f"{row.bound} {row.allowed:g}"
    cells = (row.goal, row.work, row.ours, row.floor, ratio, goal, verdict)
    return f"| {' | '.join(each.replace('|', '/') for each in cells)} |"


def _versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    found += [f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES]
    for command in (("go", "version"), ("node", "--version")):
        if shutil.which(command[0]) is not None:
            said = _said(command).removeprefix("go version ")
            found.append(said if said.startswith("go") else f"Node {said}")
    return found


def _commit() -> str:
    if shutil.which("git") is None:
        return "unknown"
    changed = " and what was not committed" * bool(_said(("git", "status", "--short")))
    return (_said(("git", "rev-parse", "--short", "HEAD")) or "unknown") + changed


def _said(command: Sequence[str]) -> str:
    told = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own command
    return told.stdout.strip()


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _processor() -> str:
    with Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
        names = (line.partition(":")[2] for line in stream if "model name" in line)
        return next(names, platform.machine()).strip()


if __name__ == "__main__":
    sys.exit(main())
