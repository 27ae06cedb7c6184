"""Two gateways of one PostgreSQL store, and a site that polls the other of them."""

import asyncio
import json
import secrets
import shutil
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from gateway.audit.chain import Entry, first_broken
from tests import fhir_records
from tests.faults.test_site_process import (
    HANGING,
    first_asked,
    trail_of,
)
from tests.gateways import PERSON
from tests.houses import ANN, event
from tests.outbound import (
    Process,
    ask,
    asker,
    fetching,
    gateway_at,
    in_memory,
    only,
    ports,
    site_fetching,
    spellings,
    state_of,
    until_polled,
    until_ready,
)
from tests.site_gateways import gateway_of, through
from tests.site_processes import Enrolled, enrol
from tests.stub_fhir import StubFhir

pytestmark = pytest.mark.parts

SOURCE = "Z9B02.epr"


@dataclass
class Two:
    """One gateway that is asked, one that the site polls; their files and store."""

    asked: Path
    polled: Path
    ports: list[int]
    store: URL
    enrolled: Enrolled
    token: Mapping[str, str]
    logs: Path

    def gateway(self, place: int) -> AbstractContextManager[Process]:
        config = (self.asked, self.polled)[place]
        return gateway_at(config, self.ports[place], log=self.logs / f"{place}.log")

    def site(self) -> AbstractContextManager[Process]:
        return site_fetching(self.enrolled, log=self.logs / "site.log")


async def create(server, name: str) -> URL:
    """A new, empty database of the server."""
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return make_url(server.url).set(database=name)


async def prepared(folder: Path, server, reads: Path) -> Two:
    """Both gateways' files, and the site's, which polls the second."""
    store = await create(server, f"relay_{uuid.uuid4().hex}")
    first = gateway_of(folder / "gateway-1")
    token = asker(first)
    enrolled = enrol(folder, reads, source=SOURCE, environment="development")
    listening = ports(2)
    fetching(enrolled, f"http://127.0.0.1:{listening[1]}")
    through(first, enrolled)
    only(first, SOURCE)
    (first.parent / "keys" / "relay.key").write_text(secrets.token_hex(32), "ascii")
    shutil.copytree(first.parent, folder / "gateway-2")
    second = folder / "gateway-2" / first.name
    for config, port in zip((first, second), listening, strict=True):
        _share(config, store, port)
    return Two(first, second, listening, store, enrolled, token, folder)


def _share(config: Path, store: URL, port: int) -> None:
    url = store.set(drivername="postgresql+asyncpg").render_as_string()
    text = config.read_text("utf-8").replace(
        "sqlite+aiosqlite:///throughline.db", url, 1
    )
    part = (
        f'[relay]\naddress = "http://127.0.0.1:{port}"\nkey = "file:keys/relay.key"\n'
    )
    config.write_text(text.replace("\n[limits]", f"\n{part}\n[limits]", 1), "utf-8")


def behind(folder: Path, server: StubFhir) -> Path:
    """The source file of what stands behind the site."""
    place = folder / "fhir.toml"
    text = f'kind = "fhir"\nbase_url = "{server.base_url}"\ntypes = ["Encounter"]\n'
    place.write_text(text, "utf-8")
    return place


async def trail(store: URL) -> list[dict[str, Any]]:
    """The records of the gateways' trail, whose chain must be whole."""
    connection = await asyncpg.connect(store.render_as_string(hide_password=False))
    try:
        rows = await connection.fetch(
            "SELECT n, record, chain FROM audit_record ORDER BY n"
        )
        head = await connection.fetchrow("SELECT n, chain FROM audit_head")
    finally:
        await connection.close()
    found = [tuple(row) for row in rows]
    assert first_broken(found, Entry(n=head["n"], chain=head["chain"])) is None
    return [json.loads(record) for _, record, _ in found]


async def test_a_site_polls_one_gateway_and_another_asks_it(tmp_path, postgres):
    resources = fhir_records.resources([event("epr-1", of=ANN)])
    async with StubFhir(resources) as server:
        two = await prepared(tmp_path, postgres, behind(tmp_path, server))
        with ExitStack() as running:
            asked, polled, site = (
                running.enter_context(each)
                for each in (two.gateway(0), two.gateway(1), two.site())
            )
            until_ready(asked, polled, site)
            await until_polled(asked.address, two.token, SOURCE)
            await learns_nothing(two, asked, polled)
            await lose_connections(two.store)
            told = await until_polled(asked.address, two.token, SOURCE)
            assert state_of(told, SOURCE)["state"] == "ok"
            await killed_amid_a_question(two, asked, polled, server=server)
    await is_written_down(two)


async def learns_nothing(two: Two, asked: Process, polled: Process) -> None:
    """Of what it hands on, the other gateway's memory and log tell nothing."""
    told = await asyncio.gather(*(ask(asked.address, two.token) for _ in range(8)))
    assert [each.status_code for each in told] == [200] * 8
    assert all(each.json()["events"] for each in told)
    marks = spellings(PERSON, "epr-1")
    assert in_memory(polled.pid, [SOURCE.encode()])  # the control
    assert in_memory(polled.pid, marks) == []
    written = b"".join(each.read_bytes() for each in two.logs.glob("*.log"))
    assert not [mark for mark in marks if mark in written]


async def lose_connections(store: URL) -> None:
    """As when the server fails over: every connection ends at once."""
    connection = await asyncpg.connect(store.render_as_string(hide_password=False))
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def killed_amid_a_question(
    two: Two, asked: Process, polled: Process, *, server: StubFhir
) -> None:
    """The relay that handed a question out is no more when its answer comes."""
    server.asked.clear()
    server.wrong = HANGING
    question = asyncio.create_task(ask(asked.address, two.token))
    await first_asked(server)
    polled.kill()
    told = await question
    assert told.status_code == 503
    said = state_of(told.json(), SOURCE)
    assert (said["state"], said["reason"]) == ("unavailable", "no_answer")
    assert said["fault_domain"] == "adapter"


async def is_written_down(two: Two) -> None:
    """Both ends have what was asked, and that nothing came of it."""
    (outcome,) = [
        each
        for record in await trail(two.store)
        if record["type"] == "outcome"
        for each in record["sources"]
        if each["reason"] == "no_answer"
    ]
    (exchange,) = outcome["exchanges"]
    assert exchange["answer"] is None
    there = [each for each in trail_of(two.enrolled) if each["type"] == "intent"]
    questions = [each["exchange"]["question"] for each in there]
    assert exchange["question"] in questions
