"""Issuers as configured: by file, by address, and the demo issuer's own tokens."""

import json
import stat

import pytest
from starlette.datastructures import Headers

from adapters.errors import ConfigurationError
from gateway.access.demo_issuer import Wanted, create_keys, mint
from gateway.access.requester import Relationship
from gateway.access.tokens import Authenticator
from gateway.problems import RequestError
from tests.configuration import PRODUCTION, changed, settings
from tests.key_server import key_server
from tests.tokens import claims, published, sign, signing_key

WANTED = Wanted(client_id="demo-app", organisation="Z9A01", role="doctor")


def bearer(token):
    return Headers({"Authorization": f"Bearer {token}"})


async def authenticated(read, clock, token):
    authenticator = Authenticator(read, clock)
    try:
        return await authenticator.authenticate(bearer(token))
    finally:
        await authenticator.aclose()
        await authenticator.aclose()


async def test_a_minted_token_is_accepted(tmp_path, clock):
    read = settings(tmp_path)
    wanted = Wanted(
        client_id="demo-app",
        organisation="Z9B02",
        role="nurse",
        purposes=["direct-care"],
        relationships=[Relationship(kind="registered", organisation="Z9A01")],
        subject="nurse-7",
        assurance="aal3",
    )
    found = await authenticated(read, clock, mint(read, clock, wanted))
    assert (found.organisation, found.role, found.subject) == (
        "Z9B02",
        "nurse",
        "nurse-7",
    )
    assert found.purposes == {"direct-care"}
    assert found.assurance == "aal3"
    assert found.relationships == tuple(wanted.relationships)


async def test_a_minted_token_carries_all_its_client_has_unless_told(tmp_path, clock):
    read = settings(tmp_path)
    found = await authenticated(read, clock, mint(read, clock, WANTED))
    assert found.purposes == {"direct-care", "research"}
    assert found.scopes == {"journey:read", "population:read"}
    assert found.relationships == ()


def test_production_mints_nothing(tmp_path, clock):
    with pytest.raises(ConfigurationError, match="refused in production"):
        mint(settings(tmp_path, PRODUCTION), clock, WANTED)


def test_without_a_signing_key_nothing_is_minted(tmp_path, clock):
    text = changed('signing_key = "file:keys/demo-private.json"\n', "")
    with pytest.raises(ConfigurationError, match="signing_key"):
        mint(settings(tmp_path, text), clock, WANTED)


def test_a_client_that_is_not_registered_gets_no_token(tmp_path, clock):
    other = Wanted(client_id="other", organisation="Z9A01", role="doctor")
    with pytest.raises(ConfigurationError, match="client_id"):
        mint(settings(tmp_path), clock, other)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"kty":"EC","crv":"P-256"}'])
def test_a_signing_key_that_is_none_is_named(tmp_path, clock, content):
    read = settings(tmp_path)
    (tmp_path / "keys" / "demo-private.json").write_text(content)
    with pytest.raises(ConfigurationError, match="Make new keys"):
        mint(read, clock, WANTED)


def test_made_keys_are_private_and_new_each_time(tmp_path):
    create_keys(tmp_path / "keys")
    private = tmp_path / "keys" / "demo-private.json"
    first = private.read_text()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    public = json.loads((tmp_path / "keys" / "demo-jwks.json").read_text())
    assert "d" not in public["keys"][0]
    create_keys(tmp_path / "keys")
    assert private.read_text() != first


async def test_keys_of_an_address_verify_and_its_outage_is_503(tmp_path, clock):
    async with key_server() as server:
        server.body = published(signing_key())
        text = changed('jwks = "keys/demo-jwks.json"', f'jwks_uri = "{server.uri}"')
        read = settings(tmp_path, text)
        found = await authenticated(read, clock, sign(claims(clock)))
        assert found.role == "doctor"
        server.status = "503 Busy"
        with pytest.raises(RequestError) as caught:
            await authenticated(read, clock, sign(claims(clock)))
    assert (caught.value.code, caught.value.status) == ("issuer-unavailable", 503)


async def test_a_demo_issuer_that_slipped_into_production_is_not_believed(
    tmp_path, clock
):
    read = settings(tmp_path)
    object.__setattr__(read, "environment", "production")
    token = mint(settings(tmp_path), clock, WANTED)
    with pytest.raises(RequestError, match="token-invalid"):
        await authenticated(read, clock, token)
