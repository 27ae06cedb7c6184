"""The whole demo: started, asked, told, stopped; and never a process left behind."""

import asyncio
import os
import re
import shlex
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.clock import SystemClock
from gateway.demo.breakage import Breakage, Fault
from gateway.demo.children import Children, NotReady, free_port
from gateway.demo.chronicle import ORGANISATIONS
from gateway.demo.run import DemoOptions, all_answered, run_demo

HANGS_UP = """
import http.server, pathlib, sys, tomllib
class Cut(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        self.connection.close()
settings = tomllib.loads(pathlib.Path(sys.argv[1]).read_text())
http.server.HTTPServer(("127.0.0.1", settings["http"]["port"]), Cut).serve_forever()
"""
ENDS_AFTER_TWO = """
import sys
from pathlib import Path
import uvicorn
from gateway.app import create_app
from gateway.settings import load_settings
settings = load_settings(Path(sys.argv[1]), {})
at = settings.http
uvicorn.run(
    create_app(settings),
    host=at.host,
    port=at.port,
    log_level="warning",
    limit_max_requests=2,
)
"""
IGNORES_SIGTERM = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Up(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Up).serve_forever()
"""


class Heard:
    """What the demo said and showed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._spoken = asyncio.Event()
        self.journeys: list[Any] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def say(self, line: str) -> None:
        self.lines.append(line)
        self._spoken.set()

    async def waits_for(self, words: str) -> None:
        async with asyncio.timeout(30):
            while words not in self.text:
                self._spoken.clear()
                await self._spoken.wait()


@pytest.fixture
def heard() -> Heard:
    return Heard()


def options(folder: Path, heard: Heard, **changes) -> DemoOptions:
    usual = {
        "folder": folder,
        "clock": SystemClock(),
        "show": heard.journeys.append,
        "say": heard.say,
        "port": 0,
    }
    return DemoOptions(**{**usual, **changes})


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def ports_of(folder: Path) -> list[int]:
    written = [folder / "throughline.toml", *(folder / "sources").glob("*.toml")]
    text = "".join(path.read_text("utf-8") for path in written)
    found = re.findall(r"^port = (\d+)|127\.0\.0\.1:(\d+)/fhir", text, re.MULTILINE)
    return [int(one or other) for one, other in found]


async def test_once_shows_a_journey_of_all_six_and_ends_well(tmp_path, heard):
    assert await run_demo(options(tmp_path, heard, once=True)) == 0
    (journey,) = heard.journeys
    sources = journey["completeness"]["sources"]
    assert {s["source"] for s in sources} == {o.source for o in ORGANISATIONS}
    assert all(s["events"] for s in sources)
    assert any(event["same_as"] for event in journey["events"])
    methods = {e["provenance"]["link"]["method"] for e in journey["events"]}
    assert "learned_identifier" in methods
    ports = ports_of(tmp_path)
    assert len(ports) == 3
    assert all(is_free(port) for port in ports)


async def test_once_with_a_broken_source_ends_badly_and_names_it(tmp_path, heard):
    broken = Breakage(source="Z9C03.epr", fault=Fault.BROKEN)
    asked = options(tmp_path, heard, once=True, breakages=(broken,))
    assert await run_demo(asked) == 1
    (journey,) = heard.journeys
    states = {s["source"]: s["state"] for s in journey["completeness"]["sources"]}
    assert states.pop("Z9C03.epr") == "unavailable"
    assert set(states.values()) == {"ok"}


async def test_nothing_answering_is_a_problem_and_never_a_journey(tmp_path, heard):
    broken = tuple(
        Breakage(source=each.source, fault=Fault.BROKEN) for each in ORGANISATIONS
    )
    asked = options(tmp_path, heard, once=True, breakages=broken)
    assert await run_demo(asked) == 1
    assert heard.journeys == []
    assert "503" in heard.text
    assert "no-source-answered" in heard.text


async def test_a_gateway_that_does_not_start_is_told_with_its_log(tmp_path, heard):
    fails = (sys.executable, "-c", "import sys; sys.exit('no')")
    assert await run_demo(options(tmp_path, heard, gateway=fails)) == 1
    log = tmp_path / "logs" / "gateway.log"
    assert str(log) in heard.text
    assert log.read_text() == "no\n"
    assert all(is_free(port) for port in ports_of(tmp_path))


async def test_it_serves_what_it_prints_until_a_signal(tmp_path, heard):
    running = asyncio.create_task(run_demo(options(tmp_path, heard)))
    await heard.waits_for("Ctrl-C")
    command = next(line for line in heard.lines if line.startswith("curl"))
    _, _, url, _, token, _, kind, _, body = shlex.split(command)
    headers = dict(line.split(": ", 1) for line in (token, kind))
    async with httpx.AsyncClient() as client:
        again = await client.post(url, headers=headers, content=body)
    assert again.status_code == 200
    assert all_answered(again.json())
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # an impatient second one changes nothing
    assert await running == 0
    assert heard.lines[-1] == "Stopped."
    assert all(is_free(port) for port in ports_of(tmp_path))


async def test_stopping_once_before_the_journey_is_no_success(tmp_path, heard):
    running = asyncio.create_task(run_demo(options(tmp_path, heard, once=True)))
    await heard.waits_for("Preparing")
    os.kill(os.getpid(), signal.SIGINT)
    assert await running == 1


async def test_being_cancelled_stops_everything_too(tmp_path, heard):
    running = asyncio.create_task(run_demo(options(tmp_path, heard)))
    await heard.waits_for("Ctrl-C")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert all(is_free(port) for port in ports_of(tmp_path))


async def test_a_process_that_ends_while_serving_ends_the_demo(tmp_path, heard):
    # It answers whether it is ready, and one journey.
    gateway = (sys.executable, "-c", ENDS_AFTER_TWO)
    asked = options(tmp_path, heard, gateway=gateway)
    assert await run_demo(asked) == 1
    assert len(heard.journeys) == 1
    assert "gateway has ended" in heard.text


async def test_a_gateway_that_hangs_up_is_told(tmp_path, heard):
    asked = options(
        tmp_path, heard, once=True, gateway=(sys.executable, "-c", HANGS_UP)
    )
    assert await run_demo(asked) == 1
    assert "does not answer" in heard.text


@pytest.mark.parametrize(
    ("flag", "state"), [(Fault.SLOW, "timeout"), (Fault.WRONG, "withheld")]
)
async def test_a_fault_of_a_fhir_server_is_seen_in_completeness(
    tmp_path, heard, flag, state
):
    fault = Breakage(source="Z9A01.gp", fault=flag)
    assert await run_demo(options(tmp_path, heard, once=True, breakages=(fault,))) == 1
    sources = heard.journeys[0]["completeness"]["sources"]
    states = {s["source"]: s["state"] for s in sources}
    assert states.pop("Z9A01.gp") == state
    assert set(states.values()) == {"ok"}


async def test_a_process_that_will_not_stop_is_made_to(tmp_path):
    port = free_port()
    async with Children(tmp_path, polite_s=0.2) as children:
        await children.start(
            "stubborn", [sys.executable, "-c", IGNORES_SIGTERM, str(port)]
        )
        await children.answering(f"http://127.0.0.1:{port}/")
    with pytest.raises(NotReady, match="stubborn has ended"):
        await children.until_one_ends()


async def test_what_never_answers_is_not_ready(tmp_path):
    async with Children(tmp_path, ready_s=0.2) as children:
        await children.start(
            "idle", [sys.executable, "-c", "import time; time.sleep(60)"]
        )
        with pytest.raises(NotReady, match="nothing answers"):
            await children.answering(f"http://127.0.0.1:{free_port()}/readyz")


def test_a_port_that_is_taken_gives_way_to_another():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) not in {0, port}
    assert free_port(port) == port


@pytest.mark.parametrize(
    ("state", "reason", "answered"),
    [
        ("ok", None, True),
        ("ok_empty", None, True),
        ("unknown_person", None, True),
        ("withheld", "policy", True),
        ("withheld", "identity_mismatch", False),
        ("stale", "older_than_promised", False),
        ("timeout", "deadline", False),
        ("not_asked", "no_time", False),
    ],
)
def test_what_counts_as_answered(state, reason, answered):
    sources = [{"state": "ok", "reason": None}] * 5
    journey = {
        "completeness": {"sources": [*sources, {"state": state, "reason": reason}]}
    }
    assert all_answered(journey) is answered


def test_five_answers_are_not_six():
    sources = [{"state": "ok", "reason": None}] * 5
    assert not all_answered({"completeness": {"sources": sources}})
