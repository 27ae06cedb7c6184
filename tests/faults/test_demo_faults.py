"""Each source of the demo broken in turn, as its kind can be; the others unharmed."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from adapters.moment import LONDON
from gateway.access.demo_issuer import Wanted as WantedToken
from gateway.access.demo_issuer import mint
from gateway.access.requester import Relationship
from gateway.app import create_app
from gateway.clock import SystemClock
from gateway.demo.breakage import Breakage, Fault
from gateway.demo.chronicle import AT, ORGANISATIONS, Place
from gateway.demo.configuration import CLIENT
from gateway.demo.preparing import Prepared, Wanted, prepare
from gateway.settings import load_settings
from tests.serving import free_port

pytestmark = pytest.mark.fault

SERVERS = (Place.GP, Place.ACUTE)
DROPS = (Place.AMBULANCE, Place.SOCIAL_CARE)
DATABASES = (Place.COMMUNITY, Place.MENTAL_HEALTH)
DEADLINE_MS = 2500
# What a deadline may be missed by, as the trust rules say.
GRACE_S = 0.1


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Iterator[Prepared]:
    """The demo as it should be, its two FHIR servers running."""
    ports = {place: free_port() for place in SERVERS}
    wanted = Wanted(
        seed=7,
        today=datetime.now(LONDON).date(),
        fhir_urls={place: f"http://127.0.0.1:{ports[place]}/fhir" for place in SERVERS},
    )
    prepared = prepare(tmp_path_factory.mktemp("demo"), wanted)
    with ExitStack() as running:
        for place in SERVERS:
            running.enter_context(fhir_server(prepared.fhir_data(place), ports[place]))
        yield prepared


@contextmanager
def fhir_server(data: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S603 - our own command, our own arguments
        [
            *(sys.executable, "-m", "gateway.demo.fhir_server"),
            *("--data", str(data), "--port", str(port)),
        ],
    )
    try:
        until = time.monotonic() + 40
        while time.monotonic() < until:
            try:
                httpx.get(f"http://127.0.0.1:{port}/fhir/metadata", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(15)


def copied(whole: Prepared, folder: Path) -> Prepared:
    """As it was prepared: what a gateway has since made of it stays behind."""
    made_since = shutil.ignore_patterns("state", "throughline.db*")
    shutil.copytree(whole.folder, folder, ignore=made_since)
    return Prepared(folder=folder, star=whole.star, chronicle=whole.chronicle)


async def asked(prepared: Prepared, before: Callable[[], None] = lambda: None):
    """The status and body of the star's journey, and how long it took, in seconds.

    `before` happens once the gateway runs and every source has answered once.
    """
    settings = load_settings(prepared.configuration, {})
    surgery = AT[Place.GP].ods
    token = mint(
        settings,
        SystemClock(),
        WantedToken(
            client_id=CLIENT,
            organisation=surgery,
            role="doctor",
            purposes=("direct-care",),
            relationships=(Relationship(kind="registered", organisation=surgery),),
        ),
    )
    app = create_app(settings)
    question = {
        "nhs_number": prepared.star.nhs_number,
        "purpose": "direct-care",
        "deadline_ms": DEADLINE_MS,
    }
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway",
            headers={"Authorization": f"Bearer {token}"},
        ) as client,
    ):
        await client.post("/v1/journeys", json=question)
        await asyncio.to_thread(before)
        began = time.monotonic()
        response = await client.post("/v1/journeys", json=question)
        return response.status_code, response.json(), time.monotonic() - began


def told(journey, without: str = ""):
    """The events as one would compare them: but for when they were read, and but
    for the events, and the twins, of a source that is left out.
    """
    ids = {
        event["id"]
        for event in journey["events"]
        if event["provenance"]["source"] == without
    }
    return [
        event
        | {
            "same_as": [twin for twin in event["same_as"] if twin not in ids],
            "provenance": event["provenance"] | {"retrieved_at": None},
        }
        for event in journey["events"]
        if event["provenance"]["source"] != without
    ]


def file_of(prepared: Prepared, place: Place) -> Path:
    return prepared.folder / "sources" / f"{place}.toml"


@contextmanager
def listening(reply: bytes | None) -> Iterator[int]:
    """A port that accepts, and says nothing (None) or always the same."""
    server = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                open_sockets.append(connection)
                if reply is not None:
                    connection.recv(65536)
                    connection.sendall(reply)
                    connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in open_sockets:
            connection.close()


GARBAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
    b"Content-Length: 9\r\n\r\n\xff\xfe{]garba"
)


@pytest.mark.parametrize("place", SERVERS)
@pytest.mark.parametrize(
    ("how", "state"),
    [("refused", "unavailable"), ("hang", "timeout"), ("garbage", "error")],
)
async def test_a_fhir_server_that_fails_spoils_no_other(
    whole, tmp_path, place, how, state
):
    prepared = copied(whole, tmp_path / "demo")
    with ExitStack() as running:
        if how == "refused":
            port = free_port()
        else:
            reply = GARBAGE if how == "garbage" else None
            port = running.enter_context(listening(reply))
        source = file_of(prepared, place)
        text = source.read_text("utf-8")
        moved = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", text)
        source.write_text(moved, "utf-8")
        await check(whole, prepared, place, {state})


def gone(prepared: Prepared, place: Place) -> None:
    (prepared.folder / "sources" / "drops" / place).rename(
        prepared.folder / "elsewhere"
    )


def half_written(prepared: Prepared, place: Place) -> None:
    for drop in drops_of(prepared, place):
        drop.write_bytes(drop.read_bytes()[: drop.stat().st_size // 2])


def garbage(prepared: Prepared, place: Place) -> None:
    for drop in drops_of(prepared, place):
        drop.write_bytes(os.urandom(4096))


def drops_of(prepared: Prepared, place: Place) -> list[Path]:
    found = list((prepared.folder / "sources" / "drops" / place).glob("*.csv"))
    assert found
    return found


@pytest.mark.parametrize("place", DROPS)
@pytest.mark.parametrize("harm", [gone, half_written, garbage])
@pytest.mark.parametrize("is_at_start", [True, False])
async def test_a_drop_that_fails_spoils_no_other(
    whole, tmp_path, place, harm, is_at_start
):
    """At the start there is no good drop to fall back on; later the last one stands,
    and the journey says that a newer one could not be read."""
    prepared = copied(whole, tmp_path / "demo")
    if is_at_start:
        harm(prepared, place)
        await check(whole, prepared, place, {"unavailable", "error"})
        return
    states = {"unavailable"} if harm is gone else {"ok"}
    await check(whole, prepared, place, states, lambda: harm(prepared, place))


def stopped(prepared: Prepared, place: Place, _running: ExitStack) -> None:
    database_of(prepared, place).rename(prepared.folder / "elsewhere.db")


def locked(prepared: Prepared, place: Place, running: ExitStack) -> None:
    path = database_of(prepared, place)
    held = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    held.execute("BEGIN EXCLUSIVE")
    running.callback(held.close)


def slow(prepared: Prepared, place: Place, _running: ExitStack) -> None:
    breakage = Breakage(source=AT[place].source, fault=Fault.SLOW)
    wanted = Wanted(
        seed=7,
        today=datetime.now(LONDON).date(),
        fhir_urls=dict.fromkeys(SERVERS, "http://127.0.0.1:9/fhir"),
        breakages=(breakage,),
    )
    other = prepare(prepared.folder / "slow", wanted)
    shutil.copy(database_of(other, place), database_of(prepared, place))


def database_of(prepared: Prepared, place: Place) -> Path:
    found = prepared.folder / "sources" / f"{place}.db"
    assert found.exists()
    return found


@pytest.mark.parametrize("place", DATABASES)
@pytest.mark.parametrize(
    ("harm", "states"),
    [
        (stopped, {"unavailable"}),
        (locked, {"unavailable"}),
        (slow, {"timeout", "unavailable"}),
    ],
)
async def test_a_database_that_fails_spoils_no_other(
    whole, tmp_path, place, harm, states
):
    prepared = copied(whole, tmp_path / "demo")
    with ExitStack() as running:
        harm(prepared, place, running)
        await check(whole, prepared, place, states)


async def check(whole, prepared, place, states, before=lambda: None) -> None:
    """The journey with one source harmed, beside the same journey unharmed."""
    source = AT[place].source
    status, faultless, _ = await asked(whole)
    assert status == 200
    assert faultless["completeness"]["answered"] == len(ORGANISATIONS)
    status, journey, took_s = await asked(prepared, before)
    assert status == 200
    assert took_s <= DEADLINE_MS / 1000 + GRACE_S
    completeness = journey["completeness"]
    reports = {report["source"]: report for report in completeness["sources"]}
    assert reports[source]["state"] in states
    assert completeness["level"] == "partial"
    assert AT[place].name in completeness["statement"]
    assert [gap["source"] for gap in completeness["gaps"]] == [source]
    shown, expected = told(journey, source), told(faultless, source)
    assert shown == expected


async def test_with_every_source_broken_there_is_a_problem_and_no_journey(
    whole, tmp_path
):
    prepared = copied(whole, tmp_path / "demo")
    with ExitStack() as running:
        for place in SERVERS:
            text = file_of(prepared, place).read_text("utf-8")
            moved = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{free_port()}", text)
            file_of(prepared, place).write_text(moved, "utf-8")
        for place in DROPS:
            shutil.rmtree(prepared.folder / "sources" / "drops" / place)
        for place in DATABASES:
            locked(prepared, place, running)
        status, problem, took_s = await asked(prepared)
    assert status == 503
    assert took_s <= DEADLINE_MS / 1000 + GRACE_S
    assert problem["type"] == "urn:throughline:problem:no-source-answered"
    assert "events" not in problem
    states = {each["state"] for each in problem["completeness"]["sources"]}
    assert states == {"unavailable"}
    assert problem["completeness"]["level"] == "none"
