"""One town through every kind of source: in process, and two ways through one site.

Asked over mutual TLS, or fetching its questions: the journeys are the same, byte for
byte but for times and the ids made anew.
"""

import asyncio
import json
from contextlib import ExitStack

import httpx

from tests.integration.test_site_kinds import (
    BEHIND,
    BESIDE,
    PEOPLE,
    Journeys,
    gateway,
    site_of,
    tellers,
)
from tests.outbound import fetching, listening, site_fetching, until_ready
from tests.serving import free_port
from tests.site_gateways import same, through
from tests.site_processes import await_ready, site_started
from tests.town import questions


async def journeys(client: httpx.AsyncClient) -> Journeys:
    """What is told of some of the town."""
    told = []
    for nth in PEOPLE:
        for question in questions(nth):
            response = await client.post("/v1/journeys", json=question)
            assert response.status_code == 200
            told.append(same(response.json()))
    return told


async def polled(client: httpx.AsyncClient) -> None:
    """Wait until the site's polls are open: it is asked, and not in vain."""
    async with asyncio.timeout(30):
        while True:
            told = (await client.post("/v1/journeys", json=questions(1)[0])).json()
            reasons = {each["reason"] for each in told["completeness"]["sources"]}
            if "no_poll" not in reasons:
                return


async def test_in_process_direct_and_outbound_journeys_are_equal(tmp_path):
    port = free_port()
    async with gateway(tmp_path / "gateway-1") as config:
        plainly = config.read_text("utf-8")
        asked = site_of(tmp_path / "asked", config)
        fetches = site_of(tmp_path / "fetches", config)
        fetching(fetches, f"http://127.0.0.1:{port}", *BEHIND)
        with ExitStack() as sites:
            started = sites.enter_context(site_started(asked))
            async with listening(config, port) as client:
                plain = await journeys(client)
            through(config, asked, *BEHIND)
            await_ready(asked, started)
            # It starts meanwhile.
            site = sites.enter_context(
                site_fetching(fetches, log=tmp_path / "site.log")
            )
            async with listening(config, port) as client:
                direct = await journeys(client)
            config.write_text(plainly, "utf-8")
            through(config, fetches, *BEHIND)
            async with listening(config, port) as client:
                await asyncio.to_thread(until_ready, site)  # once it polls us
                await polled(client)
                outbound = await journeys(client)
    assert tellers(plain) == {*BEHIND, BESIDE}
    for one, two, three in zip(plain, direct, outbound, strict=True):
        assert json.dumps(one) == json.dumps(two) == json.dumps(three)
