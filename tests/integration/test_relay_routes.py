"""The relay over HTTP: who may fetch and bring, what, and how often."""

import asyncio
import hashlib
import json
import secrets
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.site import outbound
from adapters.site.keys import Keys, made_keys, own_keys
from adapters.site.ticket import Handed, Ticket, answer_path, poll_path, ticket
from adapters.site.wire import Refusal, read, spelt
from gateway.clock import SystemClock
from tests.gateways import PERSON, QUESTION
from tests.outbound import listening, only, spellings, state_of
from tests.serving import free_port
from tests.site_gateways import gateway_of
from tests.sites import GATEWAY
from tests.trails import rows_of

SITE, OTHER = "z9b02-site", "z9c03-site"
SOURCES = {SITE: "Z9B02.epr", OTHER: "Z9C03.asc"}
SOURCE = SOURCES[SITE]
TRAIL = "gateway-1/throughline.db"
SOURCE_TOML = """\
kind = "site"
mode = "outbound"

[site]
id = "{site}"
keys = "{site}.jwks"

[gateway]
id = "{gateway}"
keys = "file:{folder}/gateway.jwks"

[profile]
adapter = "sql/1"
held = ["encounters"]
"""
JOSE, JSON = "application/jose", "application/json"
RELAY = """\
[relay]
poll_s = 0.5
polls = 2
questions = 2
pickup_s = 0.4
answer_bytes = 20000
answer_s = 0.5
answers = 2
"""


@dataclass
class Hand:
    """A site played by hand: its keys, and the gateway it comes to."""

    site: str
    keys: Keys
    client: httpx.AsyncClient

    def shown(self, path: str, body: bytes, **changed: Any) -> dict[str, str]:
        now = int(SystemClock().now().timestamp())
        given: dict[str, Any] = {
            "iss": self.site,
            "aud": GATEWAY,
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": now + 60,
            "path": path,
            "body_sha256": hashlib.sha256(body).hexdigest(),
        }
        token = ticket(Ticket(**(given | changed)), self.keys.signs)
        return {"Authorization": f"Bearer {token}", "Content-Type": JSON}

    async def poll(self, **how: Any) -> httpx.Response:
        path = poll_path(self.site)
        headers = how.pop("headers", None) or self.shown(path, b"{}")
        return await self.client.post(path, content=b"{}", headers=headers, **how)

    async def fetched(self) -> Handed:
        """A question, however many polls it takes."""
        async with asyncio.timeout(20):
            while True:
                found = read((await self.poll()).content, Handed)
                if found.jti is not None:
                    return found

    async def bring(
        self, jti: str, body: bytes = b"x", kind: str = JOSE, **changed: Any
    ) -> httpx.Response:
        path = answer_path(self.site, jti)
        headers = self.shown(path, body, **changed) | {"Content-Type": kind}
        return await self.client.post(path, content=body, headers=headers)

    async def bring_slowly(self, jti: str, *, hangs_up: bool = False) -> bytes:
        """What is answered to a body whose last byte never comes."""
        path = answer_path(self.site, jti)
        headers = {"Host": "x", "Content-Length": "2", **self.shown(path, b"xx")}
        headers["Content-Type"] = JOSE
        lines = [f"POST {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        base = self.client.base_url
        reader, writer = await asyncio.open_connection(base.host, base.port)
        writer.write("\r\n".join([*lines, "", "x"]).encode())
        try:
            return b"" if hangs_up else await reader.read(12)
        finally:
            writer.close()
            await writer.wait_closed()


@dataclass
class Relayed:
    """A gateway with two sites that fetch their questions; and both by hand."""

    client: httpx.AsyncClient
    mine: Hand
    theirs: Hand

    def ask(self) -> "asyncio.Task[dict[str, Any]]":
        """What becomes of the source of the first site, when a journey is asked."""

        async def asked() -> dict[str, Any]:
            told = await self.client.post("/v1/journeys", json=QUESTION)
            return state_of(told.json(), SOURCE)

        return asyncio.create_task(asked())


@asynccontextmanager
async def relayed(folder: Path):
    config = gateway_of(folder / "gateway-1")
    only(config, *SOURCES.values())
    text = config.read_text("utf-8").replace("\n[limits]", f"\n{RELAY}\n[limits]", 1)
    config.write_text(text, "utf-8")
    keys = config.parent / "keys"
    (keys / "gateway.jwks").write_text(made_keys()[0], "ascii")
    private = {}
    for site, source in SOURCES.items():
        place = config.parent / "sources" / source
        place.mkdir(parents=True, exist_ok=True)
        private[site], public = made_keys()
        (place / f"{site}.jwks").write_text(public, "ascii")
        said = SOURCE_TOML.format(site=site, gateway=GATEWAY, folder=keys)
        (place / "source.toml").write_text(said, "utf-8")
    port = free_port()
    async with listening(config, port) as client:
        hands = [Hand(each, own_keys(private[each]), client) for each in SOURCES]
        yield Relayed(client, *hands)


@pytest.fixture
async def relay(tmp_path):
    async with relayed(tmp_path) as opened:
        yield opened


def shape(response: httpx.Response) -> tuple[Any, ...]:
    """All that a refusal says, but for the id of the request."""
    told = response.json() | {"request_id": None}
    headers = {k: v for k, v in response.headers.items() if k not in _OWN}
    return response.status_code, told, headers


_OWN = {"x-request-id", "date"}


def recorded(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The records of a kind in the gateway's trail."""
    kept = [json.loads(each) for _, each, _ in rows_of(folder / TRAIL)]
    return [each for each in kept if each["type"] == kind]


REFUSED = {
    (SITE, "forged"),
    (SITE, "replayed"),
    (SITE, "altered"),
    (SITE, "misaddressed"),
    (SITE, "expired"),
    (None, "forged"),
}


async def test_whatever_is_wrong_with_a_ticket_the_refusal_is_the_same(relay, tmp_path):
    mine, path = relay.mine, poll_path(SITE)
    used = mine.shown(path, b"{}")
    assert (await mine.poll(headers=used)).status_code == 200
    other = Hand(SITE, relay.theirs.keys, relay.client)
    unknown = Hand("z9x09-site", mine.keys, relay.client)
    answering = mine.shown(answer_path(SITE, "0" * 32), b"{}")
    wrong = [
        await mine.poll(headers={"Content-Type": JSON}),
        await mine.poll(headers=used),
        await mine.poll(headers=mine.shown(path, b"{ }")),
        await mine.poll(headers=answering),
        await mine.poll(headers=mine.shown(path, b"{}", iat=1_000, exp=1_060)),
        await mine.poll(headers=mine.shown(path, b"{}", aud="gateway-2")),
        await mine.poll(headers=relay.theirs.shown(poll_path(OTHER), b"{}")),
        await other.poll(),
        await unknown.poll(),
        await relay.client.post(path, content=b"{}", headers={"Content-Type": JSON}),
        await unknown.bring("0" * 32),
        await mine.bring("0" * 32, iat=1_000, exp=1_060),
    ]
    assert {each.status_code for each in wrong} == {401}
    async with asyncio.timeout(5):
        # Whoever is refused does not wait for it.
        while len(refused := recorded(tmp_path, "tickets_refused")) < len(REFUSED):  # noqa: ASYNC110 - a trail tells nobody
            await asyncio.sleep(0.05)
    assert {(each["site"], each["code"]) for each in refused} == REFUSED
    assert len(refused) == len(REFUSED) < len(wrong)
    first, *others = (shape(each) for each in wrong)
    assert all(each == first for each in others)


async def test_a_poll_that_is_given_nothing_says_so(relay):
    response = await relay.mine.poll()
    assert response.status_code == 200
    assert read(response.content, Handed) == Handed(jti=None, posted=None)


async def test_the_relay_is_handed_no_value_of_the_person(relay):
    asked = relay.ask()
    handed = await relay.mine.fetched()
    for mark in spellings(PERSON):
        assert mark not in spelt(handed)
    asked.cancel()


async def test_no_poll_is_told_soon(relay):
    said = await relay.ask()
    assert (said["state"], said["reason"]) == ("unavailable", "no_poll")
    assert said["fault_domain"] == "adapter"
    assert said["took_ms"] < 1_500  # twice what a question waits to be fetched


async def test_an_answer_is_for_its_own_site_once_and_in_time(relay):
    asked = relay.ask()
    handed = await relay.mine.fetched()
    assert handed.jti is not None
    refusal = spelt(Refusal(refused="unknown_source", at=SystemClock().now()))
    strange = [
        await relay.theirs.bring(handed.jti, refusal, JSON),
        await relay.mine.bring("0" * 32, refusal, JSON),
    ]
    taken = await relay.mine.bring(handed.jti, refusal, JSON)
    strange.append(await relay.mine.bring(handed.jti, refusal, JSON))
    said = await asked
    strange.append(await relay.mine.bring(handed.jti, refusal, JSON))  # it is over
    assert taken.status_code == 204
    assert [each.status_code for each in strange] == [404] * 4
    assert len({json.dumps(shape(each)[1]) for each in strange}) == 1
    assert (said["state"], said["reason"]) == ("error", "unknown_source")


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"a.b.c.d.e", JOSE, "untrusted_answer"),
        (b"", JOSE, "untrusted_answer"),
        (b"{}", JSON, "unreadable"),
        (b'{"refused":"busy"}', JSON, "unreadable"),
    ],
)
async def test_what_is_no_answer_is_an_error_of_the_adapter(relay, body, kind, reason):
    asked = relay.ask()
    handed = await relay.mine.fetched()
    assert (await relay.mine.bring(handed.jti, body, kind)).status_code == 204
    said = await asked
    assert (said["state"], said["reason"]) == ("error", reason)
    assert said["fault_domain"] == "adapter"


async def test_an_answer_is_bounded_and_of_a_known_kind(relay):
    asked = relay.ask()
    handed = await relay.mine.fetched()
    jti = handed.jti
    assert (await relay.mine.bring(jti, b"x" * 20_001)).status_code == 413
    assert (await relay.mine.bring(jti, b"x", "text/plain")).status_code == 415
    elsewhere = hashlib.sha256(b"y").hexdigest()
    altered = await relay.mine.bring(jti, b"x", body_sha256=elsewhere)
    assert altered.status_code == 401
    assert await relay.mine.bring_slowly(jti, hangs_up=True) == b""
    slow = asyncio.create_task(relay.mine.bring_slowly(jti))
    await asyncio.sleep(0.2)
    assert (await relay.mine.bring(jti, b"x")).status_code == 503  # half of two
    assert await slow == b"HTTP/1.1 408"
    said = await asked  # none of that was an answer
    assert (said["state"], said["reason"]) == ("unavailable", "no_answer")


async def test_one_sites_slow_answers_keep_no_other_site_out(relay):
    asked = relay.ask()
    mine, theirs = await asyncio.gather(relay.mine.fetched(), relay.theirs.fetched())
    slow = asyncio.create_task(relay.mine.bring_slowly(mine.jti))
    await asyncio.sleep(0.2)
    refusal = spelt(Refusal(refused="unknown_source", at=SystemClock().now()))
    assert (await relay.theirs.bring(theirs.jti, refusal, JSON)).status_code == 204
    assert (await relay.mine.bring(mine.jti, refusal, JSON)).status_code == 503
    assert await slow == b"HTTP/1.1 408"
    await asked


async def test_polls_are_json_and_take_no_parameters(relay):
    path = poll_path(SITE)
    plain = relay.mine.shown(path, b"{}") | {"Content-Type": "text/plain"}
    assert (await relay.mine.poll(headers=plain)).status_code == 415
    asked = await relay.mine.poll(params={"wait": "1"})
    assert asked.status_code == 400


async def test_a_question_too_long_to_be_fetched_is_told_and_recorded(
    relay, tmp_path, monkeypatch
):
    monkeypatch.setattr(outbound, "QUESTION_BYTES", 100)
    polls = asyncio.create_task(relay.mine.poll())
    said = await relay.ask()
    assert (said["state"], said["reason"]) == ("error", "too_large")
    assert said["fault_domain"] == "adapter"
    assert read((await polls).content, Handed).jti is None  # it was never held
    (outcome,) = recorded(tmp_path, "outcome")
    kept = {each["source"]: each for each in outcome["sources"]}[SOURCE]
    assert (kept["state"], kept["reason"]) == ("error", "too_large")


async def test_polls_of_one_site_are_bounded(relay):
    polls = [asyncio.create_task(relay.mine.poll()) for _ in range(3)]
    answers = await asyncio.gather(*polls)
    assert sorted(each.status_code for each in answers) == [200, 200, 503]
    assert (await relay.theirs.poll()).status_code == 200  # of each by itself


async def test_questions_to_one_site_are_bounded(relay):
    asked = [relay.ask() for _ in range(3)]
    said = await asyncio.gather(*asked)
    assert "busy" in {each["reason"] for each in said}


async def test_a_poll_that_hangs_up_loses_no_question(relay):
    with suppress(httpx.TimeoutException):
        await relay.mine.poll(timeout=0.2)
    asked = relay.ask()
    handed = await relay.mine.fetched()
    refusal = spelt(Refusal(refused="unknown_source", at=SystemClock().now()))
    assert (await relay.mine.bring(handed.jti, refusal, JSON)).status_code == 204
    assert (await asked)["reason"] == "unknown_source"


async def test_no_gateway_hands_over_where_there_is_but_one(relay):
    path = f"/v1/relay/{SITE}/replicas/{'0' * 32}"
    assert (await relay.client.post(path)).status_code == 404
