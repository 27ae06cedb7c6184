"""Tokens of an authorisation server that nobody here wrote, held to be its own."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.errors import AdapterError
from adapters.fhir import build
from adapters.http import AiohttpTransport
from tests.authorising import jwk_of, key_for, pem_of
from tests.fhir_asking import about, condition, ids, patient, surroundings
from tests.parts.oidc import SCOPE
from tests.stub_fhir import StubFhir

pytestmark = pytest.mark.parts
FOUND = ["Condition/c1"]


class LetIn(StubFhir):
    """Answers those whose token the provider says is its own."""

    def __init__(self, provider):
        super().__init__([patient(), condition()])
        self._provider = provider
        self.tokens = set()

    async def _reply(self, asked):
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not await asyncio.to_thread(self._provider.lets_in, token):
            return 401, "application/fhir+json", b"{}"
        self.tokens.add(token)
        return await super()._reply(asked)


@asynccontextmanager
async def asking(provider, folder, secrets, *, late=timedelta(), **auth):
    """The adapter of a server that trusts the provider, by a clock that is late."""
    table = {
        "kind": "oauth2",
        "token_url": provider.token_url,
        "client_id": "signs",
        "scope": SCOPE,
        **auth,
    }
    lines = "".join(f'{name} = "{value}"\n' for name, value in table.items())
    transport = AiohttpTransport()
    async with LetIn(provider) as server:
        file = folder / "source.toml"
        file.write_text(
            f'kind = "fhir"\nbase_url = "{server.base_url}"\n[auth]\n{lines}'
        )
        around = surroundings(transport, folder, secrets=secrets)
        adapter = build(file, replace(around, now=lambda: datetime.now(UTC) - late))
        try:
            yield adapter, server
        finally:
            await adapter.aclose()
            await transport.aclose()


async def reason(adapter):
    with pytest.raises(AdapterError) as caught:
        await adapter.ask(about())
    return caught.value.reason, caught.value.domain, str(caught.value)


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256", "ES256", "ES384"])
async def test_it_believes_what_we_sign(oidc, tmp_path, algorithm):
    secrets = {"env:KEY": jwk_of(oidc.keys[algorithm])}
    async with asking(oidc, tmp_path, secrets, key="env:KEY", algorithm=algorithm) as (
        adapter,
        server,
    ):
        answers = await asyncio.gather(*(adapter.ask(about()) for _ in range(5)))
    assert [ids(answer) for answer in answers] == [FOUND] * 5
    assert len(server.tokens) == 1


async def test_it_takes_its_issuer_for_the_audience_and_pem_for_a_key(oidc, tmp_path):
    secrets = {"env:KEY": pem_of(oidc.keys["ES384"])}
    async with asking(
        oidc, tmp_path, secrets,
        key="env:KEY", algorithm="ES384", kid="e2", audience=oidc.issuer,
    ) as (adapter, _):  # fmt: skip
        assert ids(await adapter.ask(about())) == FOUND


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_it_believes_a_shared_secret(oidc, tmp_path, method):
    secrets = {"env:SECRET": oidc.secret}
    async with asking(
        oidc, tmp_path, secrets,
        client_id=method, method=method, client_secret="env:SECRET",
    ) as (adapter, _):  # fmt: skip
        assert ids(await adapter.ask(about())) == FOUND


async def test_a_key_that_was_rotated_there_is_rotated_here(oidc, tmp_path):
    unknown = key_for("ES384", kid="e9")
    secrets = {"env:KEY": jwk_of(unknown)}
    async with asking(oidc, tmp_path, secrets, key="env:KEY", algorithm="ES384") as (
        adapter,
        _,
    ):
        assert (await reason(adapter))[:2] == ("credentials", "adapter")
        secrets["env:KEY"] = jwk_of(oidc.keys["ES384"])
        assert ids(await adapter.ask(about())) == FOUND


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"audience": "https://another.invalid"}, "invalid_client"),
        ({"scope": "system/*.cruds"}, "invalid_scope"),
        ({"late": timedelta(minutes=10)}, "invalid_client"),
    ],
    ids=["client", "audience", "scope", "expired"],
)
async def test_what_it_refuses_is_ours_to_mend(oidc, tmp_path, wrong, code):
    secrets = {"env:KEY": jwk_of(oidc.keys["ES384"])}
    async with asking(
        oidc, tmp_path, secrets, key="env:KEY", algorithm="ES384", **wrong
    ) as (adapter, _):
        found = await reason(adapter)
    assert found[:2] == ("credentials", "adapter")
    assert f"({code})" in found[2]
