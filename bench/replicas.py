"""P18: two gateway processes on one store beside one: throughput, and CPU a journey."""

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Final

from bench import configured
from bench.callers import Target, one, records, round_of
from bench.measured import Measured
from bench.peered import two
from bench.processes import sources

_ROUNDS: Final = 5
_CALLERS: Final = 16


def run(*, quick: bool = False) -> list[Measured]:
    """Throughput over one worker's, and CPU a journey beside its."""
    journeys = 50 if quick else 200
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder,
        sources(5) as servers,
    ):
        asked = configured.spread(servers, 5, size="20000")
        with (
            two(Path(folder) / "two", asked) as pair,
            configured.serving(Path(folder) / "one", asked) as single,
        ):
            alone = Target(servers=(single.server,), headers=single.headers)
            mine, theirs = (asyncio.run(one(each)) for each in (pair, alone))
            if records(mine) != records(theirs):
                message = "the two sides found different records; nothing was timed"
                raise RuntimeError(message)
            rounds = [
                [
                    asyncio.run(round_of(each, journeys=journeys, at_once=_CALLERS))
                    for each in (pair, alone)
                ]
                for _ in range(_ROUNDS + 1)
            ][1:]
    faster = [both.a_second / alone.a_second for both, alone in rounds]
    dearer = [both.server_ms / alone.server_ms for both, alone in rounds]
    rates = [
        statistics.median(run.a_second for run in side)
        for side in zip(*rounds, strict=True)
    ]
    spent = [
        statistics.median(run.server_ms for run in side)
        for side in zip(*rounds, strict=True)
    ]
    return [
        Measured(
            goal="P18",
            work="two workers over one, 5 x 20 KB",
            ours=f"{rates[0]:.0f} journeys/s",
            floor=f"one worker {rates[1]:.0f} journeys/s",
            allowed=1.4,
            at_least=True,
            ratio=statistics.median(faster),
            spread=(min(faster), max(faster)),
            cause="two cores are shared with five sources, the callers and the disk",
        ),
        Measured(
            goal="P18",
            work="two workers over one: CPU a journey",
            ours=f"{spent[0]:.1f} ms",
            floor=f"one worker {spent[1]:.1f} ms",
            allowed=1.1,
            ratio=statistics.median(dearer),
            spread=(min(dearer), max(dearer)),
            cause="smaller batches of audit records: more commits a journey",
        ),
    ]
