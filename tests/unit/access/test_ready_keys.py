"""Keys are made ready once, and no longer than they are published."""

import pytest
from joserfc.jwk import ECKey, KeyParameters
from starlette.datastructures import Headers

from gateway.problems import RequestError
from tests.tokens import claims, published, sign, signing_key


def bearer(token):
    return Headers({"Authorization": f"Bearer {token}"})


async def test_a_key_published_anew_under_its_kid_replaces_the_one_made_ready(
    authenticator, clock, tmp_path
):
    asked = authenticator()
    old, marks = signing_key(), KeyParameters(kid="k1", use="sig", alg="ES256")
    new = ECKey.generate_key("P-256", marks, private=True)
    for _ in range(2):
        await asked.authenticate(bearer(sign(claims(clock), old)))
    (tmp_path / "keys" / "demo-jwks.json").write_bytes(published(new))
    clock.pass_by(601)
    await asked.authenticate(bearer(sign(claims(clock), new)))
    with pytest.raises(RequestError) as refused:
        await asked.authenticate(bearer(sign(claims(clock), old)))
    assert refused.value.code == "token-invalid"


async def test_keys_made_ready_never_become_many(authenticator):
    asked = authenticator()
    given = [{"kty": "EC", "n": str(n)} for n in range(600)]
    for each in given:
        with pytest.raises(RequestError):
            asked._fitting(each, "ES256")
    assert 0 < len(asked._ready) <= 256
