"""P5 and P6: throughput beside aggregators in Go and in Node, on the same two cores.

Same sources, same searches, same records found; the peers have neither policy, tokens
nor audit. Two gateway processes share the callers; Go runs on two cores, Node is
clustered on two. A peer whose language is not installed is not run, and says so.
"""

import asyncio
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench import configured
from bench.callers import Run, Target, round_of
from bench.configured import Asked
from bench.journeys import SOURCES, refuse_if_unlike
from bench.measured import Measured
from bench.processes import free_port, running, sources

_HERE: Final = Path(__file__).parent / "peers"
_ROUNDS: Final = 5
_CALLERS: Final = 16
# Goal, size in words and bytes, times Go's throughput, times Node's, CPU against both.
_GOALS: Final = (
    ("P5", "200 KB", "200000", {"Go": 1.5, "Node": 1.5}, 0.5),
    ("P6", "20 KB", "20000", {"Go": 1.0, "Node": 0.8}, None),
)


def run(*, quick: bool = False) -> list[Measured]:
    """A row of throughput, and for P5 one of CPU, for each peer."""
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
        built = {"Go": _go(Path(folder)), "Node": _node(Path(folder))}
        for goal, words, size, times, cpu in _GOALS:
            journeys = (32 if goal == "P5" else 128) // (2 if quick else 1)
            for peer, allowed in times.items():
                work = f"5 x {words}, {_CALLERS} callers, beside {peer}"
                command = built[peer]
                if command is None:
                    rows.append(_not_run(goal, work, peer=peer, allowed=allowed))
                    continue
                with _sides(Path(folder) / f"{goal}{peer}", size, command) as both:
                    rounds = _rounds(both, journeys)
                rows.append(_throughput(goal, work, rounds, allowed=allowed))
                if cpu is not None:
                    rows.append(_cpu(goal, work, rounds, allowed=cpu))
    return rows


def _go(folder: Path) -> tuple[str, ...] | None:
    if shutil.which("go") is None:
        return None
    program = folder / "peer"
    subprocess.run(  # noqa: S603 - our own command
        ["go", "build", "-o", str(program), "."],  # noqa: S607 - the go that the user has
        cwd=_HERE / "go",
        check=True,
    )
    return (str(program),)


def _node(folder: Path) -> tuple[str, ...] | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    place = shutil.copytree(_HERE / "node", folder / "node")
    subprocess.run(
        ["npm", "ci", "--silent", "--no-audit", "--no-fund"],  # noqa: S607 - the npm that the user has
        cwd=place,
        check=True,
    )
    return ("node", str(place / "server.js"))


@contextmanager
def _sides(
    folder: Path, size: str, command: Sequence[str]
) -> Iterator[tuple[Target, Target]]:
    with sources(SOURCES) as servers, ExitStack() as stack:
        asked = configured.spread(servers, SOURCES, size=size)
        ours = stack.enter_context(two(folder, asked))
        port = free_port()
        given = tuple(f"{each.base}|{each.type}" for each in asked)
        peer = stack.enter_context(running((*command, str(port), *given), port=port))
        theirs = Target(servers=(peer,), headers={"Content-Type": "application/json"})
        refuse_if_unlike(ours, theirs)
        yield ours, theirs


@contextmanager
def two(folder: Path, asked: Sequence[Asked]) -> Iterator[Target]:
    """Two gateway processes on one store, which share the callers."""
    with configured.serving(folder, asked) as first:
        configuration, port = folder / "throughline.toml", free_port()
        with configured.served(configuration, port) as second:
            yield Target(servers=(first.server, second), headers=first.headers)


def _rounds(both: tuple[Target, Target], journeys: int) -> list[tuple[Run, Run]]:
    found = []
    for _ in range(_ROUNDS + 1):
        ours, theirs = (
            asyncio.run(round_of(each, journeys=journeys, at_once=_CALLERS))
            for each in both
        )
        found.append((ours, theirs))
    return found[1:]  # the first round warms both


def _throughput(
    goal: str, work: str, rounds: list[tuple[Run, Run]], *, allowed: float
) -> Measured:
    ratios = [ours.a_second / theirs.a_second for ours, theirs in rounds]
    ours, theirs = (
        statistics.median(run.a_second for run in side)
        for side in zip(*rounds, strict=True)
    )
    return Measured(
        goal=goal,
        work=work,
        ours=f"{ours:.0f} journeys/s",
        floor=f"{theirs:.0f} journeys/s",
        allowed=allowed,
        at_least=True,
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        cause="policy, tokens, audit and provenance of each record, in Python (P3, P4)",
    )


def _cpu(
    goal: str, work: str, rounds: list[tuple[Run, Run]], *, allowed: float
) -> Measured:
    ratios = [ours.server_ms / theirs.server_ms for ours, theirs in rounds]
    ours, theirs = (
        statistics.median(run.server_ms for run in side)
        for side in zip(*rounds, strict=True)
    )
    return Measured(
        goal=goal,
        work=f"{work}: CPU a journey",
        ours=f"{ours:.1f} ms",
        floor=f"{theirs:.1f} ms",
        allowed=allowed,
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        cause="policy, tokens, audit and provenance of each record, in Python (P3, P4)",
    )


def _not_run(goal: str, work: str, *, peer: str, allowed: float) -> Measured:
    needed = {"Go": "go", "Node": "node and npm"}[peer]
    return Measured(
        goal=goal,
        work=work,
        ours="-",
        floor=f"not run: install {needed}",
        allowed=allowed,
        at_least=True,
    )
