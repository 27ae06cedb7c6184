"""P7: CPU a journey as the sources grow from 5 to 50 to 200: a straight line, or not.

The sources are spread over five processes; each is 4 KB and answers at once. Judged by
the CPU each further source costs: from 50 to 200 beside from 5 to 50.
"""

import asyncio
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench import configured
from bench.callers import Run, Target, one, round_of
from bench.measured import Measured
from bench.processes import sources

_COUNTS: Final = (5, 50, 200)
_ROUNDS: Final = 5
_SIZE: Final = "4000"


def run(*, quick: bool = False) -> list[Measured]:
    """One row: how much dearer a source is among many."""
    journeys = 5 if quick else 15
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder,
        sources(5) as servers,
        ExitStack() as stack,
    ):
        targets = []
        for count in _COUNTS:
            asked = configured.spread(servers, count, size=_SIZE)
            place = Path(folder) / str(count)
            gateway = stack.enter_context(configured.serving(place, asked))
            target = Target(servers=(gateway.server,), headers=gateway.headers)
            _refuse_unless_whole(target, count)
            targets.append(target)
        rounds = [
            [_spent(target, journeys) for target in targets] for _ in range(_ROUNDS)
        ]
    steps = [
        ((many - some) / (_COUNTS[2] - _COUNTS[1]))
        / ((some - few) / (_COUNTS[1] - _COUNTS[0]))
        for few, some, many in rounds
    ]
    spent = [statistics.median(each) for each in zip(*rounds, strict=True)]
    said = ", ".join(
        f"{count}: {ms:.0f} ms" for count, ms in zip(_COUNTS, spent, strict=True)
    )
    return [
        Measured(
            goal="P7",
            work="CPU a journey by sources",
            ours=said,
            floor="a source's cost among 50 beside among 200",
            allowed=1.2,
            ratio=statistics.median(steps),
            spread=(min(steps), max(steps)),
            cause="work that grows with sources times what is known of all of them",
        )
    ]


def _refuse_unless_whole(target: Target, count: int) -> None:
    journey = asyncio.run(one(target))
    if journey["completeness"]["answered"] != count:
        message = "not every source answered; nothing was timed"
        raise RuntimeError(message)


def _spent(target: Target, journeys: int) -> float:
    found: Run = asyncio.run(round_of(target, journeys=journeys, at_once=1))
    return found.server_ms
