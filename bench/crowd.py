"""P17: 100 large journeys at once: memory, how long the loop is held, and who is told.

Each is five sources of 2 000 records. While they run, `/livez` is asked every 20 ms:
what the slowest in a hundred takes is the loop's lag. Every caller must get a journey
whose completeness is said, or a refusal that says why.
"""

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from bench import configured
from bench.callers import BODY, PATH
from bench.configured import Gateway
from bench.measured import Measured
from bench.processes import sources

RSS_MB: Final = 1536.0
LAG_MS: Final = 100.0
_EACH: Final = 2_000
_ROUNDS: Final = 5
_WATCHED_S: Final = 0.02


class _Completeness(msgspec.Struct):
    level: str


class _Reply(msgspec.Struct):
    completeness: _Completeness | None = None
    type: str | None = None


# The callers' own loop may not be held either: it is what measures.
_READ: Final = msgspec.json.Decoder(_Reply)


def run(*, quick: bool = False) -> list[Measured]:
    """Memory, lag, and silence."""
    at_once = 20 if quick else 100
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder,
        sources(5) as servers,
    ):
        asked = configured.spread(servers, 5, size=f"n{_EACH}")
        with configured.serving(Path(folder) / "gateway", asked) as gateway:
            rounds = [
                asyncio.run(_crowd(gateway, at_once))
                for _ in range(1 if quick else _ROUNDS)
            ]
            most_mb = gateway.server.most_mb()
    lags = [lag for lag, _ in rounds]
    told = sum((said for _, said in rounds), Counter[str]())
    silent = told.pop("silent", 0)
    said = ", ".join(f"{each}: {n}" for each, n in sorted(told.items()))
    work = f"{at_once} journeys of 5 x {_EACH:,} at once"
    lag = statistics.median(lags)
    return [
        Measured(
            goal="P17",
            work=f"{work}: memory",
            ours=f"{most_mb:.0f} MB at most",
            floor=f"goal {RSS_MB:.0f} MB",
            allowed=1.0,
            ratio=most_mb / RSS_MB,
            cause="as many as are let in at once, each with all its records",
        ),
        Measured(
            goal="P17",
            work=f"{work}: event-loop lag, p99",
            ours=f"{lag:.0f} ms",
            floor=f"goal {LAG_MS:.0f} ms",
            allowed=1.0,
            ratio=lag / LAG_MS,
            spread=(min(lags) / LAG_MS, max(lags) / LAG_MS),
            cause="10 000 events sealed, released and freed on the event loop",
        ),
        Measured(
            goal="P17",
            work=f"{work}: nobody dropped silently",
            ours=f"{silent} silent; {said}",
            floor="goal 0 silent",
            allowed=0.0,
            ratio=float(silent),
            cause="a reply without completeness and without a problem's type",
        ),
    ]


async def _crowd(gateway: Gateway, at_once: int) -> tuple[float, Counter[str]]:
    """p99 of the lag in ms, and what each caller was told."""
    lags: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        watch = asyncio.create_task(_watch(session, gateway, lags))
        told = await asyncio.gather(*(_told(session, gateway) for _ in range(at_once)))
        watch.cancel()
        await asyncio.wait([watch])
    lags.sort()
    return lags[int(len(lags) * 0.99)], Counter(told)


async def _watch(
    session: aiohttp.ClientSession, gateway: Gateway, lags: list[float]
) -> None:
    while True:
        began = time.perf_counter()
        async with session.get(f"{gateway.server.url}/livez") as reply:
            await reply.read()
        lags.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(_WATCHED_S)


async def _told(session: aiohttp.ClientSession, gateway: Gateway) -> str:
    url = gateway.server.url + PATH
    try:
        async with session.post(url, data=BODY, headers=gateway.headers) as reply:
            body = _READ.decode(await reply.read())
    except (aiohttp.ClientError, msgspec.DecodeError):
        return "silent"
    if reply.status == 200:
        found = body.completeness
        return f"{found.level} journey" if found else "silent"
    return f"refused {reply.status}" if body.type else "silent"
