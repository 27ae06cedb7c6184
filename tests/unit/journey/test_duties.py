"""What a question's decisions demand is done with it, or nothing is shown."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.audit.log import AuditUnavailable
from gateway.break_glass.breaking import Breaking
from gateway.break_glass.key import GlassKey
from gateway.journey.inquiry import inquire
from gateway.journey.question import Claim
from gateway.notices.channels import Channels
from gateway.problems import RequestError
from tests.houses import (
    RECIPIENT,
    HouseClock,
    clause,
    doctor,
    event,
    house,
    memory,
    policy_of,
    question,
    source,
)
from tests.people import number
from tests.stores import migrated
from tests.trails import sqlite_url, trail_at

OFFICER = "https://officer.example.invalid"
TOLD = Channels(
    addresses={
        (RECIPIENT, "privacy-officer"): OFFICER,
        ("Z9A01", "owner"): OFFICER,
    }
)
CLAIM = Claim(kind="self-claimed", reason="on call")
PLAIN = clause(id="c1", cleared_labels=["unlabelled"])
WATCHED = clause(id="c2", obligations={"notify": ["privacy-officer", "owner"]})


@asynccontextmanager
async def kept(tmp_path, *sources, policy, channels=TOLD):
    """A house with a real trail, and what stands in its outbox."""
    clock = HouseClock()
    trail = trail_at(sqlite_url(tmp_path), clock)
    await trail.start("0.1.0")
    woken: list[bool] = []
    gateway = replace(
        house(*sources, policy=policy, clock=clock),
        trail=trail,
        channels=channels,
        wake=lambda: woken.append(True),
    )

    async def outbox():
        async with migrated(sqlite_url(tmp_path)) as database:
            rows = await database.read(
                lambda store: store.exec_driver_sql(
                    "SELECT organisation, recipient, kind, reference FROM notice"
                ).all()
            )
        return sorted(tuple(row) for row in rows)

    try:
        yield gateway, outbox, woken
    finally:
        await trail.aclose()


def surgery(*labels):
    return source("Z9A01.gp", memory(event("a1", labels=labels)))


async def test_what_only_release_shows_to_be_demanded_is_told_with_the_outcome(
    tmp_path,
):
    """Catches duties taken from the plan alone: a label leads to another clause."""
    policy = policy_of(["Z9A01"], PLAIN, WATCHED)
    async with kept(tmp_path, surgery("PSY"), policy=policy) as (
        gateway,
        outbox,
        woken,
    ):
        journey = await inquire(gateway, doctor(), question())
        assert len(journey.events) == 1
        assert await outbox() == [
            ("Z9A01", "owner", "agreement", journey.decision.decision_id),
            (RECIPIENT, "privacy-officer", "agreement", journey.decision.decision_id),
        ]
        assert woken == [True]


async def test_what_nothing_shown_demands_is_not_told(tmp_path):
    policy = policy_of(["Z9A01"], PLAIN, WATCHED)
    async with kept(tmp_path, surgery(), policy=policy) as (gateway, outbox, woken):
        journey = await inquire(gateway, doctor(), question())
        assert len(journey.events) == 1
        assert await outbox() == []
        assert woken == []


async def test_where_an_answer_is_refused_its_release_tells_nobody(tmp_path):
    policy = policy_of(["Z9A01"], PLAIN, WATCHED)
    strict = question(strict=True, min_sources=2)
    async with kept(tmp_path, surgery("PSY"), policy=policy) as (gateway, outbox, _):
        with pytest.raises(RequestError) as caught:
            await inquire(gateway, doctor(), strict)
        assert caught.value.code == "required-sources-unmet"
        assert await outbox() == []


async def test_what_the_plan_demands_is_told_once_and_before_anything_is_asked(
    tmp_path,
):
    policy = policy_of(["Z9A01"], WATCHED)
    async with kept(tmp_path, surgery(), policy=policy) as (gateway, outbox, woken):
        await inquire(gateway, doctor(), question())
        assert len(await outbox()) == 2
        assert woken == [True]


async def test_a_question_of_which_nobody_can_be_told_is_not_asked(tmp_path):
    policy = policy_of(["Z9A01"], WATCHED)
    async with kept(tmp_path, surgery(), policy=policy) as (gateway, _, _woken):
        async with migrated(sqlite_url(tmp_path)) as database:
            await database.transact(
                lambda store: store.exec_driver_sql("DROP TABLE notice")
            )
        with pytest.raises(AuditUnavailable):
            await inquire(gateway, doctor(), question())


async def test_an_item_whose_clause_wants_a_reason_stays_hidden_without_one(tmp_path):
    """Release may come to a clause that wants a reason: none was given, none shown."""
    wants = clause(id="c2", obligations={"justify": "true"})
    policy = policy_of(["Z9A01"], PLAIN, wants)
    async with kept(tmp_path, surgery("PSY"), policy=policy) as (gateway, _, _woken):
        without = await inquire(gateway, doctor(), question())
        given = question(claim=Claim(kind="registered", reason="letter"))
        with_it = await inquire(gateway, doctor(), given)
    assert without.events == []
    assert without.completeness.sources[0].state == "withheld"
    assert len(with_it.events) == 1


async def test_a_reason_is_not_wanted_where_it_would_open_nothing(tmp_path):
    """Catches a 400 for what stays refused: that nobody can be told of it."""
    both = clause(obligations={"justify": "true", "notify": ["patient"]})
    policy = policy_of(["Z9A01"], both)
    async with kept(tmp_path, surgery(), policy=policy) as (gateway, _, _woken):
        with pytest.raises(RequestError) as caught:
            await inquire(gateway, doctor(), question())
    assert caught.value.code == "not-permitted"


async def test_a_claim_beside_evidence_costs_nothing_of_the_budget(tmp_path):
    both = clause(relationships=["registered", "self-claimed"])
    policy = policy_of(["Z9A01"], both)
    async with kept(tmp_path, surgery(), policy=policy) as (gateway, outbox, _):
        for nth in range(7):
            asked = question(replace(question().person, nhs_number=number(nth)))
            await inquire(gateway, doctor(), replace(asked, claim=CLAIM))
        assert await outbox() == []


async def test_a_refused_claim_spends_the_budget_too(tmp_path):
    policy = policy_of(["Z9A01"], clause(relationships=["referral"]))
    codes = []
    async with kept(tmp_path, surgery(), policy=policy) as (gateway, _, _woken):
        for nth in range(6):
            asked = question(replace(question().person, nhs_number=number(nth)))
            with pytest.raises(RequestError) as caught:
                await inquire(gateway, doctor("none"), replace(asked, claim=CLAIM))
            codes.append(caught.value.code)
    assert codes == ["not-permitted"] * 5 + ["people-budget-spent"]


async def test_a_store_that_is_lost_is_not_told_as_a_bad_token(tmp_path):
    """503 is our own trouble; 403 would send people to their administrator."""
    policy = policy_of(["Z9A01"])
    async with kept(tmp_path, surgery(), policy=policy) as (gateway, _, _woken):
        key = GlassKey(key=bytes(32))
        async with migrated(sqlite_url(tmp_path)) as database:
            await database.transact(
                lambda store: store.exec_driver_sql("DROP TABLE break_glass")
            )
            breaking = Breaking(
                trail=gateway.trail,
                database=database,
                key=key,
                channels=TOLD,
                clock=gateway.clock,
                often=5,
            )
            asked = question(break_glass=key.token_of("bgl_a"))
            with pytest.raises(AuditUnavailable):
                await inquire(replace(gateway, breaking=breaking), doctor(), asked)
