"""What stands before a signature is read picks a key, and nothing else is taken."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwe, jws
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey

from adapters.site import sealing
from adapters.site.wire import (
    QUESTION_TYPE,
    Posted,
    read,
    spelt,
)
from tests.sites import Held

pytestmark = pytest.mark.fault


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


HEADERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "no algorithm": lambda h: json.dumps(h | {"alg": "none"}, separators=(",", ":")),
    "another one": lambda h: json.dumps(h | {"alg": "HS256"}, separators=(",", ":")),
    "a URL of keys": lambda h: json.dumps(h | {"jku": "x"}, separators=(",", ":")),
    "a key of its own": lambda h: json.dumps(h | {"jwk": {}}, separators=(",", ":")),
    "critical": lambda h: json.dumps(h | {"crit": ["b64"]}, separators=(",", ":")),
    "unencoded": lambda h: json.dumps(h | {"b64": False}, separators=(",", ":")),
    "another type": lambda h: json.dumps(
        h | {"typ": "throughline-answer+jwt"}, separators=(",", ":")
    ),
    "a name twice": lambda h: (
        json.dumps(h, separators=(",", ":"))[:-1] + f',"alg":"{h["alg"]}"}}'
    ),
    "no key id": lambda h: json.dumps(
        {k: v for k, v in h.items() if k != "kid"}, separators=(",", ":")
    ),
    "spaces": json.dumps,
    "too long": lambda h: json.dumps(h | {"x": "y" * 2000}, separators=(",", ":")),
    "a list": lambda _: "[]",
    "a number for the key": lambda h: json.dumps(h | {"kid": 7}, separators=(",", ":")),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=list(HEADERS))
async def test_a_header_holds_what_it_must_and_nothing_more(header):
    held = Held()

    def changed(posted: bytes) -> bytes:
        wire = read(posted, Posted)
        first, *rest = wire.question.split(".")
        plain = json.loads(base64.urlsafe_b64decode(first + "=="))
        token = ".".join([_b64(header(plain).encode()), *rest])
        return spelt(Posted(question=token, body=wire.body))

    held.carrier.question = changed
    assert (await held.refused()).reason in {"malformed", "forged", "unknown_key"}
    assert held.spy.asked == []


async def test_the_public_key_is_no_secret_to_sign_with():
    held = Held()
    known = held.around.gateway[1].signs

    def changed(posted: bytes) -> bytes:
        wire = read(posted, Posted)
        payload = base64.urlsafe_b64decode(wire.question.split(".")[1] + "==")
        secret = OctKey.import_key(json.dumps(known.key.as_dict(private=False)))
        header = {"alg": "HS256", "kid": known.kid, "typ": QUESTION_TYPE}
        token = jws.serialize_compact(header, payload, secret, algorithms=["HS256"])
        return spelt(Posted(question=token, body=wire.body))

    held.carrier.question = changed
    assert (await held.refused()).reason == "forged"


SEALED_HEADERS: dict[str, dict[str, Any]] = {
    "compressed": {"zip": "DEF"},
    "a URL of keys": {"jku": "https://keys.example.invalid"},
    "a key derivation's own words": {"apu": "QQ"},
}


@pytest.mark.parametrize("more", SEALED_HEADERS.values(), ids=list(SEALED_HEADERS))
async def test_a_sealed_body_says_how_and_nothing_more(more):
    held = Held()
    site = held.around.site[1].seals

    def changed(posted: bytes) -> bytes:
        wire = read(posted, Posted)
        plain = sealing.opened(wire.body, held.around.site[0].sealing)
        header = {"alg": site.algorithm, "enc": "A256GCM", "kid": site.kid} | more
        registry = JWERegistry(
            algorithms=[site.algorithm, "A256GCM", "DEF"], strict_check_header=False
        )
        body = jwe.encrypt_compact(header, plain, site.key, registry=registry)
        return spelt(Posted(question=wire.question, body=body))

    held.carrier.question = changed
    assert (await held.refused()).reason == "malformed"
    assert held.spy.asked == []


@pytest.mark.parametrize(
    "ephemeral",
    [
        {},
        {"kty": "EC", "crv": "P-256", "x": 5, "y": 5},
        {"kty": "EC", "crv": "P-256", "x": "", "y": ""},
        {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"},  # on no curve
        {"kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ"},
        {"kty": "OKP", "crv": "X25519", "x": "AQ"},
        {"kty": "oct", "crv": "", "x": ""},
        {"kty": ["EC"], "crv": None, "x": {}, "y": []},
    ],
)
async def test_a_body_sealed_with_a_key_that_is_none_is_refused(ephemeral):
    held = Held()

    def changed(posted: bytes) -> bytes:
        wire = read(posted, Posted)
        first, *rest = wire.body.split(".")
        header = json.loads(base64.urlsafe_b64decode(first + "=="))
        spoilt = json.dumps(header | {"epk": ephemeral}, separators=(",", ":"))
        body = ".".join([_b64(spoilt.encode()), *rest])
        return spelt(Posted(question=wire.question, body=body))

    held.carrier.question = changed
    assert (await held.refused()).reason in {"malformed", "altered"}
    assert held.spy.asked == []
