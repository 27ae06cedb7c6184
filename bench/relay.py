"""What it costs that a site fetches its questions: beside the same site asked directly.

Two gateways, each with one source behind a site of its own, all on this machine; the
same journey is asked of each in turn.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.gateways import QUESTION
from tests.outbound import asker, fetching, gateway_at, only, site_fetching, until_ready
from tests.serving import free_port
from tests.site_gateways import gateway_of, through
from tests.site_processes import enrol, site_running

GOAL_MS: Final = 10.0
_SOURCE: Final = "Z9B02.epr"
_WARM: Final = 20
_WRITTEN: Final = Path(__file__).parent / "RELAY.md"
_STARTS_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A gateway to ask, and how long each journey took, in milliseconds."""

    address: str
    token: dict[str, str]
    took_ms: list[float]


def measured(times: int) -> tuple[list[float], list[float]]:
    """Whole journeys' milliseconds, by a site asked directly and by one that fetches.

    RuntimeError if a site never answers.
    """
    with tempfile.TemporaryDirectory() as place, ExitStack() as running:
        folder = Path(place)
        both = [_opened(folder / name, name, running) for name in ("asked", "fetches")]
        with httpx.Client(trust_env=False, timeout=30) as client:
            for each in both:
                _warm(client, each)
            for _ in range(times):
                for each in both:
                    each.took_ms.append(_ask(client, each))
    return both[0].took_ms, both[1].took_ms


def _opened(folder: Path, name: str, running: ExitStack) -> Asked:
    folder.mkdir()
    config = gateway_of(folder / "gateway-1")
    reads = config.parent / "sources" / _SOURCE / "source.toml"
    enrolled = enrol(folder, reads, source=_SOURCE)
    port = free_port()
    if name == "fetches":
        fetching(enrolled, f"http://127.0.0.1:{port}")
    through(config, enrolled)
    only(config, _SOURCE)
    gateway = running.enter_context(
        gateway_at(config, port, log=folder / "gateway.log")
    )
    until_ready(gateway)
    if name == "fetches":
        site = running.enter_context(site_fetching(enrolled, log=folder / "site.log"))
        until_ready(site)
    else:
        running.enter_context(site_running(enrolled))
    return Asked(address=gateway.address, token=dict(asker(config)), took_ms=[])


def _warm(client: httpx.Client, asked: Asked) -> None:
    """Ask until the site is there, and then until all is warm."""
    until = time.monotonic() + _STARTS_S
    left = _WARM
    while left:
        response = _post(client, asked)
        if response.status_code == 200:
            left -= 1
        elif time.monotonic() > until:
            message = "the site never answered. Look at its log."
            raise RuntimeError(message)


def _ask(client: httpx.Client, asked: Asked) -> float:
    began = time.perf_counter()
    response = _post(client, asked)
    took_ms = (time.perf_counter() - began) * 1000
    response.raise_for_status()
    return took_ms


def _post(client: httpx.Client, asked: Asked) -> httpx.Response:
    return client.post(
        f"{asked.address}/v1/journeys", json=QUESTION, headers=asked.token
    )


def _document(direct: Sequence[float], outbound: Sequence[float]) -> Iterator[str]:
    added = statistics.median(outbound) - statistics.median(direct)
    yield "# What a relay adds"
    yield ""
    yield "Written by `python -m bench.relay --write`: whole journeys over HTTP, one"
    yield f"source behind a site, all on one machine, {len(direct)} each way, in turn."
    yield ""
    yield "| the site | p50, ms | p95, ms |"
    yield "|---|---|---|"
    for name, took in (("is asked directly", direct), ("fetches", outbound)):
        p95 = statistics.quantiles(took, n=20)[-1]
        yield f"| {name} | {statistics.median(took):.1f} | {p95:.1f} |"
    yield ""
    verdict = "met" if added <= GOAL_MS else "MISSED"
    yield f"Added at p50: {added:.1f} ms; at most {GOAL_MS:g} ms: {verdict}."


def main() -> int:
    """1 where the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.relay")
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="write bench/RELAY.md")
    given = parser.parse_args()
    direct, outbound = measured(given.times)
    text = "\n".join(_document(direct, outbound)) + "\n"
    sys.stdout.write(text)
    if given.write:
        _WRITTEN.write_text(text, "utf-8")
    return int(text.rstrip().endswith("MISSED."))


if __name__ == "__main__":
    sys.exit(main())
