"""A gateway that is killed has told of everything, or tells of it when it is back."""

import os
import signal
import subprocess
import sys

import httpx
import pytest

from gateway.clock import SystemClock
from gateway.settings import load_settings
from tests.gateways import PERSON, bearer
from tests.glass import Office, office, write_glass_gateway
from tests.houses import clause
from tests.serving import free_port, serving

pytestmark = pytest.mark.fault

CLAIM = {"kind": "self-claimed", "reason": "On call tonight"}


async def answered(address, headers):
    """The journey, once the gateway is up."""
    question = {"nhs_number": PERSON, "purpose": "direct-care", "relationship": CLAIM}
    transport = httpx.AsyncHTTPTransport(retries=60)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        return await client.post(
            f"{address}/v1/journeys", json=question, headers=headers, timeout=30
        )


async def test_a_notice_survives_the_death_of_its_gateway(tmp_path):
    async with office() as told:
        told.status = "503 Later"
        claimed = clause(relationships=["self-claimed"])
        config = write_glass_gateway(tmp_path, told.address, claimed)
        settings = load_settings(config, {})
        headers = bearer(settings, SystemClock(), client_id="ward", relationship=None)
        decision = await _asked_and_killed(config, headers, told)
        told.status = "200 OK"
        with serving(config):
            (notice,) = await told.hears("self-claimed", within_s=40)
    assert notice["reference"] == decision
    assert len({each["notice"] for each in told.told}) == 1


async def _asked_and_killed(config, headers, told: Office):
    port = free_port()
    process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own command, and its start is not waited for
        [sys.executable, "-m", "gateway.cli", "serve", "--config", str(config)],
        env={**os.environ, "THROUGHLINE_HTTP__PORT": str(port)},
    )
    try:
        response = await answered(f"http://127.0.0.1:{port}", headers)
        assert response.status_code == 200
        await told.heard.wait()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(15)
    assert told.told == []
    return response.json()["decision"]["decision_id"]
