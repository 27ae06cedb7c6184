"""P9: what token, policy, audit and release cost together: CPU a journey.

The same gateway twice over the same sources: as it ships, and with the four stubbed, in
a process of this benchmark only (`python -m bench.gates CONFIG`).
"""

import asyncio
import gc
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from bench import configured
from bench.callers import Target, one, records, round_of
from bench.measured import Measured
from bench.processes import Server, free_port, running, sources
from gateway.app import create_app
from gateway.audit.chain import START, Entry
from gateway.journey import inquiry, released
from gateway.policy.plan import plan
from gateway.settings import load_settings
from policies.obligations import FULL_VIEW
from policies.release import _CONTENT

GOAL_MS: Final = 0.5
_ROUNDS: Final = 7


def run(*, quick: bool = False) -> list[Measured]:
    """One row: the difference of the two, in CPU ms a journey."""
    journeys = 40 if quick else 200
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder,
        sources(5) as servers,
    ):
        asked = configured.spread(servers, 5, size="20000")
        place = Path(folder) / "gateway"
        with (
            configured.serving(place, asked) as gateway,
            _stubbed(place / "throughline.toml") as bare,
        ):
            whole = Target(servers=(gateway.server,), headers=gateway.headers)
            stubbed = Target(servers=(bare,), headers=gateway.headers)
            mine, theirs = (asyncio.run(one(each)) for each in (whole, stubbed))
            if records(mine) != records(theirs):
                message = "the two sides found different records; nothing was timed"
                raise RuntimeError(message)
            rounds = [
                [
                    asyncio.run(round_of(each, journeys=journeys, at_once=4)).server_ms
                    for each in (whole, stubbed)
                ]
                for _ in range(_ROUNDS + 1)
            ][1:]
    extra = [ours - floor for ours, floor in rounds]
    ours, floor = (statistics.median(side) for side in zip(*rounds, strict=True))
    return [
        Measured(
            goal="P9",
            work="token, policy, audit and release together, 5 x 20 KB",
            ours=f"{ours:.2f} ms CPU a journey",
            floor=f"with the four stubbed {floor:.2f} ms; goal {GOAL_MS:g} ms more",
            allowed=1.0,
            ratio=statistics.median(extra) / GOAL_MS,
            spread=(min(extra) / GOAL_MS, max(extra) / GOAL_MS),
            cause="two commits, each with its thread and fsync; then the signature",
        )
    ]


@contextmanager
def _stubbed(configuration: Path) -> Iterator[Server]:
    port = free_port()
    command = (sys.executable, "-m", "bench.gates", str(configuration), str(port))
    with running(command, port=port) as server:
        yield server


class _Kept:
    """A decision of each question, made once: later ones are answered from here."""

    def __init__(self) -> None:
        self._made: dict[frozenset[str], Any] = {}
        self._plan = plan

    def plan(self, *given: Any, categories: frozenset[str], **how: Any) -> Any:  # noqa: ANN401 - it stands in for another
        if categories not in self._made:
            self._made[categories] = self._plan(*given, categories=categories, **how)
        return self._made[categories]


def _release(sealed: Any, *_: object) -> Any:  # noqa: ANN401 - it stands in for another
    items, _stated = _CONTENT.__get__(sealed)
    return _Opened(items=tuple((item, FULL_VIEW) for item in items))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What a release gives, without deciding: only the real one makes the real one."""

    items: tuple[tuple[Any, Any], ...]
    withheld: int = 0
    withheld_categories: frozenset[str] = frozenset()
    unconfirmed: bool = False
    silent: bool = False
    failed: bool = False


def _serve(configuration: Path, port: int) -> None:
    app = create_app(load_settings(configuration, {}))
    service = app.state.service
    kept: dict[str, Any] = {}
    verify = service.authenticator.authenticate

    async def authenticate(headers: Any) -> Any:  # noqa: ANN401 - it stands in for another
        if "known" not in kept:
            kept["known"] = await verify(headers)
        return kept["known"]

    async def append(_: object) -> Entry:
        return Entry(n=0, chain=START)

    service.authenticator.authenticate = authenticate
    service.house.trail.append = append
    vars(inquiry)["plan"] = _Kept().plan
    vars(released)["release"] = _release
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
