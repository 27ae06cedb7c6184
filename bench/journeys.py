"""P1 to P4: whole journeys through a gateway with everything on, beside their floors.

P1, P2: the time of one journey at a time, beside the slowest source asked directly and
two fsyncs measured in the same round. P3, P4: CPU of the gateway's process a journey,
beside the raw application of bench/floors, which has neither policy nor audit.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from bench import configured
from bench.callers import Run, Target, one, records, round_of
from bench.configured import Asked
from bench.measured import Measured
from bench.processes import free_port, running, sources

SOURCES: Final = 5
_ROUNDS: Final = 5
_DELAYS_MS: Final = (20, 40, 60, 80, 100)
_SIZES: Final = {"20 KB": "20000", "200 KB": "200000"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The gateway and the floor over the same sources, found to answer alike."""

    ours: Target
    floor: Target
    asked: Sequence[Asked]


@contextmanager
def sides(size: str, delays_ms: Sequence[int] = (0,)) -> Iterator[Sides]:
    """Both sides while the block lasts. RuntimeError where they find other records."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder,
        sources(SOURCES) as servers,
    ):
        asked = configured.spread(servers, SOURCES, size=size, delays_ms=delays_ms)
        port = free_port()
        floor = (sys.executable, "-m", "bench.floors.app", str(port))
        given = tuple(f"{each.base}|{each.type}" for each in asked)
        with (
            configured.serving(Path(folder) / "gateway", asked) as gateway,
            running((*floor, *given), port=port) as other,
        ):
            found = Sides(
                ours=Target(servers=(gateway.server,), headers=gateway.headers),
                floor=Target(servers=(other,), headers={}),
                asked=asked,
            )
            refuse_if_unlike(found.ours, found.floor)
            yield found


def refuse_if_unlike(ours: Target, other: Target) -> None:
    """RuntimeError unless both find the same records at the same times."""
    mine, theirs = (asyncio.run(one(each)) for each in (ours, other))
    if mine["completeness"]["level"] != "complete" or records(mine) != records(theirs):
        message = "the two sides found different records; nothing was timed"
        raise RuntimeError(message)


def latency(*, quick: bool = False) -> list[Measured]:
    """P1 and P2."""
    rows = []
    for goal, size, p50, p99 in (("P1", "20 KB", 1.05, 1.2), ("P2", "200 KB", 1.1, 0)):
        with sides(_SIZES[size], _DELAYS_MS) as both:
            rounds = [
                (_one_by_one(both.ours, 8 if quick else 40), asyncio.run(_floor(both)))
                for _ in range(_ROUNDS + 1)
            ][1:]
        rows.append(_late(rounds, goal=goal, size=size, share=0.5, allowed=p50))
        if p99:
            rows.append(_late(rounds, goal=goal, size=size, share=0.99, allowed=p99))
    return rows


def _one_by_one(target: Target, journeys: int) -> Run:
    return asyncio.run(round_of(target, journeys=journeys, at_once=1))


async def _floor(both: Sides) -> float:
    """Milliseconds of the slowest source's two searches and of two fsyncs, medians."""
    slowest = both.asked[_DELAYS_MS.index(max(_DELAYS_MS))]
    took = []
    async with aiohttp.ClientSession(trust_env=False) as session:
        for _ in range(10):
            began = time.perf_counter()
            for name in ("Patient", slowest.type):
                url = f"{slowest.base}/{name}/_search"
                async with session.post(url, data={"_count": "1000"}) as reply:
                    await reply.read()
            took.append(time.perf_counter() - began)
    return (statistics.median(took) + 2 * _fsync_s()) * 1000


def _fsync_s() -> float:
    took = []
    with tempfile.TemporaryFile(dir=Path.cwd()) as stream:
        for _ in range(20):
            stream.write(b"x" * 1000)
            stream.flush()
            began = time.perf_counter()
            os.fsync(stream.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def _late(
    rounds: list[tuple[Run, float]],
    *,
    goal: str,
    size: str,
    share: float,
    allowed: float,
) -> Measured:
    mine = [run.quantile_ms(share) for run, _ in rounds]
    floors = [floor for _, floor in rounds]
    ratios = [ours / floor for ours, floor in zip(mine, floors, strict=True)]
    return Measured(
        goal=goal,
        work=f"journey, 5 x {size}, slowest 100 ms, p{share * 100:.0f}",
        ours=f"{statistics.median(mine):.1f} ms",
        floor=f"slowest source + 2 fsyncs {statistics.median(floors):.1f} ms",
        allowed=allowed,
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        cause="the gateway's own CPU of a journey (P3, P4) stands after the slowest",
    )


def cpu(*, quick: bool = False) -> list[Measured]:
    """P3 and P4."""
    rows = []
    for goal, size, allowed, journeys in (
        ("P3", "200 KB", 2.0, 40),
        ("P4", "20 KB", 3.0, 200),
    ):
        count = journeys // 4 if quick else journeys
        with sides(_SIZES[size]) as both:
            rounds = [
                tuple(
                    # The floor more often: its CPU is counted in ticks of 10 ms too.
                    asyncio.run(round_of(each, journeys=count * times, at_once=4))
                    for each, times in ((both.ours, 1), (both.floor, 4))
                )
                for _ in range(_ROUNDS + 1)
            ][1:]
        ratios = [ours.server_ms / floor.server_ms for ours, floor in rounds]
        ours, floor = (_spent(side) for side in zip(*rounds, strict=True))
        rows.append(
            Measured(
                goal=goal,
                work=f"gateway CPU a journey, 5 x {size}",
                ours=ours,
                floor=f"raw ASGI, aiohttp, msgspec: {floor}",
                allowed=allowed,
                ratio=statistics.median(ratios),
                spread=(min(ratios), max(ratios)),
                cause=_CAUSE,
            )
        )
    return rows


_CAUSE: Final = (
    "each record is checked, sealed, decided on, linked and shown with its provenance "
    "by Python code, where the floor copies a few fields"
)


def _spent(runs: Sequence[Run]) -> str:
    server = statistics.median(run.server_ms for run in runs)
    client = statistics.median(run.client_ms for run in runs)
    return f"{server:.1f} ms (caller {client:.1f} ms)"
