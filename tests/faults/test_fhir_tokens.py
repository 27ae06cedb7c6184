"""Tokens for a FHIR server: asked for once, renewed once, and never told to anybody."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from joserfc.jwk import RSAKey

from adapters.errors import AdapterError, ConfigurationError, Refused, Unavailable
from adapters.errors import Unreadable as Odd
from adapters.fhir import build
from adapters.http import AiohttpTransport
from adapters.surroundings import Limits
from tests.authorising import CLIENT, Guarded, authority, jwk_of, key_for, pem_of
from tests.fakes import FakeClock
from tests.fhir_asking import about, condition, ids, patient, surroundings
from tests.inboxes import until

pytestmark = pytest.mark.fault
EC = key_for("ES384")
HELD = [patient(), condition()]
FOUND = ["Condition/c1"]


@asynccontextmanager
async def asking(server, folder, settings, *, clock, secrets=None, limits=None):
    """An adapter of the server whose clock can be moved."""
    transport = AiohttpTransport()
    file = folder / "source.toml"
    file.write_text(f'kind = "fhir"\nbase_url = "{server.base_url}"\n{settings}')
    given = {"env:KEY": pem_of(EC)} if secrets is None else secrets
    around = surroundings(transport, folder, secrets=given, limits=limits)
    adapter = build(file, replace(around, now=clock.now))
    try:
        yield adapter
    finally:
        await adapter.aclose()
        await transport.aclose()


@asynccontextmanager
async def at_work(folder, *, secrets=None, limits=None, keys=(EC,), **settings):
    """Everything at once: a clock, an authority, a guarded server, its adapter."""
    clock = FakeClock()
    async with (
        authority(clock.now(), keys=keys) as who,
        Guarded(HELD, who) as server,
        asking(
            server,
            folder,
            who.settings(**settings),
            clock=clock,
            secrets=secrets,
            limits=limits,
        ) as adapter,
    ):
        yield adapter, who, server, clock


async def failure(adapter) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        async with asyncio.timeout(10):
            await adapter.ask(about())
    return caught.value


@pytest.mark.parametrize("written", [pem_of, jwk_of])
@pytest.mark.parametrize(
    "algorithm", ["RS384", "RS512", "PS256", "ES256", "ES384", "Ed25519"]
)
async def test_a_signed_assertion_opens_the_source(tmp_path, algorithm, written):
    key = key_for(algorithm)
    secrets = {"env:KEY": written(key)}
    async with at_work(tmp_path, secrets=secrets, keys=(key,), algorithm=algorithm) as (
        adapter,
        who,
        server,
        _,
    ):
        assert ids(await adapter.ask(about())) == FOUND
    assert (who.requests, who.refusals, server.refused) == (1, [], 0)


async def test_a_jwk_names_itself_and_the_scope_is_asked_for(tmp_path):
    secrets = {"env:KEY": jwk_of(EC)}
    async with at_work(
        tmp_path, secrets=secrets, kid="", scope="system/*.rs", audience="urn:their-api"
    ) as (adapter, who, _, _):
        who.audience = "urn:their-api"
        assert ids(await adapter.ask(about())) == FOUND
    assert who.scopes == ["system/*.rs"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_shared_secret_opens_the_source_too(tmp_path, method):
    secret = "p+w %:é"
    async with at_work(
        tmp_path,
        secrets={"env:SECRET": f"{secret}\n"},
        method=method, client_secret="env:SECRET", key="", algorithm="", kid="",
    ) as (adapter, who, _, _):  # fmt: skip
        who.secret = secret
        assert ids(await adapter.ask(about())) == FOUND
        assert who.refusals == []


async def test_first_questions_at_once_fetch_one_token(tmp_path):
    async with at_work(tmp_path) as (adapter, who, server, _):
        who.delay_s = 0.1
        answers = await asyncio.gather(*(adapter.ask(about()) for _ in range(20)))
    assert [ids(answer) for answer in answers] == [FOUND] * 20
    assert (who.requests, server.refused) == (1, 0)


@pytest.mark.parametrize(
    ("lasts_s", "passed", "fetched"),
    [
        (300, 269, 1),
        (300, 271, 2),
        ("599", 560, 1),
        ("599", 570, 2),
        (20, 17, 1),
        (20, 19, 2),
        (None, 50, 1),
        (None, 60, 2),
        (1e18, 80_000, 1),
        (1e18, 86_401, 2),
        (0, 0, 2),
        (-5, 0, 2),
        ("nan", 0, 2),
    ],
)
async def test_a_token_is_kept_until_shortly_before_its_end(
    tmp_path, lasts_s, passed, fetched
):
    async with at_work(tmp_path) as (adapter, who, _, clock):
        who.lasts_s = lasts_s
        tokens = adapter._access._credentials
        await tokens.shown()
        clock.pass_by(passed)
        who.now = clock.now()
        await tokens.shown()
        if tokens._flight is not None:
            await tokens._flight
        assert who.requests == fetched


async def test_nobody_waits_for_a_token_that_is_renewed_early(tmp_path):
    async with at_work(tmp_path) as (adapter, who, _, clock):
        await adapter.ask(about())
        clock.pass_by(280)
        who.now, who.delay_s = clock.now(), 30
        async with asyncio.timeout(5):
            assert ids(await adapter.ask(about())) == FOUND
        await until(lambda: who.requests == 2)  # on its way when the answer is there


async def test_a_token_that_lasts_is_used_while_no_other_is_to_be_had(tmp_path):
    async with at_work(tmp_path) as (adapter, who, _, clock):
        await adapter.ask(about())
        clock.pass_by(280)
        who.status = 503
        assert ids(await adapter.ask(about())) == FOUND
        clock.pass_by(21)
        error = await failure(adapter)
    assert (type(error), error.reason) == (Unavailable, "busy")


async def test_a_revoked_token_is_renewed_once_for_all(tmp_path):
    async with at_work(tmp_path) as (adapter, who, _, _):
        await adapter.ask(about())
        who.revoke()
        answers = await asyncio.gather(*(adapter.ask(about()) for _ in range(8)))
        assert [ids(answer) for answer in answers] == [FOUND] * 8
        assert who.requests == 2
        who.revoke()
        assert ids(await adapter.ask(about())) == FOUND
        assert who.requests == 3


async def test_tokens_that_are_all_refused_are_our_fault_and_not_fetched_again(
    tmp_path,
):
    async with at_work(tmp_path) as (adapter, who, server, _):
        who.lets_in = False
        for _ in range(3):
            error = await failure(adapter)
            assert (type(error), error.reason, error.domain) == (
                Refused, "credentials", "adapter",
            )  # fmt: skip
    assert who.requests == 2
    assert server.refused == 2 + 1 + 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"keys": (key_for("ES384"),)}, "bad_signature"),
        ({"kid": "k9"}, "kid"),
        ({"client_id": "somebody-else"}, "invalid_claim"),
        ({"audience": "https://another.invalid/token"}, "invalid_claim"),
    ],
    ids=["another key", "unknown kid", "unknown client", "another audience"],
)
async def test_who_is_not_believed_is_told_in_our_words(tmp_path, wrong, why):
    async with at_work(tmp_path, **wrong) as (adapter, who, server, _):
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (
        Refused, "credentials", "adapter",
    )  # fmt: skip
    assert "(invalid_client)" in str(error)
    assert "Upstream" not in str(error)
    assert (who.refusals, server.asked) == ([why], [])


@pytest.mark.parametrize(
    ("ahead_s", "why"), [(-400, "expired_token"), (200, "invalid_claim")]
)
async def test_a_clock_that_is_far_off_is_not_believed(tmp_path, ahead_s, why):
    async with at_work(tmp_path) as (adapter, who, _, clock):
        clock.pass_by(ahead_s)
        error = await failure(adapter)
    assert (error.reason, who.refusals) == ("credentials", [why])


async def test_a_rotated_key_is_used_without_a_restart(tmp_path):
    first, second = key_for("ES384", kid="k1"), key_for("ES384", kid="k2")
    secrets = {"env:KEY": jwk_of(first)}
    async with at_work(tmp_path, secrets=secrets, keys=(first, second), kid="") as (
        adapter, who, _, _,
    ):  # fmt: skip
        await adapter.ask(about())
        del who.keys["k1"]
        who.revoke()
        assert (await failure(adapter)).reason == "credentials"
        secrets["env:KEY"] = jwk_of(second)
        assert ids(await adapter.ask(about())) == FOUND
    assert who.refusals == ["kid"]


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        ("", {}, "no open PEM"),
        ("{", {}, "no open PEM"),
        ('{"kty": "oct", "k": "AAAA"}', {}, "no open PEM"),
        (json.dumps({**EC.as_dict(private=True), "crv": "P-1"}), {}, "no open PEM"),
        (json.dumps({**EC.as_dict(private=True), "kid": 5}), {}, "no open PEM"),
        (EC.as_pem(private=True, password="x").decode(), {}, "no open PEM"),
        (EC.as_pem(private=False).decode(), {}, "not a private"),
        (json.dumps(EC.as_dict(private=False)), {}, "not a private"),
        (pem_of(key_for("ES256")), {}, "another curve"),
        (pem_of(EC), {"algorithm": "Ed25519"}, "another type"),
        (jwk_of(EC), {"algorithm": "Ed25519"}, "another type"),
        (jwk_of(EC), {"algorithm": "RS384"}, "another type"),
        (jwk_of(EC), {"kid": "k2"}, "another kid"),
        (json.dumps({**EC.as_dict(private=True), "use": "enc"}), {}, "used to sign"),
    ],
)  # fmt: skip
async def test_a_key_that_is_none_is_ours_to_mend(tmp_path, text, more, says):
    async with at_work(tmp_path, secrets={"env:KEY": text}, **more) as (
        adapter, who, _, _,
    ):  # fmt: skip
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (
        Refused, "credentials", "adapter",
    )  # fmt: skip
    assert says in str(error)
    assert who.requests == 0


@pytest.mark.filterwarnings("ignore:Key size should be:joserfc.errors.SecurityWarning")
async def test_a_short_rsa_key_is_refused(tmp_path):
    short = RSAKey.generate_key(1024)
    async with at_work(
        tmp_path, secrets={"env:KEY": pem_of(short)}, algorithm="RS384"
    ) as (adapter, _, _, _):
        error = await failure(adapter)
    assert "too short" in str(error)


async def test_a_secret_that_is_gone_is_ours_to_mend(tmp_path):
    class Gone(dict[str, str]):
        def __missing__(self, reference):
            message = f"the secret {reference} is missing or empty. Provide it."
            raise ConfigurationError(message, file="throughline.toml")

    async with at_work(tmp_path, secrets=Gone(other="x")) as (adapter, who, _, _):
        error = await failure(adapter)
    assert (error.reason, error.domain) == ("credentials", "adapter")
    assert "env:KEY is missing" in str(error)
    assert who.requests == 0


@pytest.mark.parametrize(
    ("wrong", "kind", "reason"),
    [
        ({"status": 503, "headers": {"Retry-After": "7"}}, Unavailable, "busy"),
        ({"status": 429}, Unavailable, "busy"),
        ({"status": 500}, Unavailable, "server_error"),
        ({"status": 400, "body": b'{"error": "invalid_x"}'}, Refused, "credentials"),
        ({"status": 400, "body": b"<html>999"}, Refused, "credentials"),
        ({"status": 401, "body": b'{"error": "made up 999"}'}, Refused, "credentials"),
        ({"status": 403, "body": b"[" * 9000}, Refused, "credentials"),
        ({"status": 404}, Odd, "unexpected_status"),
        ({"status": 302, "headers": {"Location": "/999"}}, Refused, "redirect"),
        ({"body": b""}, Odd, "unreadable"),
        ({"body": b"<html>999</html>"}, Odd, "unreadable"),
        ({"body": b"\xff\xfe"}, Odd, "unreadable"),
        ({"body": b"[" * 9000}, Odd, "unreadable"),
        ({"body": b'{"access_token": null}'}, Odd, "unreadable"),
        ({"body": b'{"token_type": "Bearer"}'}, Odd, "unreadable"),
        ({"body": b'{"access_token": "a", "token_type": "mac"}'}, Odd, "unreadable"),
        ({"body": b'{"access_token": "a\\r\\nX: 999"}'}, Odd, "unreadable"),
        ({"body": b'{"access_token": ""}'}, Odd, "unreadable"),
        ({"body": b'{"access_token": "a", "expires_in": "soon"}'}, Odd, "unreadable"),
        ({"body": b'{"access_token": "a", "expires_in": [1]}'}, Odd, "unreadable"),
        ({"body": b'{"access_token": "' + b"a" * 20_000 + b'"}'}, Odd, "unreadable"),
        ({"body": b" " * 70_000}, Odd, "too_large"),
        ({"cuts": 2}, Unavailable, "cut"),
    ],
)  # fmt: skip
async def test_a_token_endpoint_that_fails_is_no_fault_of_the_source(
    tmp_path, wrong, kind, reason
):
    async with at_work(tmp_path) as (adapter, who, server, _):
        for name, value in wrong.items():
            setattr(who, name, value)
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (kind, reason, "adapter")
    assert error.retry_after_s == (7 if "Retry-After" in who.headers else None)
    assert "999" not in str(error)
    assert "127.0.0.1" not in str(error)
    assert server.asked == []


async def test_a_request_cut_short_is_sent_again_with_another_assertion(tmp_path):
    async with at_work(tmp_path) as (adapter, who, _, _):
        who.cuts = 1
        assert ids(await adapter.ask(about())) == FOUND
    assert (who.requests, who.refusals) == (2, [])


async def test_a_token_endpoint_that_is_not_there_is_no_fault_of_the_source(tmp_path):
    async with at_work(tmp_path, token_url="http://127.0.0.1:1/token") as (adapter, *_):
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (
        Unavailable, "connect", "adapter",
    )  # fmt: skip
    assert "auth.token_url" in str(error)


async def test_waiting_for_a_token_counts_in_the_sources_time(tmp_path):
    limits = Limits(source_s=2.0)
    async with at_work(tmp_path, limits=limits) as (adapter, who, server, _):
        who.delay_s = 2.2
        async with asyncio.timeout(2.0):
            with pytest.raises(Unavailable) as caught:
                await adapter.ask(about())
        assert (caught.value.reason, caught.value.domain) == ("busy", "adapter")
        assert server.asked == []
        # It came all the same, for the next to use.
        assert ids(await adapter.ask(about())) == FOUND
    assert who.requests == 1


async def test_one_who_leaves_takes_the_token_from_nobody(tmp_path):
    async with at_work(tmp_path) as (adapter, who, _, _):
        who.delay_s = 0.3
        leaver = asyncio.create_task(adapter.ask(about()))
        stayer = asyncio.create_task(adapter.ask(about()))
        await asyncio.sleep(0.1)
        leaver.cancel()
        assert ids(await stayer) == FOUND
        assert leaver.cancelled()
    assert who.requests == 1


async def test_closing_ends_a_fetch_that_is_going_on(tmp_path):
    async with at_work(tmp_path) as (adapter, who, _, _):
        who.delay_s = 30
        waiting = asyncio.create_task(failure(adapter))
        await asyncio.sleep(0.1)
        await adapter.aclose()
        error = await waiting
        await adapter.aclose()
    assert (error.reason, error.domain) == ("busy", "adapter")


async def test_a_silent_endpoint_is_given_up(tmp_path):
    async with at_work(tmp_path, limits=Limits(source_s=0.2)) as (adapter, who, _, _):
        who.delay_s = 30
        assert (await failure(adapter)).reason == "busy"
        assert who.requests == 1
        error = await failure(adapter)
        async with asyncio.timeout(5):
            while who.requests == 1:
                error = await failure(adapter)
    assert (error.reason, error.domain) == ("busy", "adapter")


async def test_neither_token_nor_key_nor_assertion_is_told(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    async with at_work(tmp_path) as (adapter, who, _, _):
        await adapter.ask(about())
        token = who.header["Authorization"].removeprefix("Bearer ")
        told = caplog.text + "".join(
            repr(each) + repr(vars(each))
            for each in (adapter, adapter._access, adapter._access._credentials)
        )
    assert token not in told
    assert "PRIVATE KEY" not in told
    assert "eyJ" not in told
    assert CLIENT in told  # what was looked at does tell something
