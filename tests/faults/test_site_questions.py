"""Questions that are not the gateway's, and answers that are not the site's.

Each is refused with a code, recorded at the site, and shows nothing; no source is
asked of one that is not believed.
"""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from adapters.contract import Identifiers
from adapters.errors import Refused, Unavailable, Vetoed
from adapters.site import sealing
from adapters.site.keys import NamedKey
from adapters.site.wire import (
    QUESTION_TYPE,
    Body,
    Claims,
    Posted,
    read,
    spelt,
)
from adapters.vocabulary import CATEGORIES
from adapters.warrant import Granted
from gateway.audit.records import Denied, NotTaken
from gateway.site.answering import answer as answered
from gateway.site.verifying import Untaken
from tests.houses import ANN, BOB, NOW, HouseClock
from tests.sites import SITE, Around, Held, adapter_to, query, rule, veto

pytestmark = pytest.mark.fault


def resigned(held: Held, change: Callable[[Claims], Claims], key=None):
    """The question with other claims, signed by the gateway's own key or another."""

    def changed(posted: bytes) -> bytes:
        wire = read(posted, Posted)
        payload = sealing.verified(
            wire.question, held.around.gateway[1].signing, QUESTION_TYPE
        )
        claims = change(read(payload, Claims))
        signs = key or held.around.gateway[0].signs
        token = sealing.signed(spelt(claims), signs, QUESTION_TYPE)
        return spelt(Posted(question=token, body=wire.body))

    return changed


def claiming(**changed: Any) -> Callable[[Claims], Claims]:
    return lambda claims: msgspec.structs.replace(claims, **changed)


def later(seconds: int) -> Callable[[Claims], Claims]:
    return lambda claims: msgspec.structs.replace(
        claims, iat=claims.iat + seconds, exp=claims.exp + seconds
    )


def deciding(**changed: Any) -> Callable[[Claims], Claims]:
    return lambda claims: msgspec.structs.replace(
        claims, decision=msgspec.structs.replace(claims.decision, **changed)
    )


@pytest.mark.parametrize(
    ("change", "code", "kind"),
    [
        (claiming(iss="gateway-2"), "misaddressed", Refused),
        (claiming(aud="another-site"), "misaddressed", Refused),
        (later(-60), "expired", Unavailable),
        (later(60), "clock", Unavailable),
        (lambda c: msgspec.structs.replace(c, exp=c.iat + 31), "malformed", Refused),
        (lambda c: msgspec.structs.replace(c, exp=c.iat), "malformed", Refused),
        (claiming(query_sha256="0" * 64), "altered", Refused),
        (deciding(owner="Z9C03"), "misaddressed", Refused),
        (deciding(purpose="curiosity"), "unknown_purpose", Refused),
        (deciding(operation="journey.write"), "unknown_operation", Refused),
        (deciding(operation="population.linked"), "unknown_operation", Refused),
        (deciding(mode="aggregate"), "unknown_operation", Refused),
    ],
)
async def test_a_question_that_is_not_to_be_believed_is_refused(change, code, kind):
    held = Held()
    held.carrier.question = resigned(held, change)
    error = await held.refused()
    assert (type(error), error.reason, error.domain) == (kind, code, "adapter")
    assert held.recorded == [code]
    assert held.spy.asked == []
    (record,) = held.around.trail.records
    assert isinstance(record, NotTaken)
    assert record.question is not None  # the gateway signed it: its id is believed


async def test_a_question_of_another_hand_is_refused():
    held, stranger = Held(), Around()
    signs = stranger.gateway[0].signs
    held.carrier.question = resigned(held, lambda c: c, signs)
    assert (await held.refused()).reason == "unknown_key"
    # Under the id of the gateway's own key, the signature is not that key's.
    known = held.around.gateway[0].signs
    posing = NamedKey(kid=known.kid, algorithm=signs.algorithm, key=signs.key)
    held.carrier.question = resigned(held, lambda c: c, posing)
    assert (await held.refused()).reason == "forged"
    assert held.recorded == ["unknown_key", "forged"]
    assert held.spy.asked == []


async def test_a_question_is_good_for_one_use():
    held = Held()
    await held.ask()
    (posted,) = held.carrier.carried
    for _ in range(2):
        with pytest.raises(Untaken, match="replayed"):
            await answered(held.carrier.desk, posted)
    assert held.recorded == ["replayed", "replayed"]
    assert len(held.spy.asked) == 1


async def test_a_question_that_was_refused_is_not_good_later_either():
    held = Held()
    posted: list[bytes] = []

    def swapped(question: bytes) -> bytes:
        posted.append(question)
        other = sealing.sealed(b"{}", held.around.site[1].seals)
        return spelt(msgspec.structs.replace(read(question, Posted), body=other))

    held.carrier.question = swapped
    assert (await held.refused()).reason == "altered"
    with pytest.raises(Untaken, match="replayed"):
        await answered(held.carrier.desk, posted[0])


async def test_an_id_may_come_again_once_nobody_would_believe_the_old_question():
    clock = HouseClock()
    held = Held(Around(site_clock=clock, gateway_clock=clock))
    await held.ask()
    clock.at += timedelta(seconds=60)
    with pytest.raises(Untaken, match="expired"):
        await answered(held.carrier.desk, held.carrier.carried[0])
    await held.ask(until=clock.at + timedelta(seconds=4))
    assert len(held.carrier.desk.verifier.seen._until) == 1


@pytest.mark.parametrize("off_s", [-60, 60])
async def test_a_clock_that_is_off_is_told_as_that(off_s):
    clock = HouseClock(NOW + timedelta(seconds=off_s))
    held = Held(Around(site_clock=clock))
    error = await held.refused()
    assert isinstance(error, Unavailable)
    assert (error.reason, error.domain) == ("clock", "adapter")
    assert held.spy.asked == []


@pytest.mark.parametrize("off_s", [-4, 4])
async def test_clocks_may_differ_by_seconds(off_s):
    clock = HouseClock(NOW + timedelta(seconds=off_s))
    held = Held(Around(site_clock=clock))
    assert len((await held.ask()).events) == 1


async def test_a_question_that_was_long_under_way_is_late():
    held = Held()
    held.carrier.question = resigned(held, later(-40))
    error = await held.refused()
    assert (error.reason, error.domain) == ("expired", "adapter")


@pytest.mark.parametrize(
    "posted",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"body":"","question":""}',
        b'{"body":"a.b.c.d.e","question":"a.b.c"}',
        b'{"question":"a.b.c","body":"a.b.c.d.e"}',  # not in the order of names
        b'{"body":"","body":"","question":""}',
        b'{"body":"","question":"","more":1}',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_question_is_refused(posted):
    held = Held()
    with pytest.raises(Untaken, match="malformed"):
        await answered(held.carrier.desk, posted)
    assert held.recorded == ["malformed"]
    (record,) = held.around.trail.records
    assert isinstance(record, NotTaken)
    assert record.question is None


@pytest.mark.parametrize(
    "payload", [b"{}", b"[]", b"not json", b'{"iss":"gateway-1","iss":"gateway-1"}']
)
async def test_claims_are_read_strictly(payload):
    held = Held()

    def changed(posted: bytes) -> bytes:
        wire = read(posted, Posted)
        signs = held.around.gateway[0].signs
        token = sealing.signed(payload, signs, QUESTION_TYPE)
        return spelt(Posted(question=token, body=wire.body))

    held.carrier.question = changed
    assert (await held.refused()).reason == "malformed"


async def test_a_body_of_another_shape_is_refused():
    held = Held()

    def changed(posted: bytes) -> bytes:
        plain = b'{"source":"Z9B02.epr"}'
        digested = claiming(query_sha256=sealing.digest(plain))
        signed = read(resigned(held, digested)(posted), Posted)
        body = sealing.sealed(plain, held.around.site[1].seals)
        return spelt(Posted(question=signed.question, body=body))

    held.carrier.question = changed
    assert (await held.refused()).reason == "malformed"


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_changed_under_way_nothing_else_is_asked(seed):
    held = Held()
    await held.ask()
    (posted,) = held.carrier.carried
    held.spy.asked.clear()
    random = Random(seed)  # noqa: S311 - it picks what to spoil
    refused = 0
    for _ in range(100):
        held.carrier.desk.verifier.seen._until.clear()
        spoilt = bytearray(posted)
        spoilt[random.randrange(len(spoilt))] ^= random.randrange(1, 256)
        try:
            await answered(held.carrier.desk, bytes(spoilt))
        except Untaken:
            refused += 1
    assert refused > 90
    # The last character of a signature holds bits that mean nothing.
    assert refused + len(held.spy.asked) == 100
    assert all(each.person == ANN for each in held.spy.asked)


async def test_a_question_about_nobody_is_refused():
    held = Held()
    with pytest.raises(Refused, match="malformed"):
        await held.adapter.ask(replace(query(), person=Identifiers(nhs_number=None)))
    assert held.recorded == ["malformed"]
    assert held.spy.asked == []


async def test_a_body_about_somebody_else_is_refused():
    held = Held()

    def changed(posted: bytes) -> bytes:
        wire = read(posted, Posted)
        plain = sealing.opened(wire.body, held.around.site[0].sealing)
        other = msgspec.structs.replace(read(plain, Body), nhs_number=BOB.nhs_number)
        body = sealing.sealed(spelt(other), held.around.site[1].seals)
        return spelt(Posted(question=wire.question, body=body))

    held.carrier.question = changed
    assert (await held.refused()).reason == "altered"
    assert held.spy.asked == []


async def test_a_source_that_the_site_does_not_serve_is_refused():
    held = Held()
    other = replace(held.source, id="Z9B02.other")
    adapter = adapter_to(other, held.around, held.carrier)
    with pytest.raises(Refused, match="unknown_source"):
        await adapter.ask(query())
    assert held.recorded == ["unknown_source"]


@pytest.mark.parametrize(
    "granted",
    [
        (Granted(relationship="registered", categories=CATEGORIES, view={"x": 1}),),
        (
            Granted(relationship="registered", categories=CATEGORIES, view={}),
            Granted(relationship="referral", categories=CATEGORIES, view={}),
        ),
    ],
)
async def test_a_grant_that_cannot_be_read_is_refused(granted):
    held = Held()
    assert (await held.refused(granted=granted)).reason == "malformed"
    assert held.spy.asked == []


@pytest.mark.parametrize(
    ("relationship", "category"), [("registered", "nonsense"), ("nobody", "encounters")]
)
async def test_a_grant_of_what_means_nothing_here_grants_nothing(
    relationship, category
):
    held = Held()
    granted = Granted(
        relationship=relationship, categories=frozenset({category}), view={}
    )
    error = await held.refused(granted=(granted,))
    assert (error.reason, error.domain) == ("site", "policy")
    assert held.spy.asked == []


async def test_an_agreement_by_the_name_of_an_own_rule_is_no_grant():
    held = Held(rules=[rule("Z9B02", veto(purposes=["research"]), named="LR-1")])
    assert (await held.refused(agreement="LR-1")).reason == "malformed"
    assert held.spy.asked == []


async def test_what_was_not_granted_is_not_asked():
    held = Held()
    only = Granted(
        relationship="registered", categories=frozenset({"documents"}), view={}
    )
    error = await held.refused(granted=(only,))
    assert (error.reason, error.domain) == ("site", "policy")
    assert held.spy.asked == []
    assert isinstance(held.around.trail.records[-1], Denied)


async def test_a_veto_of_all_leaves_no_question_of_who_is_known_either():
    """Seeded defect: a question of no category is asked whatever the rules say."""
    held = Held(rules=[rule("Z9B02", veto(purposes=["direct-care"]))])
    with pytest.raises(Vetoed):
        await held.adapter.ask(replace(query(), categories=frozenset()))
    assert held.spy.asked == []
    (record,) = held.around.trail.records
    assert isinstance(record, Denied)


async def test_a_site_that_is_full_says_so():
    held = Held(questions=1)
    async with held.carrier.desk.room:
        error = await held.refused()
    assert (type(error), error.reason) == (Unavailable, "busy")
    assert held.recorded == ["busy"]


async def test_more_ids_than_can_be_remembered_are_not_taken(monkeypatch):
    monkeypatch.setattr("gateway.site.verifying._MOST_REMEMBERED", 1)
    held = Held()
    await held.ask()
    assert (await held.refused()).reason == "busy"


async def test_without_a_decision_no_question_leaves():
    held = Held()
    with pytest.raises(Refused, match="decision"):
        await held.adapter.ask(replace(query(), warrant=None))
    assert held.carrier.carried == []


async def test_no_number_stands_in_what_a_relay_would_carry():
    held = Held()
    await held.ask()
    (posted,) = held.carrier.carried
    question = read(posted, Posted).question
    signed = base64.urlsafe_b64decode(question.split(".")[1] + "==")
    number = str(ANN.nhs_number).encode()
    assert number not in posted + signed
    # Nor can the number be guessed from the digest beside it.
    claims = read(signed, Claims)
    guessed = Body(
        salt="0" * 32,
        source="Z9B02.epr",
        nhs_number=ANN.nhs_number,
        others=tuple(sorted(ANN.others, key=lambda each: each.value)),
        since=None,
        until=None,
        categories=("encounters",),
        limit=10,
    )
    assert claims.query_sha256 != sealing.digest(spelt(guessed))
    assert claims.aud == SITE
    assert datetime.fromtimestamp(claims.exp, UTC) - NOW <= timedelta(seconds=30)


async def test_of_many_grants_the_policy_of_a_few_is_kept(monkeypatch):
    monkeypatch.setattr("gateway.site.deciding._MOST_REMEMBERED", 2)
    held = Held()
    for nth in range(5):
        assert len((await held.ask(organisation=f"Z9R0{nth}")).events) == 1
    assert len(held.carrier.desk.policy._compiled) <= 2


def test_no_patient_value_stands_in_a_repr_of_what_is_asked():
    body = Body(
        salt="0" * 32,
        source="s",
        nhs_number=ANN.nhs_number,
        others=(),
        since=None,
        until=None,
        categories=(),
        limit=1,
    )
    assert str(ANN.nhs_number) not in repr(body)
