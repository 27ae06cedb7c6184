"""An issuer's keys: fresh, stale, withdrawn, unreachable; fetched once for all."""

import asyncio
import json

import pytest
from joserfc.jwk import OctKey, RSAKey

from gateway.access import jwks
from gateway.access.jwks import KeyRing, Unfetched, fitting, read_keys
from gateway.problems import RequestError
from gateway.settings import Auth, Limits
from tests.key_server import key_server
from tests.tokens import published, signing_key

LIMITS = Limits(connect_s=1, source_s=0.3)


class Issuer:
    """Publishes keys, or fails; remembers how often it was asked."""

    def __init__(self, *keys):
        self.document = published(*keys)
        self.asked = 0
        self.down = False

    async def fetch(self):
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise Unfetched
        return self.document


@pytest.fixture
def issuer():
    return Issuer(signing_key())


@pytest.fixture
def ring(issuer, clock):
    return KeyRing(issuer.fetch, Auth(), clock)


async def unavailable(ring, kid="k1"):
    with pytest.raises(RequestError) as caught:
        await ring.find(kid)
    return caught.value.code == "issuer-unavailable"


async def test_a_hundred_callers_fetch_once(ring, issuer):
    found = await asyncio.gather(*(ring.find("k1") for _ in range(100)))
    assert all(key["kid"] == "k1" for key in found)
    assert issuer.asked == 1


async def test_a_fresh_copy_is_not_fetched_again(ring, issuer, clock):
    await ring.find("k1")
    clock.pass_by(599)
    await ring.find("k1")
    assert issuer.asked == 1
    clock.pass_by(2)
    await ring.find("k1")
    assert issuer.asked == 2


async def test_a_storm_of_unknown_keys_fetches_once_in_thirty_seconds(
    ring, issuer, clock
):
    """J9."""
    await ring.find("k1")
    clock.pass_by(31)
    for n in range(50):
        assert await ring.find(f"unknown-{n}") is None
    assert issuer.asked == 2
    clock.pass_by(31)
    assert await ring.find("unknown") is None
    assert issuer.asked == 3


async def test_a_new_key_is_found_when_first_seen(ring, issuer, clock):
    """J10."""
    await ring.find("k1")
    issuer.document = published(signing_key(), signing_key(kid="k2"))
    clock.pass_by(31)
    assert (await ring.find("k2"))["kid"] == "k2"


async def test_a_withdrawn_key_dies_with_the_fresh_copy(ring, issuer, clock):
    """J10."""
    await ring.find("k1")
    issuer.document = published(signing_key(kid="k2"))
    clock.pass_by(601)
    assert await ring.find("k1") is None


async def test_an_outage_is_bridged_for_a_day_and_is_then_ours(ring, issuer, clock):
    """J9."""
    await ring.find("k1")
    issuer.down = True
    clock.pass_by(86_399)
    assert (await ring.find("k1"))["kid"] == "k1"
    assert await ring.find("k2") is None
    clock.pass_by(2)
    assert await unavailable(ring)
    issuer.down = False
    assert await unavailable(ring)
    clock.pass_by(31)
    assert (await ring.find("k1"))["kid"] == "k1"


async def test_an_issuer_never_reached_is_unavailable_not_untrusted(ring, issuer):
    issuer.down = True
    assert await unavailable(ring)
    assert await unavailable(ring)
    assert issuer.asked == 1


async def test_a_caller_who_leaves_does_not_take_the_fetch_along(clock):
    gate = asyncio.Event()

    async def fetch():
        await gate.wait()
        return published(signing_key())

    ring = KeyRing(fetch, Auth(), clock)
    leaver = asyncio.create_task(ring.find("k1"))
    stayer = asyncio.create_task(ring.find("k1"))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.sleep(0)
    gate.set()
    found = await stayer
    assert found is not None
    assert found["kid"] == "k1"
    assert leaver.cancelled()


async def test_closing_ends_a_fetch_under_way_and_may_be_done_twice(clock):
    async def fetch():
        await asyncio.sleep(60)
        return b""

    ring = KeyRing(fetch, Auth(), clock)
    await ring.aclose()
    waiting = asyncio.create_task(ring.find("k1"))
    await asyncio.sleep(0.01)
    await ring.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await ring.aclose()


def document(*keys, **others):
    return json.dumps({"keys": list(keys), **others}).encode()


PUBLIC = signing_key().as_dict(private=False)
REFUSED = {
    "not JSON": b"<html>",
    "a list": b"[]",
    "no keys": b"{}",
    "keys that are an object": b'{"keys":{}}',
    "a key that is text": document("k"),
    "a private key": document(PUBLIC, signing_key(kid="k2").as_dict(private=True)),
    "a private RSA key": document(signing_key("RS256").as_dict(private=True)),
    "a symmetric key": document(PUBLIC, OctKey.generate_key(256).as_dict()),
    "a symmetric type without its key": document({"kty": "oct", "kid": "k3"}),
    "one id twice": document(PUBLIC, PUBLIC),
    "fifty-one keys": document(*({**PUBLIC, "kid": f"k{n}"} for n in range(51))),
    "a duplicate name": b'{"keys":[],"keys":[]}',
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_document_that_is_not_of_public_keys_is_refused_whole(data):
    with pytest.raises(Unfetched):
        read_keys(data)


def test_keys_that_nothing_can_name_are_passed_over():
    nameless = {name: value for name, value in PUBLIC.items() if name != "kid"}
    strange = {**PUBLIC, "kid": "../x"}
    assert set(read_keys(document(nameless, strange, {"kid": 7}, PUBLIC))) == {"k1"}


def test_a_key_must_fit_its_algorithm():
    assert fitting(PUBLIC, "ES256") is not None
    assert fitting({**PUBLIC, "key_ops": ["verify"]}, "ES256") is not None
    bare = {name: value for name, value in PUBLIC.items() if name not in {"alg", "use"}}
    assert fitting(bare, "ES256") is not None
    for algorithm in ("ES384", "PS256", "RS256", "Ed25519"):
        assert fitting(bare, algorithm) is None


@pytest.mark.parametrize(
    "change", [{"x": "AA"}, {"x": 7}, {"x": "!"}, {"y": None}, {"key_ops": 7}]
)
def test_a_key_that_is_no_point_of_its_curve_fits_nothing(change):
    assert fitting({**PUBLIC, **change}, "ES256") is None


def test_a_short_rsa_key_fits_nothing():
    with pytest.warns(UserWarning, match="2048"):
        short = RSAKey.generate_key(1024, {"kid": "k1"}, private=True)
    assert fitting(short.as_dict(private=False), "RS256") is None
    long = signing_key("RS256").as_dict(private=False)
    assert fitting(long, "RS256") is not None
    assert fitting({**long, "n": 7}, "RS256") is None


@pytest.fixture
async def server():
    async with key_server() as server:
        server.body = published(signing_key())
        yield server


@pytest.fixture
async def fetched(server):
    """What is fetched from the server as it is now."""
    async with jwks.client_for_keys(LIMITS) as client:
        yield jwks.from_uri(server.uri, client, LIMITS.source_s)


async def test_keys_are_fetched_over_http(fetched):
    assert set(read_keys(await fetched())) == {"k1"}


MISBEHAVIOUR = {
    "an error": {"status": "500 Oops"},
    "a redirect": {
        "status": "302 Found",
        "headers": ("Location: http://127.0.0.1:1/",),
    },
    "something compressed": {"headers": ("Content-Encoding: gzip",)},
    "too much": {"body": b" " * (256 * 1024 + 1)},
    "too late": {"delay_s": 1.0},
}


@pytest.mark.parametrize("change", MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
async def test_an_endpoint_that_misbehaves_gives_no_keys(server, fetched, change):
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(Unfetched):
        await fetched()
    assert server.requests == 1


async def test_an_endpoint_that_is_not_there_gives_no_keys():
    async with jwks.client_for_keys(LIMITS) as client:
        for uri in ("http://127.0.0.1:1/", "not a uri", "http://[/"):
            with pytest.raises(Unfetched):
                await jwks.from_uri(uri, client, 1)()


async def test_keys_are_read_from_a_file_within_the_same_bounds(tmp_path):
    path = tmp_path / "jwks.json"
    with pytest.raises(Unfetched):
        await jwks.from_file(path)()
    path.write_bytes(published(signing_key()))
    assert set(read_keys(await jwks.from_file(path)())) == {"k1"}
    path.write_bytes(b" " * (256 * 1024 + 1))
    with pytest.raises(Unfetched):
        await jwks.from_file(path)()
