"""Callers: journeys asked one after another, or by several at once, and timed."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

from bench.payloads import NHS_NUMBER
from bench.processes import Server

PATH: Final = "/v1/journeys"
BODY: Final = msgspec.json.encode(
    {"nhs_number": NHS_NUMBER, "purpose": "direct-care", "limit": 20_000}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is asked: servers that share the callers, and the headers they want."""

    servers: Sequence[Server]
    headers: dict[str, str]

    def cpu_ms(self) -> float:
        return sum(server.cpu_ms() for server in self.servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One round: seconds of each journey in order of size, all of them, CPU ms each."""

    took_s: list[float]
    wall_s: float
    server_ms: float
    client_ms: float

    @property
    def a_second(self) -> float:
        return len(self.took_s) / self.wall_s

    def quantile_ms(self, share: float) -> float:
        place = min(int(len(self.took_s) * share), len(self.took_s) - 1)
        return self.took_s[place] * 1000


async def one(target: Target) -> dict[str, Any]:
    """One journey, read. RuntimeError if it is refused."""
    async with aiohttp.ClientSession(trust_env=False) as session:
        journey: dict[str, Any] = msgspec.json.decode(
            await _asked(session, target.servers[0], target.headers)
        )
    return journey


def records(journey: dict[str, Any]) -> list[tuple[str, str]]:
    """What both sides must have found: each record's id and its start."""
    return sorted(
        (
            event["provenance"]["record_id"].rpartition("/")[2],
            event["start"].replace("Z", "+00:00"),
        )
        for event in journey["events"]
    )


async def round_of(target: Target, *, journeys: int, at_once: int) -> Run:
    """So many journeys by so many callers, each asking again when it has answered."""
    took: list[float] = []
    left = iter(range(journeys))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:

        async def caller(server: Server) -> None:
            for _ in left:
                began = time.perf_counter()
                await _asked(session, server, target.headers)
                took.append(time.perf_counter() - began)

        servers = target.servers
        busy, mine = target.cpu_ms(), time.process_time()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(at_once):
                group.create_task(caller(servers[number % len(servers)]))
        wall_s = time.perf_counter() - began
        spent, own = target.cpu_ms() - busy, time.process_time() - mine
    return Run(
        took_s=sorted(took),
        wall_s=wall_s,
        server_ms=spent / journeys,
        client_ms=own * 1000 / journeys,
    )


async def _asked(
    session: aiohttp.ClientSession, server: Server, headers: dict[str, str]
) -> bytes:
    async with session.post(server.url + PATH, data=BODY, headers=headers) as reply:
        body = await reply.read()
        if reply.status != 200:
            code = msgspec.json.decode(body).get("type")
            message = f"a journey was refused: status {reply.status}, {code}"
            raise RuntimeError(message)
        return body
