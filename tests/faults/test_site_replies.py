"""Answers that are not the site's to this question: nothing of them is shown."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.errors import Unreadable
from adapters.http import Request, Response
from adapters.site import sealing
from adapters.site.answers import Reply, spelt_reply
from adapters.site.carrying import Direct
from adapters.site.wire import (
    ANSWER_TYPE,
)
from gateway.audit.records import Outcome
from tests.sites import Around, Held, query
from tests.surroundings import in_folder

pytestmark = pytest.mark.fault


def answer_changed(held: Held, change: Callable[[Reply], Reply], key=None):
    """The answer with something else in it, signed by the site's key or another."""

    def changed(sealed: bytes) -> bytes:
        token = sealing.opened(sealed, held.around.gateway[0].sealing)
        payload = sealing.verified(token, held.around.site[1].signing, ANSWER_TYPE)
        reply = change(msgspec.json.decode(payload, type=Reply))
        signs = key or held.around.site[0].signs
        signed = sealing.signed(spelt_reply(reply), signs, ANSWER_TYPE)
        seals = held.around.gateway[1].seals
        return sealing.sealed(signed.encode(), seals).encode()

    return changed


def replying(**changed: Any) -> Callable[[Reply], Reply]:
    return lambda reply: msgspec.structs.replace(reply, **changed)


def counting(count: int) -> Callable[[Reply], Reply]:
    def changed(reply: Reply) -> Reply:
        assert reply.answer is not None
        return msgspec.structs.replace(
            reply, answer=msgspec.structs.replace(reply.answer, count=count)
        )

    return changed


async def test_an_answer_that_says_one_thing_twice_is_not_believed():
    held = Held()

    def doubled(sealed: bytes) -> bytes:
        token = sealing.opened(sealed, held.around.gateway[0].sealing)
        payload = sealing.verified(token, held.around.site[1].signing, ANSWER_TYPE)
        twice = payload[:-1] + b',"state":"answered"}'
        signed = sealing.signed(twice, held.around.site[0].signs, ANSWER_TYPE)
        return sealing.sealed(signed.encode(), held.around.gateway[1].seals).encode()

    held.carrier.answer = doubled
    assert (await held.refused()).reason == "untrusted_answer"


class Saying:
    """A transport to what says 403 and this."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def send(self, _: Request) -> Response:
        return Response(status=403, headers={}, body=self._body)

    async def aclose(self) -> None: ...


@pytest.mark.parametrize(
    "said",
    [
        b'{"at":"2026-01-10T12:00:00","refused":"expired"}',  # of what zone?
        b'{"at":"2026-01-10T12:00:00Z","refused":"because"}',
        b'{"at":"2026-01-10T12:00:00Z","refused":"busy","refused":"busy"}',
        b'{"refused":"busy"}',
        b"",
    ],
)
async def test_a_refusal_that_no_site_says_is_not_read_as_one(said):
    around = replace(in_folder(Path("nowhere")), transport=Saying(said))
    direct = Direct("https://site.invalid", around, identity=None, loopback=False)
    with pytest.raises(Unreadable) as caught:
        await direct.carry(b"{}", "0" * 32)
    assert (caught.value.reason, caught.value.domain) == ("unreadable", "adapter")


@pytest.mark.parametrize(
    "change",
    [
        replying(state="error", answer=None, reason="Ann Test 9990000018"),
        replying(state="error", answer=None, reason="x" * 65),
        replying(jti="0" * 32),
        replying(iss="another-site"),
        replying(aud="gateway-2"),
        replying(answer=None),
        replying(state="denied"),
        counting(2),
        counting(0),
    ],
)
async def test_an_answer_to_something_else_is_not_believed(change):
    held = Held()
    held.carrier.answer = answer_changed(held, change)
    error = await held.refused()
    assert isinstance(error, Unreadable)
    assert (error.reason, error.domain) == ("untrusted_answer", "adapter")


async def test_an_answer_of_another_hand_is_not_believed():
    held = Held()
    stranger = Around().site[0].signs
    held.carrier.answer = answer_changed(held, lambda r: r, stranger)
    asked = query()
    with pytest.raises(Unreadable):
        await held.adapter.ask(asked)
    assert asked.warrant is not None
    (exchange,) = asked.warrant.exchanges.every
    assert exchange.answer is None


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"not.a.jwe",
        lambda sealed: sealed[:-4] + b"AAAA",
        lambda sealed: sealed[: len(sealed) // 2],
        lambda sealed: b"\xff" + sealed,
        lambda _: b"e30.e30.e30.e30.e30",
    ],
)
async def test_an_answer_that_was_altered_under_way_is_not_believed(change):
    held = Held()
    held.carrier.answer = change
    assert (await held.refused()).reason == "untrusted_answer"
    # The site answered, and its record says with what.
    assert isinstance(held.around.trail.records[-1], Outcome)
