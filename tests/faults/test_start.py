"""A gateway's start and its work while sources, files or its own store are broken."""

import shutil

import pytest

from adapters.errors import ConfigurationError
from gateway.app import create_app
from gateway.problems import RequestError
from gateway.service import open_service
from gateway.settings import load_settings
from tests.documented import DocumentedClient
from tests.gateways import SOURCES, ask, code_of, running, states_of, write_gateway
from tests.houses import HouseClock

pytestmark = pytest.mark.fault


@pytest.fixture
def folder(tmp_path):
    return write_gateway(tmp_path).parent


@pytest.fixture
async def client(folder):
    async with running(folder / "throughline.toml", DocumentedClient) as client:
        yield client


async def test_a_gateway_is_ready_whatever_its_sources_do(folder):
    drops = folder / "sources" / "Z9A01.gp" / "drops"
    drops.rename(folder / "elsewhere")
    (folder / "sources" / "Z9B02.epr" / "events.db").unlink()
    async with running(folder / "throughline.toml", DocumentedClient) as client:
        for path in ("/readyz", "/livez"):
            response = await client.get(path)
            assert (response.status_code, response.json()) == (200, {"ok": True})
        await ask(client)
        assert (await client.get("/readyz")).status_code == 200
        (folder / "elsewhere").rename(drops)
        assert states_of((await ask(client)).json())["Z9A01.gp"] == "ok"


async def test_when_no_source_answers_it_is_503_and_says_which(folder):
    shutil.rmtree(folder / "sources" / "Z9A01.gp" / "drops")
    (folder / "sources" / "Z9B02.epr" / "events.db").unlink()
    async with running(folder / "throughline.toml", DocumentedClient) as client:
        response = await ask(client)
    told = response.json()
    assert (response.status_code, code_of(response)) == (503, "no-source-answered")
    assert states_of(told) == dict.fromkeys(SOURCES, "unavailable")
    assert told["completeness"]["level"] == "none"
    assert int(response.headers["retry-after"]) > 0
    assert all(each["events"] is None for each in told["completeness"]["sources"])


async def test_without_an_audit_trail_nothing_is_asked(client, folder):
    (folder / "throughline.db").unlink()
    response = await ask(client)
    assert (response.status_code, code_of(response)) == (503, "audit-unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert code_of(await client.get("/readyz")) == "audit-unavailable"
    sources = (await client.get("/v1/sources")).json()["items"]
    assert {each["state"] for each in sources} == {None}


async def test_a_broken_mapping_does_not_start(folder):
    source = folder / "sources" / "Z9A01.gp" / "source.toml"
    text = source.read_text("utf-8")
    source.write_text(text.replace("split =", "splitt ="), "utf-8")
    line = next(n for n, t in enumerate(text.splitlines(), 1) if t.startswith("split"))
    with pytest.raises(ConfigurationError) as caught:
        create_app(load_settings(folder / "throughline.toml", {}), HouseClock())
    told = str(caught.value)
    assert told.startswith(f"{source}, line {line}: mapping.label_column.splitt:")
    assert "Did you mean split?" in told


async def test_a_database_that_is_no_database_is_one_source_less(folder):
    (folder / "sources" / "Z9B02.epr" / "events.db").write_bytes(b"garbage" * 1000)
    async with running(folder / "throughline.toml", DocumentedClient) as client:
        assert (await client.get("/readyz")).status_code == 200
        states = states_of((await ask(client)).json())
    assert states["Z9A01.gp"] == "ok"
    assert states["Z9B02.epr"] in {"unavailable", "error"}


async def test_a_store_that_cannot_be_opened_does_not_start(folder):
    (folder / "throughline.db").mkdir()
    settings = load_settings(folder / "throughline.toml", {})
    app = create_app(settings, HouseClock())
    with pytest.raises(RequestError) as caught:
        async with app.router.lifespan_context(app):
            pytest.fail("it started")
    assert caught.value.code == "audit-unavailable"


async def test_a_service_may_be_closed_twice_and_unstarted(folder):
    settings = load_settings(folder / "throughline.toml", {})
    service = open_service(settings, HouseClock())
    assert not service.is_ready
    await service.aclose()
    await service.aclose()


def test_a_policy_that_cannot_be_read_does_not_start(folder):
    (folder / "policy" / "more.yaml").write_text("kind: agreement\n", "utf-8")
    settings = load_settings(folder / "throughline.toml", {})
    with pytest.raises(ConfigurationError) as caught:
        create_app(settings, HouseClock())
    assert "more.yaml" in str(caught.value)


def test_an_audit_key_that_is_none_does_not_start(folder):
    (folder / "keys" / "audit.key").write_text("short", "utf-8")
    settings = load_settings(folder / "throughline.toml", {})
    with pytest.raises(ConfigurationError):
        create_app(settings, HouseClock())
