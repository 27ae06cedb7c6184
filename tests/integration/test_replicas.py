"""Two gateways on one PostgreSQL store: either answers, and the trail is one."""

import asyncio
import json
import shutil
import sys
import uuid
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from gateway.access.demo_issuer import Wanted as WantedToken
from gateway.access.demo_issuer import mint
from gateway.access.requester import Relationship
from gateway.audit.chain import Entry, first_broken
from gateway.clock import SystemClock
from gateway.demo.children import Children, free_port
from gateway.demo.chronicle import AT, Place
from gateway.demo.configuration import CLIENT
from gateway.demo.preparing import Wanted, prepare
from gateway.settings import load_settings
from tests.serving import serving

pytestmark = pytest.mark.parts

JOURNEYS = 200
AT_ONCE = 4  # by each gateway


@pytest.fixture
async def store(postgres):
    """The address of a new, empty database of the server."""
    name = f"replicas_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return make_url(postgres.url).set(database=name)


async def rows_of(store):
    connection = await asyncpg.connect(store.render_as_string(hide_password=False))
    try:
        rows = await connection.fetch(
            "SELECT n, record, chain FROM audit_record ORDER BY n"
        )
        head = await connection.fetchrow("SELECT n, chain FROM audit_head")
    finally:
        await connection.close()
    return [tuple(row) for row in rows], Entry(n=head["n"], chain=head["chain"])


@pytest.fixture
async def health_system(tmp_path):
    """The demo's configuration, its two FHIR servers running."""
    ports = {place: free_port() for place in (Place.GP, Place.ACUTE)}
    urls = {place: f"http://127.0.0.1:{port}/fhir" for place, port in ports.items()}
    today = datetime.now(UTC).date()
    wanted = Wanted(seed=7, today=today, fhir_urls=urls)
    prepared = await asyncio.to_thread(prepare, tmp_path / "first", wanted)
    async with Children(tmp_path / "logs") as children:
        for place, port in ports.items():
            command = (sys.executable, "-m", "gateway.demo.fhir_server", "--data")
            data = str(prepared.fhir_data(place))
            await children.start(place, [*command, data, "--port", str(port)])
            await children.answering(f"{urls[place]}/metadata")
        yield prepared


@pytest.fixture
def folders(health_system, store, tmp_path, monkeypatch):
    """The configurations of two gateways: a state each of its own, and one store."""
    # A copy, as a replica's own disk is one; the environment stands over its file.
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    url = store.set(drivername="postgresql+asyncpg").render_as_string()
    monkeypatch.setenv("THROUGHLINE_STORE__URL", url)
    monkeypatch.setenv("THROUGHLINE_AUDIT__WRITE_S", "5")
    return [tmp_path / each / "throughline.toml" for each in ("first", "second")]


@pytest.fixture
def gateways(folders):
    """The addresses of the two."""
    with ExitStack() as running:
        yield [running.enter_context(serving(each)) for each in folders]


def token_for(prepared):
    surgery = AT[Place.GP].ods
    wanted = WantedToken(
        client_id=CLIENT,
        organisation=surgery,
        role="doctor",
        purposes=("direct-care",),
        relationships=(Relationship(kind="registered", organisation=surgery),),
    )
    return mint(load_settings(prepared.configuration, {}), SystemClock(), wanted)


async def asked(address, people, token):
    """The journey of each of these people, by one gateway, a few at once."""
    lanes = asyncio.Semaphore(AT_ONCE)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=address, headers=headers, trust_env=False, timeout=30
    ) as client:

        async def one(number):
            body = {"nhs_number": number, "purpose": "direct-care"}
            async with lanes:
                return await client.post("/v1/journeys", json=body)

        return await asyncio.gather(*(one(number) for number in people))


async def test_two_gateways_answer_alike_and_write_one_trail(
    gateways, health_system, store
):
    token = token_for(health_system)
    residents = health_system.chronicle.residents[: JOURNEYS // 2]
    people = [each.nhs_number for each in residents]
    answers = await asyncio.gather(*(asked(each, people, token) for each in gateways))
    assert [r.status_code for both in answers for r in both] == [200] * JOURNEYS
    told = [[r.json() for r in both] for both in answers]
    for first, second in zip(*told, strict=True):
        assert states(first) == states(second)
        assert events(first) == events(second)
    assert sum(len(journey["events"]) for journey in told[0]) > len(people)
    rows, head = await rows_of(store)
    assert first_broken(rows, head) is None
    records = [json.loads(record) for _, record, _ in rows]
    kinds = Counter(record["type"] for record in records)
    assert kinds == {"start": 2, "intent": JOURNEYS, "outcome": JOURNEYS}
    for kind in ("intent", "outcome"):
        journeys = {r["journey"] for r in records if r["type"] == kind}
        assert journeys == {j["journey_id"] for both in told for j in both}


async def test_a_gateway_may_be_stopped_and_begun_again_while_another_answers(
    folders, health_system, store
):
    token = token_for(health_system)
    people = [each.nhs_number for each in health_system.chronicle.residents[:60]]
    with ExitStack() as lasting, ExitStack() as passing:
        stays = lasting.enter_context(serving(folders[0]))
        goes = passing.enter_context(serving(folders[1]))
        before = await asked(goes, people[:5], token)
        staying = asyncio.create_task(asked(stays, people, token))
        await asyncio.to_thread(passing.close)
        after = await staying
        again = await asyncio.to_thread(lasting.enter_context, serving(folders[1]))
        last = await asked(again, people[:5], token)
    answers = [*before, *after, *last]
    assert {each.status_code for each in answers} == {200}
    rows, head = await rows_of(store)
    assert first_broken(rows, head) is None
    records = [json.loads(record) for _, record, _ in rows]
    kinds = Counter(record["type"] for record in records)
    assert kinds == {
        "start": 3,
        "stop": 3,
        "intent": len(answers),
        "outcome": len(answers),
    }
    assert len({r["process"] for r in records}) == 3


def states(journey):
    return [(s["source"], s["state"]) for s in journey["completeness"]["sources"]]


def events(journey):
    return [(e["provenance"]["source"], e["id"]) for e in journey["events"]]
