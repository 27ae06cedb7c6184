"""Over HTTP: an honest answer under another number suspends nobody; another's does."""

from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from adapters.contract import FlagState
from gateway.app import create_app
from gateway.settings import load_settings
from tests.documented import DocumentedClient
from tests.gateways import QUESTION, SOURCES, ask, bearer, write_gateway
from tests.houses import NOW, HouseClock, answer, event
from tests.people import number
from tests.tracing import NEW, Teller, by, said

SURGERY, HOSPITAL, COUNCIL = SOURCES


def unflagged(*events, about):
    flag = FlagState(flag="legally-restricted", present=False, as_of=NOW)
    return replace(answer(*events, about=about), flags=(flag,))


@asynccontextmanager
async def asking(folder, hospital, configured=""):
    path = write_gateway(folder)
    text = path.read_text("utf-8")
    text = text.replace(f'id = "{HOSPITAL}"', f'id = "{HOSPITAL}"\n{configured}')
    path.write_text(text, "utf-8")
    settings = load_settings(path, {})
    app = create_app(settings, HouseClock())
    async with (
        app.router.lifespan_context(app),
        DocumentedClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
            headers=bearer(settings, HouseClock()),
        ) as client,
    ):
        service = app.state.service
        service.house = replace(
            service.house,
            sources=tuple(
                replace(each, adapter=hospital) if each.id == HOSPITAL else each
                for each in service.house.sources
            ),
        )
        yield client


async def stood(client, value):
    """How the hospital stands after a question about this number."""
    journey = (await ask(client, QUESTION | {"nhs_number": value})).json()
    (found,) = (
        each
        for each in journey["completeness"]["sources"]
        if each["source"] == HOSPITAL
    )
    return found["state"], found["reason"], journey


PEOPLE = [number(place) for place in (10, 11, 12, 13)]


def successor(query):
    """Whoever is asked for, somebody else's record is what there is."""
    seen = event("h", of=by(NEW))
    return (
        unflagged(seen, about=by(NEW))
        if query.person.nhs_number
        else unflagged(about=None)
    )


@pytest.mark.parametrize(
    ("configured", "suspended"), [("", False), ("traces = false", True)]
)
async def test_whoever_states_the_successor_is_never_suspended_for_it(
    tmp_path, configured, suspended
):
    """Catches PDS suspended after three people whose numbers were superseded."""
    hospital = Teller(successor, lambda p: (said(p.nhs_number, NEW),) * (p != by(NEW)))
    async with asking(tmp_path, hospital, configured) as client:
        for value in PEOPLE[:3]:
            state, reason, journey = await stood(client, value)
            assert (reason == "identity_mismatch") is suspended
        state, reason, journey = await stood(client, PEOPLE[3])
    assert (reason == "suspended") is suspended
    if not suspended:
        (shown,) = (
            e for e in journey["events"] if e["provenance"]["source"] == HOSPITAL
        )
        assert shown["provenance"]["link"]["method"] == "superseded_number"
        assert shown["provenance"]["link"]["said_by"] == HOSPITAL
        assert state == "ok"
        codes = [each["code"] for each in journey["discrepancies"]]
        assert codes == ["number_superseded"]
