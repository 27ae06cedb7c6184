"""A site that opens no port, and its gateway: processes, killed amid a question."""

import asyncio
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import fhir_records
from tests.faults.test_site_process import HANGING, first_asked, records, trail_of
from tests.gateways import PERSON
from tests.houses import ANN, event
from tests.outbound import (
    ask,
    asker,
    fetching,
    gateway_at,
    only,
    site_fetching,
    spellings,
    state_of,
    until_polled,
    until_ready,
)
from tests.serving import free_port
from tests.site_gateways import gateway_of, through
from tests.site_processes import Enrolled, enrol
from tests.stub_fhir import Misbehaviour, StubFhir

pytestmark = pytest.mark.fault

SOURCE = "Z9B02.epr"


class Pair:
    """A gateway and a site that fetches from it: their files, and who asks."""

    def __init__(self, folder: Path, server: StubFhir) -> None:
        self.folder, self.server = folder, server
        self.config = gateway_of(folder / "gateway-1")
        reads = folder / "fhir.toml"
        text = f'kind = "fhir"\nbase_url = "{server.base_url}"\ntypes = ["Encounter"]\n'
        reads.write_text(text, "utf-8")
        self.enrolled: Enrolled = enrol(
            folder, reads, source=SOURCE, environment="development"
        )
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        fetching(self.enrolled, self.address)
        through(self.config, self.enrolled)
        only(self.config, SOURCE)
        self.token = asker(self.config)

    def gateway(self):
        return gateway_at(self.config, self.port, log=self.folder / "gateway.log")

    def site(self):
        return site_fetching(self.enrolled, log=self.folder / "site.log")

    async def polled(self) -> dict[str, Any]:
        told = await until_polled(self.address, self.token, SOURCE)
        assert state_of(told, SOURCE)["state"] == "ok"
        return told

    async def hanging(self) -> "asyncio.Task[httpx.Response]":
        """A question that its source is being asked, and does not answer."""
        self.server.asked.clear()
        self.server.wrong = HANGING
        question = asyncio.create_task(ask(self.address, self.token))
        await first_asked(self.server)
        return question

    def of(self, place: str, kind: str) -> list[dict[str, Any]]:
        """The records of a kind, in the gateway's trail or the site's."""
        if place == "gateway":
            kept = records(self.config.parent / "throughline.db")
        else:
            kept = trail_of(self.enrolled)
        return [each for each in kept if each["type"] == kind]

    def told(self, journey: str) -> bool:
        """Whether the site recorded what it answered."""
        outcomes = self.of("site", "outcome")
        return any(each["journey"] == journey for each in outcomes)


async def test_either_end_may_be_killed_amid_a_question(tmp_path):
    resources = fhir_records.resources([event("epr-1", of=ANN)])
    async with StubFhir(resources) as server:
        pair = Pair(tmp_path, server)
        with ExitStack() as running:
            gateway = running.enter_context(pair.gateway())
            site = running.enter_context(pair.site())
            until_ready(gateway, site)
            await pair.polled()
            assert gateway.process.poll() is None
            await the_gateway_killed(pair, gateway)
            server.wrong = Misbehaviour()
            gateway = running.enter_context(pair.gateway())
            until_ready(gateway)
            await pair.polled()
            await the_site_killed(pair, site)
            server.wrong = Misbehaviour()
            until_ready(running.enter_context(pair.site()))
            await pair.polled()
            began = time.monotonic()
        assert time.monotonic() - began < 8  # open polls keep neither from stopping
    logs = b"".join(each.read_bytes() for each in tmp_path.glob("*.log"))
    assert not [mark for mark in spellings(PERSON, "epr-1") if mark in logs]


async def the_gateway_killed(pair: Pair, gateway) -> None:
    """The relay is gone when the answer comes: the site recorded it all the same."""
    question = await pair.hanging()
    gateway.kill()
    with suppress(httpx.TransportError):
        await question
    intent = pair.of("gateway", "intent")[-1]
    (there,) = [
        each
        for each in pair.of("site", "intent")
        if each["journey"] == intent["journey"]
    ]
    async with asyncio.timeout(20):
        while not pair.told(there["journey"]):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.1)


async def the_site_killed(pair: Pair, site) -> None:
    """What it fetched it never answers: told in time, and at both ends recorded."""
    question = await pair.hanging()
    site.kill()
    told = await question
    assert told.status_code == 503
    said = state_of(told.json(), SOURCE)
    assert (said["state"], said["reason"]) == ("unavailable", "no_answer")
    assert said["fault_domain"] == "adapter"
    assert said["took_ms"] <= 1_600  # of the 1.5 s that a source is given
    ((exchange,),) = [
        each["exchanges"] for each in pair.of("gateway", "outcome")[-1]["sources"]
    ]
    assert exchange["answer"] is None
    asked = [each["exchange"]["question"] for each in pair.of("site", "intent")]
    assert exchange["question"] in asked
