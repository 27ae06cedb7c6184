"""A site as a process: over TLS, killed amid a question, and what it writes."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from adapters.contract import Query
from adapters.errors import Unavailable
from adapters.registry import open_source
from adapters.site import SiteAdapter
from adapters.site.wire import QUESTIONS_PATH, Refusal, read
from gateway.audit.chain import first_broken
from gateway.clock import SystemClock
from gateway.settings import load_settings
from tests.gateways import QUESTION, bearer
from tests.houses import ANN
from tests.opened import surroundings
from tests.serving import free_port
from tests.site_gateways import gateway_of, gateway_running, same, through
from tests.site_processes import Enrolled, Running, enrol, site_running
from tests.sites import query
from tests.stub_fhir import Misbehaviour, StubFhir
from tests.trails import head_of, rows_of

pytestmark = pytest.mark.fault

SOURCE = "Z9B02.epr"


def asked_now(**changed: Any) -> Query:
    """A question by the machine's own clock, as the process has it."""
    until = datetime.now(UTC) + timedelta(seconds=4)
    asked = query(until=until, **changed)
    return replace(asked, person=ANN)


@asynccontextmanager
async def asking(enrolled: Enrolled, folder: Path) -> AsyncIterator[SiteAdapter]:
    """The adapter of the gateway's source file."""
    around = replace(
        surroundings(folder),
        secret=lambda name: Path(name.removeprefix("file:")).read_text(),
    )
    adapter = open_source(enrolled.source_file, around)
    assert isinstance(adapter, SiteAdapter)
    try:
        yield adapter
    finally:
        await adapter.aclose()
        await around.transport.aclose()


def before_fhir(folder: Path, url: str) -> Enrolled:
    """A site in front of a FHIR server."""
    path = folder / "fhir.toml"
    text = f'kind = "fhir"\nbase_url = "{url}"\ntypes = ["Encounter"]\n'
    path.write_text(text, "utf-8")
    return enrol(folder, path, source=SOURCE, environment="development")


def trail_of(enrolled: Enrolled) -> list[dict[str, Any]]:
    return records(enrolled.site / "site.db")


def records(store: Path) -> list[dict[str, Any]]:
    """The records of a trail, whose chain must be whole."""
    rows = rows_of(store)
    assert first_broken(rows, head_of(store)) is None
    return [json.loads(text) for _, text, _ in rows]


async def first_asked(server: StubFhir) -> None:
    """Wait until a server was asked of a person."""
    async with asyncio.timeout(20):
        while not any(  # noqa: ASYNC110 - it is another process that asks
            each.type == "Patient" or each.parameters for each in server.asked
        ):
            await asyncio.sleep(0.02)


HANGING = Misbehaviour(hangs=frozenset({"*", "Patient", "Encounter"}))


async def test_a_killed_site_has_recorded_what_it_was_asked_and_takes_it_no_more(
    tmp_path,
):
    async with StubFhir([], wrong=HANGING) as server:
        enrolled = before_fhir(tmp_path, server.base_url)
        carried: list[bytes] = []
        async with asking(enrolled, tmp_path) as adapter:
            carry = adapter._carrier.carry

            async def kept(posted: bytes, jti: str) -> bytes | Refusal:
                carried.append(posted)
                return await carry(posted, jti)

            adapter._carrier.carry = kept  # type: ignore[method-assign, assignment]  # to hear what is sent
            asked = asked_now()
            with site_running(enrolled) as running:
                question = asyncio.create_task(adapter.ask(asked))
                await first_asked(server)
                running.kill()
                with pytest.raises(Unavailable) as caught:
                    await question
        assert caught.value.domain == "adapter"
        assert asked.warrant is not None
        (exchange,) = asked.warrant.exchanges.every
        (intent,) = [each for each in trail_of(enrolled) if each["type"] == "intent"]
        assert intent["exchange"]["question"] == exchange.question
        with site_running(enrolled):
            again = await post(enrolled, carried[0])
    assert again.status_code == 403
    assert read(again.content, Refusal).refused == "replayed"
    assert trail_of(enrolled)[-2]["type"] == "not_taken"


async def post(enrolled: Enrolled, body: bytes, **how: Any) -> httpx.Response:
    async with httpx.AsyncClient(verify=enrolled.context, trust_env=False) as client:
        return await client.post(
            f"https://127.0.0.1:{enrolled.port}{QUESTIONS_PATH}",
            content=body,
            headers={"Content-Type": "application/json"} | how.pop("headers", {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """A site over mutual TLS, and the configuration of a gateway that may ask it."""

    config: Path
    enrolled: Enrolled
    running: Running


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """One for all tests that leave it running."""
    folder = tmp_path_factory.mktemp("production")
    config = gateway_of(folder / "gateway-1")
    reads = config.parent / "sources" / SOURCE / "source.toml"
    enrolled = enrol(folder, reads, source=SOURCE)
    with site_running(enrolled) as running:
        yield Production(config=config, enrolled=enrolled, running=running)


async def test_the_edge_of_a_site_is_bounded_and_closed(production):
    enrolled = production.enrolled
    too_large = await post(enrolled, b"x" * 70_000)
    assert read(too_large.content, Refusal).refused == "too_large"
    other = await post(enrolled, b"{}", headers={"Content-Type": "text/plain"})
    assert read(other.content, Refusal).refused == "malformed"
    nobody = ssl.create_default_context(cafile=enrolled.gateway / "ca.crt")
    stranger = ssl.create_default_context(cafile=enrolled.gateway / "ca.crt")
    trustme.CA().issue_cert("stranger.example.invalid").configure_cert(stranger)
    for context in (nobody, stranger):
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"https://127.0.0.1:{enrolled.port}/livez")
    assert production.running.process.poll() is None


async def test_a_site_that_is_down_is_told_of_the_adapter(tmp_path):
    enrolled = before_fhir(tmp_path, "http://127.0.0.1:9/fhir")
    async with asking(enrolled, tmp_path) as adapter:
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(asked_now())
    assert (caught.value.reason, caught.value.domain) == ("connect", "adapter")


async def test_one_population_in_process_and_through_a_site_gives_equal_journeys(
    production,
):
    config, enrolled = production.config, production.enrolled
    plainly = config.read_text("utf-8")
    async with gateway_running(config) as client:
        plain = (await client.post("/v1/journeys", json=QUESTION)).json()
    through(config, enrolled)
    try:
        async with gateway_running(config) as client:
            told = (await client.post("/v1/journeys", json=QUESTION)).json()
    finally:
        config.write_text(plainly, "utf-8")
    assert any(e["provenance"]["source"] == SOURCE for e in plain["events"])
    assert same(told) == same(plain)
    # Both ends' trails name the same questions and answers.
    here = [
        (each["question"], each["answer"])
        for record in records(config.parent / "throughline.db")
        if record["type"] == "outcome"
        for source in record["sources"]
        for each in source["exchanges"]
    ]
    there = [
        (each["question"], each["answer"])
        for record in trail_of(enrolled)
        if record["type"] == "outcome"
        for source in record["sources"]
        for each in source["exchanges"]
    ]
    assert here == there != []


async def test_a_killed_gateway_leaves_the_site_its_record(tmp_path):
    async with StubFhir([], wrong=HANGING) as server:
        enrolled = before_fhir(tmp_path, server.base_url)
        config = gateway_of(tmp_path / "gateway-1")
        through(config, enrolled)
        token = bearer(load_settings(config, {}), SystemClock())
        port = free_port()
        process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own command; it is killed below
            [
                *(sys.executable, "-m", "gateway.cli", "serve"),
                *("--config", str(config)),
            ],
            env={**os.environ, "THROUGHLINE_HTTP__PORT": str(port)},
        )
        try:
            with site_running(enrolled):
                question = asyncio.create_task(_asked_when_ready(port, token))
                await first_asked(server)
                process.send_signal(signal.SIGKILL)
                process.wait(15)
                with pytest.raises(httpx.TransportError):
                    await question
                server.wrong = Misbehaviour()
                await _recorded(enrolled, "outcome")
        finally:
            process.kill()
            process.wait(15)
    (intent,) = [
        each
        for each in records(config.parent / "throughline.db")
        if each["type"] == "intent"
    ]
    there = trail_of(enrolled)
    assert {each["journey"] for each in there if "journey" in each} == {
        intent["journey"]
    }


async def _asked_when_ready(port: int, token: Any) -> None:
    address = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        for _ in range(600):
            with suppress(httpx.ConnectError):
                if (await client.get(f"{address}/readyz")).status_code == 200:
                    break
            await asyncio.sleep(0.1)
        await client.post(f"{address}/v1/journeys", json=QUESTION, headers=token)


async def _recorded(enrolled: Enrolled, kind: str) -> None:
    async with asyncio.timeout(20):
        while not any(  # noqa: ASYNC110 - it is another process that writes
            each["type"] == kind for each in trail_of(enrolled)
        ):
            await asyncio.sleep(0.1)


async def test_no_patient_value_is_left_in_any_file_of_a_site(production):
    config, enrolled = production.config, production.enrolled
    plainly, number = config.read_text("utf-8"), str(QUESTION["nhs_number"])
    through(config, enrolled)
    try:
        async with gateway_running(config) as client:
            told = (await client.post("/v1/journeys", json=QUESTION)).text
    finally:
        config.write_text(plainly, "utf-8")
    await post(enrolled, b'{"question":"' + number.encode() + b'"}')
    log = production.running.log.read_bytes()
    assert number in told  # the control: it did pass through here
    marks = [number, number[:3] + " " + number[3:6] + " " + number[6:], "epr-1"]
    stores = [*enrolled.site.rglob("*"), *config.parent.glob("throughline.db*")]
    written = [log, *(each.read_bytes() for each in stores if each.is_file())]
    for mark in marks:
        for spelling in (mark.encode(), mark.encode("utf-16-le"), mark[::-1].encode()):
            assert not any(spelling in each for each in written)
