"""A source's name that leads where it should not: nothing is sent there."""

import asyncio

import pytest

from adapters.errors import AdapterError, Refused, Unavailable
from adapters.fhir import build
from adapters.http import AiohttpTransport
from tests.authorising import authority, key_for, pem_of
from tests.fhir_asking import NOW, about, condition, ids, patient, surroundings
from tests.stub_fhir import StubFhir
from tests.unit.test_addresses import Names

pytestmark = pytest.mark.fault
HELD = [patient(), condition()]


async def asked(folder, base_url, leads_to, more=""):
    """The ids of what is found at a base whose name leads so."""
    transport = AiohttpTransport(resolver=Names(*leads_to))
    file = folder / "source.toml"
    file.write_text(f'kind = "fhir"\nbase_url = "{base_url}"\n{more}')
    secrets = {"env:KEY": pem_of(key_for("ES384"))}
    adapter = build(file, surroundings(transport, folder, secrets=secrets))
    try:
        async with asyncio.timeout(10):
            return ids(await adapter.ask(about()))
    finally:
        await adapter.aclose()
        await transport.aclose()


async def failure(*asking) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await asked(*asking)
    return caught.value


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1"])
async def test_a_name_that_was_bent_to_this_machine_is_not_asked(tmp_path, address):
    async with StubFhir(HELD) as server:
        base = server.base_url.replace("127.0.0.1", "epr.invalid")
        error = await failure(tmp_path, base, [address])
        assert (type(error), error.reason, error.domain) == (
            Refused, "address", "adapter",
        )  # fmt: skip
        assert server.asked == []
    assert address not in str(error)


async def test_a_source_on_this_machine_says_so(tmp_path):
    async with StubFhir(HELD) as server:
        base = server.base_url.replace("127.0.0.1", "epr.invalid")
        found = await asked(tmp_path, base, ["127.0.0.1"], "loopback = true")
        assert found == ["Condition/c1"]
        error = await failure(tmp_path, base, ["169.254.169.254"], "loopback = true")
        assert error.reason == "address"


async def test_what_one_source_may_resolve_to_no_other_may(tmp_path):
    transport = AiohttpTransport(resolver=Names("127.0.0.1"))
    async with StubFhir(HELD) as server:
        base = server.base_url.replace("127.0.0.1", "epr.invalid")
        for more, reason in (("loopback = true", None), ("", "address")):
            file = tmp_path / "source.toml"
            file.write_text(f'kind = "fhir"\nbase_url = "{base}"\n{more}')
            adapter = build(file, surroundings(transport, tmp_path))
            if reason is None:
                assert ids(await adapter.ask(about())) == ["Condition/c1"]
            else:
                with pytest.raises(Refused) as caught:
                    await adapter.ask(about())
                assert caught.value.reason == reason
            await adapter.aclose()
    await transport.aclose()


async def test_a_name_without_an_address_is_unknown(tmp_path):
    error = await failure(tmp_path, "https://epr.invalid/fhir", [])
    assert (type(error), error.reason, error.domain) == (Unavailable, "dns", "source")


async def test_a_token_endpoint_that_was_bent_to_this_machine_is_not_asked(tmp_path):
    async with authority(NOW) as who, StubFhir(HELD) as server:
        settings = who.settings().replace("http://127.0.0.1", "https://as.invalid")
        error = await failure(tmp_path, server.base_url, ["127.0.0.1"], settings)
        assert (error.reason, error.domain) == ("address", "adapter")
        assert (who.requests, server.asked) == (0, [])
